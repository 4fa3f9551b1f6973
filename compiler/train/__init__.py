"""Training for the chip: from a recipe to a transducer's folder.

    export   a trained network in numpy, written as the folder that the compiler reads

Nothing but the command line imports this package.
"""

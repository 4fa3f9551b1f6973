"""Training for the chip: from a recipe to a transducer's folder of int8 models.

A recipe (`recipe`) says which voices speak what (`corpus`), how it is disturbed (`sound`), and
which network learns it (`learn`): a transducer loss restricted by the words' times, weights pruned
while they learn, and arithmetic that is already that of the chip. PyTorch is imported by `learn`
and `train` alone, this package by the command line alone.
"""

"""What rooms run on: loops over plain arrays that know no graph and no operator.

A matrix is prepared once, in the form that is faster for its density, and multiplied many times.
"""

"""A quantised model without a file format and without a chip.

The graph that front ends make, TensorFlow Lite Micro's integer arithmetic, the integer parameters
of operators, and what a folder says of a transducer.
"""

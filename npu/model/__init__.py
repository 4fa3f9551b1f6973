"""A quantised model without a file format and without a chip.

The graph that front ends make, TensorFlow Lite Micro's integer arithmetic, the integer parameters
of operators, what crosses from one graph to another, what a call may be given, and what a folder
says of a transducer.
"""

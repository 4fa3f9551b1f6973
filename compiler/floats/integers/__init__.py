"""Integer operators of ONNX written in floats: what stays of them is grids and weights.

A value that a file holds as integers becomes the real number that they stand for, under the same
name. Where it is made stands a pair of QuantizeLinear and DequantizeLinear, which `rewrite` turns
into a node of its own; between pairs everything is an operator on floats. DynamicQuantizeLinear
leaves nothing: ranges are calibrated.

    walk    a model while it is rewritten
    rules   by kind of operator
"""

from compiler.floats.integers.rules import KINDS, in_floats
from compiler.floats.integers.walk import Integers

__all__ = ["KINDS", "Integers", "in_floats"]

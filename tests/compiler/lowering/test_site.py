"""Lowering: what the chip cannot do is refused by name."""

import numpy as np
import pytest

from npu.errors import UnsupportedError
from npu.model.graph import Graph, Tensor
from npu.model.operators.binary import Add
from npu.model.operators.move import Reshape
from npu.model.operators.product import FullyConnected
from tests.compiler.passes.made import quantization, session


def refusal(*tensors, operators, inputs=(0,), outputs=None):
    graph = Graph("g", tensors, operators, inputs, outputs or (len(tensors) - 1,))
    with pytest.raises(UnsupportedError) as caught:
        session(graph)
    return str(caught.value)


def test_what_the_chip_cannot_do_is_refused_by_name():
    q = quantization()
    x, y = (Tensor(name, (2, 12), "int8", q, None) for name in "xy")
    constant = Tensor("c", (2, 12), "int8", q, np.zeros((2, 12), np.int8))
    message = refusal(x, constant, y, operators=(Add("add 7", 0, 1, 2),))
    assert "g: add 7: operand 'c' is a constant; the chip takes int8 activations" in message
    flat = Tensor("f", (1, 24), "int8", q, None)
    other = Tensor("o", (1, 24), "int8", q, None)
    operators = (Reshape("r", 0, 1), Add("add 8", 1, 2, 3))
    message = refusal(x, flat, other, flat, operators=operators, inputs=(0, 2))
    assert "g: add 8: operands lie in rows of 12 and 24 elements" in message
    cut = Tensor("k", (2, 12), "int8", q, None)
    weights = Tensor("w", (3, 12), "int8", quantization(0.01, 0), np.ones((3, 12), np.int8))
    out = Tensor("z", (2, 3), "int8", q, None)
    operators = (Reshape("r", 0, 1), FullyConnected("fc 9", 1, 2, None, 3))
    message = refusal(flat, cut, weights, out, operators=operators)
    assert (
        "g: fc 9: rows of 12 elements cut out of rows of 24 do not start on a bus word" in message
    )

"""Lowering: tensors lie as they are, constants are loaded, and what cannot be is refused."""

import numpy as np
import pytest

from kernels import Interpreter
from npu.errors import UnsupportedError
from npu.model.graph import Graph, Tensor
from npu.model.operators.binary import Add
from npu.model.operators.move import Reshape
from npu.model.operators.product import FullyConnected
from npu.model.operators.retype import ToReal
from tests.compiler.passes.made import quantization, session

Q = quantization()


def tensor(name, *shape, dtype="int8", data=None):
    return Tensor(name, shape, dtype, Q if dtype != "float32" else None, data)


def assert_as_kernels(graph):
    rng = np.random.default_rng(3)
    inputs = [rng.integers(-128, 128, graph.tensors[i].shape).astype(np.int8) for i in graph.inputs]
    np.testing.assert_array_equal(
        session(graph).invoke(inputs)[0], Interpreter(graph).invoke(inputs)[0]
    )


def test_a_constant_is_loaded():
    data = np.arange(24, dtype=np.int8).reshape(2, 12)
    tensors = tensor("x", 2, 12), tensor("c", 2, 12, data=data), tensor("y", 2, 12)
    assert_as_kernels(Graph("g", tensors, (Add("add", 0, 1, 2),), (0,), (2,)))


def test_rows_cut_out_of_others_begin_anywhere():
    weights = Tensor("w", (3, 9), "int8", quantization(0.01, 0), np.ones((3, 9), np.int8))
    tensors = tensor("f", 1, 27), tensor("k", 3, 9), weights, tensor("z", 3, 3)
    operators = Reshape("r", 0, 1), FullyConnected("fc", 1, 2, None, 3)
    assert_as_kernels(Graph("g", tensors, operators, (0,), (3,)))


def test_what_the_chip_cannot_do_is_refused_by_name():
    tensors = tensor("x", 4), tensor("r", 4, dtype="float32"), tensor("s", 2, 2, dtype="float32")
    graph = Graph("g", tensors, (ToReal("real 7", 0, 1), Reshape("r", 1, 2)), (0,), (2,))
    with pytest.raises(UnsupportedError, match="g: real 7: the chip has no real numbers"):
        session(graph)

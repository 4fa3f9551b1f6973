"""Linking: what host and chip exchange."""

import numpy as np

from kernels import Interpreter
from npu.model.graph import Graph, Tensor
from npu.model.operators.binary import Add
from npu.model.operators.move import Reshape
from npu.model.operators.rescale import Relu
from tests.compiler.passes.made import quantization, session


def test_inputs_of_one_name_and_an_output_twice():
    tensors = [Tensor("", (1, 9), "int8", quantization(0.05 + 0.01 * i), None) for i in range(4)]
    operators = (Add("add", 0, 1, 2), Relu("relu", 1, 3))
    graph = Graph("names", tuple(tensors), operators, (0, 1), (3, 2, 3, 0))
    rng = np.random.default_rng(2)
    inputs = [rng.integers(-128, 128, (1, 9)).astype(np.int8) for _ in range(2)]
    for found, expected in zip(
        session(graph).invoke(inputs), Interpreter(graph).invoke(inputs), strict=True
    ):
        np.testing.assert_array_equal(found, expected)


def test_an_input_that_is_the_output():
    tensors = (
        Tensor("x", (1, 9), "int8", quantization(), None),
        Tensor("x", (9,), "int8", quantization(), None),
    )
    graph = Graph("same", tensors, (Reshape("reshape", 0, 1),), (0,), (1,))
    x = np.arange(9, dtype=np.int8).reshape(1, 9)
    np.testing.assert_array_equal(session(graph).invoke([x])[0], x[0])

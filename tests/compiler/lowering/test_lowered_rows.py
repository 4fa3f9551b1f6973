"""Rows with a scale of their own: exact sums of any size, in parts and not, as on the kernels."""

import numpy as np
import pytest

from compiler.lowering import normalise
from compiler.lowering.digits import FACTORS
from kernels import Interpreter
from npu.model.graph import Graph, Tensor
from npu.model.numerics import INT8_MAX, INT8_MIN, INT32_MAX
from npu.model.operators.normalise import MAX_SQUARED, MAX_SUMMED, L2Normalization, Softmax
from tests.compiler.lowering.test_lowered_routines import compare
from tests.compiler.passes.made import quantization, session


def graph_of(op, shape, scale, zero_point, output):
    tensors = tuple(
        Tensor(name, shape, "int8", quantization(s, z), None)
        for name, s, z in (("x", scale, zero_point), ("y", *output))
    )
    return Graph("rows", tensors, (op,), (0,), (1,))


def check(graph, inputs):
    run, kernels = session(graph, sram_bytes=1 << 18), Interpreter(graph)
    for x in inputs:
        np.testing.assert_array_equal(run.invoke([x])[0], kernels.invoke([x])[0])


def rows_of(shape, rng):
    yield np.full(shape, INT8_MAX, np.int8)
    x = np.full(shape, INT8_MIN, np.int8)
    yield x
    x = x.copy()
    x[..., -1] = INT8_MAX
    yield x
    yield rng.integers(-128, 128, shape).astype(np.int8)


@pytest.mark.parametrize("scale", [1e-7, 0.05, 100.0])
@pytest.mark.parametrize("shape", [(1, MAX_SUMMED), (3, 700), (7, 1)])
def test_softmax_of_any_length(shape, scale):
    graph = graph_of(Softmax("softmax", 0, 1, beta=1.0), shape, scale, 3, (1 / 256, -128))
    check(graph, rows_of(shape, np.random.default_rng(1)))


@pytest.mark.parametrize("zero_point", [INT8_MIN, 0, INT8_MAX])
@pytest.mark.parametrize("shape", [(1, MAX_SQUARED), (3, 64), (5, 7)])
def test_l2_of_any_length(shape, zero_point):
    graph = graph_of(L2Normalization("l2", 0, 1), shape, 0.1, zero_point, (1 / 128, 0))
    check(graph, rows_of(shape, np.random.default_rng(1)))


def test_a_softmax_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(normalise, "_SCRATCH", 1)
    compare("SOFTMAX", tmp_path, models=6)


def test_the_largest_exponential_has_digits():
    low, rest = -1, -(1 << 15)
    assert low * FACTORS[0] + rest * FACTORS[1] + rest * FACTORS[2] == INT32_MAX

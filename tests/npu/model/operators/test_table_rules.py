"""Functions by table: their values, and the scales that are refused."""

import numpy as np
import pytest

from npu.errors import ModelError
from npu.model.graph import Graph
from npu.model.operators.table import (
    PARAMETERS,
    Abs,
    Elu,
    Exp,
    HardSwish,
    LeakyRelu,
    Logistic,
    Lookup,
    Rsqrt,
    Tanh,
)
from npu.model.verify import verify
from tests.npu.model.operators.made import activation, unary


@pytest.mark.parametrize(
    ("kind", "output", "function"),
    [
        (Tanh, (1 / 128, 0), np.tanh),
        (Logistic, (1 / 256, -128), lambda x: 1 / (1 + np.exp(-x))),
    ],
)
def test_tables(kind, output, function):
    graph, op = unary(kind, activation(0.04, 9), activation(*output))
    table = PARAMETERS[kind](graph, op)
    real = function((np.arange(-128, 128) - 9) * 0.04) / output[0] + output[1]
    assert table.dtype == np.int8 and table.shape == (256,)
    # gemmlowp's tanh stays below 1 by up to an output step.
    assert np.max(np.abs(table - np.clip(real, -128, 127))) <= 0.51


def test_a_scale_too_small_for_a_table():
    graph, op = unary(Tanh, activation(2.0**-28), activation(1 / 128))
    with pytest.raises(ModelError, match=r"m: op: its input: .* at least 2\^-27"):
        PARAMETERS[Tanh](graph, op)


def test_a_table_of_the_model_has_an_entry_for_every_int8():
    tensors = (activation(0.04, 9), activation(0.1))
    entries = np.arange(256, dtype=np.uint8).tobytes()
    graph = Graph("m", tensors, (Lookup("op", 0, 1, entries),), (0,), (1,))
    verify(graph)
    found = PARAMETERS[Lookup](graph, graph.operators[0])
    np.testing.assert_array_equal(found.view(np.uint8), np.arange(256))
    odd = Graph("m", tensors, (Lookup("op", 0, 1, entries[:-1]),), (0,), (1,))
    with pytest.raises(ModelError, match="its table must have 256 entries, not 255"):
        verify(odd)


def table(kind, source, output):
    graph, op = unary(kind, activation(*source), activation(*output))
    return PARAMETERS[kind](graph, op).astype(int)


def real(scale, zero_point):
    return (np.arange(-128, 128) - zero_point) * scale


@pytest.mark.parametrize(
    ("kind", "source", "output", "function", "slack"),
    [
        (Abs, (0.04, 9), (0.04, -128), np.abs, 0.01),
        (Abs, (0.04, 9), (0.03, -128), np.abs, 0.51),
        (Elu, (0.04, 9), (0.05, -100), lambda x: np.where(x < 0, np.expm1(x), x), 0.51),
        (Exp, (0.04, 127), (1 / 256, -128), np.exp, 0.51),
        (HardSwish, (0.04, 9), (0.03, -100), lambda x: x * np.clip(x + 3, 0, 6) / 6, 0.6),
    ],
)
def test_values(kind, source, output, function, slack):
    exact = function(real(*source)) / output[0] + output[1]
    assert np.max(np.abs(table(kind, source, output) - np.clip(exact, -128, 127))) <= slack


@pytest.mark.parametrize("alpha", [0.0, 0.1, 1.0, 3.0, -0.5])
def test_leaky_relu(alpha):
    tensors = activation(0.04, 9), activation(0.05, -20)
    graph = Graph("m", tensors, (LeakyRelu("op", 0, 1, alpha),), (0,), (1,))
    verify(graph)
    found = PARAMETERS[LeakyRelu](graph, graph.operators[0])
    x = real(0.04, 9)
    exact = np.where(x < 0, alpha * x, x) / 0.05 - 20
    assert np.max(np.abs(found - np.clip(exact, -128, 127))) <= 0.76  # rounded twice
    odd = Graph("m", tensors, (LeakyRelu("op", 0, 1, float("inf")),), (0,), (1,))
    with pytest.raises(ModelError, match="its alpha must be finite, not inf"):
        verify(odd)


def test_rsqrt_is_defined_for_every_int8():
    """The largest value where x is not positive, as TFLM has it at 0."""
    found = table(Rsqrt, (0.04, -10), (0.1, -50))
    x = real(0.04, -10)
    assert set(found[x <= 0]) == {127}
    exact = 1 / np.sqrt(x[x > 0]) / 0.1 - 50
    assert np.max(np.abs(found[x > 0] - np.clip(exact, -128, 127))) <= 0.6


def test_what_cannot_be_expressed():
    for kind in (Abs, HardSwish, Rsqrt):
        with pytest.raises(ModelError, match="m: op: its input: "):
            table(kind, (1.0, 0), (1e-12, 0))
    # Beyond int32 the ends stand for everything.
    assert table(Exp, (1e30, 0), (0.1, 0)).tolist() == [0] * 128 + [10] + [127] * 127
    for kind, output in ((Elu, 1e-30), (Rsqrt, 1e6)):
        with pytest.raises(ModelError, match=r"m: op: its input: the output's scale .* is too "):
            table(kind, (0.1, 0), (output, 0))

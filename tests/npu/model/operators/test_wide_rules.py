"""Elements of int16: what is legal, and their integers against a slow oracle and real numbers."""

from dataclasses import replace

import numpy as np
import pytest

from npu.errors import ModelError
from npu.model import numerics
from npu.model.graph import Graph
from npu.model.numerics.table import SIGMOID_TABLE
from npu.model.operators.wide import (
    PARAMETERS,
    WideAdd,
    WideLogistic,
    WideMul,
    WideSub,
    WideTanh,
    mul_params,
)
from npu.model.quantisation import integer_parameters
from npu.model.verify import verify
from tests import naive
from tests.npu.model.operators.made import activation, unary

UNIT = 2.0**-15
TABLE = [int(x) for x in SIGMOID_TABLE]


def wide(scale, zero_point=0, shape=(1, 4)):
    return activation(scale, zero_point, shape, "int16")


def pair(kind, *tensors):
    graph = Graph("m", tensors, (kind("op", 0, 1, 2),), (0, 1), (2,))
    verify(graph)
    return graph, graph.operators[0]


@pytest.mark.parametrize("kind", [WideAdd, WideSub])
def test_sums_have_one_scale(kind):
    one = wide(2.0**-12)
    pair(kind, one, one, one)
    for at in range(3):
        tensors = [one, one, one]
        tensors[at] = wide(2.0**-11)
        with pytest.raises(ModelError, match=r"scales .* must be equal, not .*QUANTIZE"):
            pair(kind, *tensors)


@pytest.mark.parametrize("kind", [WideAdd, WideSub, WideMul])
def test_int16_has_no_zero_point(kind):
    one = wide(2.0**-12)
    for at, what in enumerate(("first input", "second input", "output")):
        tensors = [one, one, one]
        tensors[at] = wide(2.0**-12, 5)
        with pytest.raises(ModelError, match=f"zero point of its {what} must be 0, not 5"):
            pair(kind, *tensors)
        tensors[at] = activation(2.0**-12)
        with pytest.raises(ModelError, match=f"its {what} must be int16, not int8"):
            pair(kind, *tensors)
    with pytest.raises(ModelError, match="cannot be broadcast"):
        pair(kind, one, wide(2.0**-12, shape=(1, 3)), one)


def test_a_product_is_rounded_twice_whatever_the_graph_says():
    graph, op = pair(WideMul, wide(0.001), wide(0.002), wide(0.0007))
    p = mul_params(graph, op)
    assert mul_params(replace(graph, rounds_once=True), op) == p
    for a in (-32768, -1, 0, 32767):
        for b in (-32768, 3, 32767):
            real = np.clip(a * 0.001 * b * 0.002 / 0.0007, -32768, 32767)
            assert abs(numerics.mul_affine(a, b, *p) - real) <= 0.51


@pytest.mark.parametrize(
    ("scale", "tanh", "sigmoid"),
    [
        (2.0**-12, (3, 0), (3, 0)),
        # TFLM's TANH takes this power of two as it is, its LOGISTIC does not.
        (2.0**-11, (6, 0), (24576, 12)),
        (2.0**-10, (24576, 11), (24576, 11)),
        (0.0003, (30198, 13), (30198, 13)),
        (2.0, (24576, 0), (24576, 0)),
        (2.0**-14, (24576, 15), (24576, 15)),
    ],
)
def test_what_brings_an_input_to_the_table(scale, tanh, sigmoid):
    for kind, wanted, exact, like in (
        (WideTanh, tanh, np.tanh, naive.tanh_int16),
        (WideLogistic, sigmoid, lambda x: 0.5 + 0.5 * np.tanh(x / 2), naive.sigmoid_int16),
    ):
        graph, _ = unary_of(kind, wide(scale), wide(UNIT))
        (found,) = integer_parameters(graph)
        assert found == wanted
        made = getattr(numerics, like.__name__)
        for x in (-32768, -20000, -1, 0, 5, 777, 32767):
            integer = made(x, *found)
            assert integer == like(x, TABLE, *found)
            assert abs(integer * UNIT - exact(x * scale)) < 6e-4


def unary_of(kind, source, output):
    graph = Graph("m", (source, output), (kind("op", 0, 1),), (0,), (1,))
    verify(graph)
    return graph, graph.operators[0]


@pytest.mark.parametrize("kind", [WideTanh, WideLogistic])
def test_functions_that_are_refused(kind):
    with pytest.raises(ModelError, match=r"its output must have scale 1/32768, not 0.5"):
        unary_of(kind, wide(2.0**-12), wide(0.5))
    with pytest.raises(ModelError, match="its input must be int16"):
        unary(kind, activation(0.1), wide(UNIT))
    for scale in (2.0**-15, 2.7):
        graph, op = unary_of(kind, wide(scale), wide(UNIT))
        with pytest.raises(ModelError, match=r"m: op: its input: a scale must be above .* not"):
            PARAMETERS[kind](graph, op)

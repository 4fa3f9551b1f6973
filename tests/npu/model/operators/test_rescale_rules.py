"""Rescaling: the float width of its factor, and what every int8 becomes."""

import numpy as np
import pytest

from npu.errors import ModelError
from npu.model import numerics
from npu.model.operators.rescale import (
    Quantize,
    Relu,
    Relu6,
    quantize_params,
    relu6_params,
    relu_params,
    rescale_table,
)
from tests.npu.model.operators.made import activation, unary


def test_relu_and_quantize_divide_in_double():
    # Found by search: a quotient next to a tie, where float32 would round to the other side.
    scale = np.float32(0.03)
    for denominator in range(11, 400):
        output = np.float32(float(scale) * 140 * 2 / denominator)
        single, double = float(scale / output), float(scale) / float(output)
        if single == double:
            continue
        expected = numerics.quantize_multiplier(double)
        if expected == numerics.quantize_multiplier(single):
            continue
        for kind, params in ((Relu, relu_params), (Quantize, quantize_params)):
            p = params(*unary(kind, activation(scale), activation(output)))
            assert (p.multiplier, p.shift) == expected
        break
    else:
        pytest.fail("no scale tells the widths apart")


def test_relu6_only_clamps():
    graph, op = unary(Relu6, activation(0.1, -20), activation(0.1, -20))
    table = rescale_table(relu6_params(graph, op))
    np.testing.assert_array_equal(table, np.clip(np.arange(-128, 128), -20, 40))


@pytest.mark.parametrize(
    ("kind", "params", "output", "function"),
    [
        (Relu, relu_params, (0.02, -100), lambda x: np.maximum(x, 0)),
        (Quantize, quantize_params, (0.07, 12), lambda x: x),
    ],
)
def test_rescale_tables(kind, params, output, function):
    graph, op = unary(kind, activation(0.04, 9), activation(*output))
    table = rescale_table(params(graph, op))
    real = function((np.arange(-128, 128) - 9) * 0.04) / output[0] + output[1]
    assert table.dtype == np.int8 and table.shape == (256,)
    assert np.max(np.abs(table - np.clip(real, -128, 127))) <= 0.51


def test_relu6_does_not_ask_for_the_scale_of_its_output():
    graph, op = unary(Relu6, activation(0.1, -20), activation(0.7, 3))
    table = rescale_table(relu6_params(graph, op))
    np.testing.assert_array_equal(table, np.clip(np.arange(-128, 128), -20, 40))
    with pytest.raises(ModelError, match=r"its shapes must be equal, not \[1, 4\] and \[1, 5\]"):
        unary(Relu, activation(0.1), activation(0.1, shape=(1, 5)))

"""Functions by table: their values, and the scales that are refused."""

import numpy as np
import pytest

from npu.errors import ModelError
from npu.model.operators.table import PARAMETERS, Logistic, Tanh
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

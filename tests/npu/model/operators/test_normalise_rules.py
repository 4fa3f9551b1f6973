"""Softmax and its kin: what is legal, and what elements of a row are worth."""

import numpy as np
import pytest

from npu.errors import ModelError
from npu.model.graph import Graph
from npu.model.operators.normalise import (
    MAX_SQUARED,
    MAX_SUMMED,
    PARAMETERS,
    L2Normalization,
    LogSoftmax,
    Softmax,
)
from npu.model.verify import verify
from tests.npu.model.operators.made import activation, unary


def softmax(scale=0.1, shape=(1, 4), beta=1.0, output=(1 / 256, -128)):
    tensors = activation(scale, 3, shape), activation(*output, shape)
    graph = Graph("m", tensors, (Softmax("op", 0, 1, beta),), (0,), (1,))
    verify(graph)
    return graph, graph.operators[0]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"shape": ()}, "its input must have a dimension"),
        ({"shape": (1, MAX_SUMMED + 1)}, "its rows must have at most 4095 elements, not 4096"),
        ({"output": (1 / 256, 0)}, "its output must have scale 1/256 and zero point -128"),
        ({"output": (1 / 128, -128)}, "its output must have scale 1/256 and zero point -128"),
        ({"beta": float("nan")}, "its beta must be finite, not nan"),
    ],
)
def test_softmax_refused(changed, message):
    with pytest.raises(ModelError, match=message):
        softmax(**changed)


@pytest.mark.parametrize("beta", [0.0, -1.0, 1e-9])
def test_steps_too_small(beta):
    with pytest.raises(ModelError, match=r"m: op: a step of its input must be more than 2\^-26"):
        PARAMETERS[Softmax](*softmax(beta=beta))


def test_others_refused():
    with pytest.raises(ModelError, match="must have scale 1/16 and zero point 127"):
        unary(LogSoftmax, activation(0.1), activation(1 / 16))
    wide = (1, MAX_SQUARED + 1)
    with pytest.raises(ModelError, match="its rows must have at most 33025 elements, not 33026"):
        unary(L2Normalization, activation(0.1, 0, wide), activation(0.1, 0, wide))
    deep = (1, 1, 1, 1, 4)
    with pytest.raises(ModelError, match="its input must have at most 4 dimensions, not 5"):
        unary(L2Normalization, activation(0.1, 0, deep), activation(0.1, 0, deep))


@pytest.mark.parametrize("scale", [2.0**-24, 0.003, 0.1, 1.7, 1e5])
def test_exponentials(scale):
    params = PARAMETERS[Softmax](*softmax(scale))
    counted = min(-params.diff_min, 255) + 1
    exact = np.exp(-np.arange(256) * float(np.float32(scale)))
    assert np.max(np.abs(params.exp[:counted] / 2**31 - exact[:counted])) < 1e-5
    assert not params.exp[counted:].any() and np.all(exact[counted:] < 1e-9)
    assert params.exp[0] == 2**31 - 1 and params.summand[0] == 1 << 19


def test_scaled_differences():
    graph, op = unary(LogSoftmax, activation(0.1), activation(1 / 16, 127))
    params = PARAMETERS[LogSoftmax](graph, op)
    exact = -np.arange(256) * float(np.float32(0.1)) * 2**26
    counted = 1 - params.softmax.diff_min
    assert np.max(np.abs(params.scaled - exact)[:counted]) <= 1
    assert not params.scaled[counted:].any()
    back = params.back_multiplier * 2.0 ** (params.back_shift - 31)
    assert abs(back * 2**26 * 0.1 - 1) < 1e-6

"""Pools: shapes, quantisation and clamps."""

import pytest

from npu.errors import ModelError
from npu.model.activation import Activation
from npu.model.graph import Graph
from npu.model.operators.pool import AveragePool2D, MaxPool2D, PoolParams
from npu.model.quantisation import integer_parameters
from npu.model.verify import verify
from tests.npu.model.operators.made import activation


def pool(kind, output, *geometry, clamp=Activation.NONE):
    op = kind("op", 0, 1, *geometry, activation=clamp)
    return Graph("m", (activation(0.1, 10, (2, 6, 5, 3)), output), (op,), (0,), (1,))


@pytest.mark.parametrize("kind", [AveragePool2D, MaxPool2D])
def test_shapes_and_clamp(kind):
    output = activation(0.1, 10, (2, 3, 2, 3))
    made = pool(kind, output, (2, 3), (2, 2), clamp=Activation.RELU6)
    verify(made)
    assert integer_parameters(made) == (PoolParams(10, 70),)
    verify(pool(kind, activation(0.1, 10, (2, 6, 5, 3)), (3, 3), (1, 1), (1, 1, 1, 1)))


@pytest.mark.parametrize(
    ("output", "geometry", "message"),
    [
        (activation(0.1, 10, (2, 3, 3, 3)), ((2, 3), (2, 2)), r"its output must be \[2, 3, 2, 3\]"),
        (activation(0.2, 10, (2, 3, 2, 3)), ((2, 3), (2, 2)), "must be quantised alike, not with"),
        (activation(0.1, 11, (2, 3, 2, 3)), ((2, 3), (2, 2)), "must be quantised alike, not with"),
        (activation(0.1, 10, (2, 3, 2, 3)), ((0, 3), (2, 2)), "its window must be 1 to"),
        (activation(0.1, 10, (2, 3, 2, 3)), ((7, 3), (2, 2)), r"its output must be \[2, 0, 2, 3\]"),
        (activation(0.1, 10, (1, 1)), ((2, 3), (2, 2)), "its output must be"),
    ],
)
def test_what_is_refused(output, geometry, message):
    with pytest.raises(ModelError, match=f"^m: op: .*{message}"):
        verify(pool(AveragePool2D, output, *geometry))

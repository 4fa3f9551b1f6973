"""SVDF: its integers, and shapes and scales that are refused."""

from dataclasses import replace

import numpy as np
import pytest

from npu.errors import ModelError
from npu.model import numerics
from npu.model.graph import Graph
from npu.model.operators.svdf import Svdf, svdf_params
from npu.model.verify import verify
from tests.npu.model.operators.made import activation, constant


def svdf(rank=2, state=(0.25, 5, "int8"), bias_scale=0.005, **changes):
    """(2, 4) to (2, 3), six filters that look at two calls; `t0` ... replace tensors."""
    scale, zero, kind = state
    tensors = [
        activation(0.05, -3, (2, 4)),
        constant(np.ones((6, 4), np.int8), 0.01),
        constant(np.ones((6, 2), kind), 0.02),
        constant(np.ones(3, np.int32), bias_scale),
        activation(scale, zero, (2, 12), kind, True),
        activation(0.3, 7, (2, 3)),
    ]
    for name, tensor in changes.items():
        tensors[int(name[1:])] = tensor
    op = Svdf("op", 0, 1, 2, 3, 4, 5, rank)
    return Graph("m", tuple(tensors), (op,), (0,), (5,)), op


def test_integers():
    graph, op = svdf()
    verify(graph)
    p = svdf_params(graph, op)
    first = float(np.float32(0.05)) * float(np.float32(0.01)) / 0.25
    assert (p.feature.multipliers[0], p.feature.shifts[0]) == numerics.quantize_multiplier(first)
    assert (p.feature.lo, p.feature.hi, p.feature.output_zero_point) == (-128, 127, 0)
    second = 0.25 * float(np.float32(0.02)) / float(np.float32(0.3))
    assert (p.multiplier, p.shift) == numerics.quantize_multiplier(second)
    assert (p.state_zero_point, p.output_zero_point) == (5, 7)
    graph, op = svdf(state=(0.25, 0, "int16"))
    verify(graph)
    assert svdf_params(graph, op).feature.hi == 32767


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (svdf(rank=0)[0], "its 6 filters cannot be shared in ranks of 0"),
        (svdf(rank=4)[0], "its 6 filters cannot be shared in ranks of 4"),
        (svdf(t0=activation(0.05, 0, (2, 5)))[0], "its input must have 4 features, not 5"),
        (svdf(t0=activation(0.05, 0, (4,)))[0], "its input must be a matrix"),
        (svdf(t3=constant(np.ones(6, np.int32), 0.005))[0], r"its bias must be a constant int32"),
        (svdf(t2=constant(np.ones((5, 2), np.int8), 0.1))[0], "its time weights must be constant"),
        (svdf(t4=activation(0.2, 0, (2, 11), is_state=True))[0], r"its state must be \[2, 12\]"),
        (svdf(t5=activation(0.3, 7, (2, 6)))[0], r"its output must be \[2, 3\], not \[2, 6\]"),
        (svdf(state=(0.25, 5, "int16"))[0], "zero point of an int16 state must be 0, not 5"),
    ],
)
def test_rules(graph, message):
    with pytest.raises(ModelError, match=message):
        verify(graph)


def test_the_scale_of_the_bias():
    with pytest.raises(ModelError, match="m: op: the scale of its bias must be that of"):
        svdf_params(*svdf(bias_scale=0.0051))
    graph, op = svdf()
    bare = replace(graph.tensors[3], quantization=None)
    with pytest.raises(ModelError, match="the scale of its bias must be that of"):
        svdf_params(replace(graph, tensors=(*graph.tensors[:3], bare, *graph.tensors[4:])), op)

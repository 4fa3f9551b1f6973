"""Products: the float width of their multipliers, their clamps, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from npu.errors import ModelError
from npu.model import numerics
from npu.model.activation import Activation
from npu.model.graph import Graph
from npu.model.operators.product import FullyConnected, fully_connected_params
from npu.model.verify import verify
from tests.npu.model.operators.made import activation, constant


def fully_connected(weight_scales, output, clamp=Activation.NONE, bias_scale=None):
    weights = constant(np.ones((3, 4), np.int8), weight_scales)
    tensors = [activation(0.05, -3), weights, output]
    if bias_scale is not None:
        tensors.append(constant(np.ones(3, np.int32), bias_scale))
    op = FullyConnected("op", 0, 1, None if bias_scale is None else 3, 2, clamp)
    graph = Graph("m", tuple(tensors), (op,), (0,), (2,))
    verify(graph)
    return graph, op


def test_fully_connected_per_tensor_and_per_channel():
    output = activation(0.3, 7, (1, 3))
    p = fully_connected_params(*fully_connected([0.01], output))
    real = float(np.float32(0.05)) * float(np.float32(0.01)) / float(np.float32(0.3))
    multiplier, shift = numerics.quantize_multiplier(real)
    assert p.multipliers.tolist() == [multiplier] * 3 and p.shifts.tolist() == [shift] * 3
    assert (p.input_zero_point, p.output_zero_point, p.lo, p.hi) == (-3, 7, -128, 127)
    assert p.multipliers.dtype == p.shifts.dtype == np.int32
    rows = fully_connected_params(*fully_connected([0.01, 0.02, 0.03], output))
    assert rows.multipliers[0] == multiplier and len(set(rows.multipliers.tolist())) > 1


@pytest.mark.parametrize(
    ("clamp", "bounds"),
    [
        (Activation.NONE, (-128, 127)),
        (Activation.RELU, (10, 127)),
        (Activation.RELU6, (10, 70)),
        (Activation.RELU_N1_TO_1, (0, 20)),
    ],
)
def test_fused_activations(clamp, bounds):
    output = activation(0.1, 10, (1, 3))
    p = fully_connected_params(*fully_connected([0.01], output, clamp))
    assert (p.lo, p.hi) == bounds


def test_bias_scale_must_be_that_of_the_products():
    output = activation(0.01, 0, (1, 3))
    fully_connected_params(*fully_connected([0.01], output, bias_scale=0.0005))
    with pytest.raises(ModelError, match="m: op: the scale of its bias must be"):
        fully_connected_params(*fully_connected([0.01], output, bias_scale=0.01))


def test_a_zero_point_counts_where_one_scale_serves_all_rows():
    for scales, taken in (([0.01], 5), ([0.01, 0.02, 0.03], 0)):
        graph, op = fully_connected(scales, activation(0.3, 7, (1, 3)))
        weights = graph.tensors[1]
        shifted = replace(weights, quantization=replace(weights.quantization, zero_point=5))
        for tensor in (shifted, replace(shifted, data=None)):
            made = replace(graph, tensors=(graph.tensors[0], tensor, graph.tensors[2]))
            made = replace(made, inputs=(0,) if tensor.is_constant else (0, 1))
            verify(made)
            assert fully_connected_params(made, op).weights_zero_point == taken


def test_scales_too_far_apart():
    with pytest.raises(ModelError, match="m: op: its scales are too far apart"):
        fully_connected_params(*fully_connected([1e30], activation(1e-8, 0, (1, 3))))

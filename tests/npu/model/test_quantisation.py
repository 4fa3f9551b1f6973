"""Derived integer parameters: the float width of each derivation, and what is refused."""

from dataclasses import astuple

import numpy as np
import pytest

from npu.errors import ModelError
from npu.model import numerics, quantisation
from npu.model.graph import (
    Activation,
    Add,
    FullyConnected,
    Graph,
    Logistic,
    Lstm,
    Mul,
    Quantization,
    Quantize,
    Relu,
    Relu6,
    Reshape,
    Tanh,
    Tensor,
    verify,
)


def quantised(scale, zero_point=0):
    return Quantization(np.atleast_1d(np.asarray(scale, np.float32)), zero_point)


def activation(scale, zero_point=0, shape=(1, 4), dtype="int8", is_state=False):
    return Tensor("t", shape, dtype, quantised(scale, zero_point), None, is_state)


def constant(data, scale=None):
    return Tensor(
        "c", data.shape, str(data.dtype), None if scale is None else quantised(scale), data
    )


def unary(kind, source, output):
    graph = Graph("m", (source, output), (kind("op", 0, 1),), (0,), (1,))
    verify(graph)
    return graph, graph.operators[0]


def binary(kind, a, b, output, clamp=Activation.NONE):
    graph = Graph("m", (a, b, output), (kind("op", 0, 1, 2, clamp),), (0, 1), (2,))
    verify(graph)
    return graph, graph.operators[0]


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
    p = quantisation.fully_connected_params(*fully_connected([0.01], output))
    real = float(np.float32(0.05)) * float(np.float32(0.01)) / float(np.float32(0.3))
    multiplier, shift = numerics.quantize_multiplier(real)
    assert p.multipliers.tolist() == [multiplier] * 3 and p.shifts.tolist() == [shift] * 3
    assert (p.input_zero_point, p.output_zero_point, p.lo, p.hi) == (-3, 7, -128, 127)
    assert p.multipliers.dtype == p.shifts.dtype == np.int32
    rows = quantisation.fully_connected_params(*fully_connected([0.01, 0.02, 0.03], output))
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
    p = quantisation.fully_connected_params(*fully_connected([0.01], output, clamp))
    assert (p.lo, p.hi) == bounds


def test_bias_scale_must_be_that_of_the_products():
    output = activation(0.01, 0, (1, 3))
    quantisation.fully_connected_params(*fully_connected([0.01], output, bias_scale=0.0005))
    with pytest.raises(ModelError, match="m: op: the scale of its bias must be"):
        quantisation.fully_connected_params(*fully_connected([0.01], output, bias_scale=0.01))


def test_scales_too_far_apart():
    with pytest.raises(ModelError, match="m: op: its scales are too far apart"):
        quantisation.fully_connected_params(*fully_connected([1e30], activation(1e-8, 0, (1, 3))))
    with pytest.raises(ModelError, match="must be below 1"):
        quantisation.add_params(*binary(Add, activation(1.0), activation(1.0), activation(1e-7)))
    with pytest.raises(ModelError, match="too small for an activation at 6"):
        quantisation.add_params(
            *binary(Add, activation(1e-30), activation(1e-30), activation(1e-30), Activation.RELU6)
        )


def test_add():
    p = quantisation.add_params(
        *binary(Add, activation(0.1, 1), activation(0.05, 2), activation(0.2, 3))
    )
    assert (p.a_zero_point, p.b_zero_point, p.output_zero_point) == (1, 2, 3)
    assert (p.a_multiplier, p.a_shift) == (2**30, 0)
    for a in (-128, 0, 127):
        for b in (-128, 5, 127):
            real = ((a - 1) * 0.1 + (b - 2) * 0.05) / 0.2 + 3
            found = numerics.add_affine(a, b, *astuple(p))
            assert abs(found - np.clip(real, -128, 127)) <= 0.51


def test_mul():
    p = quantisation.mul_params(
        *binary(Mul, activation(0.1, 1), activation(0.05, 2), activation(0.7, 3))
    )
    for a in (-128, 0, 127):
        for b in (-128, 5, 127):
            real = (a - 1) * 0.1 * (b - 2) * 0.05 / 0.7 + 3
            assert abs(numerics.mul_affine(a, b, *astuple(p)) - np.clip(real, -128, 127)) <= 0.51


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
        for kind in (Relu, Quantize):
            p = quantisation.rescale_params(*unary(kind, activation(scale), activation(output)))
            assert (p.multiplier, p.shift) == expected
        break
    else:
        pytest.fail("no scale tells the widths apart")


def test_relu6_only_clamps():
    graph, op = unary(Relu6, activation(0.1, -20), activation(0.1, -20))
    table = quantisation.lookup_table(graph, op)
    np.testing.assert_array_equal(table, np.clip(np.arange(-128, 128), -20, 40))


@pytest.mark.parametrize(
    ("kind", "output", "function"),
    [
        (Tanh, (1 / 128, 0), np.tanh),
        (Logistic, (1 / 256, -128), lambda x: 1 / (1 + np.exp(-x))),
        (Relu, (0.02, -100), lambda x: np.maximum(x, 0)),
        (Quantize, (0.07, 12), lambda x: x),
    ],
)
def test_tables(kind, output, function):
    graph, op = unary(kind, activation(0.04, 9), activation(*output))
    table = quantisation.lookup_table(graph, op)
    real = function((np.arange(-128, 128) - 9) * 0.04) / output[0] + output[1]
    assert table.dtype == np.int8 and table.shape == (256,)
    # gemmlowp's tanh stays below 1 by up to an output step.
    assert np.max(np.abs(table - np.clip(real, -128, 127))) <= 0.51


def test_no_table_for_the_rest():
    graph, op = unary(Reshape, activation(0.1), activation(0.1))
    with pytest.raises(TypeError, match="op has no table"):
        quantisation.lookup_table(graph, op)


def lstm(cell_scale=2.0**-11, cell_clip=0.0, hidden=(1 / 128, 2)):
    weights = [constant(np.ones((3, n), np.int8), 0.01) for n in (4, 3)]
    tensors = (
        activation(0.05, -3, (1, 2, 4)),
        *weights,
        constant(np.ones(3, np.int32)),
        activation(*hidden, (1, 3), is_state=True),
        activation(cell_scale, 0, (1, 3), "int16", True),
        activation(*hidden, (1, 2, 3)),
    )
    op = Lstm("op", 0, (1,) * 4, (2,) * 4, (3,) * 4, 4, 5, 6, cell_clip)
    graph = Graph("m", tensors, (op,), (0,), (6,))
    verify(graph)
    return graph, op


def test_lstm():
    p = quantisation.lstm_params(*lstm(cell_clip=10.0))
    assert p.sigmoid == p.gate_tanh == (3, 0) and p.cell_tanh == (6, 0)
    assert p.cell_clip == 20480
    assert (p.forget_mul.multiplier, p.forget_mul.shift) == (2**30, -14)
    assert (p.input_mul.multiplier, p.input_mul.shift) == (2**30, -18)
    assert (p.output_mul.output_zero_point, p.output_mul.lo, p.output_mul.hi) == (2, -128, 127)
    assert len(p.input) == len(p.recurrent) == 4
    assert (p.input[0].lo, p.input[0].hi, p.input[0].input_zero_point) == (-32768, 32767, -3)
    assert p.recurrent[0].input_zero_point == 2
    assert quantisation.lstm_params(*lstm()).cell_clip == 0
    assert quantisation.lstm_params(*lstm(cell_clip=1e9)).cell_clip == 32767


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cell_scale": 0.0003}, "must be a power of two, not 0.0003"),
        ({"cell_scale": 2.0**5}, r"2\^-27 to 2\^2 here, not 2\^5"),
        ({"cell_clip": 1e-9}, "its cell clip must be 0"),
    ],
)
def test_lstm_refused(arguments, message):
    with pytest.raises(ModelError, match=message):
        quantisation.lstm_params(*lstm(**arguments))

"""Convolutions: their shapes, their multipliers, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from npu.errors import ModelError
from npu.model import numerics
from npu.model.graph import Graph, Quantization, Tensor
from npu.model.operators.convolution import (
    Conv2D,
    DepthwiseConv2D,
    TransposeConv,
    window,
)
from npu.model.quantisation import integer_parameters
from npu.model.verify import verify
from tests.npu.model.operators.made import activation


def filters(shape, scales, axis=0, zero_point=0):
    data = np.ones(shape, np.int8)
    scale = np.array(scales, np.float32)
    return Tensor("w", shape, "int8", Quantization(scale, zero_point, axis), data)


def graph(op, source, weights, output, bias=None):
    tensors = [activation(0.05, -3, source), weights, activation(0.3, 7, output)]
    if bias is not None:
        tensors.append(Tensor("b", (bias,), "int32", None, np.ones(bias, np.int32)))
    made = op("op", 0, 1, None if bias is None else 3, 2)
    return Graph("m", tuple(tensors), (made,), (0,), (2,))


def changed(made, **fields):
    return replace(made, operators=(replace(made.operators[0], **fields),))


def refused(made, message):
    with pytest.raises(ModelError, match=f"^m: op: {message}"):
        verify(made)


def test_parameters_of_each_filter():
    made = graph(Conv2D, (1, 5, 5, 4), filters((2, 3, 3, 4), [0.01, 0.02]), (1, 3, 3, 2), bias=2)
    verify(made)
    (p,) = integer_parameters(made)
    for scale, multiplier, shift in zip((0.01, 0.02), p.multipliers, p.shifts, strict=True):
        real = float(np.float32(0.05)) * float(np.float32(scale)) / float(np.float32(0.3))
        assert (multiplier, shift) == numerics.quantize_multiplier(real)
    assert (p.input_zero_point, p.output_zero_point, p.lo, p.hi) == (-3, 7, -128, 127)
    depthwise = filters((1, 3, 3, 6), [0.01], axis=3, zero_point=5)
    made = graph(DepthwiseConv2D, (1, 5, 5, 3), depthwise, (1, 3, 3, 6))
    verify(made)
    (p,) = integer_parameters(made)
    assert len(p.multipliers) == 6 and p.weights_zero_point == 0


def test_groups():
    weights = filters((4, 3, 3, 2), [0.01])
    verify(graph(Conv2D, (1, 5, 5, 4), weights, (1, 3, 3, 4)))
    refused(graph(Conv2D, (1, 5, 5, 5), weights, (1, 3, 3, 4)), "its 5 channels in groups of 2 do")
    refused(graph(Conv2D, (1, 5, 5, 6), weights, (1, 3, 3, 4)), "its 6 channels in groups of 2 do")


def test_geometry():
    made = graph(Conv2D, (1, 7, 7, 4), filters((2, 3, 3, 4), [0.01]), (1, 4, 2, 2))
    made = changed(made, stride=(2, 3), dilation=(1, 2), padding=(1, 0, 1, 1))
    verify(made)
    assert window(made, made.operators[0]).span == (3, 5)
    refused(changed(made, stride=(2, 1)), r"its output must have \[4, 4\] rows and columns, not")
    refused(changed(made, padding=(3, 0, 0, 0)), "its padding must be")
    refused(changed(made, dilation=(1, 0)), "its dilation must be 1 to")


def test_wrong_conv():
    good = ((1, 5, 5, 4), filters((2, 3, 3, 4), [0.01]), (1, 3, 3, 2))
    source, weights, output = good
    refused(graph(Conv2D, (5, 5, 4), weights, output), r"its input must be \[batch, height,")
    refused(graph(Conv2D, (2, 5, 5, 4), weights, output), "its output must have the batch of its")
    refused(graph(Conv2D, source, weights, (1, 3, 3, 3)), "its output must have 2 channels")
    refused(graph(Conv2D, source, weights, (1, 3, 4, 2)), r"its output must have \[3, 3\] rows")
    refused(graph(Conv2D, source, weights, output, bias=3), r"its bias must be a constant int32")
    along = filters((2, 3, 3, 4), [0.01] * 4, axis=3)
    refused(graph(Conv2D, source, along, output), "the scales of its weights must belong to axis 0")
    computed = replace(weights, data=None)
    with pytest.raises(ModelError, match="read before it is computed"):
        verify(graph(Conv2D, source, computed, output))


def test_wrong_depthwise():
    source, output = (1, 5, 5, 3), (1, 3, 3, 6)
    two = filters((2, 3, 3, 6), [0.01], axis=3)
    refused(graph(DepthwiseConv2D, source, two, output), "the first dimension of its weights must")
    five = filters((1, 3, 3, 5), [0.01], axis=3)
    refused(graph(DepthwiseConv2D, source, five, (1, 3, 3, 5)), "its 3 channels do not have the")


def test_transpose():
    weights = filters((2, 3, 3, 4), [0.01])
    made = changed(graph(TransposeConv, (1, 2, 2, 4), weights, (1, 5, 6, 2)), stride=(2, 2))
    verify(made)
    refused(changed(made, stride=(3, 3)), r"its input must have \[1, 2\] rows and columns, not")
    refused(graph(TransposeConv, (1, 2, 2, 3), weights, (1, 4, 4, 2)), "its input must have 4 chan")

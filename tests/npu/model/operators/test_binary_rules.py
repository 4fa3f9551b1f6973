"""Sums and products of activations: their integers against real numbers."""

from dataclasses import replace

import numpy as np
import pytest

from npu.errors import ModelError
from npu.model import numerics
from npu.model.activation import Activation
from npu.model.graph import Graph
from npu.model.operators.binary import (
    Add,
    Maximum,
    Mul,
    Prelu,
    SquaredDifference,
    Sub,
    add_params,
    mul_params,
    prelu_params,
    squared_difference_params,
)
from npu.model.verify import verify
from tests.npu.model.operators.made import activation, binary


def test_add():
    p = add_params(*binary(Add, activation(0.1, 1), activation(0.05, 2), activation(0.2, 3)))
    assert (p.a.zero_point, p.b.zero_point, p.output.zero_point) == (1, 2, 3)
    assert (p.a.multiplier, p.a.shift) == (2**30, 0)
    for a in (-128, 0, 127):
        for b in (-128, 5, 127):
            real = ((a - 1) * 0.1 + (b - 2) * 0.05) / 0.2 + 3
            found = numerics.add_affine(a, b, *p)
            assert abs(found - np.clip(real, -128, 127)) <= 0.51


def test_mul():
    p = mul_params(*binary(Mul, activation(0.1, 1), activation(0.05, 2), activation(0.7, 3)))
    for a in (-128, 0, 127):
        for b in (-128, 5, 127):
            real = (a - 1) * 0.1 * (b - 2) * 0.05 / 0.7 + 3
            assert abs(numerics.mul_affine(a, b, *p) - np.clip(real, -128, 127)) <= 0.51


def test_maximum_takes_any_scales_and_shapes_that_can_be_broadcast():
    tensors = activation(0.1, 1), activation(0.05, 2), activation(0.7, 3)
    graph = Graph("m", tensors, (Maximum("op", 0, 1, 2),), (0, 1), (2,))
    verify(graph)
    longer = replace(tensors[1], shape=(1, 9))
    with pytest.raises(ModelError, match=r"its shapes .1, 4. and .1, 9. cannot be broadcast"):
        verify(replace(graph, tensors=(tensors[0], longer, tensors[2])))


def test_differences():
    tensors = activation(0.1, 1), activation(0.05, 2), activation(0.2, 3)
    p = add_params(*binary(Sub, *tensors))
    graph = Graph("m", tensors, (SquaredDifference("op", 0, 1, 2),), (0, 1), (2,))
    squared = squared_difference_params(graph, graph.operators[0])
    for a in (-128, 0, 127):
        for b in (-128, 5, 127):
            real = (a - 1) * 0.1 - (b - 2) * 0.05
            found = numerics.sub_affine(a, b, *p)
            assert abs(found - np.clip(real / 0.2 + 3, -128, 127)) <= 0.51
            found = numerics.squared_difference_affine(a, b, *squared)
            assert abs(found - np.clip(real * real / 0.2 + 3, -128, 127)) <= 0.8


def test_prelu():
    tensors = activation(0.1, 1), activation(0.05, 2, (4,)), activation(0.2, 3)
    graph = Graph("m", tensors, (Prelu("op", 0, 1, 2),), (0, 1), (2,))
    verify(graph)
    p = prelu_params(graph, graph.operators[0])
    for a in (-128, 0, 1, 127):
        for b in (-128, 5, 127):
            real = (a - 1) * 0.1 * (1 if a >= 1 else (b - 2) * 0.05) / 0.2 + 3
            assert abs(numerics.prelu_affine(a, b, *p) - np.clip(real, -128, 127)) <= 0.51


def test_scales_too_far_apart():
    with pytest.raises(ModelError, match="must be below 1"):
        add_params(*binary(Add, activation(1.0), activation(1.0), activation(1e-7)))
    with pytest.raises(ModelError, match="too small for an activation at 6"):
        add_params(
            *binary(Add, activation(1e-30), activation(1e-30), activation(1e-30), Activation.RELU6)
        )

"""Sums and products of activations: their integers against real numbers."""

from dataclasses import replace

import numpy as np
import pytest

from npu.errors import ModelError
from npu.model import numerics
from npu.model.activation import Activation
from npu.model.graph import Graph
from npu.model.operators.binary import Add, Maximum, Mul, add_params, mul_params
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


def test_maximum_takes_any_scales_and_one_shape():
    tensors = activation(0.1, 1), activation(0.05, 2), activation(0.7, 3)
    graph = Graph("m", tensors, (Maximum("op", 0, 1, 2),), (0, 1), (2,))
    verify(graph)
    longer = replace(tensors[1], shape=(1, 9))
    with pytest.raises(ModelError, match="its shapes must be equal"):
        verify(replace(graph, tensors=(tensors[0], longer, tensors[2])))


def test_scales_too_far_apart():
    with pytest.raises(ModelError, match="must be below 1"):
        add_params(*binary(Add, activation(1.0), activation(1.0), activation(1e-7)))
    with pytest.raises(ModelError, match="too small for an activation at 6"):
        add_params(
            *binary(Add, activation(1e-30), activation(1e-30), activation(1e-30), Activation.RELU6)
        )

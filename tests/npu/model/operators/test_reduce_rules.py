"""Reductions: what is legal, and the division that is part of a factor."""

import numpy as np
import pytest

from npu.errors import ModelError
from npu.model import numerics
from npu.model.graph import Graph, Tensor
from npu.model.operators.reduce import (
    ArgMax,
    Mean,
    ReduceMax,
    Sum,
    mean_params,
    sum_params,
)
from npu.model.verify import verify
from tests.npu.model.operators.made import activation


def graph(kind, along, output, shape=(2, 3, 4)):
    made = Graph("m", (activation(0.1, 5, shape), output), (kind("op", 0, 1, along),), (0,), (1,))
    verify(made)
    return made


@pytest.mark.parametrize(
    ("kind", "along", "output", "message"),
    [
        (Mean, (3,), activation(0.1, 5, (2, 3, 4)), "an axis must be 0 to 2, not 3"),
        (Mean, (1, 1), activation(0.1, 5, (2, 4)), r"its axes \[1, 1\] must differ"),
        (Sum, (1,), activation(0.1, 5, (2, 3)), r"must be \[2, 4\] or \[2, 1, 4\], not \[2, 3\]"),
        (ReduceMax, (1,), activation(0.2, 5, (2, 4)), "its input and its output must be quantised"),
        (ArgMax, 1, activation(0.1, 5, (2, 4)), "it must make int32 of int8, not int8 of int8"),
        (ArgMax, 3, Tensor("t", (2, 4), "int32", None, None), "its axis must be 0 to 2, not 3"),
        (ArgMax, 1, Tensor("t", (2, 3), "int32", None, None), r"its output must be \[2, 4\]"),
    ],
)
def test_refused(kind, along, output, message):
    with pytest.raises(ModelError, match=message):
        graph(kind, along, output)


def test_nothing_along_an_axis():
    with pytest.raises(ModelError, match="there must be something along its axis"):
        graph(ArgMax, 1, Tensor("t", (2, 4), "int32", None, None), (2, 0, 4))


@pytest.mark.parametrize("count", [1, 2, 3, 7, 64, 1000, 65535])
def test_means_and_sums(count):
    rng = np.random.default_rng(count)
    q = rng.integers(-128, 128, count)
    shape = (1, count)
    real = (q - 5).sum() * 0.1
    total = int((q - 5).sum())
    for kind, derive, scale in ((Mean, mean_params, 0.07), (Sum, sum_params, 0.07 * count)):
        made = graph(kind, (1,), activation(scale, -3, (1,)), shape)
        p = derive(made, made.operators[0])
        found = numerics.requantize(total, 0, p.multiplier, p.shift, -3, p.lo, p.hi)
        exact = real / (count if kind is Mean else 1) / scale - 3
        assert abs(found - np.clip(exact, -128, 127)) <= 0.76  # rounded twice


def test_scales_too_far_apart():
    made = graph(Sum, (1,), activation(1e-12, 0, (2, 4)))
    with pytest.raises(ModelError, match="m: op: its scales are too far apart"):
        sum_params(made, made.operators[0])

"""Products of two activations: shapes and integers."""

import numpy as np
import pytest

from npu.errors import ModelError
from npu.model import numerics
from npu.model.graph import Graph
from npu.model.operators.matmul import BatchMatMul
from npu.model.quantisation import integer_parameters
from npu.model.verify import verify
from tests.npu.model.operators.made import activation


def product(a, b, output, **transposed):
    tensors = (activation(0.1, 3, a), activation(0.05, -7, b), activation(0.3, 1, output))
    return Graph("m", tensors, (BatchMatMul("op", 0, 1, 2, **transposed),), (0, 1), (2,))


def test_both_zero_points_and_a_multiplier_a_column():
    made = product((2, 4), (4, 3), (2, 3))
    verify(made)
    (p,) = integer_parameters(made)
    real = float(np.float32(0.1)) * float(np.float32(0.05)) / float(np.float32(0.3))
    assert (p.multipliers[0], p.shifts[0]) == numerics.quantize_multiplier(real)
    assert len(p.multipliers) == 3 and (p.input_zero_point, p.weights_zero_point) == (3, -7)


@pytest.mark.parametrize(
    ("a", "b", "output", "transposed"),
    [
        ((5, 2, 4), (5, 4, 3), (5, 2, 3), {}),
        ((5, 2, 4), (4, 3), (5, 2, 3), {}),
        ((2, 1, 2, 4), (5, 4, 3), (2, 5, 2, 3), {}),
        ((1, 2, 2, 2, 4), (3, 2, 1, 4, 3), (3, 2, 2, 2, 3), {}),
        ((4, 2), (3, 4), (2, 3), {"transpose_a": True, "transpose_b": True}),
    ],
)
def test_shapes(a, b, output, transposed):
    verify(product(a, b, output, **transposed))


@pytest.mark.parametrize(
    ("a", "b", "output", "message"),
    [
        ((4,), (4, 3), (3,), "its first input must have two to five dimensions and elements"),
        ((2, 4), (1,) * 4 + (4, 3), (2, 3), "its second input must have two to five dimensions"),
        ((2, 0), (0, 3), (2, 3), "its first input must have two to five dimensions and elements"),
        ((2, 4), (5, 3), (2, 3), "its inputs have 4 and 5 to sum over"),
        ((2, 2, 4), (3, 4, 3), (3, 2, 3), r"\[3, 4, 3\] cannot be broadcast"),
        ((2, 4), (4, 3), (1, 2, 3), r"its output must be \[2, 3\], not \[1, 2, 3\]"),
    ],
)
def test_shapes_that_do_not_fit(a, b, output, message):
    with pytest.raises(ModelError, match=f"^m: op: .*{message}"):
        verify(product(a, b, output))

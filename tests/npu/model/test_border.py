"""What crosses between graphs: as it is, requantised, or not at all."""

import numpy as np
import pytest

from npu.errors import ModelError
from npu.model.border import crossing
from npu.model.graph import Quantization, Tensor
from npu.model.operators.rescale import rescale_table


def tensor(scale=0.5, zero_point=3, shape=(1, 4), dtype="int8"):
    scales = None if scale is None else np.array([scale], np.float32)
    quantization = None if scales is None else Quantization(scales, zero_point)
    return Tensor("t", shape, dtype, quantization, None)


def test_the_same_scale_crosses_as_it_is():
    assert crossing(tensor(), tensor(shape=(4,)), "here") is None


@pytest.mark.parametrize(("scale", "zero_point"), [(0.25, 3), (0.5, -7), (2.0, 100)])
def test_another_scale_is_rescaled(scale, zero_point):
    rescale = crossing(tensor(), tensor(scale, zero_point), "here")
    assert rescale is not None
    values = np.arange(-128, 128)
    exact = np.clip((values - 3) * 0.5 / scale + zero_point, -128, 127)
    # TFLM rounds twice where values become smaller.
    assert np.max(np.abs(rescale_table(rescale) - exact)) < 1


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        (tensor(shape=(1, 5)), tensor(), "here: sizes must be equal, not 5 and 4"),
        (tensor(scale=None), tensor(), "here: tensor 't' must be quantised int8"),
        (tensor(), tensor(dtype="int16"), "here: tensor 't' must be quantised int8"),
    ],
)
def test_what_does_not_fit(source, target, message):
    with pytest.raises(ModelError, match=message):
        crossing(source, target, "here")

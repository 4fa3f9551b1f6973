"""Forms of public models that were refused once: the twin answers as the kernels."""

import numpy as np
import pytest

from tests.conftest import ROOT
from tests.on_the_twin import chip, differences
from tests.tflite_builder import ModelSpec, write

REFUSED = ROOT / "tests" / "vectors" / "refused"
FORMS = (
    "add_const",
    "bilstm",
    "dense_float_io",
    "dense_uint8_io",
    "fc_wzp",
    "flatten_129",
    "gather_constant",
    "mulvec",
    "reshape_cut",
)


@pytest.mark.parametrize("name", FORMS)
def test_the_twin_answers_as_the_kernels(name):
    assert (
        differences(
            REFUSED / f"{name}.tflite", np.random.default_rng(7), chip(activation_entries=4096)
        )
        == 0
    )


@pytest.mark.parametrize("zero_point", [-128, -127, 127])
def test_weights_far_from_their_zero_point(tmp_path, zero_point):
    """127 - (-128) is no sum of two int8."""
    m, rng = ModelSpec(), np.random.default_rng(9)
    x = m.tensor((2, 9), scale=0.1, zero_point=3)
    weights = rng.choice(np.array([-128, 127], np.int8), (5, 9))
    w = m.tensor((5, 9), scale=0.01, zero_point=zero_point, data=weights)
    y = m.tensor((2, 5), scale=0.5, zero_point=0)
    m.operator("FULLY_CONNECTED", [x, w, -1], [y], ("FullyConnectedOptions", {}))
    m.inputs, m.outputs = [x], [y]
    path = tmp_path / "far.tflite"
    path.write_bytes(write(m))
    assert differences(path, rng, chip()) == 0


@pytest.mark.parametrize(("stride", "dilation", "taps"), [(1, 1 << 20, 3), (1 << 20, 1, 2)])
def test_windows_that_step_far_outside_of_their_image(tmp_path, stride, dilation, taps):
    """What no position reaches is left out, or a command would have to say how far it is."""
    m, rng = ModelSpec(), np.random.default_rng(9)
    x = m.tensor((1, 5, 4, 3), scale=0.1, zero_point=3)
    data = rng.integers(-128, 128, (2, taps, taps, 3)).astype(np.int8)
    w = m.tensor(data.shape, scale=0.01, data=data)
    out = -(-5 // stride), -(-4 // stride)
    y = m.tensor((1, *out, 2), scale=0.5, zero_point=0)
    options = {"Padding": 0 if stride == 1 else 1}
    for axis in "HW":
        options[f"Stride{axis}"], options[f"Dilation{axis}Factor"] = stride, dilation
    m.operator("CONV_2D", [x, w, -1], [y], ("Conv2DOptions", options))
    m.inputs, m.outputs = [x], [y]
    path = tmp_path / "far.tflite"
    path.write_bytes(write(m))
    assert differences(path, rng, chip()) == 0

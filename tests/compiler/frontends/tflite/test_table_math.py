"""Forms of arithmetic operators that are refused, each with what is wrong."""

import numpy as np
import pytest

from compiler.frontends import read_tflite
from kernels import Interpreter
from npu.errors import ModelError, NpuError, UnsupportedError
from npu.model.operators.reduce import Mean
from tests.tflite_builder import ModelSpec, write

SCALE = np.float32(0.1)


def along(kind, axes, output, dtype="int8", constant=True):
    """An operator along axes of [1, 4, 8]."""
    m = ModelSpec()
    x = m.tensor((1, 4, 8), scale=SCALE)
    data = np.array(axes, np.int32)
    a = m.tensor(data.shape, "int32", data=data if constant else None)
    y = m.tensor(output, dtype, SCALE if dtype == "int8" else None)
    m.operator(kind, [x, a], [y])
    m.inputs, m.outputs = [x, *([] if constant else [a])], [y]
    return m


def unary(kind, options, output=(1 / 256, -128), shape=(1, 8)):
    m = ModelSpec()
    x = m.tensor(shape, scale=SCALE)
    y = m.tensor(shape, scale=np.float32(output[0]), zero_point=output[1])
    m.operator(kind, [x], [y], *([options] if options else []))
    m.inputs, m.outputs = [x], [y]
    return m


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        (along("MEAN", [3], (1, 4)), ModelError, "an axis must be -3 to 2, not 3"),
        (along("MEAN", [-4], (1, 4)), ModelError, "an axis must be -3 to 2, not -4"),
        (along("SUM", [1], (4, 8)), ModelError, r"its output must be \[1, 8\] or \[1, 1, 8\]"),
        (along("SUM", [1], (1, 8), constant=False), UnsupportedError, "axes are constant int32"),
        (along("MEAN", [1], (1, 8), "int32"), UnsupportedError, "input and output are int8"),
        (along("ARG_MAX", [1, 2], (1,), "int32"), ModelError, "it must have one axis, not 2"),
        (along("ARG_MIN", [1], (1, 8)), UnsupportedError, "input is int8, the output int32"),
        (along("REDUCE_MAX", [0, 0, 9], (4, 8)), ModelError, "an axis must be -3 to 2, not 9"),
        (unary("SOFTMAX", None), ModelError, "a step of its input must be more than"),
        (unary("SOFTMAX", ("SoftmaxOptions", {"Beta": 1.0}), (0.1, 0)), ModelError, "scale 1/256"),
        (
            unary("L2_NORMALIZATION", ("L2NormOptions", {"FusedActivationFunction": 1})),
            UnsupportedError,
            "there is no fused activation",
        ),
        (
            unary("LEAKY_RELU", ("LeakyReluOptions", {"Alpha": float("nan")})),
            ModelError,
            "its alpha must be finite, not nan",
        ),
    ],
)
def test_refused(tmp_path, model, error, message):
    path = tmp_path / "m.tflite"
    path.write_bytes(write(model))
    with pytest.raises(NpuError, match=message) as caught:
        Interpreter(read_tflite(path))
    assert isinstance(caught.value, error) and "operator 0" in str(caught.value)


def test_axes_are_named_once_and_from_the_front(tmp_path):
    path = tmp_path / "m.tflite"
    path.write_bytes(write(along("MEAN", [-1, 1, 2], (1,))))
    (op,) = read_tflite(path).operators
    assert isinstance(op, Mean) and op.axes == (1, 2)

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


def wide(kind, scales, zero_points=(0, 0), activation=0):
    """An operator of one or two int16, the last scale the output's."""
    m = ModelSpec()
    points = (*zero_points[:1] * (len(scales) - 1), zero_points[1])
    tensors = [
        m.tensor((1, 8), "int16", np.float32(scale), zero)
        for scale, zero in zip(scales, points, strict=True)
    ]
    told = (f"{kind.title()}Options", {"FusedActivationFunction": activation})
    m.operator(kind, tensors[:-1], tensors[-1:], *([told] if len(scales) == 3 else []))
    m.inputs, m.outputs = tensors[:-1], tensors[-1:]
    return m


ONE_SCALE = "int16 inputs and output have one scale, where QUANTIZE brings them, and no activation"


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        (wide("ADD", (0.01, 0.01, 0.02)), UnsupportedError, ONE_SCALE),
        (wide("ADD", (0.01, 0.02, 0.01)), UnsupportedError, ONE_SCALE),
        (wide("SUB", (0.02, 0.01, 0.01)), UnsupportedError, ONE_SCALE),
        (wide("SUB", (0.01, 0.01, 0.01), activation=1), UnsupportedError, ONE_SCALE),
        (wide("MUL", (0.01, 0.01, 0.01), (3, 0)), UnsupportedError, "int16 with zero point 0"),
        (wide("TANH", (0.01, 1 / 128)), UnsupportedError, "an int16 output has scale 1/32768"),
        (wide("LOGISTIC", (0.01, 2.0**-15), (0, 9)), UnsupportedError, "int16 with zero point 0"),
        (wide("TANH", (3e-5, 2.0**-15)), ModelError, "its input: a scale must be above"),
        (wide("ABS", (0.01, 0.01)), UnsupportedError, "inputs and outputs are int8"),
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

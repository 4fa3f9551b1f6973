"""Real numbers in a model, at its borders and amid it, in TensorFlow Lite Micro's arithmetic."""

from collections.abc import Callable

import numpy as np

from npu.errors import InputError
from npu.model.graph import DTYPE_RANGES


def quantized(
    where: str, values: np.ndarray, scale: float, zero_point: int, dtype: str
) -> np.ndarray:
    """float32 `values` as integers: divided by `scale` in float32, rounded half away from zero.

    Raises
    ------
    InputError
        For what is not a number, or so large that the C source has no answer: beyond 2^31 steps.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        divided = (values / np.float32(scale)).astype(np.float64)
    # In double, where a half can be added to any float32 near it without rounding.
    steps = np.copysign(np.floor(np.abs(divided) + 0.5), divided) + zero_point
    outside = values[~(np.abs(steps) < 2.0**31)]
    if outside.size:
        raise InputError(
            f"{where}: a number must be within 2^31 steps of {scale:g}, not {outside.flat[0]}"
        )
    return np.clip(steps, *DTYPE_RANGES[dtype]).astype(dtype)


def dequantized(values: np.ndarray, scale: float, zero_point: int) -> np.ndarray:
    """Integers as float32: multiplied by `scale` in double, then rounded; infinite where that is
    too large."""
    with np.errstate(over="ignore"):
        return (scale * (values.astype(np.int32) - np.int32(zero_point))).astype(np.float32)


def exactly(function: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    """A function of float32, worked out in double and rounded once."""
    return lambda x: function(x.astype(np.float64)).astype(np.float32)


def _elu(x: np.ndarray) -> np.ndarray:
    return np.where(x < 0, np.expm1(np.minimum(x, 0)), x)


FUNCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "COS": exactly(np.cos),
    "ELU": exactly(_elu),
    "NEG": np.negative,
    "SIN": exactly(np.sin),
    "SQUARE": np.square,
}
"""Functions of float32 that the converter leaves amid an integer graph, by their TFLite names. The
result is float32, infinite where it is too large for one."""

"""An int32 as three int16, its digits: products of int16 take a digit and its factor, and their sum
is the number.
"""

import numpy as np

from npu.model.numerics import INT16_MIN

FACTORS = (1, INT16_MIN, INT16_MIN)
"""Of the low half, signed, and of minus the rest, which is there twice."""

_HALF = 16


def digits(numbers: np.ndarray) -> np.ndarray:
    """(n, digits) int16 of (n,) int32."""
    low = numbers.astype(np.int16)
    rest = ((low - numbers.astype(np.int64)) >> _HALF).astype(np.int16)
    return np.stack([low, rest, rest], axis=1)

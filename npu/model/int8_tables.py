"""tanh and logistic of an int8, as tables of all 256 values: gemmlowp's fixed-point functions.

Plain Python, run once per model. Source of method: TensorFlow Lite Micro's `tanh.cc` and
`logistic.cc`.
"""

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from npu.model.fixed_point import (
    divide_by_pot,
    exp_of_negative,
    high_mul,
    reciprocal_of_half_sum,
    saturating_shift_left,
)
from npu.model.numerics import INT8_MAX, INT8_MIN, INT32_MAX, round_half_away


def input_radius(integer_bits: int, left_shift: int) -> int:
    """Largest |input| whose image under a left shift stays inside Q`integer_bits` of 32 bits."""
    return (((1 << integer_bits) - 1) << (31 - integer_bits)) >> left_shift


Q4_27_INTEGER_BITS = 4


def q4_27_scaling(scale: float) -> tuple[int, int, int]:
    """(multiplier, shift, radius) that bring an int8 of float32 `scale` to Q4.27.

    Raises
    ------
    ValueError
        If `scale` is below 2^-27 or not finite.
    """
    real = float(scale) * (1 << (31 - Q4_27_INTEGER_BITS))
    if not math.isfinite(real) or real < 1:
        raise ValueError(f"a scale must be finite and at least 2^-27 here, not {scale!r}")
    fraction, shift = math.frexp(real)
    return round_half_away(fraction * (1 << 31)), shift, input_radius(Q4_27_INTEGER_BITS, shift)


def tanh_q4_27(a: int) -> int:
    """tanh of `a` (Q4.27) in Q0.31, in gemmlowp's approximation."""
    if a == 0:
        return 0
    # The same raw bits with one more integer bit are 2a.
    x = reciprocal_of_half_sum(exp_of_negative(-abs(a), Q4_27_INTEGER_BITS + 1))
    result = saturating_shift_left(x - (1 << 29), 2)
    return -result if a < 0 else result


def logistic_q4_27(a: int) -> int:
    """1 / (1 + exp(-a)) of `a` (Q4.27) in Q0.31, in gemmlowp's approximation."""
    if a == 0:
        return 1 << 30
    x = reciprocal_of_half_sum(exp_of_negative(-abs(a), Q4_27_INTEGER_BITS))
    result = saturating_shift_left(x, 1)
    return result if a > 0 else INT32_MAX - result


@lru_cache(maxsize=64)
def _int8_table(
    function: Callable[[int], int], drop_bits: int, offset: int, scale: float, zero_point: int
) -> bytes:
    """The table's values. A recurrent network asks for the same one at every gate and step."""
    multiplier, shift, radius = q4_27_scaling(scale)
    table = np.empty(256, np.int8)
    for q in range(INT8_MIN, INT8_MAX + 1):
        centred = q - zero_point
        if centred <= -radius:
            value = INT8_MIN
        elif centred >= radius:
            value = INT8_MAX
        else:
            # Inside the radius the left shift cannot overflow.
            image = divide_by_pot(high_mul(centred << shift, multiplier), 0)
            value = divide_by_pot(function(image), drop_bits) + offset
        table[q - INT8_MIN] = min(max(value, INT8_MIN), INT8_MAX)
    return table.tobytes()


def tanh_table_int8(scale: float, zero_point: int) -> np.ndarray:
    """tanh of every int8 of this quantisation: int8[256] indexed by q + 128, output scale 1/128.

    Raises
    ------
    ValueError
        As `q4_27_scaling`.
    """
    return _as_table(_int8_table(tanh_q4_27, 24, 0, scale, zero_point))


def logistic_table_int8(scale: float, zero_point: int) -> np.ndarray:
    """Sigmoid of every int8 of this quantisation: int8[256] indexed by q + 128.

    The output has scale 1/256 and zero point -128.

    Raises
    ------
    ValueError
        As `q4_27_scaling`.
    """
    return _as_table(_int8_table(logistic_q4_27, 23, INT8_MIN, scale, zero_point))


def _as_table(values: bytes) -> np.ndarray:
    """An array of its own for every caller."""
    return np.frombuffer(values, np.int8).copy()

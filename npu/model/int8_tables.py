"""tanh and logistic of an int8, as tables of all 256 values: gemmlowp's fixed-point functions.

Plain Python, run once per model. Source of method: gemmlowp (`fixedpoint/fixedpoint.h`) as
TensorFlow Lite Micro's `tanh.cc` and `logistic.cc` call it.
"""

import math
from collections.abc import Callable

import numpy as np

from npu.jit import interpreted
from npu.model.numerics import (
    INT8_MAX,
    INT8_MIN,
    INT32_MAX,
    INT32_MIN,
    round_half_away,
    rounding_divide_by_pot,
    saturating_rounding_doubling_high_mul,
)


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


_high_mul = interpreted(saturating_rounding_doubling_high_mul)
_divide_by_pot = interpreted(rounding_divide_by_pot)


def _saturating_shift_left(x: int, exponent: int) -> int:
    """`x` * 2^`exponent` in int32, the ends of the range standing for everything beyond."""
    threshold = (1 << (31 - exponent)) - 1
    if x > threshold:
        return INT32_MAX
    if x < -threshold:
        return INT32_MIN
    return x << exponent


# exp(-2^e) in Q0.31, by e
_EXP_FACTORS = {
    -2: 1672461947,
    -1: 1302514674,
    0: 790015084,
    1: 290630308,
    2: 39332535,
    3: 720401,
    4: 242,
}


def _exp_of_last_quarter(a: int) -> int:
    """exp(a) in Q0.31 for a in [-1/4, 0) in Q0.31: a Taylor polynomial about -1/8."""
    exp_of_minus_eighth, third = 1895147668, 715827883
    x = a + (1 << 28)
    x2 = _high_mul(x, x)
    x3 = _high_mul(x2, x)
    x4 = _high_mul(x2, x2)
    tail = _divide_by_pot(_high_mul(_divide_by_pot(x4, 2) + x3, third) + x2, 1)
    return exp_of_minus_eighth + _high_mul(exp_of_minus_eighth, x + tail)


def _exp_of_negative(a: int, integer_bits: int) -> int:
    """exp(a) in Q0.31 for a < 0 with `integer_bits` (4 or 5) bits before the point."""
    fraction_bits = 31 - integer_bits
    quarter = 1 << (fraction_bits - 2)
    last_quarter = (a & (quarter - 1)) - quarter
    result = _exp_of_last_quarter(_saturating_shift_left(last_quarter, integer_bits))
    whole_quarters = last_quarter - a
    for exponent in range(-2, integer_bits):
        if whole_quarters & (1 << (fraction_bits + exponent)):
            result = _high_mul(result, _EXP_FACTORS[exponent])
    return result


def _reciprocal_of_half_sum(a: int) -> int:
    """2 / (1 + a) in Q2.29 for a in (0, 1) in Q0.31: three Newton-Raphson steps."""
    half_sum = (a + INT32_MAX + 1) // 2
    x = 1515870810 + _high_mul(half_sum, -1010580540)
    for _ in range(3):
        error = (1 << 29) - _high_mul(half_sum, x)
        x += _saturating_shift_left(_high_mul(x, error), 2)
    return x


def tanh_q4_27(a: int) -> int:
    """tanh of `a` (Q4.27) in Q0.31, in gemmlowp's approximation."""
    if a == 0:
        return 0
    # The same raw bits with one more integer bit are 2a.
    x = _reciprocal_of_half_sum(_exp_of_negative(-abs(a), Q4_27_INTEGER_BITS + 1))
    result = _saturating_shift_left(x - (1 << 29), 2)
    return -result if a < 0 else result


def logistic_q4_27(a: int) -> int:
    """1 / (1 + exp(-a)) of `a` (Q4.27) in Q0.31, in gemmlowp's approximation."""
    if a == 0:
        return 1 << 30
    x = _reciprocal_of_half_sum(_exp_of_negative(-abs(a), Q4_27_INTEGER_BITS))
    result = _saturating_shift_left(x, 1)
    return result if a > 0 else INT32_MAX - result


def _int8_table(
    function: Callable[[int], int], drop_bits: int, offset: int, scale: float, zero_point: int
) -> np.ndarray:
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
            image = _divide_by_pot(_high_mul(centred << shift, multiplier), 0)
            value = _divide_by_pot(function(image), drop_bits) + offset
        table[q - INT8_MIN] = min(max(value, INT8_MIN), INT8_MAX)
    return table


def tanh_table_int8(scale: float, zero_point: int) -> np.ndarray:
    """tanh of every int8 of this quantisation: int8[256] indexed by q + 128, output scale 1/128.

    Raises
    ------
    ValueError
        As `q4_27_scaling`.
    """
    return _int8_table(tanh_q4_27, 24, 0, scale, zero_point)


def logistic_table_int8(scale: float, zero_point: int) -> np.ndarray:
    """Sigmoid of every int8 of this quantisation: int8[256] indexed by q + 128.

    The output has scale 1/256 and zero point -128.

    Raises
    ------
    ValueError
        As `q4_27_scaling`.
    """
    return _int8_table(logistic_q4_27, 23, INT8_MIN, scale, zero_point)

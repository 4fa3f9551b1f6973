"""The arithmetic of TensorFlow Lite Micro's reference kernels, written once.

Two kinds of function live here. Those marked `@kernel` are scalar, work on integers and compile
with numba; they are called from the loops of the kernels and of the twin. The others are plain
Python and run once per model: they derive multipliers and shifts from float scales.

Scalar functions take and return int64 and say their legal range. Where the C source computes in
int32, a result that leaves int32 is wrapped to it with `wrap_int32`, never left to chance.

Source of method: TensorFlow Lite Micro (`tensorflow/lite/kernels/internal/common.cc`,
`reference/integer_ops/*.h`, `quantization_util.cc`, `micro/kernels/lstm_eval.cc`) built with double
rounding, and gemmlowp (`fixedpoint/fixedpoint.h`).
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numba import types
from numba.extending import intrinsic

from npu.jit import inner_kernel
from npu.model.numerics.table import SIGMOID_STEPS, TANH_STEPS

# Known to numba by other names than to a type checker.
_intrinsic: Any = intrinsic

INT8_MIN, INT8_MAX = -(1 << 7), (1 << 7) - 1
INT16_MIN, INT16_MAX = -(1 << 15), (1 << 15) - 1
INT32_MIN, INT32_MAX = -(1 << 31), (1 << 31) - 1

MIN_SHIFT, MAX_SHIFT = -31, 30
"""Largest left shift of a multiplier: beyond it the C source is undefined."""


@inner_kernel
def wrap_int32(x):
    """Two's complement of the low 32 bits of `x` (any int64)."""
    return ((x + 0x80000000) & 0xFFFFFFFF) - 0x80000000


@inner_kernel
def saturate(x, lo, hi):
    """`x` limited to lo..hi, with lo <= hi."""
    if x < lo:
        return lo
    if x > hi:
        return hi
    return x


@inner_kernel
def saturating_rounding_doubling_high_mul(a, b):
    """High 32 bits of 2ab for int32 `a`, `b`: to nearest, ties upward.

    The one case out of range, both -2^31, gives 2^31 - 1.
    """
    if a == b and a == -0x80000000:
        return 0x7FFFFFFF
    # The C source adds one less to a negative product and truncates toward zero: the same.
    return (a * b + 0x40000000) >> 31


@inner_kernel
def rounding_divide_by_pot(x, exponent):
    """`x` / 2^`exponent` for int32 `x`, exponent 0..31: to nearest, ties away from zero."""
    mask = (1 << exponent) - 1
    threshold = mask >> 1
    if x < 0:
        threshold += 1
    quotient = x >> exponent
    if (x & mask) > threshold:
        quotient += 1
    return quotient


@inner_kernel
def multiply_by_quantized_multiplier(x, multiplier, shift):
    """`x` * `multiplier` * 2^(`shift` - 31) with two roundings, as int32.

    `x` is int32, `multiplier` 0..2^31 - 1, `shift` -31..30 (positive is left). A left shift that
    leaves int32 wraps.
    """
    left = shift if shift > 0 else 0
    right = -shift if shift < 0 else 0
    return rounding_divide_by_pot(
        saturating_rounding_doubling_high_mul(wrap_int32(x << left), multiplier), right
    )


@inner_kernel
def requantize(acc, bias, multiplier, shift, zero_point, lo, hi):
    """Accumulator to activation: scale `acc` + `bias`, add `zero_point`, limit to lo..hi.

    `acc` and `bias` may be any int64 whose sum mod 2^32 is meant as an int32 accumulator.
    """
    scaled = multiply_by_quantized_multiplier(wrap_int32(acc + bias), multiplier, shift)
    return saturate(wrap_int32(scaled + zero_point), lo, hi)


@_intrinsic
def shift_right_int32(typing, x, count):
    """int32 `x` / 2^`count` for int32 0..31, toward minus infinity; compiled code alone calls it.

    Numba's own operator works in int64, for whose shifts many processors have no vectors.
    """

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ashr(*args)

    return types.int32(types.int32, types.int32), emit


@inner_kernel
def requantize_int32(acc, multiplier, left, right, zero_point, lo, hi):
    """As `requantize` of int32s without a branch, so that a compiler may take many at a time.

    `left` 0..30 and `right` 0..31 are the shift's two directions, one of them 0. All are int32.
    """
    # Numba shifts int64; with the low bits alone a compiler knows that int32 will do.
    left, right = left & np.int32(31), right & np.int32(31)
    shifted = np.int32(acc << left)
    # As `saturating_rounding_doubling_high_mul`, whose one case apart needs a negative multiplier.
    product = np.int64(shifted) * np.int64(multiplier) + np.int64(0x40000000)
    high = np.int32(product >> np.int64(31))
    mask = np.int32((np.int32(1) << right) - np.int32(1))
    threshold = np.int32((mask >> np.int32(1)) + np.int32(high < 0))
    quotient = shift_right_int32(high, right)
    quotient = np.int32(quotient + np.int32(np.int32(high & mask) > threshold))
    return max(lo, min(hi, np.int32(quotient + zero_point)))


@inner_kernel
def saturating_add_int16(a, b):
    """`a` + `b` for int16 operands, limited to int16."""
    return saturate(a + b, -0x8000, 0x7FFF)


@inner_kernel
def scale_table_input(x, multiplier, shift):
    """int16 `x` brought to the scale of the sigmoid table: rounded `x` * `multiplier` / 2^`shift`.

    `shift` is 0..15. The result is int32.
    """
    rounding = (1 << shift) >> 1
    return wrap_int32(x * multiplier + rounding) >> shift


@inner_kernel
def sigmoid_step(scaled):
    """Which of `SIGMOID_STEPS` an input in the table's scale falls into."""
    return min(abs(scaled) >> 9, 255)


@inner_kernel
def tanh_step(scaled):
    """Which of `TANH_STEPS` an input in the table's scale falls into."""
    return min(abs(scaled) >> 8, 255)


@inner_kernel
def sigmoid_within(scaled, step):
    """Sigmoid in Q0.15 of an input in the table's scale; `step`: that of `SIGMOID_STEPS`."""
    value = ((step & 0xFFFF) << 9) + (abs(scaled) & 0x1FF) * (step >> 16)
    if scaled >= 0:
        return (value + 0x200) >> 10
    return ((1 << 25) - value + 0x1FF) >> 10


@inner_kernel
def tanh_within(scaled, step):
    """Tanh in Q0.15 of an input in the table's scale; `step`: that of `TANH_STEPS`."""
    value = ((step & 0xFFFF) << 8) + (abs(scaled) & 0xFF) * (step >> 16)
    if scaled >= 0:
        return (value - (1 << 23) + 0x80) >> 8
    return (-value + (1 << 23) + 0x7F) >> 8


@inner_kernel
def sigmoid_int16(x, multiplier, shift):
    """Sigmoid of int16 `x` as Q0.15, from `SIGMOID_TABLE` with linear interpolation.

    (3, 0) are the `multiplier` and `shift` of a Q3.12 input; see `table_input_scaling`.
    """
    scaled = scale_table_input(x, multiplier, shift)
    return sigmoid_within(scaled, np.int64(SIGMOID_STEPS[sigmoid_step(scaled)]))


@inner_kernel
def tanh_int16(x, multiplier, shift):
    """Tanh of int16 `x` as Q0.15, as 2 sigmoid(2x) - 1 from the same table.

    (3, 0) are the `multiplier` and `shift` of a Q3.12 input; see `table_input_scaling`.
    """
    scaled = scale_table_input(x, multiplier, shift)
    return tanh_within(scaled, np.int64(TANH_STEPS[tanh_step(scaled)]))


ADD_LEFT_SHIFT = 20
"""Head room given to both operands of an int8 addition before they are scaled."""

SQUARED_DIFFERENCE_LEFT_SHIFT = 7
"""The same of a squared difference: so little that the square stays in int32."""


class OperandScale(NamedTuple):
    """One operand of an addition: what stands for zero, and its factor (shift <= 0)."""

    zero_point: int
    multiplier: int
    shift: int


class OutputScale(NamedTuple):
    """What becomes of a sum: its factor (shift <= 0), what stands for zero, and the clamp."""

    multiplier: int
    shift: int
    zero_point: int
    lo: int
    hi: int


@inner_kernel
def scale_operand(x, left_shift, scale):
    """An int8 with `left_shift` bits of head room, in another scale; `scale`: `OperandScale`."""
    zero_point, multiplier, shift = scale
    return multiply_by_quantized_multiplier((x - zero_point) << left_shift, multiplier, shift)


@inner_kernel
def add_affine(a, b, scale_a, scale_b, output):
    """Sum of two int8 activations of different scales.

    `scale_a` and `scale_b` hold the fields of an `OperandScale`, `output` those of an
    `OutputScale`; plain tuples are the fastest way into compiled code.
    """
    multiplier, shift, zero_point, lo, hi = output
    scaled_a = scale_operand(a, ADD_LEFT_SHIFT, scale_a)
    scaled_b = scale_operand(b, ADD_LEFT_SHIFT, scale_b)
    return requantize(scaled_a, scaled_b, multiplier, shift, zero_point, lo, hi)


@inner_kernel
def sub_affine(a, b, scale_a, scale_b, output):
    """Difference of two int8 activations of different scales; parameters as `add_affine`."""
    multiplier, shift, zero_point, lo, hi = output
    scaled_a = scale_operand(a, ADD_LEFT_SHIFT, scale_a)
    scaled_b = scale_operand(b, ADD_LEFT_SHIFT, scale_b)
    return requantize(scaled_a, -scaled_b, multiplier, shift, zero_point, lo, hi)


@inner_kernel
def squared_difference_affine(a, b, scale_a, scale_b, output):
    """Square of the difference of two int8 activations; parameters as `add_affine`."""
    multiplier, shift, zero_point, lo, hi = output
    scaled_a = scale_operand(a, SQUARED_DIFFERENCE_LEFT_SHIFT, scale_a)
    scaled_b = scale_operand(b, SQUARED_DIFFERENCE_LEFT_SHIFT, scale_b)
    # At most (2 * 255 << 6)^2: the square stays in int32.
    difference = scaled_a - scaled_b
    return requantize(difference * difference, 0, multiplier, shift, zero_point, lo, hi)


@inner_kernel
def mul_affine(a, b, a_zero_point, b_zero_point, multiplier, shift, zero_point, lo, hi):
    """Product of two int8 or int16 activations, requantised."""
    product = (a - a_zero_point) * (b - b_zero_point)
    return requantize(product, 0, multiplier, shift, zero_point, lo, hi)


@inner_kernel
def prelu_affine(a, b, a_zero, b_zero, multiplier, shift, slope_multiplier, slope_shift, zero):
    """int8 `a` where it is not negative, its product with slope `b` elsewhere, requantised."""
    value = a - a_zero
    if value >= 0:
        return requantize(value, 0, multiplier, shift, zero, INT8_MIN, INT8_MAX)
    product = value * (b - b_zero)
    return requantize(product, 0, slope_multiplier, slope_shift, zero, INT8_MIN, INT8_MAX)


def round_half_away(x: float) -> int:
    """Nearest integer to `x`, ties away from zero, as C's `round`."""
    magnitude = math.floor(abs(x))
    if abs(x) - magnitude >= 0.5:
        magnitude += 1
    return -magnitude if x < 0 else magnitude


def quantize_multiplier(real: float, once: bool = False) -> tuple[int, int]:
    """A real factor >= 0 as (multiplier, shift): `real` ~ multiplier * 2^(shift - 31).

    The multiplier is 0 or in 2^30..2^31 - 1. Factors below about 2^-32 become (0, 0).

    once : of a factor below 1 the shift is 0, and the multiplier has fewer bits: so a product is
        rounded once. With a shift to the right it is rounded twice, and what lies just below a tie
        goes up: 2^(shift - 1) of all products. A product of up to 2^7 is wrong by at most
        2^-25 / `real`.

    Raises
    ------
    ValueError
        If `real` is negative, not finite, or needs a left shift above `MAX_SHIFT`.
    """
    if not math.isfinite(real) or real < 0:
        raise ValueError(f"a multiplier must be finite and not negative, not {real!r}")
    if real == 0:
        return 0, 0
    if once and real < 1:
        return min(round_half_away(real * (1 << 31)), INT32_MAX), 0
    fraction, shift = math.frexp(real)
    multiplier = round_half_away(fraction * (1 << 31))
    if multiplier == 1 << 31:
        multiplier >>= 1
        shift += 1
    if shift < MIN_SHIFT:
        return 0, 0
    if shift > MAX_SHIFT:
        raise ValueError(f"a multiplier must be below 2^{MAX_SHIFT}, not {real!r}")
    return multiplier, shift


def checked_log2(x: float) -> tuple[int, bool]:
    """The integer nearest to log2 of `x` > 0, and whether `x` is that power of two (to 0.1 %)."""
    exact = math.log2(x)
    nearest = round_half_away(exact)
    return nearest, abs(exact - nearest) < 1e-3


def table_input_scaling(log2_scale: int) -> tuple[int, int]:
    """(multiplier, shift) that bring an int16 of scale 2^`log2_scale` to the sigmoid table.

    The table has 24 entries per unit and 2^8 or 2^9 steps per entry; 3 / 4 of Q3.12 is that, hence
    the 3.

    Raises
    ------
    ValueError
        If `log2_scale` is outside -27..2.
    """
    if not -27 <= log2_scale <= 2:
        raise ValueError(f"a scale must be 2^-27 to 2^2 here, not 2^{log2_scale}")
    left = log2_scale + 12
    return (3 << left, 0) if left >= 0 else (3, -left)


def table_scaling_of(scale: float, exact: tuple[int, ...]) -> tuple[int, int]:
    """(multiplier, shift) that bring an int16 of any `scale` to the sigmoid table.

    As TFLM's TANH and LOGISTIC of int16 have it: a power of two whose log2 is in `exact` by
    `table_input_scaling`, any other scale by 15 bits, cut off.

    Raises
    ------
    ValueError
        If `scale` is so large that 15 bits do not hold it, or so small that a shift of 15 does not
        bring it there.
    """
    log2_scale, is_power = checked_log2(scale)
    if is_power and log2_scale in exact:
        return table_input_scaling(log2_scale)
    multiplier, shift = scale * 4096.0 * 3.0, 0
    while multiplier <= INT16_MAX / 2.0 and shift <= 30:
        multiplier, shift = 2.0 * multiplier, shift + 1
    if multiplier >= INT16_MAX + 1 or shift > 15:
        least, most = 2.0**-16 * INT16_MAX / 12288, (INT16_MAX + 1) / 12288
        raise ValueError(f"a scale must be above {least:.4g} and below {most:.4g}, not {scale:g}")
    return int(multiplier), shift

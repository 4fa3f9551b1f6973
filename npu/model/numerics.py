"""The arithmetic of TensorFlow Lite Micro's reference kernels, written once.

Two kinds of function live here. Those marked `@kernel` are scalar, work on integers and compile
with numba; they are called from the loops of the kernels and of the twin. The others are plain
Python and run once per model: they derive multipliers, shifts and tables from float scales.

Scalar functions take and return int64 and say their legal range. Where the C source computes in
int32, a result that leaves int32 is wrapped to it with `wrap_int32`, never left to chance.

Source of method: TensorFlow Lite Micro (`tensorflow/lite/kernels/internal/common.cc`,
`reference/integer_ops/*.h`, `quantization_util.cc`, `micro/kernels/lstm_eval.cc`) built with double
rounding, and gemmlowp (`fixedpoint/fixedpoint.h`).
"""

import math
from collections.abc import Callable

import numpy as np

from npu.jit import interpreted, kernel

INT8_MIN, INT8_MAX = -(1 << 7), (1 << 7) - 1
INT16_MIN, INT16_MAX = -(1 << 15), (1 << 15) - 1
INT32_MIN, INT32_MAX = -(1 << 31), (1 << 31) - 1

MIN_SHIFT, MAX_SHIFT = -31, 30
"""Largest left shift of a multiplier: beyond it the C source is undefined."""

# fmt: off
SIGMOID_TABLE = np.array(
    [
        32768, 33451, 34133, 34813, 35493, 36169, 36843, 37513, 38180, 38841, 39498, 40149,
        40794, 41432, 42064, 42688, 43304, 43912, 44511, 45102, 45683, 46255, 46817, 47369,
        47911, 48443, 48964, 49475, 49975, 50464, 50942, 51409, 51865, 52311, 52745, 53169,
        53581, 53983, 54374, 54755, 55125, 55485, 55834, 56174, 56503, 56823, 57133, 57433,
        57724, 58007, 58280, 58544, 58800, 59048, 59288, 59519, 59743, 59959, 60168, 60370,
        60565, 60753, 60935, 61110, 61279, 61441, 61599, 61750, 61896, 62036, 62172, 62302,
        62428, 62549, 62666, 62778, 62886, 62990, 63090, 63186, 63279, 63368, 63454, 63536,
        63615, 63691, 63765, 63835, 63903, 63968, 64030, 64090, 64148, 64204, 64257, 64308,
        64357, 64405, 64450, 64494, 64536, 64576, 64614, 64652, 64687, 64721, 64754, 64786,
        64816, 64845, 64873, 64900, 64926, 64950, 64974, 64997, 65019, 65039, 65060, 65079,
        65097, 65115, 65132, 65149, 65164, 65179, 65194, 65208, 65221, 65234, 65246, 65258,
        65269, 65280, 65291, 65301, 65310, 65319, 65328, 65337, 65345, 65352, 65360, 65367,
        65374, 65381, 65387, 65393, 65399, 65404, 65410, 65415, 65420, 65425, 65429, 65433,
        65438, 65442, 65445, 65449, 65453, 65456, 65459, 65462, 65465, 65468, 65471, 65474,
        65476, 65479, 65481, 65483, 65485, 65488, 65489, 65491, 65493, 65495, 65497, 65498,
        65500, 65501, 65503, 65504, 65505, 65507, 65508, 65509, 65510, 65511, 65512, 65513,
        65514, 65515, 65516, 65517, 65517, 65518, 65519, 65520, 65520, 65521, 65522, 65522,
        65523, 65523, 65524, 65524, 65525, 65525, 65526, 65526, 65526, 65527, 65527, 65528,
        65528, 65528, 65529, 65529, 65529, 65529, 65530, 65530, 65530, 65530, 65531, 65531,
        65531, 65531, 65531, 65532, 65532, 65532, 65532, 65532, 65532, 65533, 65533, 65533,
        65533, 65533, 65533, 65533, 65533, 65534, 65534, 65534, 65534, 65534, 65534, 65534,
        65534, 65534, 65534, 65535,
    ],
    dtype=np.uint16,
)
# fmt: on
"""65536 * sigmoid(i / 24) for i in 0..255, rounded as TFLM does (within 1.2 of exact)."""
SIGMOID_TABLE.flags.writeable = False


@kernel
def wrap_int32(x):
    """Two's complement of the low 32 bits of `x` (any int64)."""
    return ((x + 0x80000000) & 0xFFFFFFFF) - 0x80000000


@kernel
def saturate(x, lo, hi):
    """`x` limited to lo..hi, with lo <= hi."""
    if x < lo:
        return lo
    if x > hi:
        return hi
    return x


@kernel
def saturating_rounding_doubling_high_mul(a, b):
    """High 32 bits of 2ab for int32 `a`, `b`: to nearest, ties upward.

    The one case out of range, both -2^31, gives 2^31 - 1.
    """
    if a == b and a == -0x80000000:
        return 0x7FFFFFFF
    product = a * b
    if product >= 0:
        return (product + 0x40000000) >> 31
    # The C source divides, which truncates toward zero; a shift alone would floor.
    return -((0x3FFFFFFF - product) >> 31)


@kernel
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


@kernel
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


@kernel
def requantize(acc, bias, multiplier, shift, zero_point, lo, hi):
    """Accumulator to activation: scale `acc` + `bias`, add `zero_point`, limit to lo..hi.

    `acc` and `bias` may be any int64 whose sum mod 2^32 is meant as an int32 accumulator.
    """
    scaled = multiply_by_quantized_multiplier(wrap_int32(acc + bias), multiplier, shift)
    return saturate(wrap_int32(scaled + zero_point), lo, hi)


@kernel
def saturating_add_int16(a, b):
    """`a` + `b` for int16 operands, limited to int16."""
    return saturate(a + b, -0x8000, 0x7FFF)


@kernel
def scale_table_input(x, multiplier, shift):
    """int16 `x` brought to the scale of the sigmoid table: rounded `x` * `multiplier` / 2^`shift`.

    `shift` is 0..15. The result is int32.
    """
    rounding = (1 << shift) >> 1
    return wrap_int32(x * multiplier + rounding) >> shift


@kernel
def sigmoid_int16(x, multiplier, shift):
    """Sigmoid of int16 `x` as Q0.15, from `SIGMOID_TABLE` with linear interpolation.

    (3, 0) are the `multiplier` and `shift` of a Q3.12 input; see `table_input_scaling`.
    """
    scaled = scale_table_input(x, multiplier, shift)
    magnitude = abs(scaled)
    index = magnitude >> 9
    if index >= 255:
        value = 0x7FFF << 10
    else:
        left = np.int64(SIGMOID_TABLE[index])
        right = np.int64(SIGMOID_TABLE[index + 1])
        value = (left << 9) + (magnitude & 0x1FF) * (right - left)
    if scaled >= 0:
        return (value + 0x200) >> 10
    return ((1 << 25) - value + 0x1FF) >> 10


@kernel
def tanh_int16(x, multiplier, shift):
    """Tanh of int16 `x` as Q0.15, as 2 sigmoid(2x) - 1 from the same table.

    (3, 0) are the `multiplier` and `shift` of a Q3.12 input; see `table_input_scaling`.
    """
    scaled = scale_table_input(x, multiplier, shift)
    magnitude = abs(scaled)
    index = magnitude >> 8
    if index >= 255:
        value = 0xFFFF << 8
    else:
        left = np.int64(SIGMOID_TABLE[index])
        right = np.int64(SIGMOID_TABLE[index + 1])
        value = (left << 8) + (magnitude & 0xFF) * (right - left)
    if scaled >= 0:
        return (value - (1 << 23) + 0x80) >> 8
    return (-value + (1 << 23) + 0x7F) >> 8


ADD_LEFT_SHIFT = 20
"""Head room given to both operands of an int8 addition before they are scaled."""


@kernel
def add_affine(
    a,
    b,
    a_zero_point,
    a_multiplier,
    a_shift,
    b_zero_point,
    b_multiplier,
    b_shift,
    multiplier,
    shift,
    zero_point,
    lo,
    hi,
):
    """Sum of two int8 activations of different scales; all shifts are <= 0."""
    scaled_a = multiply_by_quantized_multiplier(
        (a - a_zero_point) << ADD_LEFT_SHIFT, a_multiplier, a_shift
    )
    scaled_b = multiply_by_quantized_multiplier(
        (b - b_zero_point) << ADD_LEFT_SHIFT, b_multiplier, b_shift
    )
    return requantize(scaled_a, scaled_b, multiplier, shift, zero_point, lo, hi)


@kernel
def mul_affine(a, b, a_zero_point, b_zero_point, multiplier, shift, zero_point, lo, hi):
    """Product of two int8 or int16 activations, requantised."""
    product = (a - a_zero_point) * (b - b_zero_point)
    return requantize(product, 0, multiplier, shift, zero_point, lo, hi)


def round_half_away(x: float) -> int:
    """Nearest integer to `x`, ties away from zero, as C's `round`."""
    magnitude = math.floor(abs(x))
    if abs(x) - magnitude >= 0.5:
        magnitude += 1
    return -magnitude if x < 0 else magnitude


def quantize_multiplier(real: float) -> tuple[int, int]:
    """A real factor >= 0 as (multiplier, shift): `real` ~ multiplier * 2^(shift - 31).

    The multiplier is 0 or in 2^30..2^31 - 1. Factors below about 2^-32 become (0, 0).

    Raises
    ------
    ValueError
        If `real` is negative, not finite, or needs a left shift above `MAX_SHIFT`.
    """
    if not math.isfinite(real) or real < 0:
        raise ValueError(f"a multiplier must be finite and not negative, not {real!r}")
    if real == 0:
        return 0, 0
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

"""Fixed-point functions of gemmlowp: what TensorFlow Lite Micro makes exponentials and roots of.

Plain Python on integers, for tables and for what is worked out once a row. A number in Qm.n is an
int32 with m bits before the point and n = 31 - m behind it. Source of method: gemmlowp
(`fixedpoint/fixedpoint.h`) and TensorFlow Lite Micro (`kernels/internal/common.h`).
"""

from npu.jit import interpreted
from npu.model.numerics import (
    INT32_MAX,
    INT32_MIN,
    rounding_divide_by_pot,
    saturating_rounding_doubling_high_mul,
)

high_mul = interpreted(saturating_rounding_doubling_high_mul)
divide_by_pot = interpreted(rounding_divide_by_pot)


def saturating_shift_left(x: int, exponent: int) -> int:
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
    x2 = high_mul(x, x)
    x3 = high_mul(x2, x)
    x4 = high_mul(x2, x2)
    tail = divide_by_pot(high_mul(divide_by_pot(x4, 2) + x3, third) + x2, 1)
    return exp_of_minus_eighth + high_mul(exp_of_minus_eighth, x + tail)


def exp_of_negative(a: int, integer_bits: int) -> int:
    """exp(a) in Q0.31 for a < 0 with `integer_bits` (4 or 5) bits before the point."""
    fraction_bits = 31 - integer_bits
    quarter = 1 << (fraction_bits - 2)
    last_quarter = (a & (quarter - 1)) - quarter
    result = _exp_of_last_quarter(saturating_shift_left(last_quarter, integer_bits))
    whole_quarters = last_quarter - a
    for exponent in range(-2, integer_bits):
        if whole_quarters & (1 << (fraction_bits + exponent)):
            result = high_mul(result, _EXP_FACTORS[exponent])
    return result


def reciprocal_of_half_sum(a: int) -> int:
    """2 / (1 + a) in Q2.29 for a in (0, 1) in Q0.31: three Newton-Raphson steps."""
    half_sum = (a + INT32_MAX + 1) // 2
    x = 1515870810 + high_mul(half_sum, -1010580540)
    for _ in range(3):
        error = (1 << 29) - high_mul(half_sum, x)
        x += saturating_shift_left(high_mul(x, error), 2)
    return x


def leading_zeros(x: int) -> int:
    """Zeros in front of the highest one among 32 bits; 32 of 0."""
    return 32 - x.bit_length()


def exp_of_difference(a: int, integer_bits: int) -> int:
    """exp(a) in Q0.31 for a <= 0: as `exp_of_negative`, and nearly 1 of 0."""
    return exp_of_negative(a, integer_bits) if a < 0 else INT32_MAX


def reciprocal(x: int, integer_bits: int) -> tuple[int, int]:
    """1 / x for x >= 1 with `integer_bits` bits before the point.

    Returns
    -------
    (factor in Q0.31, bits): the reciprocal is factor / 2^bits
    """
    headroom = leading_zeros(x)
    fraction = (x << headroom) - (1 << 31)
    return saturating_shift_left(reciprocal_of_half_sum(fraction), 1), integer_bits - headroom


HALF_SQRT_2 = 1518500250
QUARTIC_ROOT_OF_HALF = 1805811301
LOG_2 = 1488522236
# Of the rational function below, in Q0.31: see `log_of_at_least_one`.
ALPHA_N, ALPHA_D, ALPHA_I, ALPHA_F = 117049297, 127690142, 1057819769, 638450708

LOG_INPUT_BITS, LOG_OUTPUT_BITS = 12, 5


def log_of_at_least_one(x: int) -> int:
    """log(x) in Q5.26 for x >= 1 in Q12.19.

    x is brought near 1 by one of two powers of two, a quarter of an octave apart, and the rest is a
    rational function of what remains.
    """
    accumulator_bits = LOG_OUTPUT_BITS + 1
    fraction_bits = 31 - accumulator_bits
    quarter = divide_by_pot(1 << 29, accumulator_bits)

    headroom = leading_zeros(x)
    shifted = saturating_shift_left(x, headroom - 1)
    near_a = saturating_shift_left(high_mul(shifted, HALF_SQRT_2), 1)
    power_a = saturating_shift_left(LOG_INPUT_BITS - headroom, fraction_bits) + quarter

    headroom = leading_zeros(high_mul(x, HALF_SQRT_2)) - 1
    near_b = saturating_shift_left(x, headroom)
    power_b = saturating_shift_left(LOG_INPUT_BITS - headroom, fraction_bits) - quarter

    near = min(near_a, near_b)
    power = max(power_a, power_b)

    middle = (near + QUARTIC_ROOT_OF_HALF + 1) // 2
    q = 2 * (near - QUARTIC_ROOT_OF_HALF)
    square = high_mul(q, q)
    numerator = high_mul(q, near) + high_mul(high_mul(q, square), ALPHA_N)
    denominator = high_mul(middle, ALPHA_I + q + high_mul(ALPHA_D, square))
    denominator += high_mul(ALPHA_F, q)
    inverse = saturating_shift_left(reciprocal_of_half_sum(denominator), 1)
    rest = high_mul(divide_by_pot(numerator, accumulator_bits), inverse)
    return saturating_shift_left(high_mul(power, LOG_2) + rest, 1)


INVERSE_ROOT_STEPS = 5


def inverse_square_root(x: int) -> tuple[int, int]:
    """1 / sqrt(x) for int32 x >= 0 as (multiplier, shift <= 0); 0 counts as 1.

    See `numerics.multiply_by_quantized_multiplier`.
    """
    if x <= 1:
        return INT32_MAX, 0
    right = 11
    while x >= 1 << 29:
        x //= 4
        right += 1
    pairs = (leading_zeros(x) - 1) // 2 - 1
    right -= pairs
    x <<= 2 * pairs
    # Newton-Raphson in Q3.28, from 1.
    value = x >> 1
    half = divide_by_pot(value, 1)
    three_halves = (1 << 28) + (1 << 27)
    root = 1 << 28
    for _ in range(INVERSE_ROOT_STEPS):
        cube = saturating_shift_left(high_mul(high_mul(root, root), root), 6)
        root = saturating_shift_left(high_mul(three_halves, root) - high_mul(half, cube), 3)
    root = high_mul(root, HALF_SQRT_2)
    if right < 0:
        root <<= -right
        right = 0
    return root, -right

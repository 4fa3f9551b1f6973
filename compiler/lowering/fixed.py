"""gemmlowp's fixed-point functions as routines: what `npu.model.fixed_point` says, in commands.

Each says in how many registers beyond those of its arguments it works.
"""

from compiler.lowering.routine import ZERO, Register, RoutineWriter, Y
from npu.model.fixed_point import (
    ALPHA_D,
    ALPHA_F,
    ALPHA_I,
    ALPHA_N,
    HALF_SQRT_2,
    INVERSE_ROOT_STEPS,
    LOG_2,
    LOG_INPUT_BITS,
    LOG_OUTPUT_BITS,
    QUARTIC_ROOT_OF_HALF,
)
from npu.model.numerics import INT32_MAX, INT32_MIN


def saturating_shift_left(r: RoutineWriter, rd: Register, x: Register, exponent: int) -> None:
    """rd = x * 2^exponent, at most the largest int32, for x >= 0; rd is another register than x."""
    r.do("SLL", rd, x, exponent)
    with r.unless("BLT", x, 1 << (31 - exponent)):
        r.set(rd, INT32_MAX)


def scale(r: RoutineWriter, x: Register, multiplier: Y, shift: int) -> None:
    """x = `numerics.multiply_by_quantized_multiplier` of it."""
    if shift > 0:
        r.do("SLL", x, x, shift)
    r.do("MULH", x, x, multiplier)
    if shift < 0:
        r.do("RSRA", x, x, -shift)


def limit(r: RoutineWriter, x: Register, lo: int, hi: int) -> None:
    """x = that within lo..hi."""
    if lo > INT32_MIN:
        r.do("MAX", x, x, lo)
    if hi < INT32_MAX:
        r.do("MIN", x, x, hi)


def reciprocal_of_half_sum(r: RoutineWriter, rd: Register, a: Register, error: Register) -> None:
    """rd = 2 / (1 + a) in Q2.29 for a in Q0.31; a and `error` are used up; takes a register."""
    r.do("SRA", a, a, 1)
    r.do("ADD", a, a, 1 << 30)
    r.do("MULH", rd, a, -1010580540)
    r.do("ADD", rd, rd, 1515870810)
    with r.times(3):
        r.do("MULH", error, a, rd)
        r.negate(error, error, 1 << 29)
        r.do("MULH", error, rd, error)
        # Never near the ends of the range.
        r.do("SLL", error, error, 2)
        r.do("ADD", rd, rd, error)


def reciprocal(r: RoutineWriter, x: Register, headroom: Register) -> None:
    """1 / x: x becomes the factor in Q0.31, `headroom` its leading zeros; takes three registers."""
    r.leading_zeros(headroom, x)
    r.do("SLL", x, x, headroom)
    r.do("ADD", x, x, INT32_MIN)
    with r.registers(2) as (found, error):
        reciprocal_of_half_sum(r, found, x, error)
        saturating_shift_left(r, x, found, 1)


def log_of_at_least_one(r: RoutineWriter, x: Register) -> None:
    """x in Q12.19, at least 1, becomes its logarithm in Q5.26; takes five registers."""
    accumulator_bits = LOG_OUTPUT_BITS + 1
    with r.registers(4) as (power, near, square, numerator):
        _near_one(r, x, near, power, (square, numerator))
        q = x
        r.do("ADD", q, near, -QUARTIC_ROOT_OF_HALF)
        r.do("SLL", q, q, 1)
        r.do("MULH", square, q, q)
        r.do("MULH", numerator, q, square)
        r.do("MULH", numerator, numerator, ALPHA_N)
        with r.registers(1) as (term,):
            r.do("MULH", term, q, near)
            r.do("ADD", numerator, numerator, term)
        middle = near
        r.do("SRA", middle, near, 1)
        r.do("ADD", middle, middle, (QUARTIC_ROOT_OF_HALF + 1) // 2)
        r.do("MULH", square, square, ALPHA_D)
        r.do("ADD", square, square, q, ALPHA_I)
        denominator = near
        r.do("MULH", denominator, middle, square)
        r.do("MULH", square, q, ALPHA_F)
        r.do("ADD", denominator, denominator, square)
        reciprocal_of_half_sum(r, x, denominator, square)
        inverse = square
        saturating_shift_left(r, inverse, x, 1)
        r.do("RSRA", numerator, numerator, accumulator_bits)
        r.do("MULH", numerator, numerator, inverse)
        r.do("MULH", x, power, LOG_2)
        r.do("ADD", x, x, numerator)
        r.do("SLL", x, x, 1)


def _near_one(
    r: RoutineWriter,
    x: Register,
    near: Register,
    power: Register,
    scratch: tuple[Register, Register],
) -> None:
    """x brought near 1 by one of two powers of two, and that power; x is used up."""
    fraction_bits = 31 - LOG_OUTPUT_BITS - 1
    quarter = 1 << (29 - LOG_OUTPUT_BITS - 1)
    other, headroom = scratch
    r.leading_zeros(headroom, x)
    r.do("ADD", other, headroom, -1)
    r.do("SLL", other, x, other)
    r.do("MULH", other, other, HALF_SQRT_2)
    saturating_shift_left(r, near, other, 1)
    r.negate(power, headroom, LOG_INPUT_BITS)
    r.do("SLL", power, power, fraction_bits)
    r.do("ADD", power, power, quarter)

    r.do("MULH", headroom, x, HALF_SQRT_2)
    r.leading_zeros(headroom, headroom)
    r.do("ADD", headroom, headroom, -1)
    r.do("SLL", x, x, headroom)
    # One bit too far at most: it is the sign then.
    with r.unless("BGE", x, 0):
        r.set(x, INT32_MAX)
    r.do("MIN", near, near, x)
    r.negate(headroom, headroom, LOG_INPUT_BITS)
    r.do("SLL", headroom, headroom, fraction_bits)
    r.do("ADD", headroom, headroom, -quarter)
    r.do("MAX", power, power, headroom)


def inverse_square_root(r: RoutineWriter, x: Register, shift: Register) -> None:
    """1 / sqrt(x) as (x, shift <= 0) for x >= 0; takes four registers."""
    behind = r.new_label()
    r.set(shift)
    with r.unless("BGE", x, 2):
        r.set(x, INT32_MAX)
        r.branch("BEQ", ZERO, 0, behind)
    r.set(shift, -11)
    # A quarter of any int32 is small enough.
    with r.unless("BLT", x, 1 << 29):
        r.do("SRA", x, x, 2)
        r.do("ADD", shift, shift, -1)
    with r.registers(1) as (pairs,):
        r.leading_zeros(pairs, x)
        r.do("ADD", pairs, pairs, -1)
        r.do("SRA", pairs, pairs, 1)
        r.do("ADD", pairs, pairs, -1)
        r.do("ADD", shift, shift, pairs)
        r.do("SLL", pairs, pairs, 1)
        r.do("SLL", x, x, pairs)
    half = x
    r.do("SRA", half, x, 1)
    r.do("RSRA", half, half, 1)
    with r.registers(2) as (root, cube):
        r.set(root, 1 << 28)
        with r.times(INVERSE_ROOT_STEPS), r.registers(1) as (term,):
            r.do("MULH", cube, root, root)
            r.do("MULH", term, cube, root)
            saturating_shift_left(r, cube, term, 6)
            r.do("MULH", cube, half, cube)
            r.do("MULH", term, root, (1 << 28) + (1 << 27))
            r.do("SUB", term, term, cube)
            saturating_shift_left(r, root, term, 3)
        r.do("MULH", x, root, HALF_SQRT_2)
    with r.unless("BLT", shift, 1):
        r.do("SLL", x, x, shift)
        r.set(shift)
    r.label(behind)

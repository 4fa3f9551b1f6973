"""A slow oracle for the arithmetic: exact integers and fractions, one idea per line.

Written from the public definitions (TFLite's quantisation specification and the contracts of
gemmlowp's fixed-point functions), not from `npu.model.numerics`, which it must never import.
"""

from fractions import Fraction
from math import floor

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1


def wrap(x: int, bits: int = 32) -> int:
    """Two's complement of the low bits."""
    x %= 2**bits
    return x - 2**bits if x >= 2 ** (bits - 1) else x


def clamp(x: int, lo: int, hi: int) -> int:
    return sorted((lo, x, hi))[1]


def round_half_up(x: Fraction) -> int:
    return floor(x + Fraction(1, 2))


def round_half_away(x: Fraction) -> int:
    return round_half_up(x) if x >= 0 else -round_half_up(-x)


def doubling_high_mul(a: int, b: int) -> int:
    return min(round_half_up(Fraction(2 * a * b, 2**32)), INT32_MAX)


def divide_by_pot(x: int, exponent: int) -> int:
    return round_half_away(Fraction(x, 2**exponent))


def multiply(x: int, multiplier: int, shift: int) -> int:
    """Double rounding: the product to 32 bits first, the right shift after."""
    product = doubling_high_mul(wrap(x * 2 ** max(shift, 0)), multiplier)
    return divide_by_pot(product, max(-shift, 0))


def multiply_single_rounding(x: int, multiplier: int, shift: int) -> int:
    """What another build of TFLM would do; here to show that it differs."""
    return round_half_up(Fraction(x * multiplier, 1) / Fraction(2) ** (31 - shift))


def requantize(acc: int, multiplier: int, shift: int, zero_point: int, lo: int, hi: int) -> int:
    return clamp(wrap(multiply(wrap(acc), multiplier, shift) + zero_point), lo, hi)


def table_input(x: int, multiplier: int, shift: int) -> int:
    return round_half_up(Fraction(x * multiplier, 2**shift))


def _interpolated(table: list[int], position: Fraction) -> Fraction:
    """The table at a position >= 0 between two entries."""
    left = floor(position)
    return table[left] + (position - left) * (table[left + 1] - table[left])


def sigmoid_int16(x: int, table: list[int], multiplier: int = 3, shift: int = 0) -> int:
    """Entries are 512 steps apart and hold 2^16 sigmoid; the left half mirrors the right one."""
    scaled = table_input(x, multiplier, shift)
    position = Fraction(abs(scaled), 512)
    value = _interpolated(table, position) if position < 255 else Fraction(0x7FFF, 1) * 2
    if scaled >= 0:
        return floor(value / 2 + Fraction(1, 2))
    # The mirrored value rounds its ties down.
    return -floor(-((2**16 - value) / 2 - Fraction(1, 2)))


def tanh_int16(x: int, table: list[int], multiplier: int = 3, shift: int = 0) -> int:
    """Entries are 256 steps apart: tanh(x) = 2 sigmoid(2x) - 1."""
    scaled = table_input(x, multiplier, shift)
    position = Fraction(abs(scaled), 256)
    value = _interpolated(table, position) if position < 255 else Fraction(0xFFFF)
    magnitude = value - 2**15
    if scaled >= 0:
        return floor(magnitude + Fraction(1, 2))
    return -floor(-(-magnitude - Fraction(1, 2)))


def fully_connected(
    x: list[int],
    weights: list[list[int]],
    bias: list[int],
    multipliers: list[int],
    shifts: list[int],
    input_zero_point: int,
    zero_point: int,
    lo: int,
    hi: int,
) -> list[int]:
    """One vector through a layer, the zero point subtracted where the specification does."""
    return [
        requantize(
            sum(w * (v - input_zero_point) for w, v in zip(row, x, strict=True)) + b,
            m,
            s,
            zero_point,
            lo,
            hi,
        )
        for row, b, m, s in zip(weights, bias, multipliers, shifts, strict=True)
    ]

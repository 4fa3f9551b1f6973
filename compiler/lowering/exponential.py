"""Exponentials in Q0.31 of how far elements lie below the largest, without an int32 in SRAM.

One is the sum of its digits times their factors: a dot product whose scale may be another for every
row. The bytes of digits come from the look-up table.
"""

import numpy as np

from compiler.lowering.digits import FACTORS, digits
from compiler.lowering.ir import Buffer, View
from compiler.lowering.rescale import identity_fields
from compiler.lowering.rows import WIDE, sums
from compiler.lowering.site import GraphLowering
from compiler.lowering.walks import Operand, copy, walk
from npu.chip.isa import ElementType
from npu.model.numerics import INT8_MAX, INT8_MIN, INT16_MAX, INT16_MIN
from npu.model.operators.normalise import SUM_BITS, SoftmaxParams

DIGITS = len(FACTORS)
REST_BITS = 16 - SUM_BITS
"""A summand is the rest times a power of two, less the negative rest, and the low half rounded."""


def exponentials(site: GraphLowering, below: View, params: SoftmaxParams) -> Buffer:
    """(n, DIGITS) int16 of n int8 `INT8_MAX - below`."""
    found = site.new_buffer("exponentials", DIGITS * below.n, ElementType.INT16)
    low, rest, _ = digits(params.exp).T
    each = Operand(below, (1,))
    step = DIGITS * ElementType.INT16.n_bytes
    for digit, numbers in enumerate((low, rest)):
        planes = numbers.astype("<i2").view(np.int8).reshape(-1, 2)
        for byte in range(2):
            at = View(found, 2 * digit + byte, found.n, ElementType.INT8)
            # A table begins with what the least int8 becomes.
            table = np.ascontiguousarray(planes[::-1, byte])
            walk(site, "VLUT", [below.n], {"dst": Operand(at, (step,)), "a": each}, table=table)
    copy(site, [below.n], _digit(found, 2), _digit(found, 1))
    return found


def _digit(exp: Buffer, digit: int) -> Operand:
    return Operand(exp.part(digit, exp.n), (DIGITS,))


def sums_of_exponentials(
    site: GraphLowering, exp: Buffer, sizes: tuple[int, int], one: View
) -> Buffer:
    """What the exponentials of (rows, length) become in Q12.19, summed over rows.

    Returns (3, rows) int16: `rows.sums` of the negative rests, and the sums of the rounded low
    halves. A sum is the latter less the former times 2^REST_BITS. `one` is an element that is 1.
    """
    rows, length = sizes
    found = site.new_buffer("sums", 3 * rows, ElementType.INT16)
    ones = Operand(one, (0, 0))
    rest = Operand(exp.part(1, exp.n), (DIGITS * length, DIGITS))
    sums(site, found.part(0, 2 * rows), sizes, rest, ones)
    rounded = site.new_buffer("rounded", rows * length, ElementType.INT8).whole()
    types = {"a_type": int(ElementType.INT16), "lo": INT8_MIN, "hi": INT8_MAX}
    rounds = types | {"multiplier": 1 << (31 - SUM_BITS)}
    walk(
        site, "VRESCALE", [rounded.n], {"dst": Operand(rounded, (1,)), "a": _digit(exp, 0)}, rounds
    )
    operands = {
        "dst": Operand(found.part(2 * rows, rows), (1, 0)),
        "a": Operand(rounded, (length, 1)),
        "b": ones,
    }
    exact = identity_fields(INT16_MIN, INT16_MAX) | WIDE | {"b_type": int(one.element)}
    walk(site, "VDOT", sizes, operands, exact, fixed=1)
    return found

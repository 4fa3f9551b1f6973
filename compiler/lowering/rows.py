"""Rows whose scale is worked out while they run: exact sums for it, and what takes it.

A VDOT sums in 32 bits and gives 16 of them: both halves of a sum are two such commands.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from compiler.lowering.ir import View
from compiler.lowering.routine import Register, RoutineWriter
from compiler.lowering.site import GraphLowering
from compiler.lowering.walks import Operand, walk
from npu.chip.isa import ElementType
from npu.model.numerics import INT16_MAX, INT16_MIN

ITEM = ElementType.INT16.n_bytes
HALF_BITS = 8 * ITEM
WIDE = {"dst_type": int(ElementType.INT16), "lo": INT16_MIN, "hi": INT16_MAX}
_HALVES = tuple(
    # Shifted out to the left and back, or rounded: what the low half, signed, leaves.
    WIDE | {"multiplier": 1 << (31 - HALF_BITS), "shift": shift}
    for shift in (HALF_BITS, 0)
)


def sums(
    site: GraphLowering,
    dst: View,
    sizes: tuple[int, int],
    a: Operand,
    b: Operand,
    zero: int = 0,
) -> None:
    """Sums over each of (rows, length) of (a - zero) * (b - zero), below 2^31 - 2^15.

    dst : (2, rows) int16, the low halves, signed, and what is left when they are taken off.
    """
    rows, _ = sizes
    types = {"a_type": int(a.view.element), "b_type": int(b.view.element)}
    for half, fields in enumerate(_HALVES):
        operands = {"dst": Operand(dst.part(half * rows, rows), (1, 0)), "a": a, "b": b}
        zeros = {"a_zero": zero, "b_zero": zero}
        walk(site, "VDOT", sizes, operands, fields | types | zeros, fixed=1)


def load_sum(r: RoutineWriter, rd: Register, at: Register, rows: int, shift: int = 0) -> None:
    """rd = one of those sums, times 2^shift; `at` is where its low half lies; takes a register."""
    with r.registers(1) as (low,):
        r.load(rd, at, ElementType.INT16, rows * ITEM)
        r.do("SLL", rd, rd, HALF_BITS + shift)
        r.load(low, at, ElementType.INT16)
        if shift:
            r.do("SLL", low, low, shift)
        r.do("ADD", rd, rd, low)


@contextmanager
def each_sum(r: RoutineWriter, at: Register, of: View) -> Iterator[None]:
    """A loop in which a register goes through the places of int16, one for each row."""
    again = r.new_label()
    r.set(at, view=of)
    r.label(again)
    yield
    r.do("ADD", at, at, ITEM)
    r.branch("BLT", at, of.n * ITEM, again, view=of)

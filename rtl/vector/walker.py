"""Where an operand's next element lies: three loops, each with a stride, checked step by step."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from npu.chip.isa import OPCODES, OPERANDS
from npu.chip.params import ChipParams
from rtl.shared.commands import COMMAND_BITS, fields

ADDRESS_BITS = OPCODES["VMUL"].field("dst").width


def place_bits(params: ChipParams) -> int:
    """Of a byte address inside vector SRAM."""
    return ceil_log2(params.sram_bytes)


class Strides(data.Struct):
    """Bytes from an element to the next, by the loop that goes on, the inner one first."""

    inner: signed(ADDRESS_BITS)
    row: signed(ADDRESS_BITS)
    plane: signed(ADDRESS_BITS)


class Ends(data.Struct):
    """With an element: it is the last of its row (the inner loop), of its plane, of all."""

    row: 1
    plane: 1
    all: 1


class Loop(wiring.Component):
    """What VLOOP sets. It stays until the next one, whatever else is reset.

    Members
    -------
    cmd : In, a VLOOP with `keep`.
    keep : In, take it.
    known : Out, there has been one since power-on.
    counts : Out, of the middle and the outer loop.
    a, b, dst : Out, strides.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "cmd": In(COMMAND_BITS),
                "keep": In(1),
                "known": Out(1),
                "counts": Out(16).array(2),
                **{operand: Out(Strides) for operand in OPERANDS},
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        view = fields(self.cmd, "VLOOP")

        def keep(target, value) -> None:
            kept = Signal(value.shape(), reset_less=True)
            with m.If(self.keep):
                m.d.sync += kept.eq(value)
            m.d.comb += target.eq(kept)

        keep(self.counts[0], view.count_1)
        keep(self.counts[1], view.count_2)
        for operand in OPERANDS:
            strides = getattr(self, operand)
            keep(strides.inner, getattr(view, f"{operand}_0"))
            keep(strides.row, getattr(view, f"{operand}_1"))
            keep(strides.plane, getattr(view, f"{operand}_2"))
        known = Signal(reset_less=True)
        with m.If(self.keep):
            m.d.sync += known.eq(1)
        m.d.comb += self.known.eq(known)
        return m


class LoopWalker(wiring.Component):
    """Walks with one operand. `at` and `bad` are known a cycle after `load` or `step`.

    Parameters
    ----------
    params : ChipParams.

    Members
    -------
    load : In, begin at `start`.
    step : In, go on behind the element at `at`, whose `ends` are known in the same cycle.
    strides : In, stable.
    unaligned : In, the lowest bits of an address, those that must be zero; stable.
    at : Out, byte address; it means nothing where it is `bad`.
    bad : Out, the element lies outside SRAM, or is misaligned. Nothing good comes behind it.
    """

    def __init__(self, params: ChipParams) -> None:
        self._params = params
        super().__init__(
            {
                "load": In(1),
                "start": In(ADDRESS_BITS),
                "step": In(1),
                "ends": In(Ends),
                "strides": In(Strides),
                "unaligned": In(ceil_log2(params.bus_bytes)),
                "at": Out(place_bits(params)),
                "bad": Out(1),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        at, row, plane = (
            Signal(self.at.shape(), name=name)
            for name in ("place", "first_of_row", "first_of_plane")
        )
        ends = self.ends
        base, stride = Signal.like(at), Signal(signed(ADDRESS_BITS))
        m.d.comb += [
            base.eq(Mux(ends.plane, plane, Mux(ends.row, row, at))),
            stride.eq(
                Mux(
                    ends.plane,
                    self.strides.plane,
                    Mux(ends.row, self.strides.row, self.strides.inner),
                )
            ),
        ]
        # Every place that counts lies inside, and no stride leads around from one to another.
        following = Signal(ADDRESS_BITS)
        m.d.comb += following.eq(Mux(self.load, 0, base) + Mux(self.load, self.start, stride))
        with m.If(self.load | self.step):
            m.d.sync += [
                at.eq(following),
                # A register of its own: whether the unit goes on is a long way.
                self.bad.eq(
                    (following >= self._params.sram_bytes) | (following & self.unaligned).any()
                ),
            ]
            with m.If(self.load | ends.row):
                m.d.sync += row.eq(following)
            with m.If(self.load | ends.plane):
                m.d.sync += plane.eq(following)
        m.d.comb += self.at.eq(at)
        return m


class Rounds(wiring.Component):
    """Counts elements, rows and planes of a command.

    Parameters
    ----------
    elements : of a group that is taken at a time unless the command is looped.

    Members
    -------
    load : In, begin.
    step : In, go on behind an element (or a group).
    n, counts : In, of the inner loop, and of the two around it. Not 0 where they matter.
    looped : In, one element at a time; else there is one row, of groups.
    ends : Out, of the element at hand; known a cycle after `load` or `step`.
    """

    def __init__(self, elements: int) -> None:
        self._elements = elements
        super().__init__(
            {
                "load": In(1),
                "step": In(1),
                "n": In(16),
                "counts": In(16).array(2),
                "looped": In(1),
                "ends": Out(Ends),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        ends = self.ends
        taken = self._elements if self._elements == 1 else Mux(self.looped, 1, self._elements)
        last = []
        # Each loop goes on where the one inside it ends, and begins anew where it ends itself.
        steps = (self.step, self.step & ends.row, self.step & ends.plane)
        counts = (self.n, *(Mux(self.looped, count, 1) for count in self.counts))
        for level, (step, count, fewer) in enumerate(
            zip(steps, counts, (taken, 1, 1), strict=True)
        ):
            left, rest, is_last = (
                Signal(16, name=f"left_{level}"),
                Signal(16, name=f"rest_{level}"),
                Signal(name=f"is_last_{level}"),
            )
            m.d.comb += rest.eq(Mux(self.load | is_last, count, left - fewer))
            with m.If(self.load | step):
                m.d.sync += [left.eq(rest), is_last.eq(rest <= fewer)]
            last.append(is_last)
        m.d.comb += [
            ends.row.eq(last[0]),
            ends.plane.eq(Cat(last[:2]).all()),
            ends.all.eq(Cat(last).all()),
        ]
        return m

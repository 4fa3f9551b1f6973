"""Reads the input vector out of SRAM and gives every lane its copy."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from npu.chip.params import ChipParams
from rtl.lane.activations import activation_write
from rtl.matvec.held import held_layout
from rtl.matvec.walker import COLUMN_BITS, WindowWalker
from rtl.shared import interfaces

WRITE_LATENCY = 4
"""Cycles from the read of a word to its write."""


class ActivationLoader(wiring.Component):
    """One SRAM word per cycle from the cycle after `start` on: `columns` int8 minus `zero`.

    A plain vector's words are the copy's; a window's segments are shifted to whole words of the
    copy, and 0 where they are not of the tensor or not of SRAM. `ready` rises in the cycle behind
    the last read; the copies are complete WRITE_LATENCY cycles later.

    Parameters
    ----------
    params : ChipParams.

    Members
    -------
    clear : In, idle.
    start, following : In, high for one cycle: load the vector of the first, of the next position.
    address, columns, windowed, zero : In, stable while not `clear`; `address` in bytes, of a plain
        vector a multiple of bus_bytes; 1 to activation_entries columns.
    upper : In, with `following` (stable until the next): fill the upper half of the copy.
    window, positions : In, of `rtl.matvec.held.Held`.
    sram : read port of the vector SRAM; all 0 while not used.
    write : Out, `rtl.lane.activations.activation_write`.
    ready, mismatch, more, wraps : Out, see `rtl.matvec.walker.WindowWalker`.
    """

    def __init__(self, params: ChipParams) -> None:
        self._params = params
        super().__init__(
            {
                "clear": In(1),
                "start": In(1),
                "following": In(1),
                "address": In(24),
                "columns": In(COLUMN_BITS),
                "windowed": In(1),
                "zero": In(signed(9)),
                "upper": In(1),
                "window": In(held_layout("WINDOW", params)),
                "positions": In(held_layout("POSITIONS", params)),
                "sram": In(interfaces.sram_read(params)),
                "write": Out(activation_write(params)),
                "ready": Out(1),
                "mismatch": Out(1),
                "more": Out(1),
                "wraps": Out(1),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        p = self._params
        m.submodules.walker = walker = WindowWalker(p)
        for name in ("clear", "start", "following", "address", "columns", "windowed"):
            m.d.comb += getattr(walker, name).eq(getattr(self, name))
        m.d.comb += [walker.window.eq(self.window), walker.positions.eq(self.positions)]
        for name in ("ready", "mismatch", "more", "wraps"):
            m.d.comb += getattr(self, name).eq(getattr(walker, name))

        m.d.comb += self.sram.en.eq(0)  # a read port's enable is 1 where nothing drives it
        with m.If(walker.reading):
            m.d.comb += [self.sram.en.eq(1), self.sram.addr.eq(walker.step.word)]

        # From here on by cycle after the read: 1 the word comes, 2 the next one, too, and both are
        # shifted, 3 the zero point, 4 the write.
        step = [walker.step]
        for i in range(1, WRITE_LATENCY):
            later = Signal.like(walker.step, name=f"step_{i}")
            m.d.sync += later.eq(step[-1])
            step.append(later)
        writes = walker.reading & walker.step.begins & ~self.clear
        for i in range(1, WRITE_LATENCY):
            later = Signal(name=f"writes_{i}")
            m.d.sync += later.eq(writes & ~self.clear)
            writes = later
        half = p.half_copy // p.bus_bytes
        index = step[-1].index | Mux(self._upper(m), half, 0)
        m.d.sync += [self.write.en.eq(writes & ~self.clear), self.write.addr.eq(index)]

        word, shifted = Signal(8 * p.bus_bytes), Signal(8 * p.bus_bytes)
        m.d.sync += [
            word.eq(self.sram.data),
            shifted.eq(Cat(word, self.sram.data) >> (step[2].offset << 3)),
        ]
        inside = self._inside(m, walker.step, step[2])
        for i in range(p.bus_bytes):
            q = shifted.word_select(i, 8).as_signed()
            m.d.sync += self.write.data[i].eq(Mux(inside[i], q - self.zero, 0))
        return m

    def _upper(self, m: Module) -> Signal:
        """`upper` of the vector whose word is about to be written: none begins so soon."""
        stages = [self.upper]
        for i in range(1, WRITE_LATENCY):
            later = Signal(name=f"upper_{i}")
            m.d.sync += later.eq(stages[-1])
            stages.append(later)
        return stages[-1]

    def _inside(self, m: Module, now, shifting) -> Signal:
        """Which bytes of a shifted word are of the tensor and of SRAM, 3 cycles behind its read."""
        p = self._params
        bus_bytes, bus_bits = p.bus_bytes, exact_log2(p.bus_bytes)
        # Bytes of the row from the word's first one on; the first one may lie in front of it.
        rest = Signal(signed(p.address_bits + 2))
        place = Signal(bus_bits)
        before, far, in_row, last, there = Signal(), Signal(), Signal(), Signal(), Signal()
        m.d.sync += [
            rest.eq(self.window.width - now.place.as_signed()),
            place.eq(now.place),
            before.eq(now.place[-1]),
            far.eq(~now.place[bus_bits:].all()),
            in_row.eq(now.inside),
            last.eq(now.last),
            there.eq(now.word < interfaces.sram_words(p)),
        ]
        many = ~rest[-1] & rest[bus_bits:-1].any()
        in_tensor, inside = Signal(bus_bytes), Signal(bus_bytes)
        for i in range(bus_bytes):
            # No comparison with what any number is, or none.
            few = rest[:bus_bits] <= i if i < bus_bytes - 1 else 1
            behind = ~many & (rest[-1] | few)
            in_front = before & (far | ((place + i)[: bus_bits + 1] < bus_bytes))
            longer = last & (self.window.length[:bus_bits] < i if i else 0)
            m.d.sync += in_tensor[i].eq(~self.windowed | (in_row & ~behind & ~in_front & ~longer))
        # The shifted word ends in the next one; `there` is of that by now.
        was_there = Signal()
        m.d.sync += was_there.eq(there)
        for i in range(bus_bytes):
            in_first = Const(i, bus_bits + 1) + shifting.offset < bus_bytes
            m.d.sync += inside[i].eq(
                in_tensor[i] & (Mux(in_first, was_there, there) | ~self.windowed)
            )
        return inside

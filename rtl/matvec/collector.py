"""Finished rows of all lanes, one at a time to the requantiser."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from npu.chip import timing
from npu.chip.params import ChipParams
from rtl.lane.lane import RECORD_BITS, SUM_BITS, row_sum

PICK_LATENCY = 2


class Collector(wiring.Component):
    """A FIFO of result_fifo rows per lane, and a round robin over those that hold a row.

    A row that is pushed in one cycle counts from the next on. Every cycle the first lane that holds
    a row is picked, counting from the one behind the last pick (from lane 0 after `clear`); the row
    is on `row` PICK_LATENCY cycles later. With it comes what `parity` was when it was pushed.

    Parameters
    ----------
    params : ChipParams.

    Members
    -------
    clear : In, drop everything.
    parity : In, of the position whose rows are pushed.
    pushed : In, `row_sum` of every lane.
    ready : Out, one bit per lane: its FIFO takes what may be on its way and a row more.
    row, row_parity : Out, `row_sum` and its parity.
    busy : Out, a FIFO holds a row.
    left : Out, two cycles later: the FIFOs held a row of this `parity`, or one was just picked.
    """

    def __init__(self, params: ChipParams) -> None:
        self._params = params
        super().__init__(
            {
                "clear": In(1),
                "parity": In(1),
                "pushed": In(row_sum()).array(params.lanes),
                "ready": Out(params.lanes),
                "row": Out(row_sum()),
                "row_parity": Out(1),
                "busy": Out(1),
                "left": Out(1),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        lanes, depth = self._params.lanes, self._params.result_fifo
        held = Signal(lanes)
        pick = Signal(lanes)
        picked = Signal(lanes)

        # Lanes behind the last pick come first, then all.
        behind = Signal(lanes)
        first = held & behind
        candidates = Signal(lanes)
        m.d.comb += [
            candidates.eq(Mux(first.any(), first, held)),
            pick.eq(candidates & (~candidates + 1)),
            self.busy.eq(held.any()),
        ]
        m.d.sync += picked.eq(pick)
        with m.If(pick.any()):
            m.d.sync += behind.eq(~(pick | (pick - 1)))
        with m.If(self.clear):
            m.d.sync += [behind.eq(0), picked.eq(0)]

        rows = []
        for lane, row in enumerate(self.pushed):
            rows.append(self._fifo(m, lane, row, pick[lane], picked[lane], held[lane], depth))
        # A row that is picked is at its FIFO's head for a cycle more.
        same = Cat(~(data[-1] ^ self.parity) for data in rows)
        m.d.sync += self.left.eq((same & (held | picked)).any())
        chosen = 0
        for lane, data in enumerate(rows):
            chosen = chosen | Mux(picked[lane], data, 0)
        m.d.sync += [
            self.row.valid.eq(picked.any() & ~self.clear),
            Cat(self.row.sum, self.row.record, self.row_parity).eq(chosen),
        ]
        return m

    def _fifo(self, m: Module, lane: int, row, pick, picked, held, depth: int):
        """One lane's FIFO: a row leaves the level when picked, its place a cycle later."""
        memory = Memory(shape=SUM_BITS + RECORD_BITS + 1, depth=depth, init=[])
        m.submodules[f"fifo_{lane}"] = memory
        write, read = memory.write_port(), memory.read_port(domain="comb")
        level = Signal(range(depth + 1), name=f"level_{lane}")
        head = Signal(range(depth), name=f"head_{lane}")
        tail = Signal(range(depth), name=f"tail_{lane}")

        def next_place(place):
            return Mux(place == depth - 1, 0, place + 1)

        m.d.comb += [
            write.en.eq(row.valid),
            write.addr.eq(tail),
            write.data.eq(Cat(row.sum, row.record, self.parity)),
            read.addr.eq(head),
            self.ready[lane].eq(level <= depth - timing.LANE_PIPELINE),
            held.eq(level != 0),
        ]
        m.d.sync += level.eq(level + row.valid - pick)
        with m.If(row.valid):
            m.d.sync += tail.eq(next_place(tail))
        with m.If(picked):
            m.d.sync += head.eq(next_place(head))
        with m.If(self.clear):
            m.d.sync += [level.eq(0), head.eq(0), tail.eq(0)]
        return read.data

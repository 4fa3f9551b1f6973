"""A decoder of tANS: the state is the address of a table that says where the next one is."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from npu.chip.weight_format import ENTRY_BITS, MAX_RAW_BITS, MAX_SYMBOL_BITS
from reports.studies.codecs.barrel import RAW_PORTS, SYMBOL_PORTS, Barrel
from reports.studies.codecs.tans import Tables
from rtl.memory.ram import BlockRam


def row_layout(state_bits: int) -> data.StructLayout:
    """A state's row: what it decodes to, and by how much the window is shifted down to its bits."""
    return data.StructLayout(
        {
            "entry": ENTRY_BITS,
            "length": range(state_bits + 1),
            "shift": range(state_bits + 1),
            "base": state_bits,
        }
    )


def table_rows(tables: Tables, entries: list[int]) -> list[dict[str, int]]:
    """The rows of all states; entries : what each symbol of `tables` stands for."""
    return [
        {
            "entry": entries[symbol],
            "length": length,
            "shift": tables.state_bits - length,
            "base": base,
        }
        for symbol, length, base in zip(
            tables.symbol.tolist(), tables.length.tolist(), tables.base.tolist(), strict=True
        )
    ]


class TansDecoder(Barrel):
    """tANS with 2^state_bits states, see `reports.studies.codecs.tans` and `Barrel`.

    The next state is known at the end of stage B and is the RAM's address then; stage A is the
    RAM's access time, and stage B shifts. The bases of a table end in as many zeros as their rows
    take bits, so nothing is added to the state.

    Members
    -------
    table : In, one state's row; 2^state_bits writes for a code.
    raw_bits, raw_mask, not_raw : In, as in `rtl.lane.codetable.CODE`.
    first : In, with `go`: the thread's first turn, which takes state_bits bits, its first state.
    entry, raw : Out, SYMBOL_LATENCY cycles after the turn; nothing to go by after a first turn.
    """

    SYMBOL_LATENCY = 3

    def __init__(self, threads: int, state_bits: int) -> None:
        self._state_bits = state_bits
        self._row = row_layout(state_bits)
        table = wiring.Signature({"en": Out(1), "state": Out(state_bits), "data": Out(self._row)})
        super().__init__(
            threads,
            {"table": In(table), **RAW_PORTS, "first": In(1), **SYMBOL_PORTS},
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        state_bits = self._state_bits
        m.submodules.table = table = BlockRam("study", self._row.size, 1 << state_bits)
        m.d.comb += [
            table.write_en.eq(self.table.en),
            table.write_addr.eq(self.table.state),
            table.write_data.eq(self.table.data),
            table.read_en.eq(1),
        ]

        row_b = Signal(self._row)
        position = self._positions(m, Mux(self.go & ~self.first, self.raw_bits, 0), row_b.length)
        window = self._window(m, position)
        window_b, window_c = Signal(MAX_SYMBOL_BITS), Signal(MAX_SYMBOL_BITS)
        m.d.sync += [window_b.eq(window), window_c.eq(window_b)]

        # From stage B to the RAM's address, through the other threads.
        state: Signal = Signal(state_bits, name="next_state")
        m.d.comb += state.eq(row_b.base | (window_b[-state_bits:] >> row_b.shift))
        for i in range(self._threads - 2):
            later = Signal(state_bits, name=f"state_{i}")
            m.d.sync += later.eq(state)
            state = later
        state_a = Signal(state_bits)
        m.d.comb += table.read_addr.eq(state)
        m.d.sync += [state_a.eq(state), row_b.eq(table.read_data)]
        with m.If(~self.go):
            # The same state again, for no bits.
            m.d.sync += [row_b.base.eq(state_a), row_b.shift.eq(state_bits), row_b.length.eq(0)]
        with m.Elif(self.first):
            m.d.sync += [row_b.base.eq(0), row_b.shift.eq(0), row_b.length.eq(state_bits)]

        raw_b, raw_c = Signal(), Signal()
        entry_c = Signal(ENTRY_BITS)
        length_c = Signal(ceil_log2(state_bits + 1))
        below_c = Signal(range(MAX_SYMBOL_BITS))
        m.d.sync += [
            raw_b.eq(self.go & ~self.first),
            raw_c.eq(raw_b),
            entry_c.eq(row_b.entry),
            length_c.eq(row_b.length),
            below_c.eq(self.not_raw - row_b.length),
            self.entry.eq(entry_c),
            self.raw.eq((window_c >> below_c)[:MAX_RAW_BITS] & self.raw_mask),
            self.length.eq(length_c + Mux(raw_c, self.raw_bits, 0)),
        ]
        return m

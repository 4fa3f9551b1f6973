"""Our code by direct look-up: the next bits are the address of a table of all windows."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from npu.chip.weight_format import (
    ENTRY_BITS,
    MAX_CODE_BITS,
    MAX_RAW_BITS,
    MAX_SYMBOL_BITS,
    CodeTable,
)
from reports.studies.codecs.barrel import RAW_PORTS, SYMBOL_PORTS, Barrel
from rtl.memory.ram import BlockRam

WINDOWS = 1 << MAX_CODE_BITS
ROWS_PER_WRITE = 2
FILL_CYCLES = WINDOWS // ROWS_PER_WRITE

ROW = data.StructLayout({"entry": ENTRY_BITS, "length": range(MAX_CODE_BITS + 1)})


def table_rows(table: CodeTable) -> list[dict[str, int]]:
    """Entry and code length of every window of MAX_CODE_BITS bits, as ROW."""
    limits, offsets, rows = table.limits(), table.offsets(), []
    for window in range(WINDOWS):
        length = int((limits <= window).sum())
        index = int(offsets[length]) + (window >> (MAX_CODE_BITS - length))
        rows.append({"entry": int(table.entries[index]), "length": length})
    return rows


class LookupDecoder(Barrel):
    """Canonical codes of at most MAX_CODE_BITS bits; see `Barrel`.

    The block RAM's own register takes the window at the end of stage A, so that the code's length
    is there in stage B after the RAM's access time.

    Members
    -------
    table : In, ROWS_PER_WRITE rows side by side; FILL_CYCLES writes for a code.
    raw_bits, raw_mask, not_raw : In, as in `rtl.lane.codetable.CODE`.
    entry, raw : Out, SYMBOL_LATENCY cycles after the turn.
    """

    SYMBOL_LATENCY = 3

    def __init__(self, threads: int) -> None:
        table = wiring.Signature(
            {
                "en": Out(1),
                "row": Out(range(FILL_CYCLES)),
                "data": Out(data.ArrayLayout(ROW, ROWS_PER_WRITE)),
            }
        )
        super().__init__(
            threads,
            {"table": In(table), **RAW_PORTS, **SYMBOL_PORTS},
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.table = table = BlockRam("study", ROW.size, WINDOWS, group=ROWS_PER_WRITE)
        m.d.comb += [
            table.write_en.eq(self.table.en),
            table.write_addr.eq(self.table.row),
            table.write_data.eq(self.table.data.as_value()),
            table.read_en.eq(1),
        ]
        row = data.View(ROW, table.read_data)

        go_b, go_c = Signal(), Signal()
        m.d.sync += [go_b.eq(self.go), go_c.eq(go_b)]
        position = self._positions(m, Mux(self.go, self.raw_bits, 0), Mux(go_b, row.length, 0))
        window = self._window(m, position)
        m.d.comb += table.read_addr.eq(window[-MAX_CODE_BITS:])

        window_b, window_c = Signal(MAX_SYMBOL_BITS), Signal(MAX_SYMBOL_BITS)
        length_c, entry_c = Signal.like(row.length), Signal(ENTRY_BITS)
        below_c = Signal(range(MAX_SYMBOL_BITS))
        m.d.sync += [
            window_b.eq(window),
            window_c.eq(window_b),
            length_c.eq(row.length),
            entry_c.eq(row.entry),
            below_c.eq(self.not_raw - row.length),
            self.entry.eq(entry_c),
            self.raw.eq((window_c >> below_c)[:MAX_RAW_BITS] & self.raw_mask),
            self.length.eq(Mux(go_c, length_c + self.raw_bits, 0)),
        ]
        return m

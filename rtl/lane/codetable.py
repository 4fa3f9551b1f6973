"""From the code-length counts of a canonical code to what the decoders compare and add."""

from amaranth.hdl import Array, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from npu.chip.weight_format import (
    COUNTED,
    LENGTHS,
    MAX_CODE_BITS,
    MAX_RAW_BITS,
    MAX_SYMBOL_BITS,
    MAX_SYMBOLS,
)

INDEX_BITS = (MAX_SYMBOLS - 1).bit_length()
RAW_BITS = MAX_RAW_BITS.bit_length()

CODE = data.StructLayout(
    {
        # Some code has more than no bits.
        "coded": 1,
        # In units of codes of that length: the first window that needs a longer code.
        "limits": data.StructLayout({str(n): n + 1 for n in range(1, MAX_CODE_BITS)}),
        "raw_bits": RAW_BITS,
        # The same as a mask, and the bits of a window that are left without them.
        "raw_mask": MAX_RAW_BITS,
        "not_raw": range(MAX_SYMBOL_BITS + 1),
        # Entry index minus code, modulo MAX_SYMBOLS, of codes of a length: to be remembered.
        "offset": data.StructLayout({"en": 1, "length": range(LENGTHS), "value": INDEX_BITS}),
    }
)
"""A prefix code as all decoders of its kind need it; see `npu.chip.weight_format.CodeTable`."""


class CodeTable(wiring.Component):
    """Canonical code of a table from its counts, one length per cycle.

    `ready` is high from LENGTHS + 1 cycles after `start` until the next one; `code` and `error` are
    valid then, and every offset has been on `code.offset`, the last one in the first such cycle.
    `error` is high exactly when `npu.chip.weight_format.CodeTable.problem` is not None.

    Members
    -------
    start : In, high for one cycle; the inputs below stay from then on.
    counts : In, (COUNTED,) codes of lengths 1 to COUNTED; `npu.chip.weight_format.all_counts` says
        the others.
    raw_bits, entries : In.
    ready : Out.
    code : Out, CODE.
    error : Out.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "start": In(1),
                "counts": In(data.ArrayLayout(8, COUNTED)),
                "raw_bits": In(8),
                "entries": In(8),
                "ready": Out(1),
                "code": Out(CODE),
                "error": Out(1),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        length = Signal(range(LENGTHS))
        busy = Signal()
        # A sum of codes that has not overflowed is at most 2^length; beyond that only `bad` counts.
        first = Signal(MAX_CODE_BITS + 2)
        index = Signal(12)
        # Found on the way, as `error` is on the path that lets the lanes run.
        bad, sizes_wrong, too_long = Signal(), Signal(), Signal()

        # Codes of this length, chosen a cycle ahead: from a choice among all counts to a sum and a
        # comparison would be a long way. What is left of the entries has the longest codes; more
        # codes than entries come out as another sum.
        count, left = Signal(8), Signal(8)
        m.d.comb += left.eq(self.entries - (index + count))
        single = self.entries == 1
        end = Signal(MAX_CODE_BITS + 3)
        room = Signal(LENGTHS)  # codes that there are of this length
        m.d.comb += end.eq(first + count)
        m.d.sync += [
            self.code.offset.en.eq(busy),
            self.code.offset.length.eq(length),
            self.code.offset.value.eq(index - first),
        ]
        with m.If(self.start):
            m.d.sync += [
                busy.eq(1),
                self.ready.eq(0),
                bad.eq(0),
                length.eq(0),
                count.eq(single),
                room.eq(1),
                first.eq(0),
                index.eq(0),
                sizes_wrong.eq((self.entries > MAX_SYMBOLS) | (self.raw_bits > MAX_RAW_BITS)),
                too_long.eq(0),
                self.code.raw_bits.eq(self.raw_bits),
                self.code.raw_mask.eq((1 << self.raw_bits[:RAW_BITS]) - 1),
                self.code.not_raw.eq(MAX_SYMBOL_BITS - self.raw_bits),
                self.code.coded.eq(~single),
            ]
        with m.Elif(busy):
            m.d.sync += [
                length.eq(length + 1),
                count.eq(Array([*self.counts, left])[length]),
                room.eq(room << 1),
                first.eq(end << 1),
                index.eq(index + count),
            ]
            for n in range(LENGTHS):
                with m.If(length == n):
                    if 0 < n < MAX_CODE_BITS:
                        m.d.sync += self.code.limits[str(n)].eq(end)
            with m.If(count != 0):
                m.d.sync += too_long.eq(length + self.raw_bits > MAX_SYMBOL_BITS)
            with m.If(end > room):
                m.d.sync += bad.eq(1)
            with m.If(length == MAX_CODE_BITS):
                m.d.sync += [busy.eq(0), self.ready.eq(1)]
                with m.If(end != 1 << MAX_CODE_BITS):
                    m.d.sync += bad.eq(1)
                with m.If(index > self.entries):
                    m.d.sync += bad.eq(1)
        m.d.comb += self.error.eq(bad | sizes_wrong | too_long)
        return m

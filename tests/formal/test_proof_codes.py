"""Code tables: exactly complete codes are accepted; what a decoder finds lies in the table."""

import pytest
from amaranth.hdl import Assume, Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from npu.chip.weight_format import (
    COUNTED,
    LENGTHS,
    MAX_CODE_BITS,
    MAX_SYMBOL_BITS,
    MAX_SYMBOLS,
    WORD_BITS,
)
from rtl.lane.codetable import CODE, INDEX_BITS, MAX_RAW_BITS, CodeTable
from rtl.lane.decoder import LENGTH_LATENCY, StreamDecoder
from tests.formal.faults import faulty, one_in
from tests.formal.prove import check, opened, prove

READY = LENGTHS + 1
LIMITS = CODE["limits"].shape


class TableSpec(wiring.Component):
    """A table with any header from any state: `error` as `CodeTable.problem` of the format says.

    `start` is in cycle 0; the header stays. `longest` bounds the codes: a fault is found sooner in
    short ones.
    """

    def __init__(self, unit, longest: int = MAX_CODE_BITS) -> None:
        self._unit, self._longest = unit, longest
        super().__init__(
            {"counted": In(8).array(COUNTED), "raw_bits": In(8), "entries": In(8), "noise": In(1)}
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.unit = unit = self._unit
        cycle = Signal(range(READY + 2))
        header = Signal(8 * (COUNTED + 2))
        now = Cat(self.counted, self.raw_bits, self.entries)
        # Codes of every length: a single entry has no bits, and the longest are what is left.
        rest = Signal(signed(14))
        single = Signal(8)  # as wide as the others
        m.d.comb += single.eq(self.entries == 1)
        m.d.comb += rest.eq(self.entries - sum(self.counted, single))
        counts = [single, *self.counted, rest[:8]]
        m.d.sync += [cycle.eq(Mux(cycle == READY + 1, cycle, cycle + 1)), header.eq(now)]
        m.d.comb += [
            Assume((cycle == 0) | (header == now)),
            *(Assume(count == 0) for count in counts[self._longest + 1 :]),
            unit.start.eq(cycle == 0),
            *(unit.counts[n].eq(self.counted[n]) for n in range(COUNTED)),
            unit.raw_bits.eq(self.raw_bits),
            unit.entries.eq(self.entries),
        ]
        kraft = Signal(20)
        m.d.comb += kraft.eq(sum(c << (MAX_CODE_BITS - n) for n, c in enumerate(counts)))
        longest = 0
        for n, count in enumerate(counts):
            longest = Mux(count != 0, n, longest)
        accepted = (
            (rest >= 0)
            & (self.entries != 0)
            & (self.entries <= MAX_SYMBOLS)
            & (kraft == 1 << MAX_CODE_BITS)
            & (self.raw_bits <= MAX_RAW_BITS)
            & (longest + self.raw_bits <= MAX_SYMBOL_BITS)
        )
        at_end = cycle == READY
        check(m, "ready_in_time", ~at_end | unit.ready)
        check(m, "accepts", ~(at_end & accepted) | ~unit.error)
        check(m, "refuses", ~(at_end & ~accepted) | unit.error)

        # The code, for an accepted table: where each length ends, and the entry of its first code.
        given = Signal(LENGTHS)
        written = unit.code.offset
        with m.If(written.en & (cycle >= 2)):
            m.d.sync += given.bit_select(written.length, 1).eq(1)
        check(m, "offsets_given", (cycle != READY + 1) | given.all())
        for n, (first, end, index) in enumerate(canonical(counts)):
            if 0 < n < MAX_CODE_BITS:
                limit = unit.code.limits[str(n)]
                check(m, f"limit_{n}", ~(at_end & accepted) | (limit == end))
            now = written.en & (written.length == n) & (cycle >= 2)
            wanted = (index - first)[: len(written.value)]
            check(m, f"offset_{n}", ~(now & accepted) | (written.value == wanted))
        raw = unit.code.raw_bits
        check(m, "coded", ~at_end | (unit.code.coded == (self.entries != 1)))
        check(m, "raw", ~(at_end & accepted) | (raw == self.raw_bits))
        check(m, "mask", ~(at_end & accepted) | (unit.code.raw_mask == (1 << raw) - 1))
        check(m, "rest", ~(at_end & accepted) | (unit.code.not_raw == MAX_SYMBOL_BITS - raw))
        return m


def canonical(counts) -> list[tuple]:
    """For every length: its first code, the code behind its last, and the entry of the first."""
    found = []
    end = index = Const(0)
    for n, count in enumerate(counts):
        first = (end << 1) if n else Const(0)
        end = first + count
        found.append((first, end, index))
        index = index + count
    return found


class EntrySpec(wiring.Component):
    """A decoder with the code of any accepted table, and any words in its rings.

    Whatever the bits, a symbol's length is that of its code, its entry the one that a canonical
    code gives it, and inside the table: for symbols of one length, each by a proof of its own. The
    code is what TableSpec says; the length's offset comes first, then that of any other, and from
    then on each symbol depends on its window alone.
    """

    def __init__(self, unit, length: int) -> None:
        self._unit, self._length = unit, length
        super().__init__(
            {
                "counts": In(8).array(LENGTHS),
                "raw_bits": In(range(MAX_RAW_BITS + 1)),
                "other_length": In(range(LENGTHS)),
                "other_offset": In(INDEX_BITS),
                "fill": In(WORD_BITS),
                "place": In(8),
                "go": In(1),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        unit, n = self._unit, self._length
        m.submodules.unit, inside = opened(unit)
        cycle = Signal(range(CODED + 1))
        now = Cat(self.counts, self.raw_bits)
        header = Signal(len(now))
        entries = Signal(12)
        code, table = unit.code, canonical(self.counts)
        first, end, index = table[n]
        m.d.sync += [cycle.eq(Mux(cycle == CODED, cycle, cycle + 1)), header.eq(now)]
        m.d.comb += [
            entries.eq(sum(self.counts)),
            Assume((cycle == 0) | (header == now)),
            # Only tables that are accepted reach a decoder.
            Assume(entries <= MAX_SYMBOLS),
            Assume(self.raw_bits <= MAX_RAW_BITS),
            *(Assume(end <= 1 << i) for i, (_, end, _) in enumerate(table)),
            Assume(table[-1][1] == 1 << MAX_CODE_BITS),
            code.coded.eq(self.counts[0] == 0),
            code.raw_bits.eq(self.raw_bits),
            *(code.limits[str(i)].eq(table[i][1]) for i in range(1, MAX_CODE_BITS)),
            code.not_raw.eq(MAX_SYMBOL_BITS - self.raw_bits),
            code.offset.en.eq(1),
            Assume((cycle == 0) | (self.other_length != n)),
            code.offset.length.eq(Mux(cycle == 0, n, self.other_length)),
            code.offset.value.eq(Mux(cycle == 0, index - first, self.other_offset)),
            unit.run.eq(1),
            unit.go.eq(self.go),
            unit.fill.en.eq(1),
            unit.fill.data.eq(self.fill),
            Cat(unit.fill.index, unit.fill.thread, unit.thread).eq(self.place),
        ]
        window, length = inside["window_c"], inside["length_c"]
        value = window[MAX_SYMBOL_BITS - n :]
        check(m, "some_length", (cycle != CODED) | (length <= MAX_CODE_BITS))
        at = (cycle == CODED) & (length == n)
        check(m, "length", ~at | ((value >= first) & (value < end)))
        check(m, "entry", ~at | (inside["index"] == (index + value - first)[:INDEX_BITS]))
        check(m, "inside_the_table", ~at | (inside["index"] < entries))
        return m


CODED = 4
"""The cycle in which a window has been compared with the whole code, in EntrySpec."""


class RestSpec(wiring.Component):
    """Behind the code of any length: raw bits as they stand in the window, and all bits counted."""

    def __init__(self, unit) -> None:
        self._unit = unit
        super().__init__(
            {
                "raw_bits": In(range(MAX_RAW_BITS + 1)),
                "limits": In(LIMITS.size),
                "fill": In(WORD_BITS),
                "place": In(8),
                "go": In(1),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        unit, code = self._unit, self._unit.code
        m.submodules.unit, inside = opened(unit)
        cycle, before = Signal(range(SETTLED + 1)), Signal.like(self.raw_bits)
        window, length = inside["window_c"], inside["length_c"]
        m.d.sync += [cycle.eq(Mux(cycle == SETTLED, cycle, cycle + 1)), before.eq(self.raw_bits)]
        m.d.comb += [
            Assume((cycle == 0) | (before == self.raw_bits)),
            Assume((self.raw_bits <= MAX_RAW_BITS) & (length <= MAX_CODE_BITS)),
            # Only a length with codes is found (EntrySpec), and behind those there is room for the
            # raw bits (TableSpec).
            Assume(length + self.raw_bits <= MAX_SYMBOL_BITS),
            unit.run.eq(1),
            unit.go.eq(self.go),
            code.raw_bits.eq(self.raw_bits),
            unit.fill.en.eq(1),
            unit.fill.data.eq(self.fill),
            Cat(unit.fill.index, unit.fill.thread, unit.thread).eq(self.place),
            code.coded.eq(1),
            code.limits.as_value().eq(self.limits),
            code.not_raw.eq(MAX_SYMBOL_BITS - self.raw_bits),
            code.raw_mask.eq((1 << self.raw_bits) - 1),
        ]
        behind = Signal(MAX_SYMBOL_BITS)
        raw, total = Signal(MAX_RAW_BITS), Signal(len(unit.length))
        m.d.comb += [
            behind.eq(window << length),
            raw.eq(behind >> code.not_raw),
            total.eq(Mux(inside["go_c"], length + self.raw_bits, 0)),
        ]
        wanted_raw, wanted_length = delayed(m, raw, 2), delayed(m, total, 3)
        wanted_go = delayed(m, self.go, LENGTH_LATENCY)
        check(m, "raw", (cycle != SETTLED) | (unit.raw == wanted_raw))
        check(m, "length", (cycle != SETTLED) | (unit.length == wanted_length))
        check(m, "no_turn_no_length", (cycle != SETTLED) | wanted_go | (unit.length == 0))
        return m


SETTLED = LENGTH_LATENCY + 2
"""Nothing is left of the state in which a decoder began."""


def delayed(m: Module, value: Signal, cycles: int) -> Signal:
    for _ in range(cycles):
        value, before = Signal.like(value), value
        m.d.sync += value.eq(before)
    return value


@pytest.mark.formal
def test_table():
    verdict = prove(TableSpec(CodeTable()), "run", depth=READY + 2)
    assert verdict.proved, verdict


@pytest.mark.parametrize(
    ("old", "new", "failed"),
    one_in(
        4,
        [
            ("with m.If(end > room):", "with m.If(0):", {"refuses"}),
            ("(end != 1 << MAX_CODE_BITS)", "(end[:MAX_CODE_BITS] != 0)", {"refuses"}),
            ("with m.If(end != 1 << MAX_CODE_BITS):", "with m.If(0):", {"refuses"}),
            ("(self.raw_bits > MAX", "(self.raw_bits >= MAX", {"accepts"}),
            ("index.eq(index + count)", "index.eq(index + count + 1)", None),
            ("value.eq(index - first)", "value.eq(index - first + 1)", None),
        ],
    ),
)
def test_faulty_table(old, new, failed):
    unit = faulty("rtl.lane.codetable", old, new).CodeTable()
    verdict = prove(TableSpec(unit, longest=3), "run", depth=READY + 2)
    assert verdict.refuted and (failed is None or verdict.failed in failed), verdict


@pytest.mark.parametrize(
    "length",
    [
        pytest.param(n, marks=() if n in (1, MAX_CODE_BITS) else pytest.mark.formal)
        for n in range(LENGTHS)
    ],
)
def test_entries(length):
    verdict = prove(EntrySpec(StreamDecoder(2), length), "run", depth=CODED + 1)
    assert verdict.proved, verdict


@pytest.mark.parametrize(
    ("old", "new", "failed"),
    one_in(
        3,
        [
            ("            least = 1\n", "            least = 0\n", None),
            ("index.eq(code + offset.data)", "index.eq(code - offset.data)", None),
            ("(MAX_CODE_BITS - code_length)[:4]", "(MAX_CODE_BITS - code_length)[:3]", None),
        ],
    ),
)
def test_faulty_entries(old, new, failed):
    unit = faulty("rtl.lane.decoder", old, new).StreamDecoder(2)
    verdict = prove(EntrySpec(unit, 2), "run", depth=CODED + 1)
    assert verdict.refuted and (failed is None or verdict.failed in failed), verdict


def test_rest():
    verdict = prove(RestSpec(StreamDecoder(2)), "run", depth=SETTLED + 1)
    assert verdict.proved, verdict


@pytest.mark.parametrize(
    ("old", "new", "failed"),
    one_in(
        3,
        [
            ("& self.code.raw_mask", "", {"raw"}),
            ("not_raw - code_length", "not_raw - length_c", {"raw"}),
            ("length_c + self.code.raw_bits, 0)", "length_c, 0)", {"length"}),
            ("go_b.eq(self.go)", "go_b.eq(1)", {"no_turn_no_length"}),
        ],
    ),
)
def test_faulty_rest(old, new, failed):
    unit = faulty("rtl.lane.decoder", old, new).StreamDecoder(2)
    verdict = prove(RestSpec(unit), "run", depth=SETTLED + 1)
    assert verdict.refuted and verdict.failed in failed, verdict

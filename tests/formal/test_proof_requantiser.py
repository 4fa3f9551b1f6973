"""A row's record, scale, clamp and write, whatever parameter memory and the arithmetic say.

The arithmetic stands aside: what it gives, and what the memories say, is free in every cycle.
So the proof holds for any records, scales and results. That the arithmetic gives what TFLM says is
a proof of its own (test_proof_rescale); this one says what reaches it, and when.

It has two parts. One cycle's row, with any others before and behind it (RowSpec): all of the row's
path, its record's address, what reaches the arithmetic, its element in SRAM or its refusal. And any
rows from the reset on (FlightSpec): `busy`, the number of rows, and nothing where no row is.
"""

import pytest
from amaranth.hdl import Assume, Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In
from amaranth.utils import exact_log2

import rtl.matvec.requantiser
from npu.chip import timing
from npu.chip.opcode import SUM_BYTES
from npu.chip.params import ChipParams, load_params
from npu.chip.weight_format import MAX_SCALES, MAX_TILE_ROWS, PARAM_WORD
from npu.model.numerics import MAX_SHIFT, MIN_SHIFT
from rtl.lane.lane import RECORD_BITS, SUM_BITS
from rtl.matvec.collector import PICK_LATENCY
from tests.formal.faults import faulty, one_in, stand_in
from tests.formal.prove import check, opened, prove
from tests.formal.small import PARAMS, smaller

PARTS = ("low", "high", "third", "fourth")
"""The bytes of what a row writes."""
LAST = timing.REQUANTISE - PICK_LATENCY
"""The cycle of a row's write, counted from that of the row."""
WATCHED = 1
DEPTH = WATCHED + LAST + 1

# Memories that are smaller than their addresses.
SMALL = smaller(PARAMS, {"param_bytes": 72, "sram_bytes": 40})
CONFIGURATION = ("n_scales", "rows", "wide", "zero", "lo", "hi", "raw", "add", "sums")
POSITIONS = ("row_parity", "even_begins")


class RequantiserSpec(wiring.Component):
    """The unit's own inputs, parameter memory's `data`, SRAM's word, and the arithmetic's `y`."""

    def __init__(self, unit, parts: list) -> None:
        self._unit, self._parts = unit, parts
        names = (*CONFIGURATION, *POSITIONS, "clear", "scales", "row", "destinations")
        own = {name: unit.signature.members[name] for name in names}
        self._word_bits = unit.sram_read.data.shape().width
        free = {"data": In(16 * PARAM_WORD), "earlier": In(self._word_bits), "y": In(32)}
        super().__init__({**own, **free})

    def _driven(self) -> tuple:
        """(module, the arithmetic, the unit's count of rows, whether it writes nothing)."""
        m, unit = Module(), self._unit
        m.submodules.unit, inside = opened(unit)
        (rescale,) = self._parts
        for name in (*CONFIGURATION, *POSITIONS, "clear"):
            m.d.comb += getattr(unit, name).eq(getattr(self, name))
        wiring.connect(m, wiring.flipped(self.scales), unit.scales)
        wiring.connect(m, wiring.flipped(self.row), unit.row)
        for mine, its in zip(self.destinations, unit.destinations, strict=True):
            m.d.comb += its.eq(mine)
        m.d.comb += [unit.param.data.eq(self.data), rescale.y.eq(self.y)]
        m.d.comb += unit.sram_read.data.eq(self.earlier)
        nothing = ~Cat(unit.sram.en, unit.sram.addr, unit.sram.data).any()
        return m, rescale, inside["rows"], nothing


class RowSpec(RequantiserSpec):
    """What comes of the one row, or of no row, that cycle WATCHED brings.

    The run starts in any state, so any rows may be on their way already, and others follow as the
    collector sends them. What cycle WATCHED brings is therefore what any cycle brings, and LAST
    cycles later all of it has been seen: a run of this length proves it for all cycles. Cycle 0
    writes the shared scale that the row names, if it names one; in a run where it was written
    earlier, the memory holds it already, and writing it again changes nothing.

    The configuration does not change from cycle 0 on, but for the destination of another position's
    rows, and that of this one's once the row is on its way (from cycle WATCHED + 2 on).
    Destinations of int16 elements are even, or the command is refused. `hi` may be below `lo`,
    which then is the limit for what is less.
    """

    def __init__(self, unit, parts: list, params: ChipParams) -> None:
        self._params = params
        super().__init__(unit, parts)

    def elaborate(self, platform) -> Module:
        m, rescale, _rows, nothing = self._driven()
        unit = self._unit
        cycle = Signal(range(DEPTH + 1))
        m.d.sync += cycle.eq(cycle + (cycle != DEPTH))
        for name in CONFIGURATION:
            before = Signal.like(getattr(self, name), name=f"before_{name}")
            m.d.sync += before.eq(getattr(self, name))
            m.d.comb += Assume((cycle == 0) | (before == getattr(self, name)))
        per_row = self.n_scales == 0
        m.d.comb += [
            Assume(self.n_scales <= MAX_SCALES),
            Assume(self.sums % SUM_BYTES == 0),
            *(Assume(~(self.wide & destination[0])) for destination in self.destinations),
        ]

        def at(cycles: int):
            return cycle == WATCHED + cycles

        # The row, and whether nothing has dropped it so far.
        row, record, total = Signal(), Signal(RECORD_BITS), Signal(SUM_BITS)
        parity, base = Signal(), Signal.like(self.destinations[0])
        with m.If(at(0)):
            m.d.sync += parity.eq(self.row_parity)
        with m.If(at(1)):
            m.d.sync += base.eq(Mux(parity, self.destinations[1], self.destinations[0]))
        with m.If(at(0)):
            m.d.sync += row.eq(self.row.valid & ~self.clear)
            m.d.sync += [record.eq(self.row.record), total.eq(self.row.sum)]
        with m.Elif(self.clear):
            m.d.sync += row.eq(0)

        # Its words in parameter memory: a record, with its scale behind it if every row has one.
        number = Signal(RECORD_BITS)
        first, end = Signal(26), Signal(26)
        m.d.comb += [
            number.eq(Mux(at(0), self.row.record, record)),
            first.eq(self.rows + number * Mux(per_row, 2, 1)),
            end.eq(first + Mux(per_row, 2, 1)),
        ]
        in_memory = end * PARAM_WORD <= self._params.param_bytes
        param = unit.param
        asks = param.en & ((param.addr == first) | ~in_memory)
        check(m, "record", ~at(0) | ~self.row.valid | asks)
        check(m, "no_read", ~at(0) | self.row.valid | ((param.en == 0) & (param.addr == 0)))

        # What memory answers, a cycle later.
        word, scale = Signal(8 * PARAM_WORD), Signal(8 * PARAM_WORD)
        bias, destination, index = word[:32], word[32:48], word[48:56]
        shared, shared_index = Signal.like(scale), Signal.like(self.scales.index)
        own = Signal.like(scale)
        with m.If(at(1)):
            m.d.sync += Cat(word, own).eq(self.data)
        with m.If(at(2)):
            m.d.sync += scale.eq(Mux(per_row, own, shared))
        with m.If(cycle == 0):
            m.d.sync += shared_index.eq(self.scales.index)
        with m.If(self.scales.en & ((cycle == 0) | (self.scales.index == shared_index))):
            m.d.sync += shared.eq(self.scales.data)
        m.d.comb += [
            Assume((cycle != 0) | self.scales.en),
            Assume(~at(2) | per_row | (index >= self.n_scales) | (index == shared_index)),
        ]

        # Whether the row is as it must be, and where its element lies.
        multiplier, shift = scale[:32], scale[32:40].as_signed()
        address, size, good = Signal(26), Signal(2), Signal()
        sum_at = Signal(self._params.address_bits)
        sums_in_memory = sum_at + SUM_BYTES <= self._params.sram_bytes
        m.d.comb += [
            size.eq(Mux(self.wide, 2, 1)),
            address.eq(base + destination * size),
            sum_at.eq(self.sums + SUM_BYTES * address),
            good.eq(
                in_memory
                & (sums_in_memory | ~(self.raw | self.add))
                & (per_row | (index < self.n_scales))
                & (multiplier < 1 << 31)
                & ((shift >= MIN_SHIFT) & (shift <= MAX_SHIFT))
                & (address + size <= self._params.sram_bytes)
            ),
        ]
        # The sum of earlier commands, asked for when the record is known.
        reads, bus_bytes = row & self.add & ~self.clear, self._params.bus_bytes
        sum_read = unit.sram_read
        here = Mux(reads, sum_at // bus_bytes, 0)[: len(sum_read.addr)]
        check(m, "sum", ~at(2) | ((sum_read.en == reads) & (sum_read.addr == here)))
        earlier = Signal(32)
        with m.If(at(3)):
            place = sum_at[: exact_log2(bus_bytes)] // SUM_BYTES
            m.d.sync += earlier.eq(Mux(self.add, self.earlier.word_select(place, 32), 0))

        # The arithmetic's first cycle: behind its last one come the clamp and the write.
        takes = LAST - 1 - rescale.latency
        judged = takes - 1
        check(m, "refused", ~at(judged) | ~row | good | unit.error)
        check(m, "not_refused", ~at(judged) | (row & ~good) | ~unit.error)

        def taken(name: str, cycles: int, holds) -> None:
            check(m, name, ~at(takes + cycles) | ~(row & good) | holds)

        scaled, one = ~self.raw, 1 << 31
        left, right = Mux(scaled & (shift > 0), shift, 0), Mux(scaled & (shift < 0), -shift, 0)
        factor = Mux(scaled, multiplier, one)
        taken("x", 0, rescale.x == (total + bias + earlier)[:32].as_signed())
        taken("left", 0, rescale.left == left)
        taken("multiplier", rescale.cycle_of("products"), rescale.multiplier == factor)
        taken("right", rescale.cycle_of("right"), rescale.right == right)
        taken("ties", rescale.cycle_of("right"), ~rescale.half_up)
        zero = Mux(scaled, self.zero, 0)
        taken("zero", rescale.cycle_of("zero"), rescale.zero == zero.as_signed())

        # What the arithmetic gives, within its limits, byte by byte.
        y, element = Signal(signed(32)), Signal(32)
        m.d.sync += y.eq(self.y)
        clamped = Mux(y < self.lo, self.lo, Mux(y > self.hi, self.hi, y))
        goes, n_bytes = Signal(26), Signal(3)
        m.d.comb += [
            element.eq(Mux(self.raw, y, clamped)),
            goes.eq(Mux(self.raw, sum_at, address)),
            n_bytes.eq(Mux(self.raw, SUM_BYTES, size)),
        ]
        sram = unit.sram
        writes = at(LAST) & row & good & ~self.clear
        for byte in range(bus_bytes):
            here = sram.addr * bus_bytes + byte
            of = [(here == goes + k) & (n_bytes > k) for k in range(SUM_BYTES)]
            enable, data = sram.en[byte], sram.data.word_select(byte, 8)
            check(m, f"enable_{byte}", ~writes | (enable == Cat(of).any()))
            for k, name in enumerate(PARTS):
                right = data == element.word_select(k, 8)
                check(m, f"{name}_{byte}", ~(writes & of[k]) | right)
        check(m, "word", ~writes | (sram.addr == goes // bus_bytes))
        check(m, "no_write", ~at(LAST) | writes | nothing)
        return m


class FlightSpec(RequantiserSpec):
    """Any rows from the reset on, in any configuration: when the unit is busy, and when it is not.

    `too_many` rises for the first row of even positions behind `most` since the last `clear`, or
    since such a position began, and for none before;
    `error` only if a row came so long ago that its scale is known now. What rows behind the first
    of too many do until `clear` is free.
    """

    def __init__(self, unit, parts: list, most: int, lemmas: bool = False) -> None:
        self._most, self._lemmas = most, lemmas
        super().__init__(unit, parts)

    def elaborate(self, platform) -> Module:
        m, rescale, rows, nothing = self._driven()
        unit, most = self._unit, self._most
        # Bit i: a row came i + 1 cycles ago; and how many to be counted, up to one too many.
        ago, count = Signal(LAST), Signal(range(most + 2))
        counted = self.row.valid & ~self.row_parity
        with m.If(self.clear):
            m.d.sync += ago.eq(0)
        with m.Else():
            m.d.sync += ago.eq(Cat(self.row.valid, ago))
        with m.If(self.clear | self.even_begins):
            m.d.sync += count.eq(0)
        with m.Elif(counted & (count <= most)):
            m.d.sync += count.eq(count + 1)
        check(m, "busy", unit.busy == (self.row.valid | ago.any()))
        one_too_many = counted & (count == most)
        known = ago[LAST - 3 - rescale.latency]
        check(m, "too_many", ~one_too_many | unit.too_many)
        check(m, "not_too_many", one_too_many | (count > most) | ~unit.too_many)
        check(m, "no_error", known | ~unit.error)
        check(m, "no_write", (ago[-1] & ~self.clear) | nothing)
        if self._lemmas:
            check(m, "lemma_rows", (count > most) | (rows == count))
        return m


def requantiser(monkeypatch, module, params: ChipParams = SMALL) -> tuple:
    """A requantiser and what stands in for its arithmetic."""
    parts: list = []
    monkeypatch.setattr(module, "Rescale", stand_in(module.Rescale, parts))
    return module.Requantiser(params), parts


@pytest.mark.parametrize("params", [SMALL, load_params("edge")], ids=["small", "edge"])
def test_row(monkeypatch, params):
    spec = RowSpec(*requantiser(monkeypatch, rtl.matvec.requantiser, params), params)
    verdict = prove(spec, "run", depth=DEPTH)
    assert verdict.proved, verdict


def test_flight(monkeypatch):
    spec = FlightSpec(*requantiser(monkeypatch, rtl.matvec.requantiser), MAX_TILE_ROWS, lemmas=True)
    verdict = prove(spec)
    assert verdict.proved, verdict


# A wrong scale shows first as a left shift, or as one that is out of range or is not.
SCALES = {"left", "refused", "not_refused"}
ENABLES = {f"enable_{byte}" for byte in range(SMALL.bus_bytes)}
BYTES = {f"{part}_{byte}" for part in PARTS for byte in range(SMALL.bus_bytes)}


ROW_FAULTS = [
    ("self.row.record << 1, self", "self.row.record, self", {"record"}),
    ("end.eq(address + 1)", "end.eq(address)", {"refused"}),
    ("+ position)", "+ base)", {"sum", "refused", "not_refused"}),
    ("self.add & ~self.clear", "~self.clear", {"sum"}),
    ("Mux(self.add, earlier, 0)", "earlier", {"x"}),
    ("(self.raw | self.add) & (sum_at", "self.add & (sum_at", {"refused"}),
    ("sum_at >= p.", "sum_at > p.", {"refused"}),
    ("Mux(self.raw, ONE, scale)", "scale", {"multiplier", *SCALES}),
    ("Mux(self.raw, 0, self.zero)", "self.zero", {"zero"}),
    ("(y < self.lo) & ~raw", "(y < self.lo)", BYTES),
    ("Mux(raw, 0b1111,", "Mux(raw, 0b111,", ENABLES),
    ("Mux(self.raw, sum_at << SUM_PLACE, target)", "target", {*ENABLES, "word"}),
    ("with m.If(self.row.valid):", "with m.If(stages[RECORD]):", {"record", "no_read"}),
    ("end + per_row >", "end >", {"refused"}),
    (
        "position = Mux(parity,",
        "position = Mux(self.row_parity,",
        {"refused", "not_refused", "sum"},
    ),
    ("record_wrong | (~per_row", "(~per_row", {"refused"}),
    ("index >= self.n_scales", "index > self.n_scales", {"refused"}),
    ("& ~wrong & ~outside", "& ~outside", {"refused"}),
    ("& ~outside & ~lost", "& ~lost", {"refused"}),
    ("target > p.sram_bytes - 2", "target > p.sram_bytes", {"refused"}),
    ("target > p.sram_bytes - 1", "target >= p.sram_bytes - 1", {"not_refused"}),
    (" | (shift > MAX_SHIFT)", "", {"refused"}),
    ("(shift < MIN_SHIFT)", "(shift <= MIN_SHIFT)", {"not_refused"}),
    ("x.eq(sum_2 + bias)", "x.eq(sum_1 + bias)", {"x"}),
    ("Mux(per_row, own, read", "Mux(0, 0, read", SCALES),
    ("read.addr.eq(index)", "read.addr.eq(index + 1)", SCALES),
    ('cycle_of("products")', 'cycle_of("middle")', {"multiplier"}),
    ("rights[-1]", "rights[-2]", {"right"}),
    ("0, self.zero)", "0, self.zero[:9])", {"zero"}),
    ("Mux(low, self.lo", "Mux(low, self.hi", BYTES),
    ("y > self.hi", "y >= self.hi - 1", BYTES),
    ("self.wide, destination << 1, destination", "0, 0, destination", {"refused", "sum"}),
    ("0b11, 0b1)) << place", "0b11, 0b1))", ENABLES),
    ("clamped[8:], clamped[:8])", "clamped[:8], clamped[:8])", BYTES),
    ("place, last - SUM", "place, last - SUM - 1", {*ENABLES, "word"}),
    ("stages[last] & ~self.clear", "stages[last]", {"no_write"}),
]


@pytest.mark.parametrize(("old", "new", "failed"), one_in(6, ROW_FAULTS))
def test_faulty_row(monkeypatch, old, new, failed):
    module = faulty("rtl.matvec.requantiser", old, new)
    verdict = prove(RowSpec(*requantiser(monkeypatch, module), SMALL), "run", depth=DEPTH)
    assert verdict.refuted and verdict.failed in failed, verdict


@pytest.mark.parametrize(
    ("old", "new", "failed"),
    one_in(
        3,
        [
            ("rows == MAX_TILE_ROWS", "rows > MAX_TILE_ROWS", {"too_many"}),
            ("rows == MAX_TILE_ROWS", "rows >= MAX_TILE_ROWS - 1", {"not_too_many"}),
            ("rows.eq(0)", "rows.eq(rows)", {"not_too_many"}),
            ("stage.eq(stages[-1] & ~self.clear)", "stage.eq(stages[-1])", {"busy", "no_write"}),
            ("Cat(stages).any()", "Cat(stages[:-1]).any()", {"busy"}),
        ],
    ),
)
def test_faulty_flight(monkeypatch, old, new, failed):
    module = faulty("rtl.matvec.requantiser", old, new)
    # So few rows that too many soon come.
    monkeypatch.setattr(module, "MAX_TILE_ROWS", 3)
    verdict = prove(FlightSpec(*requantiser(monkeypatch, module), 3))
    assert verdict.refuted and verdict.failed in failed, verdict

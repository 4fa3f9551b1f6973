"""FIFOs and the collector lose, duplicate and reorder nothing, and nobody waits for ever."""

import pytest
from amaranth.hdl import Assume, Cat, Module, Mux, Signal
from amaranth.lib import fifo, wiring
from amaranth.lib.wiring import In

import rtl.matvec.collector
from npu.chip import timing
from npu.chip.params import load_params
from rtl.matvec.collector import PICK_LATENCY
from tests.formal.faults import faulty, one_in
from tests.formal.prove import check, opened, prove

LANES, DEPTH = 2, 8


def follow(m: Module, name: str, pushed, popped, data, track, depth: int) -> tuple:
    """Follows one word, any one that `track` picks, from its push to its pop.

    As the word is any, what holds for it holds for all: it comes out once, in its place, unchanged.
    Returns (the next pop is its, it waits, its data, words inside, words ahead of it).
    """
    inside = Signal(range(depth + 2), name=f"inside_{name}")
    ahead = Signal(range(depth + 2), name=f"ahead_{name}")
    waits, gone = Signal(name=f"waits_{name}"), Signal(name=f"gone_{name}")
    word = Signal.like(data, name=f"word_{name}")
    m.d.sync += inside.eq(inside + pushed - popped)
    with m.If(pushed & track & ~waits & ~gone):
        m.d.sync += [waits.eq(1), ahead.eq(inside - popped), word.eq(data)]
    with m.Elif(waits & popped):
        m.d.sync += ahead.eq(ahead - 1)
        with m.If(ahead == 0):
            m.d.sync += [waits.eq(0), gone.eq(1)]
    return waits & (ahead == 0), waits, word, inside, ahead


class FifoSpec(wiring.Component):
    """A FIFO of a stream interface, as the DMA's queue is one."""

    def __init__(self, unit: fifo.SyncFIFO, depth: int) -> None:
        self._unit, self._depth = unit, depth
        super().__init__({"data": In(unit.width), "put": In(1), "get": In(1), "track": In(1)})

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.unit = unit = self._unit
        m.d.comb += [unit.w_data.eq(self.data), unit.w_en.eq(self.put), unit.r_en.eq(self.get)]
        pushed, popped = unit.w_en & unit.w_rdy, unit.r_en & unit.r_rdy
        due, waits, word, inside, _ = follow(
            m, "word", pushed, popped, self.data, self.track, self._depth
        )
        check(m, "nothing_lost", ~waits | unit.r_rdy)
        check(m, "in_order", ~due | (unit.r_data == word))
        check(m, "nothing_made", unit.r_rdy == (inside != 0))
        check(m, "room", unit.w_rdy == (inside != self._depth))
        return m


class CollectorSpec(wiring.Component):
    """Rows of any sums from every lane: a row comes in a cycle whose turn began while `ready`."""

    def __init__(self, unit, params, lane: int, lemmas: bool) -> None:
        self._unit, self._params, self._lemmas = unit, params, lemmas
        self._lane = lane
        super().__init__(
            {
                "push": In(LANES),
                "sum": In(rtl.matvec.collector.SUM_BITS).array(LANES),
                "parity": In(1),
                "track": In(1),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        unit = self._unit
        m.submodules.unit, inner = opened(unit)
        depth = self._params.result_fifo
        lane = self._lane
        m.d.comb += unit.parity.eq(self.parity)
        histories = []
        for i, row in enumerate(unit.pushed):
            # A turn that starts while ready is low is skipped; one that started before may end.
            recent = Signal(timing.LANE_PIPELINE - 1, name=f"recent_{i}")
            m.d.sync += recent.eq(Cat(unit.ready[i], recent))
            m.d.comb += [
                row.valid.eq(self.push[i]),
                row.sum.eq(self.sum[i]),
                Assume(~self.push[i] | recent[-1]),
            ]
            histories.append(recent)
        pushed = self.push[lane]
        picked, popped = inner["picked"][lane], Signal()
        m.d.sync += popped.eq(picked)
        data = Signal(rtl.matvec.collector.SUM_BITS + 1)
        m.d.comb += data.eq(Cat(self.sum[lane], self.parity))
        due, waits, word, inside, ahead = follow(
            m, "row", pushed, popped, data, self.track, depth + PICK_LATENCY
        )
        check(m, "in_order", ~(due & popped) | (Cat(unit.row.sum, unit.row_parity) == word))
        # While it is in front, somebody who asks for its parity hears of it.
        asked = Signal()
        m.d.sync += asked.eq(waits & (ahead == popped) & (word[-1] == self.parity))
        check(m, "left", ~asked | unit.left)
        check(m, "nothing_made", ~popped | (inside != 0))
        check(m, "room", inside <= depth + PICK_LATENCY)
        check(m, "row", ~popped | unit.row.valid)
        # The oldest row of a lane is picked after one of every other lane at most.
        waited = Signal(range(32))
        with m.If(due & ~popped):
            m.d.sync += waited.eq(waited + (waited != 31))
        with m.Else():
            m.d.sync += waited.eq(0)
        check(m, "fair", waited <= LANES + PICK_LATENCY)
        if not self._lemmas:
            return m

        # What the proof needs to know: where rows lie, and how many may still come.
        level, head, tail = (inner[f"{name}_{lane}"] for name in ("level", "head", "tail"))
        place = Signal.like(head)
        with m.If(pushed & self.track & ~waits):
            m.d.sync += place.eq(tail)
        check(m, "level", inside == level + picked + popped)
        check(m, "tail", tail == (head + level + picked) % depth)
        check(m, "place", ~waits | (place == (head + ahead - popped) % depth))
        check(m, "ahead", ~waits | (ahead < inside))
        check(m, "waited", (waited == 0) | waits)
        room = depth - timing.LANE_PIPELINE
        for i, recent in enumerate(histories):
            since = Cat(unit.ready[i], recent)
            bound = depth
            for cycles, ready in reversed(list(enumerate(since))):
                bound = Mux(ready, room + cycles, bound)
            check(m, f"coming_{i}", inner[f"level_{i}"] <= bound)
        return m


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_fifo(depth):
    verdict = prove(FifoSpec(fifo.SyncFIFO(width=2, depth=depth), depth))
    assert verdict.proved, verdict


@pytest.mark.parametrize(
    ("old", "new", "failed"),
    one_in(
        3,
        [
            ("w_port.en.eq(self.w_en & self.w_rdy)", "w_port.en.eq(self.w_en)", {"in_order"}),
            ("self.level != self.depth", "self.level + 1 != self.depth", {"room"}),
            ("with m.If(do_write & ~do_read):", "with m.If(do_write):", {"room", "inside"}),
        ],
    ),
)
def test_faulty_fifo(old, new, failed):
    unit = faulty("amaranth.lib.fifo", old, new).SyncFIFO(width=2, depth=4)
    verdict = prove(FifoSpec(unit, 4))
    assert verdict.refuted and verdict.failed in failed, verdict


def collector(monkeypatch, module, lane=0, lemmas=False) -> CollectorSpec:
    """The collector of two lanes with sums and records of a bit: it only moves them."""
    monkeypatch.setattr(module, "SUM_BITS", 1)
    monkeypatch.setattr(module, "RECORD_BITS", 1)
    monkeypatch.setattr(rtl.matvec.collector, "SUM_BITS", 1)
    monkeypatch.setattr("rtl.lane.lane.SUM_BITS", 1)
    monkeypatch.setattr("rtl.lane.lane.RECORD_BITS", 1)
    params = load_params("tiny").model_copy(update={"lanes": LANES, "result_fifo": DEPTH})
    return CollectorSpec(module.Collector(params), params, lane, lemmas)


@pytest.mark.parametrize("lane", [pytest.param(0, marks=pytest.mark.formal), 1])
def test_collector(monkeypatch, lane):
    verdict = prove(collector(monkeypatch, rtl.matvec.collector, lane, lemmas=True))
    assert verdict.proved, verdict


@pytest.mark.parametrize(
    ("old", "new", "failed"),
    one_in(
        4,
        [
            ("level + row.valid - pick", "level + row.valid", {"nothing_made", "in_order"}),
            (
                "depth - timing.LANE_PIPELINE",
                "depth - timing.LANE_PIPELINE + 4",
                {"in_order", "room"},
            ),
            ("place == depth - 1, 0, place + 1", "place == depth - 1, 0, place + 2", {"in_order"}),
            ("candidates.eq(Mux(first.any(), first, held))", "candidates.eq(held)", {"fair"}),
            ("with m.If(picked):", "with m.If(pick):", {"in_order"}),
            ("same & (held | picked)", "same & held", {"left"}),
            ("row.record, self.parity)", "row.record, 0)", {"in_order", "left"}),
        ],
    ),
)
def test_faulty_collector(monkeypatch, old, new, failed):
    # Rows leave slowest for the lane that is not preferred.
    spec = collector(monkeypatch, faulty("rtl.matvec.collector", old, new), lane=1)
    verdict = prove(spec, depth=40)
    assert verdict.refuted and verdict.failed in failed, verdict

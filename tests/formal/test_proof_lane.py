"""A lane and any bit streams: no symbol past a stream's end, and a row always comes to its end.

The bank, the activations and the decoders stand aside: what they would say, a word, an entry with
its raw bits, a length, is free in every cycle. So the proof holds for every section, table and bit
stream, of a small bank and short rows. It has two parts: a directory, whatever its words, puts the
lane's rings in order (LoadSpec); from rings in order on, the turns keep them so (TurnSpec).

What the lane asks its bank for is a proof of its own (test_proof_fetch).
"""

from itertools import pairwise

import pytest
from amaranth.hdl import Assume, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In

import rtl.lane.lane
from npu.chip import timing
from npu.chip.weight_format import (
    ENTRY_BITS,
    MAX_RAW_BITS,
    MAX_STREAM_BITS,
    MAX_SYMBOL_BITS,
    ROWS_BITS,
    STREAM_BITS,
    WORD_BITS,
    directory_words,
)
from rtl.lane.barrel import RESOLVE, RUN, VALUE, Barrel
from rtl.lane.decoder import LENGTH_LATENCY, OFFSET_BITS
from tests.formal.faults import faulty, one_in, stand_in
from tests.formal.prove import check, opened, prove
from tests.formal.small import PARAMS, THREADS

BITS = (8 * PARAMS.bank_bytes).bit_length()
COLUMN_BITS = 3
KINDS = {RUN: "run", VALUE: "value"}


class LoadSpec(wiring.Component):
    """At the first turn every ring holds what the directory says of its thread, or `error` was up.

    A command starts in cycle 0 and is ready timing.prime cycles later; then nothing moves until the
    first turn.
    """

    def __init__(self, lane, parts: dict) -> None:
        self._lane, self._parts = lane, parts
        super().__init__({"base": In(4), "word": In(WORD_BITS)})

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.barrel = barrel = Barrel(PARAMS)
        m.submodules.unit, inside = opened(self._lane)
        cycle, base = Signal(range(LOADED + 2)), Signal.like(self.base)
        m.d.comb += Assume((cycle == 0) | (base == self.base))
        m.d.sync += base.eq(self.base)
        m.d.sync += cycle.eq(Mux(cycle == LOADED + 1, cycle, cycle + 1))
        m.d.comb += [
            barrel.start.eq(cycle == 1),
            barrel.clear.eq(cycle == 0),
            barrel.base.eq(self.base),
            barrel.go.eq(barrel.ready),
            self._parts["WeightBank"][0].word.eq(self.word),
        ]
        control = barrel.control
        for name in control.signature.members:
            m.d.comb += getattr(self._lane.control, name).eq(getattr(control, name))
        # The directory's words as they come.
        words = [Signal(WORD_BITS, name=f"word_{i}") for i in range(directory_words(THREADS))]
        count = Signal(range(len(words) + 1))
        with m.If(control.entry):
            m.d.sync += [count.eq(count + 1), words[-1].eq(self.word)]
            m.d.sync += [one.eq(other) for one, other in pairwise(words)]
        failed = Signal()
        m.d.sync += failed.eq(failed | self._lane.error)

        first = Signal()
        m.d.comb += first.eq(control.run & (cycle == LOADED))
        good = first & ~failed & ~self._lane.error
        check(m, "turns", (cycle != LOADED) | control.run)
        check(m, "directory", ~first | (count == len(words)))
        bits = directory_words(THREADS) * WORD_BITS + (self.base << OFFSET_BITS)
        for thread in range(THREADS):
            place = 0 if front_of(thread, 0) else 1
            rows = words[2 * thread][STREAM_BITS:]
            check(m, f"rows_{thread}", ~good | (inside[f"rows_{place}"] == rows))
            check(m, f"active_{thread}", ~good | (inside[f"active_{place}"] == (rows != 0)))
            for kind, name in KINDS.items():
                length = words[2 * thread + kind] & MAX_STREAM_BITS
                held = inside[f"{name}_left_{place}"]
                check(m, f"{name}_{thread}", ~good | (held == length))
                check(m, f"{name}_none_{thread}", ~good | (rows != 0) | (length == 0))
                bits = bits + length
        check(m, "in_bank", ~good | (bits <= 8 * PARAMS.bank_bytes))
        return m


LOADED = timing.prime(THREADS) + 3
"""The cycle of the first turn, of a command that starts in cycle 1."""


def front_of(thread: int, slot) -> bool:
    """Whether a thread is in front of the rings in a turn of thread `slot`, of two threads."""
    return slot == (thread + RESOLVE) % THREADS


class TurnSpec(wiring.Component):
    """Follows one thread from the first turn on, with any rings.

    Until `error`: the symbols take no bit behind their stream's end, and all of it when the last
    row has ended; a row has no more symbols than columns; while the thread has rows left it decodes
    in every turn of its own that is allowed: a symbol, or the terminator that ends the last row.
    """

    def __init__(self, lane, parts: dict, thread: int, lemmas: bool = False) -> None:
        self._lane, self._parts, self._thread, self._lemmas = lane, parts, thread, lemmas
        super().__init__(
            {
                "last_column": In(COLUMN_BITS),
                "ready": In(1),
                "run_entry": In(ENTRY_BITS),
                "run_raw": In(MAX_RAW_BITS),
                "run_length": In(range(MAX_SYMBOL_BITS + 1)),
                "value_length": In(range(MAX_SYMBOL_BITS + 1)),
                "raw_bits": In(range(MAX_RAW_BITS + 1)),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        lane, thread = self._lane, self._thread
        m.submodules.unit, inside = opened(lane)
        run, value = self._parts["StreamDecoder"]
        begun, slot = Signal(), Signal()
        last_column, raw_bits = Signal.like(self.last_column), Signal.like(self.raw_bits)
        m.d.sync += [
            begun.eq(1),
            slot.eq(~slot),
            last_column.eq(self.last_column),
            raw_bits.eq(self.raw_bits),
        ]
        m.d.comb += [
            lane.control.run.eq(1),
            lane.control.slot_thread.eq(slot),
            lane.control.last_column.eq(self.last_column),
            lane.ready.eq(self.ready),
            run.entry.eq(self.run_entry),
            run.raw.eq(self.run_raw),
            run.length.eq(self.run_length),
            value.length.eq(self.value_length),
            lane.run_code.raw_bits.eq(self.raw_bits),
            Assume(~begun | ((last_column == self.last_column) & (raw_bits == self.raw_bits))),
            Assume((self.raw_bits <= MAX_RAW_BITS) & (self.run_raw >> self.raw_bits == 0)),
            Assume((self.run_length <= MAX_SYMBOL_BITS) & (self.value_length <= MAX_SYMBOL_BITS)),
        ]
        # A decoder gives no length without a turn.
        decoded = self._later(m, "decoded", run.go, LENGTH_LATENCY)[-1]
        m.d.comb += Assume(decoded | ((self.run_length == 0) & (self.value_length == 0)))

        # Before the first turn the pipeline is empty, columns are at their start.
        for name, signal in inside.items():
            if name.startswith(("go_", "stalled_", "was_", "column_")) or name in QUIET:
                at_start = signal.all() if name.startswith("column_") else signal == 0
                m.d.comb += Assume(begun | at_start)
        for place in range(THREADS):
            active = inside[f"rows_{place}"] != 0
            m.d.comb += Assume(begun | (inside[f"active_{place}"] == active))

        # What the lane shows a cycle after stage 5, and whose turn that was.
        turn = self._later(m, "turn", slot == thread, RESOLVE + 1)[-1]
        allowed = self._later(m, "allowed", (slot == thread) & self.ready, RESOLVE + 1)[-1]
        symbol, row = lane.events.symbol & turn, lane.row.valid & turn
        failed = Signal()
        m.d.sync += failed.eq(failed | lane.error)
        good = ~failed & ~lane.error

        # The thread's rings: in front of the others, or at the end.
        front = front_of(thread, slot)

        def ring(name: str):
            return Mux(front, inside[f"{name}_0"], inside[f"{name}_1"])

        left, left_now = Signal(ROWS_BITS), Signal(ROWS_BITS)
        m.d.comb += left_now.eq(Mux(begun, left - row, ring("rows")))
        m.d.sync += left.eq(left_now)
        last = row & (left == 1)
        for kind, name in KINDS.items():
            rest, rest_now = Signal(BITS, name=f"{name}_rest"), Signal(BITS + 1)
            length = self._later(m, f"{name}_length", (run, value)[kind].length, 1)[-1]
            # The terminator has no value.
            taken = symbol | last if kind == RUN else symbol
            m.d.comb += rest_now.eq(Mux(begun, rest - Mux(taken, length, 0), ring(f"{name}_left")))
            m.d.sync += rest.eq(rest_now)
            check(m, f"{name}_inside", ~good | ~taken | (length <= rest))
            ended = self._later(m, f"{name}_ended", last & good & (rest_now != 0), 1)[-1]
            check(m, f"all_of_{name}", ~ended | lane.error | failed)
            known = good & ((left_now != 0) | (last if kind == RUN else 0))
            if self._lemmas:
                check(m, f"lemma_{name}", ~known | (ring(f"{name}_left") == rest_now[:BITS]))
        symbols, symbols_now = Signal(COLUMN_BITS + 1), Signal(COLUMN_BITS + 2)
        m.d.comb += symbols_now.eq(Mux(row, symbol, symbols + symbol))
        m.d.sync += symbols.eq(symbols_now)
        check(m, "row_ends", ~good | (symbols_now <= self.last_column + 1))
        # Where stage 5 has left the column that the turn led to.
        check(m, "column_inside", ~good | ~symbol | (inside["column_0"] <= self.last_column))
        check(m, "row_with_symbol", ~row | symbol | last)
        check(m, "progress", ~allowed | (left == 0) | symbol | last)
        check(m, "no_symbol_without_row", ~(symbol | row) | (left != 0))
        check(m, "busy", (left_now == 0) | lane.busy)
        if self._lemmas:
            check(m, "lemma_rows", ring("rows") == left_now)
            check(m, "lemma_active", ring("active") == (left_now != 0))
        return m

    def _later(self, m: Module, name: str, value, cycles: int) -> list:
        stages = [value]
        for i in range(cycles):
            stage = Signal(value.shape(), name=f"{name}_{i + 1}")
            m.d.sync += stage.eq(stages[-1])
            stages.append(stage)
        return stages


# Registers that are zero before the first turn.
QUIET = ("events", "row__valid", "error")


def lane(monkeypatch, module) -> tuple:
    """A lane and what stands in for its parts."""
    parts: dict[str, list] = {}
    for name in ("WeightBank", "StreamDecoder", "ActivationCopy"):
        parts[name] = []
        monkeypatch.setattr(module, name, stand_in(getattr(module, name), parts[name]))
    return module.Lane(PARAMS), parts


def test_load(monkeypatch):
    verdict = prove(LoadSpec(*lane(monkeypatch, rtl.lane.lane)), "run", depth=LOADED + 1)
    assert verdict.proved, verdict


@pytest.mark.formal
@pytest.mark.parametrize("thread", [0, 1])
def test_turns(monkeypatch, thread):
    spec = TurnSpec(*lane(monkeypatch, rtl.lane.lane), thread, lemmas=True)
    verdict = prove(spec, any_state=True, seconds=1800)
    assert verdict.proved, verdict


@pytest.mark.parametrize(
    ("old", "new", "failed"),
    one_in(
        3,
        [
            ("run_load.eq(length)", "run_load.eq(length - 1)", {"run_0", "run_1"}),
            ("control.end & fetch.past_end", "0", {"in_bank"}),
            ("starts & (length != 0) & ~active_load", "0", {"run_none_0", "run_none_1"}),
            ("control.run | control.align", "control.run", None),
        ],
    ),
)
def test_faulty_load(monkeypatch, old, new, failed):
    spec = LoadSpec(*lane(monkeypatch, faulty("rtl.lane.lane", old, new)))
    verdict = prove(spec, "run", depth=LOADED + 1)
    assert verdict.refuted and (failed is None or verdict.failed in failed), verdict


@pytest.mark.parametrize(
    ("old", "new", "failed"),
    one_in(
        4,
        [
            ("run_next[-1] | (value", "(value", {"run_inside"}),
            ("(run_left[-1] != 0) | value_left_over", "(run_left[-1] != 0)", {"all_of_value"}),
            (" | outside)", ")", {"column_inside"}),
            ("active[RESOLVE % p.threads]", "active[0]", {"progress", "no_symbol_without_row"}),
            ("(rows[0] == 1)", "(rows[0] == 2)", None),
            ("wraps.eq(remaining < 0)", "wraps.eq(remaining < -1)", {"column_inside", "row_ends"}),
        ],
    ),
)
def test_faulty_turns(monkeypatch, old, new, failed):
    spec = TurnSpec(*lane(monkeypatch, faulty("rtl.lane.lane", old, new)), 0)
    verdict = prove(spec, any_state=True)
    assert verdict.refuted and (failed is None or verdict.failed in failed), verdict

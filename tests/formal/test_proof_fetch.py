"""Each symbol's bits are fetched in time, in order and once, for any lengths of the symbols."""

import pytest
from amaranth.hdl import Assume, Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In

from npu.chip import timing
from npu.chip.weight_format import MAX_RAW_BITS, MAX_SYMBOL_BITS, WORD_BITS
from rtl.lane.bank import word_address_bits
from rtl.lane.barrel import RUN, VALUE
from rtl.lane.codetable import CODE
from rtl.lane.decoder import (
    OFFSET_BITS,
    POSITION_BITS,
    RING_BITS,
    RING_WORDS,
    WORD_INDEX_BITS,
    StreamDecoder,
)
from rtl.lane.fetch import StreamFetch
from tests.formal.faults import faulty, one_in
from tests.formal.prove import check, opened, prove
from tests.formal.small import PARAMS, THREADS


class FetchSpec(wiring.Component):
    """One stream of one thread from the first turn on: each symbol's bits are there in time.

    Words are asked for in order, each once, and never more than RING_WORDS from the position's on.
    At the first turn timing.PRIME_WORDS were asked for, as the barrel sees to; the position, the
    code and the turns that are taken are free. A symbol has at most MAX_SYMBOL_BITS bits.
    """

    def __init__(self, fetch, decoder, thread: int, kind: int, lemmas: bool = False) -> None:
        self._fetch, self._decoder = fetch, decoder
        self._thread, self._kind, self._lemmas = thread, kind, lemmas
        super().__init__(
            {
                "go": In(1),
                "code": In(CODE.size),
                "other": In(WORD_INDEX_BITS),
                "pointer": In(word_address_bits(PARAMS)),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        fetch, decoder, code = self._fetch, self._decoder, data.View(CODE, self.code)
        m.submodules.unit_fetch, asked = opened(fetch)
        m.submodules.unit_decoder, inside = opened(decoder)
        control = fetch.control
        begun, slot = Signal(), Signal(2)
        before = Signal(2)
        m.d.sync += [begun.eq(1), slot.eq(slot + 1)]
        m.d.comb += [
            before.eq(slot - timing.BANK_LATENCY),
            control.run.eq(1),
            Cat(control.slot_thread, control.slot_kind).eq(slot),
            Cat(control.fill_thread, control.fill_kind).eq(before),
            decoder.run.eq(1),
            decoder.thread.eq(slot[0]),
            decoder.go.eq(self.go),
            decoder.code.eq(code),
            decoder.fill.thread.eq(before[0]),
            decoder.fill.index.eq(fetch.fill_index),
        ]
        own, other = fetch.run_word, fetch.value_word
        fill = fetch.fill_run
        if self._kind == VALUE:
            own, other, fill = other, own, fetch.fill_value
        m.d.comb += [own.eq(decoder.word), other.eq(self.other), decoder.fill.en.eq(fill)]

        # The thread's position: in stage A in its turn, behind stage B in the cycle after.
        turn = slot[0] == self._thread
        here = self._thread + 2 * self._kind
        slot_here, fill_here = slot == here, Signal()
        m.d.comb += fill_here.eq(fill & (before == here))
        length = Mux(inside["go_b"], inside["code_length"], 0)
        position = Signal(POSITION_BITS)
        m.d.comb += [
            position.eq(Mux(turn, inside["position"], inside["advanced"] + length)),
            # A decoder holds its raw bits' number, and lengths, as tables allow them.
            Assume(code.raw_bits <= MAX_RAW_BITS),
            Assume(inside["code_length"] + code.raw_bits <= MAX_SYMBOL_BITS),
        ]
        raw_bits = Signal.like(code.raw_bits)
        m.d.sync += raw_bits.eq(code.raw_bits)
        m.d.comb += Assume(~begun | (raw_bits == code.raw_bits))

        # The next word to ask for; words asked for that are not in the ring yet.
        pointer, pointer_now = Signal.like(self.pointer), Signal.like(self.pointer)
        visited = Signal()
        m.d.comb += pointer_now.eq(Mux(begun, pointer, self.pointer))
        asks = slot_here & fetch.en
        m.d.sync += [visited.eq(visited | slot_here), pointer.eq(pointer_now + asks)]
        m.d.comb += Assume(~slot_here | visited | (fetch.address == pointer_now))
        check(m, "in_order", ~slot_here | (fetch.address == pointer_now))
        coming = asked["fetched"] & ((slot - 1)[:2] == here)
        on_way = Signal(2)
        m.d.comb += on_way.eq(coming + fill_here)

        # In bits from the position on: what was asked for, and what is in the ring.
        asked_bits, bits = Signal(POSITION_BITS), Signal(POSITION_BITS)
        m.d.comb += [
            asked_bits.eq((pointer_now << OFFSET_BITS) - position),
            bits.eq(((pointer_now - on_way) << OFFSET_BITS) - position),
        ]
        words = (pointer_now - position[OFFSET_BITS:])[:WORD_INDEX_BITS]
        newest = (pointer_now - 1)[:RING_BITS]
        m.d.comb += [
            Assume(begun | (words == timing.PRIME_WORDS)),
            Assume(begun | ~coming | (asked["index"] == newest)),
            Assume(begun | ~fill_here | (fetch.fill_index == newest)),
        ]
        ring = RING_WORDS * WORD_BITS
        check(m, "bits_in_time", ~(turn & self.go) | ((bits >= MAX_SYMBOL_BITS) & (bits <= ring)))
        check(m, "not_too_far", ~asks | (words < RING_WORDS))
        check(m, "place", ~fill_here | (fetch.fill_index == (pointer_now - on_way)[:RING_BITS]))
        check(m, "place_free", ~fill_here | (bits <= ring - WORD_BITS))

        # Between its slot and the turn after the next a thread takes two symbols, or a word.
        soon = (slot - here)[:2]
        least = 2 * WORD_BITS + 1 - Mux((soon == 0) | (soon == 3), MAX_SYMBOL_BITS, 0)
        if self._lemmas:
            check(m, "lemma_bits", (asked_bits >= least) & (asked_bits <= ring))
            check(m, "lemma_way", on_way <= 1)
        return m


@pytest.mark.parametrize("kind", [RUN, VALUE])
@pytest.mark.parametrize("thread", range(THREADS))
def test_fetch(thread, kind):
    spec = FetchSpec(StreamFetch(PARAMS), StreamDecoder(THREADS), thread, kind, lemmas=True)
    verdict = prove(spec, any_state=True)
    assert verdict.proved, verdict


@pytest.mark.parametrize(
    ("old", "new", "failed"),
    one_in(
        3,
        [
            ("room = (read.data", "room = 0 & (read.data", {"bits_in_time", "not_too_far"}),
            ("!= RING_WORDS", "!= RING_WORDS + 1", {"place_free", "not_too_far", "bits_in_time"}),
            ("read.data + 1)", "read.data + 2)", {"in_order"}),
        ],
    ),
)
def test_faulty_fetch(old, new, failed):
    unit = faulty("rtl.lane.fetch", old, new).StreamFetch(PARAMS)
    verdict = prove(FetchSpec(unit, StreamDecoder(THREADS), 0, RUN), any_state=True)
    assert verdict.refuted and verdict.failed in failed, verdict

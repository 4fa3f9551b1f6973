"""The AXI4 manager keeps the rules of its bus, whatever its subordinate does."""

from contextlib import suppress

import pytest
from amaranth.hdl import Assume, Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In

import rtl.dma.asks
import rtl.dma.dma
import rtl.dma.watchdog
from npu.chip.params import ChipParams, load_params
from npu.chip.status import Status
from npu.chip.tile import head_words
from rtl.dma.bursts import Bursts
from rtl.dma.dma import Dma
from rtl.dma.tile import TileDealer, dealer_ports
from rtl.shared import axi
from tests.formal.faults import faulty, one_in
from tests.formal.prove import before, check, opened, prove, stable
from tests.formal.small import smaller
from tests.formal.subordinate import Subordinate, free_inputs

BEATS_BITS = 12
PARAMS = smaller(
    load_params("tiny"),
    {
        "lanes": 2,
        "bank_bytes": 64,
        "param_bytes": 64,
        "sram_bytes": 64,
        "program_bytes": 64,
        "bus_bytes": 8,
        "dma_burst_beats": 3,
        "dma_outstanding": 2,
        "dma_queue": 2,
    },
)


BUS_WORDS = PARAMS.bus_bytes // 4
WAITS = 2
"""Cycles in a row in which the dealer lets a beat wait: two bus words of a lane may go at once."""

BUSY = (
    3
    + PARAMS.lanes * (1 + 3 * PARAMS.threads)
    + PARAMS.lanes * (head_words(PARAMS.threads, BUS_WORDS) + BUS_WORDS - 1)
)
"""Cycles in which the dealer deals a tile, one for each number and each loose word
(`npu.chip.tile`), and a few around them."""

ENDING = BUSY + WAITS + 4
"""Cycles at the end of a transfer in which nothing is on the bus: the dealer's, and a few more."""


FOUR_KIB = 4096
"""No burst crosses a multiple of it (AXI4, A3.4.1); written here, not taken from what is proven."""


class OpenBursts(Bursts):
    """Bursts that show their registers to the lemmas."""

    def elaborate(self, platform):
        fragment, self.inside = opened(super().elaborate(platform))
        return fragment


def states(state: Signal) -> dict[str, Value]:
    """Whether a machine is in each of its states, by name."""
    found = {}
    for number in range(1 << len(state)):
        with suppress(KeyError):  # not all numbers are states
            found[state.decoder(number).split("/")[0]] = state == number
    return found


class BurstsSpec(wiring.Component):
    """The bursts are one after the other the whole transfer, none too long, none over 4 KiB."""

    start: In(1)
    address: In(axi.ADDRESS_BITS)
    beats: In(BEATS_BITS)
    next: In(1)

    def __init__(self, unit: Bursts, lemmas: bool = False) -> None:
        self._unit, self._lemmas = unit, lemmas
        super().__init__()

    def elaborate(self, platform) -> Module:
        m = Module()
        unit = self._unit
        m.submodules.unit, rest = opened(unit)
        bus = PARAMS.bus_bytes
        open_, address, left = Signal(), Signal(axi.ADDRESS_BITS), Signal(BEATS_BITS)
        m.d.comb += [
            unit.start.eq(self.start),
            unit.next.eq(self.next),
            unit.address.eq(self.address),
            unit.beats.eq(self.beats),
            Assume(~self.start | ((self.beats != 0) & (self.address % bus == 0))),
            Assume(~self.start | ~open_),
            Assume(~self.next | unit.valid),
            Assume(~(self.start & self.next)),
        ]
        size = unit.burst_beats
        with m.If(self.start):
            m.d.sync += [open_.eq(1), address.eq(self.address), left.eq(self.beats)]
        with m.Elif(self.next):
            m.d.sync += [
                open_.eq(left != size),
                address.eq(address + size * bus),
                left.eq(left - size),
            ]
        check(m, "valid_to_the_end", unit.valid == open_)
        check(m, "in_order", ~open_ | (unit.burst_address == address))
        check(m, "not_empty", ~open_ | ((size != 0) & (size <= left)))
        check(m, "not_too_long", ~open_ | (size <= PARAMS.dma_burst_beats))
        check(
            m,
            "within_4_kib",
            ~open_ | (unit.burst_address[:12] + size * bus <= FOUR_KIB),
        )
        if self._lemmas:
            # What the unit keeps for the bursts to come.
            check(m, "lemma_beats", rest["rest_beats"] == Mux(open_, left - size, 0))
            follows = Cat(Signal(3), rest["rest_address"]) == (address + size * bus)[: len(address)]
            check(m, "lemma_address", ~open_ | (left == size) | follows)
        return m


# The manager is proven for transfers of less than 2^BEATS beats, its counters as narrow.
BEATS = 6
WATCHDOG_BITS = 2


class AnyDealer(wiring.Component):
    """A tile dealer that is busy, waits and refuses as it likes; see `TileDealer`."""

    def __init__(self, params: ChipParams) -> None:
        likes = {f"any_{name}": In(1) for name in ("busy", "waits", "error", "complete", "damaged")}
        super().__init__({**dealer_ports(params), **likes})

    def elaborate(self, platform) -> Module:
        m = Module()
        for name in ("busy", "error", "complete", "damaged"):
            m.d.comb += getattr(self, name).eq(getattr(self, f"any_{name}"))
        m.d.comb += self.waits.eq(self.any_waits & self.en)
        return m


class DealerSpec(wiring.Component):
    """The dealer is busy for BUSY cycles at most and lets a beat wait for WAITS, whatever comes.

    It starts while it is not busy.
    """

    def __init__(self, unit: TileDealer) -> None:
        self._unit = unit
        super().__init__(
            {"start": In(1), "bank": In(24), "en": In(1), "data": In(8 * PARAMS.bus_bytes)}
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.unit = unit = self._unit
        m.d.comb += [
            unit.start.eq(self.start),
            unit.bank.eq(self.bank),
            unit.en.eq(self.en),
            unit.data.eq(self.data),
            Assume(~self.start | ~unit.busy),
        ]
        for name, signal, most in (("busy", unit.busy, BUSY), ("waits", unit.waits, WAITS)):
            cycles = Signal(range(most + 2), name=f"{name}_cycles")
            m.d.sync += cycles.eq(0)
            with m.If(signal & (cycles <= most)):
                m.d.sync += cycles.eq(cycles + 1)
            check(m, f"{name}_not_for_long", cycles <= most)
        return m


class ManagerSpec(wiring.Component):
    """The DMA's AXI4 manager against any `Subordinate`, with any dealer.

    Transfers are of any legal kind, address and size; a transfer waits with a stable payload. The
    subordinate may take nothing for ever: what the manager offers then is all that it can ever wait
    for (A3.3.1), and no cycle passes in which neither side has something to do, but for ENDING of
    them where a transfer ends. The dealer is busy for BUSY cycles at most and lets a beat wait for
    WAITS of them, as `DealerSpec` proves of the real one.
    """

    def __init__(self, unit: Dma, bursts: OpenBursts, dealer: AnyDealer, lemmas: bool) -> None:
        self._unit, self._bursts, self._dealer, self._lemmas = unit, bursts, dealer, lemmas
        super().__init__(
            {
                "ask": In(1),
                "kind": In(3),
                "address": In(32),
                "beats": In(BEATS),
                "local": In(24),
                "load_program": In(1),
                "hold": In(1),
                "any_busy": In(1),
                "any_waits": In(1),
                "any_error": In(1),
                "any_complete": In(1),
                "any_damaged": In(1),
                "watchdog": In(WATCHDOG_BITS),
                **free_inputs(PARAMS),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        unit = self._unit
        m.submodules.unit, inside = opened(unit)
        self._ask(m, unit)
        self._deal(m)
        ar, aw, w = unit.axi.ar, unit.axi.aw, unit.axi.w
        subordinate = Subordinate(m, self, unit.axi, PARAMS.dma_outstanding)
        open_, beat, filled = subordinate.open, subordinate.beat, subordinate.filled
        for name, channel in (("ar", ar), ("aw", aw), ("w", w)):
            stable(m, name, channel)
        for name, channel in (("ar", ar), ("aw", aw)):
            payload = channel.payload
            beats = payload.len + 1
            page = payload.addr[:12] + (beats << 3)
            check(m, f"{name}_within_4_kib", ~channel.valid | (page <= FOUR_KIB))
            check(m, f"{name}_length", ~channel.valid | (beats <= PARAMS.dma_burst_beats))
            check(m, f"{name}_type", ~channel.valid | (payload.burst == axi.BURST_INCR))
            check(m, f"{name}_size", ~channel.valid | (payload.size == 3))

        check(m, "outstanding", ~ar.valid | (open_ < PARAMS.dma_outstanding))
        addressed, length = subordinate.addressed, subordinate.length
        # The burst's length, from the address on offer or from the one that was taken.
        is_long = Mux(addressed, length, aw.payload.len)
        known = addressed | aw.valid
        check(m, "beat_belongs_to_an_address", ~w.valid | known)
        check(m, "last", ~w.valid | ~known | (w.payload.last == (beat == is_long)))
        check(m, "data_waits_for_no_address", ~aw.valid | w.valid | filled)
        check(m, "address_waits_for_no_data", ~w.valid | aw.valid | addressed)
        unanswered = subordinate.unanswered
        offers_write = aw.valid | w.valid
        check(m, "writes_outstanding", ~offers_write | (unanswered < PARAMS.dma_outstanding))
        untouched = ~addressed & ~filled & (beat == 0)
        none_open = (open_ == 0) & (unanswered == 0)
        check(m, "reset_is_safe", unit.active | (none_open & untouched))

        # Progress: an active manager offers something, or the subordinate owes something, but for
        # the cycles in which a transfer ends.
        idle = Signal(range(ENDING + 2))
        offers = ar.valid | aw.valid | w.valid
        m.d.sync += idle.eq(0)
        with m.If(unit.active & ~offers & ~subordinate.owes & (idle <= ENDING)):
            m.d.sync += idle.eq(idle + 1)
        check(m, "never_idle_for_long", idle <= ENDING)
        # A beat waits while the transfer before it ends, or for a bus word that was dealt.
        kept = Signal(range(ENDING + 2))
        r, writes = unit.axi.r, offers_write | (unanswered != 0)
        m.d.sync += kept.eq(0)
        with m.If(r.valid & ~r.ready & ~writes & (kept <= ENDING)):
            m.d.sync += kept.eq(kept + 1)
        check(m, "beats_wait_not_for_long", kept <= ENDING)

        if self._lemmas:
            self._state(m, inside, subordinate)
            check(m, "beats", ~w.valid | (inside["burst_beat"] == beat + 1))
        return m

    def _state(self, m: Module, inside, subordinate: Subordinate) -> None:
        """What the proof needs to know of the two sides, and of the bursts."""
        open_, bursts = subordinate.open, self._bursts
        unasked = Signal(BEATS)
        with m.If(bursts.start):
            m.d.sync += unasked.eq(bursts.beats)
        with m.Elif(bursts.next):
            m.d.sync += unasked.eq(unasked - bursts.burst_beats)
        size = bursts.burst_beats
        longest = PARAMS.dma_burst_beats
        check(m, "cover", bursts.valid == (unasked != 0))
        check(m, "part", ~bursts.valid | ((size != 0) & (size <= unasked) & (size <= longest)))
        check(m, "rest", bursts.inside["rest_beats"] == Mux(bursts.valid, unasked - size, 0))
        check(m, "open", inside["opened"] == open_)
        asks, takes = (states(inside[f"{side}_state"]) for side in ("asking", "taking"))
        check(m, "next_has_none", ~asks["NEXT"] | ~bursts.valid)
        check(m, "read_has_some", ~asks["READ"] | bursts.valid)
        is_write, is_response = takes["WRITE"], takes["WRITE_RESPONSE"]
        check(m, "write_is_taken", ~asks["WRITE"] | is_write | is_response | takes["FINISH"])
        check(m, "taken_writes", ~(is_write | is_response) | asks["WRITE"])
        check(m, "write_has_some", ~is_write | bursts.valid)
        unanswered = subordinate.unanswered
        check(m, "response", ~is_response | ((unanswered != 0) & ~bursts.valid))
        check(m, "written_is_answered", is_write | is_response | (unanswered == 0))
        check(m, "unanswered", inside["unanswered"] == unanswered)
        check(m, "finished", ~takes["FINISH"] | ~asks["WRITE"] | ~bursts.valid)
        untouched = ~subordinate.addressed & ~subordinate.filled & (subordinate.beat == 0)
        check(m, "untouched", is_write | untouched)

    def _deal(self, m: Module) -> None:
        """The dealer likes what it likes, for so long."""
        dealer = self._dealer
        for name in ("any_busy", "any_waits", "any_error", "any_complete", "any_damaged"):
            m.d.comb += getattr(dealer, name).eq(getattr(self, name))
        for signal, most in ((dealer.busy, BUSY), (dealer.waits, WAITS)):
            cycles = Signal(range(most + 2), name="liked")
            with m.If(signal & (cycles <= most)):
                m.d.sync += cycles.eq(cycles + 1)
            with m.Else():
                m.d.sync += cycles.eq(0)
            m.d.comb += Assume(~signal | (cycles < most))

    def _ask(self, m: Module, unit: Dma) -> None:
        t, program = unit.transfers, unit.program
        waiting = before(m, t.valid & ~t.ready)
        m.d.comb += [
            t.valid.eq(self.ask),
            t.kind.eq(self.kind),
            t.address.eq(self.address),
            t.beats.eq(self.beats),
            t.local.eq(self.local),
            unit.hold.eq(self.hold),
            unit.watchdog.eq(self.watchdog),
            program.valid.eq(self.load_program),
            program.address.eq(0),
            program.beats.eq(2),
            Assume(~self.ask | ((self.beats != 0) & (self.kind < 6) & (self.address[:3] == 0))),
        ]
        for payload in (self.kind, self.address, self.beats, self.local):
            m.d.comb += Assume(~waiting | (payload == before(m, payload)))
        hung = unit.error == Status.BUS_TIMEOUT
        loading = before(m, program.valid & ~program.done & ~hung)
        m.d.comb += [Assume(~waiting | self.ask), Assume(~loading | self.load_program)]


def test_bursts():
    verdict = prove(BurstsSpec(Bursts(PARAMS, BEATS_BITS), lemmas=True), "induction")
    assert verdict.proved, verdict


@pytest.mark.parametrize(
    ("old", "new", "failed"),
    one_in(
        3,
        [
            ("limit.eq(to_boundary)", "limit.eq(self._longest)", {"within_4_kib"}),
            ("Mux(fits, from_beats, limit)", "limit", {"not_empty"}),
            ("from_beats - limit)", "from_beats - limit - 1)", {"valid_to_the_end", "not_empty"}),
            (
                "rest_address.eq(from_address + limit)",
                "rest_address.eq(from_address)",
                {"in_order"},
            ),
        ],
    ),
)
def test_faulty_bursts(old, new, failed):
    verdict = prove(BurstsSpec(faulty("rtl.dma.bursts", old, new).Bursts(PARAMS, BEATS_BITS)))
    assert verdict.refuted and verdict.failed in failed, verdict


def manager(monkeypatch, module, lemmas: bool = False) -> ManagerSpec:
    """A specification of the module's Dma and its Bursts."""
    bursts = OpenBursts(PARAMS, BEATS)
    monkeypatch.setattr(module, "BEATS_BITS", BEATS)
    monkeypatch.setattr(rtl.dma.asks, "BEATS_BITS", BEATS)
    monkeypatch.setattr(module, "WATCHDOG_BITS", WATCHDOG_BITS)
    monkeypatch.setattr(rtl.dma.watchdog, "WATCHDOG_BITS", WATCHDOG_BITS)
    monkeypatch.setattr(module, "Bursts", lambda *_: bursts)
    dealer = AnyDealer(PARAMS)
    monkeypatch.setattr(module, "TileDealer", lambda _: dealer)
    return ManagerSpec(module.Dma(PARAMS), bursts, dealer, lemmas)


def test_dealer():
    verdict = prove(DealerSpec(TileDealer(PARAMS)))
    assert verdict.proved, verdict


@pytest.mark.parametrize(
    ("old", "new", "failed"),
    one_in(
        3,
        [
            ("self.en & words.deals & ~failed", "self.en & ~failed", {"waits_not_for_long"}),
            ("thread == self._params.threads - 1", "thread == 7", {"busy_not_for_long"}),
            ("words.lane == self._params.lanes - 1", "words.lane == 7", {"busy_not_for_long"}),
        ],
    ),
)
def test_faulty_dealer(old, new, failed):
    verdict = prove(DealerSpec(faulty("rtl.dma.tile", old, new).TileDealer(PARAMS)))
    assert verdict.refuted and verdict.failed in failed, verdict


def test_manager(monkeypatch):
    verdict = prove(manager(monkeypatch, rtl.dma.dma, lemmas=True))
    assert verdict.proved, verdict


ADDRESS_BEHIND_DATA = {"beat_belongs_to_an_address", "address_waits_for_no_data"}
ADDRESS_TWICE = {"one_burst_at_a_time", "aw_stays_valid"}
NEXT_TOO_SOON = {"aw_stays_valid", "aw_payload_stable"}
RESPONSE_FORGOTTEN = {"reset_is_safe", "one_burst_at_a_time"}


@pytest.mark.parametrize(
    ("old", "new", "failed"),
    one_in(
        4,
        [
            ("w.payload.last.eq(burst_beat == bursts", "w.payload.last.eq(0 == bursts", {"last"}),
            # Data that waits for AWREADY: a subordinate that wants both first waits for ever.
            (
                "may_offer & ~filled",
                "may_offer & addressed & ~filled",
                {"data_waits_for_no_address"},
            ),
            ("may_offer & ~addressed", "may_offer & filled & ~addressed", ADDRESS_BEHIND_DATA),
            (
                "now_filled = filled | (self.sent & w",
                "now_filled = (self.sent & w",
                {"one_burst_at_a_time", "beat_belongs_to_an_address"},
            ),
            ("now_addressed = addressed | (aw", "now_addressed = (aw", ADDRESS_TWICE),
            ("ended.eq(now_addressed & now_filled)", "ended.eq(now_filled)", NEXT_TOO_SOON),
            # Responses: one burst too many waits for its own, the first counts as the last.
            ("unanswered != params", "unanswered != 1 + params", {"writes_outstanding"}),
            ("b.valid & (unanswered == 1)", "b.valid", RESPONSE_FORGOTTEN),
        ],
    ),
)
def test_faulty_writes(monkeypatch, old, new, failed):
    monkeypatch.setattr(rtl.dma.dma, "Writes", faulty("rtl.dma.writes", old, new).Writes)
    verdict = prove(manager(monkeypatch, rtl.dma.dma))
    assert verdict.refuted and verdict.failed in failed, verdict


def test_faulty_manager(monkeypatch):
    fault = faulty("rtl.dma.dma", 'm.next = "WRITE_RESPONSE"', 'm.next = "FINISH"')
    verdict = prove(manager(monkeypatch, fault))
    assert verdict.refuted and verdict.failed in RESPONSE_FORGOTTEN, verdict


@pytest.mark.parametrize(
    ("old", "new", "failed"),
    one_in(
        3,
        [
            ("ar.valid.eq(opened != params.dma_outstanding)", "ar.valid.eq(1)", {"outstanding"}),
            ("bursts.next.eq(asked)", "bursts.next.eq(1)", {"ar_payload_stable", "ar_length"}),
            ("open_ | (opened != 0)", "open_", {"reset_is_safe"}),
            ("[open_.eq(1), loads.eq(1)]", "loads.eq(1)", {"reset_is_safe"}),
            ("with m.If(asked & bursts.last)", "with m.If(bursts.last)", {"ar_stays_valid"}),
        ],
    ),
)
def test_faulty_asks(monkeypatch, old, new, failed):
    fault = faulty("rtl.dma.asks", old, new)
    monkeypatch.setattr(fault, "BEATS_BITS", BEATS)
    monkeypatch.setattr(rtl.dma.dma, "Asks", fault.Asks)
    verdict = prove(manager(monkeypatch, rtl.dma.dma))
    assert verdict.refuted and verdict.failed in failed, verdict

"""The DMA under a coming reset and after an error, against any subordinate that answers in order.

This is what the control block takes for granted (test_proof_control); together they say that after
a reset is asked for the chip is idle again once the bus has answered. The chain between the two is
made by hand: what one assumes is a check of the other. That the bus's rules are kept is a proof of
its own (test_proof_axi).

Not proven: transfers of 2^BEATS beats and more, and that registers have their reset values.
"""

from types import SimpleNamespace

import pytest
from amaranth.hdl import Assume, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In

import rtl.dma.asks
import rtl.dma.dma
import rtl.dma.tile
import rtl.dma.watchdog
from npu.chip.status import Status
from rtl.shared.interfaces import KINDS
from tests.formal.faults import faulty
from tests.formal.prove import before, check, prove
from tests.formal.small import PARAMS as SMALL
from tests.formal.small import smaller
from tests.formal.subordinate import Subordinate, free_inputs

OUTSTANDING = 2
PARAMS = smaller(
    SMALL,
    {
        "program_bytes": 64,
        "dma_burst_beats": 2,
        "dma_outstanding": OUTSTANDING,
        "dma_queue": 2,
    },
)
WATCHDOG_BITS = 2
BEATS = 2
"""Transfers have less than 2^BEATS beats, and the DMA's counters are as narrow."""
# Handshakes of all transfers that may have begun: an address, a beat and a response for every beat
# at most.
MOST_STEPS = PARAMS.dma_queue * 3 * ((1 << BEATS) - 1)
PATIENCE = 4
"""More than the cycles in which the DMA neither waits for the bus nor offers it anything: of a tile
the last beat goes to the dealer. It has too few beats here to begin with its directories."""


class HoldSpec(wiring.Component):
    """Transfers of any kind, address and size; a subordinate that answers what was asked, or not.

    An active DMA offers the bus something or waits for an answer that is owed; held or in error, it
    takes a bounded number of both: where the bus answers, the DMA comes to rest.

    Parameters
    ----------
    least : beats of a transfer.
    """

    def __init__(self, unit, least: int = 1) -> None:
        self._unit, self._least = unit, least
        super().__init__(
            {
                "ask": In(1),
                "kind": In(3),
                "address": In(12),
                "beats": In(BEATS),
                "tag": In(3),
                "load_program": In(1),
                "hold": In(1),
                "any_damaged": In(1),
                "watchdog": In(WATCHDOG_BITS),
                **free_inputs(PARAMS),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.unit = unit = self._unit
        t, program = unit.transfers, unit.program
        m.d.comb += [
            t.valid.eq(self.ask),
            t.kind.eq(self.kind),
            t.address.eq(self.address),
            t.beats.eq(self.beats),
            t.tag.eq(self.tag),
            unit.hold.eq(self.hold),
            unit.watchdog.eq(self.watchdog),
            program.valid.eq(self.load_program),
            program.beats.eq(2),
            Assume(~self.ask | ((self.beats >= self._least) & (self.kind < len(KINDS)))),
            Assume(~self.ask | (self.address[:3] == 0)),
        ]
        # A program is loaded when nothing else is in the queue, as the control block sees to.
        moving = before(m, unit.busy)
        failed, hung = unit.error != Status.OK, unit.error == Status.BUS_TIMEOUT
        loading = before(m, program.valid & ~program.done & ~hung)
        m.d.comb += [
            Assume(~loading | self.load_program),
            Assume(loading | ~self.load_program | ~(unit.busy | moving | t.valid | failed)),
            Assume(~self.load_program | ~self.ask),
        ]
        owed = Subordinate(m, self, unit.axi, OUTSTANDING, bits=BEATS).owes

        was_active, was_held = before(m, unit.active), before(m, self.hold)
        check(m, "held_off_the_bus", ~unit.active | was_active | ~was_held)
        channels = [unit.axi.ar.valid, unit.axi.aw.valid, unit.axi.w.valid]
        offers = Signal()
        m.d.comb += offers.eq(sum(channels) != 0)
        check(m, "active_on_the_bus", unit.active | ~(offers | owed))
        taken = t.valid & t.ready
        given_up = before(m, program.valid & hung)
        check(m, "moving_from_a_transfer", ~unit.busy | moving | taken | given_up)
        check(m, "done_of_a_load", ~program.done | ((program.valid | hung) & unit.active))

        error, pc = before(m, unit.error), before(m, unit.error_pc)
        transfers = [moving, before(m, moving), before(m, program.valid)]
        check(m, "error_stays", (error == Status.OK) | (unit.error == error))
        check(m, "index_stays", (error == Status.OK) | (unit.error_pc == pc))
        check(m, "error_of_a_transfer", (unit.error == error) | (sum(transfers) != 0))
        check(m, "nothing_taken_in_error", ~failed | ~taken)
        check(m, "nothing_begun_in_error", (error == Status.OK) | ~unit.active | was_active)
        check(m, "nothing_moves_in_error", ~failed | ~unit.busy | unit.active)

        # The watchdog tells of silence alone, and says nothing while it is off.
        channels = [getattr(unit.axi, name) for name in ("ar", "r", "aw", "w", "b")]
        silent = unit.active & ~sum(c.valid & c.ready for c in channels).any()
        silent_before, watched = before(m, before(m, silent)), Signal()
        m.d.sync += watched.eq(watched | (self.watchdog != 0))
        check(m, "a_timeout_behind_silence", ~hung | (error == Status.BUS_TIMEOUT) | silent_before)
        check(m, "no_timeout_while_off", ~hung | watched)

        idle, steps = Signal(range(PATIENCE + 2)), Signal(range(MOST_STEPS + 4))
        m.d.sync += idle.eq(0)
        with m.If(unit.active & ~offers & ~owed & (idle <= PATIENCE)):
            m.d.sync += idle.eq(idle + 1)
        check(m, "never_stuck", idle < PATIENCE)
        with m.If(~unit.active | ~(self.hold | failed)):
            m.d.sync += steps.eq(0)
        with m.Elif(steps <= MOST_STEPS):
            m.d.sync += steps.eq(steps + sum(c.valid & c.ready for c in channels))
        check(m, "comes_to_an_end", steps <= MOST_STEPS)
        return m


def hold(monkeypatch, module, least: int = 1) -> HoldSpec:
    """A specification of the module's Dma, with narrow counters, and any verdict on checksums."""
    monkeypatch.setattr(module, "WATCHDOG_BITS", WATCHDOG_BITS)
    monkeypatch.setattr(rtl.dma.watchdog, "WATCHDOG_BITS", WATCHDOG_BITS)
    monkeypatch.setattr(module, "BEATS_BITS", BEATS)
    monkeypatch.setattr(rtl.dma.asks, "BEATS_BITS", BEATS)
    spec = HoldSpec(module.Dma(PARAMS), least)
    any_checksum = SimpleNamespace(differs=spec.any_damaged)
    monkeypatch.setattr(rtl.dma.tile, "Checksum", lambda *_: any_checksum)
    return spec


@pytest.mark.formal
def test_hold(monkeypatch):
    verdict = prove(hold(monkeypatch, rtl.dma.dma))
    assert verdict.proved, verdict


@pytest.mark.formal
@pytest.mark.parametrize(
    ("old", "new", "failed"),
    [
        ("~self.hold & (status == Status.OK)", "(status == Status.OK)", {"held_off_the_bus"}),
        ("~self.hold & (status == Status.OK)", "~self.hold", {"nothing_begun_in_error"}),
        ("queue.w_rdy & (status == Status.OK)", "queue.w_rdy", {"nothing_taken_in_error"}),
        ("((status == Status.OK) | self.active)", "1", {"nothing_moves_in_error"}),
        ("with m.If(status == Status.OK):", "with m.If(1):", {"error_stays", "index_stays"}),
        ("finish & is_kind", "is_kind", {"done_of_a_load"}),
        ("m.Elif(dog.expired)", "m.Elif(turn.received)", {"no_timeout_while_off"}),
        (
            "m.Elif(dog.expired)",
            "m.Elif(turn.received & (self.watchdog != 0))",
            {"a_timeout_behind_silence"},
        ),
    ],
)
def test_faulty_hold(monkeypatch, old, new, failed):
    verdict = prove(hold(monkeypatch, faulty("rtl.dma.dma", old, new)))
    assert verdict.refuted and verdict.failed in failed, verdict


@pytest.mark.formal
def test_faulty_writes(monkeypatch):
    """The DMA would wait for room, or for the last response, when all have come."""
    fault = faulty("rtl.dma.writes", "ended - b.valid", "ended")
    monkeypatch.setattr(rtl.dma.dma, "Writes", fault.Writes)
    verdict = prove(hold(monkeypatch, rtl.dma.dma))
    assert verdict.refuted and verdict.failed == "never_stuck", verdict


@pytest.mark.formal
def test_a_transfer_of_no_beats_would_be_stuck(monkeypatch):
    """Why sequencer and control block refuse them."""
    verdict = prove(hold(monkeypatch, rtl.dma.dma, least=0))
    assert verdict.refuted, verdict

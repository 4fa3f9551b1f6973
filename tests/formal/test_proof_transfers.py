"""A transfer that the sequencer offers is its command's, legal, and stays until it is taken.

For any program and any content of the registers (`sequencer_bench`), with the whole arithmetic of
addresses. The offer follows from the few cycles before it, however they were reached: induction
over so many proves it, where PDR would have to find out what a sum is.
"""

import pytest
from amaranth.hdl import Assume, Module, Mux, Signal
from amaranth.utils import exact_log2

import rtl.sequencer.sequencer
from npu.chip import timing
from npu.chip.status import Status
from rtl.shared.commands import fields, is_opcode
from rtl.shared.interfaces import KINDS
from tests.formal.faults import faulty
from tests.formal.prove import before, check, prove
from tests.formal.sequencer_bench import PARAMS, SequencerBench, sequencer

DEPTH = timing.FETCH + timing.DECODE + 4
"""Cycles from a start in which every check can fail."""
LOCAL_BYTES = {
    "LOAD_PARAM": PARAMS.param_bytes,
    "LOAD": PARAMS.sram_bytes,
    "STORE": PARAMS.sram_bytes,
}
"""Memories that a transfer addresses in bytes; a tile says itself where its parts go."""


class TransferSpec(SequencerBench):
    """What is on offer, from the command and the registers that were read for it."""

    def elaborate(self, platform) -> Module:
        m = Module()
        inside = self.wire(m)
        t, cmd = self.unit.transfers, inside["at_hand"]
        load, bus = fields(cmd, "LOAD"), exact_log2(PARAMS.bus_bytes)
        left, right = self.operands(m, inside)
        offered, register = t.valid, is_opcode(cmd, "LOAD_REG", "STORE_REG")
        address, beats = Signal(32), Signal(24)
        m.d.comb += [address.eq(left + load.ext), beats.eq(Mux(register, 1, load.beats))]
        word = Mux(is_opcode(cmd, "STORE_REG"), right, self.unit.pc)
        for index, name in enumerate(KINDS):
            same = is_opcode(cmd, name) == (t.kind == index)
            check(m, f"{name.lower()}_is_its_kind", ~offered | same)
        check(m, "address", ~offered | (t.address == address))
        check(m, "local", ~offered | (t.local == load.sram))
        check(m, "beats", ~offered | (t.beats == beats))
        check(m, "word", ~offered | (t.word == word))

        # A transfer starts if it is legal; why not, is told in the order of `npu.chip.status`.
        outside = Signal()
        with m.If(self.legality.en):
            m.d.sync += outside.eq(self.unit.pc >= self.commands)
        beyond = inside["following"] >= self.commands
        executes = self.unit.host.running & ~self.unit.fetching
        check(m, "lemma_beyond", ~executes | (inside["beyond"] == beyond))
        check(m, "lemma_outside", ~executes | (inside["outside"] == outside))
        running = before(m, self.unit.host.running)
        m.d.comb += Assume(~running | (self.commands == before(m, self.commands)))
        misaligned = Mux(register, address[:2] != 0, address[:bus] != 0)
        bad_local = 0
        for name, size in LOCAL_BYTES.items():
            fits = (load.sram[:bus] == 0) & (load.sram + (load.beats << bus) <= size)
            bad_local |= is_opcode(cmd, name) & ~fits
        legal = ~misaligned & (beats != 0) & ~bad_local
        check(m, "legal", ~offered | legal)
        starts = self.unit.start & is_opcode(cmd, *KINDS) & ~outside & ~before(m, self.illegal)
        check(m, "a_legal_one_starts", ~starts | (offered == legal))
        over = before(m, before(m, starts & ~legal))
        status = before(m, before(m, Mux(misaligned, Status.BUS, Status.ADDRESS)))
        host = self.unit.host
        told = (host.error == status) & (host.error_pc == before(m, self.unit.pc))
        check(m, "an_illegal_one_is_refused", ~over | (~host.running & told))

        check(m, "refusal_stays", self.refusal_stays(m, inside))
        waiting = before(m, offered & ~self.ready & (self.late == Status.OK))
        check(m, "stays", ~waiting | offered)
        for payload in (t.kind, t.address, t.local, t.beats, t.tag, t.word):
            name = payload.name.rpartition("__")[2]
            check(m, f"{name}_stays", ~waiting | (payload == before(m, payload)))
        return m


def prove_transfers(monkeypatch, module):
    spec = sequencer(monkeypatch, module, TransferSpec)
    return prove(spec, "induction", depth=DEPTH)


@pytest.mark.formal
def test_transfers(monkeypatch):
    verdict = prove_transfers(monkeypatch, rtl.sequencer.sequencer)
    assert verdict.proved, verdict


ADDRESS = {"address", "refusal_stays"}
STARTS = {"a_legal_one_starts", "legal", "refusal_stays"}
REGISTER_CHANGES = {"lemma_left", "address_stays", "refusal_stays"}


@pytest.mark.formal
@pytest.mark.parametrize(
    ("old", "new", "failed"),
    [
        ("with m.Elif(~one_word & (empty | local)):", "with m.Elif(local):", STARTS),
        (
            "self.transfers.local.eq(load.sram)",
            "self.transfers.local.eq(load.sram + self.host.index)",
            {"local", "local_stays"},
        ),
        ("(left + fields", "(left + command.first + fields", ADDRESS),
        ("address.eq(external)]", "address.eq(right)]", ADDRESS),
        ("external[:2].any()", "external[:1].any()", STARTS),
        ("external[:bus_bits].any()", "external[:2].any()", STARTS),
        ("in_bytes & (odd | (", "in_bytes & ((", STARTS),
        ("(end > size)", "(end > size + p.bus_bytes)", STARTS),
        ("Mux(one_word, 1, load.beats)", "load.beats", {"beats"}),
        ('Mux(is_["STORE_REG"], command.right, self.pc)', "self.pc", {"word"}),
        ("self.transfers.valid.eq(is_tr", "self.transfers.valid.eq(first & is_tr", {"stays"}),
        ("in enumerate(KINDS)", "in enumerate(KINDS[:-1])", {"store_reg_is_its_kind"}),
        ("status.eq(Status.ADDRESS)", "status.eq(Status.BUS)", {"an_illegal_one_is_refused"}),
        (
            "transfer_status = self._transfer_status(",
            "transfer_status = self.host.index[0] | self._transfer_status(",
            STARTS,
        ),
        (
            "m.d.sync += first.eq(0)",
            "m.d.sync += [first.eq(0), command.left.eq(self.host.value)]",
            REGISTER_CHANGES,
        ),
    ],
)
def test_faulty_transfers(monkeypatch, old, new, failed):
    verdict = prove_transfers(monkeypatch, faulty("rtl.sequencer.sequencer", old, new))
    assert verdict.refuted and verdict.failed in failed, verdict

"""The sequencer keeps its contracts for any program and any answers, and never waits for itself.

Registers, multiplier and legality check stand aside: what they would say is free in every cycle, as
are the words of program memory. So the proof holds for every program and every content of the
registers. What is computed (sums, whether a branch is taken) is not proven, but compared with the
twin by the tests.
"""

import pytest
from amaranth.hdl import Assume, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In

import rtl.sequencer
from npu import timing
from npu.isa import Status
from npu.params import load_params
from rtl.commands import COMMAND_BITS, CommandCheck, fields, is_opcode, unit_opcodes
from rtl.interfaces import PC_BITS, STATUS_BITS
from rtl.scalars import ScalarRegisters
from tests.formal.faults import faulty, stand_in
from tests.formal.prove import check, opened, prove

PARAMS = load_params("tiny").model_copy(update={"program_bytes": 1024})
UNITS = ("matvec", "vector")
TAGGED = ("LOAD_BANK", "LOAD_PARAM")
BRANCHES = ("BEQ", "BNE", "BLT", "BGE")
# Cycles from one retirement to the next while nobody else is waited for.
PATIENCE = timing.FETCH + timing.DECODE + max(timing.MULTIPLY, timing.REFUSED)


class SequencerSpec(wiring.Component):
    """Any program, host, units and DMA that keep their side of `rtl.interfaces`."""

    def __init__(self, unit, parts: dict) -> None:
        self._unit, self._parts = unit, parts
        super().__init__(
            {
                "host_start": In(1),
                "host_pc": In(PC_BITS),
                "host_write": In(1),
                "host_index": In(4),
                "host_value": In(32),
                "commands": In(PC_BITS),
                "word": In(COMMAND_BITS),
                "illegal": In(1),
                "rs1": In(32),
                "rs2": In(32),
                "matvec_done": In(1),
                "matvec_error": In(STATUS_BITS),
                "vector_done": In(1),
                "vector_error": In(STATUS_BITS),
                "ready": In(1),
                "open_tags": In(8),
                "done": In(1),
                "late": In(STATUS_BITS),
                "late_pc": In(PC_BITS),
            }
        )

    def before(self, m: Module, value, init: int = 0) -> Signal:
        """A value in the cycle before."""
        value = Value.cast(value)
        signal = Signal(value.shape(), name="before", init=init)
        m.d.sync += signal.eq(value)
        return signal

    def elaborate(self, platform) -> Module:
        m = Module()
        unit = self._unit
        m.submodules.unit, _ = opened(unit)
        (registers,), (legality,) = (self._parts[k] for k in ("ScalarRegisters", "CommandCheck"))
        host, t = unit.host, unit.transfers
        m.d.comb += [
            host.start.eq(self.host_start),
            host.pc.eq(self.host_pc),
            host.write.eq(self.host_write),
            host.index.eq(self.host_index),
            host.value.eq(self.host_value),
            unit.commands.eq(self.commands),
            unit.program.data.eq(self.word),
            legality.illegal.eq(self.illegal),
            registers.value[0].eq(self.rs1),
            registers.value[1].eq(self.rs2),
            unit.matvec.done.eq(self.matvec_done),
            unit.matvec.error.eq(self.matvec_error),
            unit.vector.done.eq(self.vector_done),
            unit.vector.error.eq(self.vector_error),
            t.ready.eq(self.ready),
            t.open_tags.eq(self.open_tags),
            t.done.eq(self.done),
            t.error.eq(self.late),
            t.error_pc.eq(self.late_pc),
        ]
        running, was_running = host.running, self.before(m, host.running)
        error, was_error = host.error, self.before(m, host.error)
        pc, was_pc = unit.pc, self.before(m, unit.pc)
        cmd, was_cmd = unit.matvec.cmd, self.before(m, unit.matvec.cmd)
        retired = self.before(m, unit.retire)

        # --- host -------------------------------------------------------------------------------
        started = self.before(m, self.host_start)
        m.d.comb += [
            Assume(~self.host_start | (~running & ~was_running)),
            Assume(~self.host_write | (~running & ~was_running & ~started)),
            Assume(~running | (self.commands == self.before(m, self.commands))),
        ]
        begins = self.before(m, self.host_start & (error == Status.OK))
        check(m, "runs_from_a_start", (running & ~was_running) == begins)
        check(m, "starts_at", ~begins | (pc == self.before(m, self.host_pc)))
        halts = self.before(m, unit.retire & is_opcode(cmd, "HALT"))
        stops = was_running & ~running
        check(m, "stops", stops == (was_running & (halts | (error != Status.OK))))
        check(m, "error_stays", (was_error == Status.OK) | (error == was_error))
        check(m, "error_stops", (error == Status.OK) | ~running)
        check(m, "error_when_it_stops", (error == was_error) | (stops & ~retired))
        index, was_index = host.error_pc, self.before(m, host.error_pc)
        check(m, "index_stays", (index == was_index) | (was_error != error))
        check(
            m,
            "write_arrives",
            ~self.host_write
            | (
                registers.write
                & (registers.write_index == self.host_index)
                & (registers.write_value == self.host_value)
            ),
        )

        # --- one command after the other --------------------------------------------------------
        executing = Signal()  # from S on, to E
        now = executing | unit.start
        m.d.sync += executing.eq(now & ~unit.retire)
        with m.If(~running):
            m.d.sync += executing.eq(0)
        fetched = unit.program.en & running
        for _ in range(timing.FETCH + timing.DECODE):
            fetched = self.before(m, fetched) & running
        check(m, "starts_in_time", unit.start == fetched)
        check(m, "one_at_a_time", ~executing | ~(unit.start | unit.program.en | unit.fetching))
        check(m, "retires_once", ~unit.retire | now)
        check(m, "nothing_while_stopped", running | ~(unit.start | unit.retire))
        branch = is_opcode(cmd, *BRANCHES) & (pc == self.before(m, fields(cmd, "BEQ").target))
        follows = (pc == (was_pc + 1)[:PC_BITS]) | branch
        check(m, "next", ~retired | follows)
        check(m, "pc_stays", retired | begins | (pc == was_pc))
        check(m, "command_stays", ~executing | (cmd == was_cmd))
        check(m, "fetches", ~unit.program.en | (unit.program.addr == pc[: len(unit.program.addr)]))

        # --- units ------------------------------------------------------------------------------
        outside = Signal()
        with m.If(unit.program.en):
            m.d.sync += outside.eq(pc >= self.commands)
        refused = unit.start & (outside | self.before(m, self.illegal))
        busy = {name: Signal(name=f"busy_{name}") for name in UNITS}
        waits = Signal()
        any_busy = busy["matvec"] | busy["vector"]
        begin = unit.matvec.start | unit.vector.start
        check(m, "a_unit_starts_with_its_command", ~begin | unit.start)
        check(m, "one_unit", ~(unit.matvec.start & unit.vector.start) & ~(begin & any_busy))
        check(m, "unit_or_transfer", ~((begin | any_busy) & t.valid))
        for name, signal in busy.items():
            port = getattr(unit, name)
            done = getattr(self, f"{name}_done")
            m.d.comb += Assume(~done | signal)
            m.d.sync += signal.eq((signal | port.start) & ~done)
            mine = is_opcode(cmd, *unit_opcodes(name))
            check(m, f"{name}_starts", ~unit.start | refused | (port.start == mine))
            bad = self.before(m, done & (port.error != Status.OK))
            same = (error == self.before(m, port.error)) & (index == was_pc)
            check(m, f"{name}_fails", ~bad | (~running & same))
            good = self.before(m, done & (port.error == Status.OK))
            check(m, f"{name}_ends", ~good | (running & retired))

        # --- transfers --------------------------------------------------------------------------
        pending = Signal()  # one that is waited for
        taken = t.valid & self.ready
        tagged = is_opcode(cmd, *TAGGED)
        was_late = self.before(m, self.late)
        m.d.comb += [
            Assume((was_late == Status.OK) | (self.late == was_late)),
            Assume((self.late == Status.OK) | ~self.ready),
            Assume(~self.done | pending),
        ]
        m.d.sync += pending.eq((pending | (taken & ~tagged)) & ~self.done & running)
        payload = [t.kind, t.address, t.local, t.beats, t.tag, t.word]
        waiting = self.before(m, t.valid & ~self.ready & (self.late == Status.OK))
        check(m, "transfer_waits", ~waiting | t.valid)
        for signal in payload:
            check(m, f"{signal.name}_stable", ~waiting | (signal == self.before(m, signal)))
        check(m, "transfer_of_a_command", ~t.valid | now)
        check(m, "transfer_once", ~pending | ~t.valid)
        check(m, "no_transfer_without_beats", ~t.valid | (t.beats != 0))
        in_words = t.address[:3] == 0
        one_word = is_opcode(cmd, "LOAD_REG", "STORE_REG")
        check(m, "transfer_aligned", ~t.valid | Mux(one_word, t.address[:2] == 0, in_words))
        done = self.before(m, self.done & (self.late == Status.OK) & running)
        check(m, "transfer_ends", ~done | (running & retired))
        for_dma = (t.valid | pending | (is_opcode(cmd, "WAIT") & executing)) & running
        stopped = self.before(m, for_dma & ~refused & (self.late != Status.OK))
        check(m, "no_wait_for_a_failed_dma", ~stopped | ~running)

        # --- refusals ---------------------------------------------------------------------------
        check(m, "refused_starts_nothing", ~refused | ~(begin | t.valid | unit.retire))
        over = self.before(m, self.before(m, refused))
        why = (error == Status.ILLEGAL_COMMAND) & (index == self.before(m, was_pc))
        check(m, "refused", ~over | (~running & why))

        # --- progress ---------------------------------------------------------------------------
        m.d.comb += waits.eq(
            any_busy
            | begin
            | (t.valid & ~self.ready)
            | pending
            | (now & is_opcode(cmd, "WAIT") & (fields(cmd, "WAIT").tags & self.open_tags).any())
        )
        idle = Signal(range(PATIENCE + 2))
        m.d.sync += idle.eq(0)
        with m.If(running & ~waits & ~unit.retire & (idle <= PATIENCE)):
            m.d.sync += idle.eq(idle + 1)
        check(m, "never_stuck", idle <= PATIENCE)

        activities = [
            unit.fetching,
            unit.matvec_busy,
            unit.vector_busy,
            unit.waiting,
            unit.transfer_busy,
        ]
        check(m, "one_activity", sum(activities) <= 1)
        check(m, "no_activity_while_stopped", running | (sum(activities) == 0))
        check(m, "register_written_at_the_end", ~unit.register.en | unit.retire)
        return m


def sequencer(monkeypatch, module) -> SequencerSpec:
    """A specification of the module's Sequencer, its parts aside."""
    parts: dict[str, list] = {"ScalarRegisters": [], "CommandCheck": []}
    for name, kind in (("ScalarRegisters", ScalarRegisters), ("CommandCheck", CommandCheck)):
        monkeypatch.setattr(module, name, stand_in(kind, parts[name]))
    return SequencerSpec(module.Sequencer(PARAMS), parts)


def test_sequencer(monkeypatch):
    verdict = prove(sequencer(monkeypatch, rtl.sequencer))
    assert verdict.proved, verdict


@pytest.mark.formal
@pytest.mark.parametrize(
    ("old", "new", "failed"),
    [
        (
            "self.transfers.valid.eq(is_transfer & ~refused)",
            "self.transfers.valid.eq(is_transfer)",
            {"x"},
        ),
    ],
)
def test_faulty_sequencer(monkeypatch, old, new, failed):
    verdict = prove(sequencer(monkeypatch, faulty("rtl.sequencer", old, new)))
    assert verdict.refuted and verdict.failed in failed, verdict

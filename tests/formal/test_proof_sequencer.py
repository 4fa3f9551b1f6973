"""The sequencer keeps its contracts for any program and any answers, and never waits for itself.

Registers, multiplier and legality check stand aside: what they would say is free in every cycle, as
are the words of program memory. So the proof holds for every program and every content of the
registers.

Not proven, but shown by the tests: what is computed (sums, whether a branch is taken), and that a
transfer's external address is aligned and stays until it is taken. For the latter PDR has found no
invariant in 600 seconds: a sum of 32 bits is in its way.
"""

import pytest
from amaranth.hdl import Assume, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In

import rtl.sequencer
from npu import timing
from npu.isa import OPCODES, Status
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
LATE = "with m.If(late):\n" + 24 * " " + "stop(self.transfers.error, culprit)\n"
# Cycles from one retirement to the next while nobody else is waited for.
PATIENCE = timing.FETCH + timing.DECODE + max(timing.MULTIPLY, timing.REFUSED)


class SequencerSpec(wiring.Component):
    """Any program, host, units and DMA that keep their side of `rtl.interfaces`.

    Parameters
    ----------
    payload : check what a transfer asks for, else everything else.
    """

    def __init__(self, unit, parts: dict, payload: bool) -> None:
        self._unit, self._parts, self._payload = unit, parts, payload
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

        def flow(m: Module, name: str, holds) -> None:
            if not self._payload:
                check(m, name, holds)

        unit = self._unit
        m.submodules.unit, inside = opened(unit)
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
        flow(m, "runs_from_a_start", (running & ~was_running) == begins)
        flow(m, "starts_at", ~begins | (pc == self.before(m, self.host_pc)))
        halts = self.before(m, unit.retire & is_opcode(cmd, "HALT"))
        stops = was_running & ~running
        flow(m, "stops", stops == (was_running & (halts | (error != Status.OK))))
        flow(m, "error_stays", (was_error == Status.OK) | (error == was_error))
        flow(m, "error_stops", (error == Status.OK) | ~running)
        flow(m, "error_when_it_stops", (error == was_error) | (stops & ~retired))
        index, was_index = host.error_pc, self.before(m, host.error_pc)
        flow(m, "index_stays", (index == was_index) | (was_error != error))
        flow(
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
            checked, fetched = fetched, self.before(m, fetched) & running
        for name in OPCODES:
            known = inside[f"is_{name.lower()}"] == is_opcode(cmd, name)
            check(m, f"lemma_{name.lower()}", ~(checked | now) | known)
        for name, names in {
            "is_vector": unit_opcodes("vector"),
            "is_transfer": unit_opcodes("dma"),
            "tagged": TAGGED,
        }.items():
            known = inside[name] == is_opcode(cmd, *names)
            check(m, f"lemma_{name}", ~(checked | now) | known)
        check(m, "starts_in_time", unit.start == fetched)
        flow(m, "one_at_a_time", ~executing | ~(unit.start | unit.program.en | unit.fetching))
        flow(m, "retires_once", ~unit.retire | now)
        flow(m, "nothing_while_stopped", running | ~(unit.start | unit.retire))
        branch = is_opcode(cmd, *BRANCHES) & (pc == self.before(m, fields(cmd, "BEQ").target))
        follows = (pc == (was_pc + 1)[:PC_BITS]) | branch
        flow(m, "next", ~retired | follows)
        flow(m, "pc_stays", ~running | retired | begins | (pc == was_pc))
        check(m, "command_stays", ~executing | (cmd == was_cmd))
        flow(m, "fetches", ~unit.program.en | (unit.program.addr == pc[: len(unit.program.addr)]))

        verdict = self.before(m, self.illegal)
        m.d.comb += Assume((self.illegal == verdict) | self.before(m, legality.en))

        # --- units ------------------------------------------------------------------------------
        outside = Signal()
        with m.If(unit.program.en):
            m.d.sync += outside.eq(pc >= self.commands)
        refused = unit.start & (outside | self.before(m, self.illegal))
        busy = {name: Signal(name=f"busy_{name}") for name in UNITS}
        waits = Signal()
        any_busy = busy["matvec"] | busy["vector"]
        begin = unit.matvec.start | unit.vector.start
        flow(m, "a_unit_starts_with_its_command", ~begin | unit.start)
        flow(m, "one_unit", ~(unit.matvec.start & unit.vector.start) & ~(begin & any_busy))
        flow(m, "unit_or_transfer", ~((begin | any_busy) & t.valid))
        for name, signal in busy.items():
            port = getattr(unit, name)
            done = getattr(self, f"{name}_done")
            m.d.comb += Assume(~done | signal)
            m.d.sync += signal.eq((signal | port.start) & ~done)
            mine = is_opcode(cmd, *unit_opcodes(name))
            flow(m, f"{name}_starts", ~unit.start | refused | (port.start == mine))
            bad = self.before(m, done & (port.error != Status.OK))
            same = (error == self.before(m, port.error)) & (index == was_pc)
            flow(m, f"{name}_fails", ~bad | (~running & same))
            good = self.before(m, done & (port.error == Status.OK))
            flow(m, f"{name}_ends", ~good | (running & retired))

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
        waiting = self.before(m, t.valid & ~self.ready & (self.late == Status.OK))
        check(m, "transfer_waits", ~waiting | t.valid)
        if self._payload:
            self._asked(m, t, waiting, cmd)
        check(m, "transfer_of_a_command", ~t.valid | (now & running))
        flow(m, "transfer_once", ~pending | ~t.valid)
        done = self.before(m, self.done & (self.late == Status.OK) & running)
        flow(m, "transfer_ends", ~done | (running & retired))
        for_dma = (t.valid | pending | (is_opcode(cmd, "WAIT") & executing)) & running
        stopped = self.before(m, for_dma & ~refused & (self.late != Status.OK))
        flow(m, "no_wait_for_a_failed_dma", ~stopped | ~running)

        # --- refusals ---------------------------------------------------------------------------
        flow(m, "refused_starts_nothing", ~refused | ~(begin | t.valid | unit.retire))
        over = self.before(m, self.before(m, refused))
        why = (error == Status.ILLEGAL_COMMAND) & (index == self.before(m, was_pc))
        flow(m, "refused", ~over | (~running & why))

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
        flow(m, "never_stuck", idle <= PATIENCE)

        activities = [
            unit.fetching,
            unit.matvec_busy,
            unit.vector_busy,
            unit.waiting,
            unit.transfer_busy,
        ]
        flow(m, "one_activity", sum(activities) <= 1)
        flow(m, "no_activity_while_stopped", running | (sum(activities) == 0))
        flow(m, "register_written_at_the_end", ~unit.register.en | unit.retire)
        return m

    def _asked(self, m: Module, t, waiting, cmd) -> None:
        """What a transfer asks for has a size, and stays until it is taken."""
        for signal in (t.kind, t.local, t.beats, t.tag):
            check(m, f"{signal.name}_stays", ~waiting | (signal == self.before(m, signal)))
        check(m, "with_beats", ~t.valid | (t.beats != 0))


def sequencer(monkeypatch, module, payload: bool = False) -> SequencerSpec:
    """A specification of the module's Sequencer, its parts aside."""
    parts: dict[str, list] = {"ScalarRegisters": [], "CommandCheck": []}
    for name, kind in (("ScalarRegisters", ScalarRegisters), ("CommandCheck", CommandCheck)):
        monkeypatch.setattr(module, name, stand_in(kind, parts[name]))
    return SequencerSpec(module.Sequencer(PARAMS), parts, payload)


# Minutes, and how many changes with every netlist: not in `make test`.
@pytest.mark.formal
@pytest.mark.parametrize("payload", [False, True])
def test_sequencer(monkeypatch, payload):
    verdict = prove(sequencer(monkeypatch, rtl.sequencer, payload), seconds=1800)
    assert verdict.proved, verdict


@pytest.mark.formal
@pytest.mark.parametrize(
    ("old", "new", "failed"),
    [
        (
            "self.transfers.valid.eq(is_transfer & ~refused)",
            "self.transfers.valid.eq(is_transfer)",
            {"refused_starts_nothing"},
        ),
        (
            "port.start.eq(first & mine & ~refused)",
            "port.start.eq(mine & ~refused)",
            {"a_unit_starts_with_its_command", "one_unit"},
        ),
        (
            "self.host.start & (self.host.error == Status.OK)",
            "self.host.start",
            {"runs_from_a_start", "error_stops", "stops"},
        ),
        (
            "outside.eq(self.pc >= self.commands)",
            "outside.eq(self.pc > self.commands)",
            {"refused", "refused_starts_nothing"},
        ),
        ("m.d.comb += self.retire.eq(0)\n", "pass\n", {"error_when_it_stops"}),
        (
            "stop(port.error, self.pc)",
            "stop(port.error, culprit)",
            {"matvec_fails", "vector_fails"},
        ),
        (
            LATE + 20 * " " + "with m.Elif(~open_tags):",
            "with m.If(~open_tags):",
            {"no_wait_for_a_failed_dma"},
        ),
        ('& fields(cmd, "WAIT").tags).any()', ").any()", {"never_stuck"}),
        ("with m.Elif(self.transfers.done):", "with m.Elif(0):", {"transfer_ends", "never_stuck"}),
        (
            "with m.If(tagged):\n                            finish()",
            "with m.If(0):\n                            finish()",
            {"never_stuck"},
        ),
        ("m.d.sync += first.eq(1)", "m.d.sync += first.eq(~tagged)", {"starts_in_time"}),
        ("stop(status, self.pc)", "stop(status, self.pc + 1)", {"refused"}),
        (
            "registers.write.eq(self.host.write & ~self.host.running)",
            "registers.write.eq(self.host.write & self.host.running)",
            {"write_arrives"},
        ),
    ],
)
def test_faulty_sequencer(monkeypatch, old, new, failed):
    verdict = prove(sequencer(monkeypatch, faulty("rtl.sequencer", old, new)))
    assert verdict.refuted and verdict.failed in failed, verdict


@pytest.mark.formal
@pytest.mark.parametrize(
    ("old", "new", "failed"),
    [
        ("with m.Elif(~one_word & (empty | local)):", "with m.Elif(local):", {"with_beats"}),
        (
            "self.transfers.local.eq(load.sram)",
            "self.transfers.local.eq(load.sram + self.host.index)",
            {"transfers__local_stays"},
        ),
    ],
)
def test_faulty_transfers(monkeypatch, old, new, failed):
    module = faulty("rtl.sequencer", old, new)
    verdict = prove(sequencer(monkeypatch, module, payload=True))
    assert verdict.refuted and verdict.failed in failed, verdict

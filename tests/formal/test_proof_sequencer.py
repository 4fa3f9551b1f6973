"""The sequencer keeps its contracts for any program and any answers, and never waits for itself.

For any program and any content of the registers (`sequencer_bench`). Cut are sums and comparisons
of WIDE bits and more: their results are free in every cycle, because the flow must hold whatever is
computed. All that is assumed of them is `refusal_stays`. That, and what a transfer asks for, is
proven with the sums in test_proof_transfers, what scalar commands compute in test_proof_scalars.
"""

import pytest
from amaranth.hdl import Assume, Module, Mux, Signal

import rtl.sequencer.sequencer
from npu.chip import timing
from npu.chip.isa import OPCODES
from npu.chip.status import Status
from rtl.shared.commands import fields, is_opcode, unit_opcodes
from rtl.shared.interfaces import PC_BITS
from tests.formal.faults import faulty
from tests.formal.prove import before, check, prove
from tests.formal.sequencer_bench import SequencerBench, sequencer

WIDE = 24
UNITS = ("matvec", "vector")
TAGGED = ("LOAD_BANK", "LOAD_PARAM")
BRANCHES = ("BEQ", "BNE", "BLT", "BGE")
LATE = "with m.If(late):\n" + 16 * " " + "self._stop(m, self.transfers.error, culprit)\n"
# Cycles from one retirement to the next while nobody else is waited for.
PATIENCE = timing.FETCH + timing.DECODE + max(*timing.SCALARS.values(), timing.REFUSED)


class FlowSpec(SequencerBench):
    """Commands one after the other: what starts them, what ends them, what they start."""

    def elaborate(self, platform) -> Module:
        m = Module()
        inside = self.wire(m)
        unit, host, t = self.unit, self.unit.host, self.unit.transfers
        registers = self.registers
        running, was_running = host.running, before(m, host.running)
        error, was_error = host.error, before(m, host.error)
        pc, was_pc = unit.pc, before(m, unit.pc)
        cmd, was_cmd = inside["at_hand"], before(m, inside["at_hand"])
        retired = before(m, unit.retire)

        # --- host -------------------------------------------------------------------------------
        started = before(m, self.host_start)
        m.d.comb += [
            Assume(~self.host_start | (~running & ~was_running)),
            Assume(~self.host_write | (~running & ~was_running & ~started)),
            Assume(~running | (self.commands == before(m, self.commands))),
        ]
        begins = before(m, self.host_start & (error == Status.OK))
        check(m, "runs_from_a_start", (running & ~was_running) == begins)
        check(m, "starts_at", ~begins | (pc == before(m, self.host_pc)))
        halts = before(m, unit.retire & is_opcode(cmd, "HALT"))
        stops = was_running & ~running
        check(m, "stops", stops == (was_running & (halts | (error != Status.OK))))
        check(m, "error_stays", (was_error == Status.OK) | (error == was_error))
        check(m, "error_stops", (error == Status.OK) | ~running)
        check(m, "error_when_it_stops", (error == was_error) | (stops & ~retired))
        index, was_index = host.error_pc, before(m, host.error_pc)
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
        goes_on = Signal()
        executing = goes_on & running  # behind S, to E
        now = executing | unit.start
        m.d.sync += goes_on.eq(now & ~unit.retire)
        reads = self.legality.en & running
        decoded = reads
        for _ in range(timing.DECODE):
            checked, decoded = decoded, before(m, decoded) & running
        fetch = unit.program.en & running & ~checked
        fetched = fetch
        for _ in range(timing.FETCH):
            fetched = before(m, fetched) & running
        jumps = before(m, unit.retire & inside["taken"])
        check(m, "fetches_in_time", fetch == (begins | (running & jumps)))
        check(m, "reads_in_time", reads == (fetched | (running & retired & ~jumps)))
        for name in OPCODES:
            known = inside[f"is_{name.lower()}"] == is_opcode(cmd, name)
            check(m, f"lemma_{name.lower()}", ~(checked | now) | known)
        for name, names in {
            "is_of_matvec": unit_opcodes("matvec"),
            "is_vector": unit_opcodes("vector"),
            "is_transfer": unit_opcodes("dma"),
            "tagged": TAGGED,
        }.items():
            known = inside[name] == is_opcode(cmd, *names)
            check(m, f"lemma_{name}", ~(checked | now) | known)
        m.d.comb += Assume(self.refusal_stays(m, inside))
        check(m, "starts_in_time", unit.start == decoded)
        check(m, "one_at_a_time", ~executing | ~(unit.start | unit.program.en | unit.fetching))
        check(m, "retires_once", ~unit.retire | now)
        check(m, "nothing_while_stopped", running | ~(unit.start | unit.retire))
        branch = is_opcode(was_cmd, *BRANCHES) & (pc == fields(was_cmd, "BEQ").target)
        follows = (pc == (was_pc + 1)[:PC_BITS]) | branch
        check(m, "next", ~retired | follows)
        check(m, "pc_stays", ~running | retired | begins | (pc == was_pc))
        check(m, "command_stays", ~executing | (cmd == was_cmd))
        wanted = Mux(checked, pc + 1, pc)[: len(unit.program.addr)]
        check(m, "fetches", ~unit.program.en | (unit.program.addr == wanted))
        placed = unit.matvec.cmd
        check(m, "placed_command_stays", ~executing | (placed == before(m, placed)))

        # --- units ------------------------------------------------------------------------------
        outside = Signal()
        with m.If(reads):
            m.d.sync += outside.eq(pc >= self.commands)
        executes = running & ~unit.fetching
        for name, place in (("outside", pc), ("beyond", pc + 1)):
            known = inside[name] == (place[:PC_BITS] >= self.commands)
            check(m, f"lemma_{name}", ~executes | known)
        refused = unit.start & (outside | before(m, self.illegal))
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
            bad = before(m, done & (port.error != Status.OK))
            same = (error == before(m, port.error)) & (index == was_pc)
            check(m, f"{name}_fails", ~bad | (~running & same))
            good = before(m, done & (port.error == Status.OK))
            check(m, f"{name}_ends", ~good | (running & retired))

        # --- transfers --------------------------------------------------------------------------
        pending = Signal()  # one that is waited for
        taken = t.valid & self.ready
        tagged = is_opcode(cmd, *TAGGED)
        m.d.comb += Assume(~self.done | pending)
        m.d.sync += pending.eq((pending | (taken & ~tagged)) & ~self.done & running)
        check(m, "transfer_of_a_command", ~t.valid | (now & running))
        check(m, "transfer_once", ~pending | ~t.valid)
        done = before(m, self.done & (self.late == Status.OK) & running)
        check(m, "transfer_ends", ~done | (running & retired))
        for_dma = (t.valid | pending | (is_opcode(cmd, "WAIT") & executing)) & running
        stopped = before(m, for_dma & ~refused & (self.late != Status.OK))
        check(m, "no_wait_for_a_failed_dma", ~stopped | ~running)

        # --- refusals ---------------------------------------------------------------------------
        check(m, "refused_starts_nothing", ~refused | ~(begin | t.valid | unit.retire))
        over = before(m, before(m, refused))
        why = (error == Status.ILLEGAL_COMMAND) & (index == before(m, was_pc))
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


def prove_flow(monkeypatch, module, seconds=600):
    return prove(sequencer(monkeypatch, module, FlowSpec), free_sums=WIDE, seconds=seconds)


# With commands fetched ahead, ten minutes are not enough.
@pytest.mark.formal
def test_sequencer(monkeypatch):
    verdict = prove_flow(monkeypatch, rtl.sequencer.sequencer, seconds=7200)
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
            {"runs_from_a_start", "error_stops", "stops", "pc_stays"},
        ),
        (
            "beyond.eq(wanted >= self.commands)",
            "beyond.eq(wanted > self.commands)",
            {"refused", "refused_starts_nothing", "lemma_outside", "lemma_beyond"},
        ),
        ("m.d.comb += self.retire.eq(0)\n", "pass\n", {"error_when_it_stops"}),
        (
            "self._stop(m, port.error, self.pc)",
            "self._stop(m, port.error, culprit)",
            {"matvec_fails", "vector_fails"},
        ),
        (
            LATE + 12 * " " + "with m.Elif(~open_tags):",
            "with m.If(~open_tags):",
            {"no_wait_for_a_failed_dma"},
        ),
        ('& fields(command.cmd, "WAIT").tags).any()', ").any()", {"never_stuck"}),
        ("with m.Elif(self.transfers.done):", "with m.Elif(0):", {"transfer_ends", "never_stuck"}),
        (
            "with m.If(tagged):\n                    self._finish",
            "with m.If(0):\n                    self._finish",
            {"never_stuck"},
        ),
        (
            "command.first.eq(1)",
            "command.first.eq(~command.tagged)",
            {"starts_in_time", "retires_once"},
        ),
        ("command.status, self.pc)", "command.status, self.pc + 1)", {"refused"}),
        (
            "registers.write.eq(self.host.write & ~self.host.running)",
            "registers.write.eq(self.host.write & self.host.running)",
            {"write_arrives"},
        ),
    ],
)
def test_faulty_sequencer(monkeypatch, old, new, failed):
    verdict = prove_flow(monkeypatch, faulty("rtl.sequencer.sequencer", old, new))
    assert verdict.refuted and verdict.failed in failed, verdict

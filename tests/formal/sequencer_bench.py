"""The sequencer between partners of which everything is free that `rtl.shared.interfaces` allows.

Registers and legality check stand aside: what they would say is free in every cycle, as are the
words of program memory. So a proof holds for every program and every content of the registers.
"""

from amaranth.hdl import Assume, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from npu.chip.params import load_params
from npu.chip.status import Status
from rtl.sequencer.scalars import ScalarRegisters
from rtl.shared.commands import COMMAND_BITS, CommandCheck, is_opcode
from rtl.shared.interfaces import PC_BITS, STATUS_BITS
from tests.formal.faults import stand_in
from tests.formal.prove import before, check, opened

PARAMS = load_params("tiny").model_copy(update={"program_bytes": 1024})
PARTS = {"ScalarRegisters": ScalarRegisters, "CommandCheck": CommandCheck}


class SequencerBench(wiring.Component):
    """The base of a specification: what the partners say, and what they never do.

    `wire` connects all and answers with the signals inside the unit, by name; from then on
    `registers` and `legality` are the parts that stand aside.
    """

    def __init__(self, unit, parts: dict[str, list]) -> None:
        self.unit, self._parts = unit, parts
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
                "scale": In(32),
                "sram_word": In(8 * PARAMS.bus_bytes),
                "matvec_done": In(1),
                "matvec_error": In(STATUS_BITS),
                "vector_done": In(1),
                "vector_error": In(STATUS_BITS),
                "vector_result": In(32),
                "ready": In(1),
                "open_tags": In(8),
                "done": In(1),
                "late": In(STATUS_BITS),
                "late_pc": In(PC_BITS),
                "result": In(32),
            }
        )

    def wire(self, m: Module) -> dict[str, Signal]:
        unit = self.unit
        m.submodules.unit, inside = opened(unit)
        (self.registers,), (self.legality,) = (self._parts[name] for name in PARTS)
        host, t = unit.host, unit.transfers
        m.d.comb += [
            host.start.eq(self.host_start),
            host.pc.eq(self.host_pc),
            host.write.eq(self.host_write),
            host.index.eq(self.host_index),
            host.value.eq(self.host_value),
            unit.commands.eq(self.commands),
            unit.program.data.eq(self.word),
            self.legality.illegal.eq(self.illegal),
            unit.sram.data.eq(self.sram_word),
            self.registers.value[0].eq(self.rs1),
            self.registers.value[1].eq(self.rs2),
            self.registers.value[3].eq(self.scale),
            unit.matvec.done.eq(self.matvec_done),
            unit.matvec.error.eq(self.matvec_error),
            unit.vector.done.eq(self.vector_done),
            unit.vector.error.eq(self.vector_error),
            unit.vector_result.eq(self.vector_result),
            unit.vector_found.eq(unit.vector.done & (unit.vector.error == Status.OK)),
            t.result.eq(self.result),
            t.ready.eq(self.ready),
            t.open_tags.eq(self.open_tags),
            t.done.eq(self.done),
            t.error.eq(self.late),
            t.error_pc.eq(self.late_pc),
        ]
        # A verdict stays until the next command is judged; an error stays, and nothing is taken.
        verdict, was_late = before(m, self.illegal), before(m, self.late)
        m.d.comb += [
            Assume((self.illegal == verdict) | before(m, self.legality.en)),
            Assume((was_late == Status.OK) | (self.late == was_late)),
            Assume((self.late == Status.OK) | ~self.ready),
        ]
        return inside

    def operands(self, m: Module, inside: dict[str, Signal]) -> tuple[Signal, Signal]:
        """The registers rs1 and rs2 of the command, as they were when it was judged."""
        left, right = Signal(32), Signal(32)
        with m.If(self.legality.en):
            m.d.sync += [left.eq(self.rs1), right.eq(self.rs2)]
        for name, kept in (("left", left), ("right", right)):
            check(m, f"lemma_{name}", inside[name].as_unsigned() == kept)
        return left, right

    def refusal_stays(self, m: Module, inside: dict[str, Signal]) -> Value:
        """While a command executes, the unit does not change its mind whether it refuses it.

        Proven in test_proof_transfers, taken for granted where the sums behind it are cut.
        """
        executes = self.unit.host.running & ~self.unit.fetching
        # Where a number lies is known in the command's first cycle only.
        executes &= ~is_opcode(inside["at_hand"], "LOADS", "STORES")
        return ~executes | (inside["refusal"] == before(m, inside["refusal"]))


def sequencer(monkeypatch, module, spec: type[SequencerBench]) -> SequencerBench:
    """A specification of the module's Sequencer, its parts aside."""
    parts: dict[str, list] = {name: [] for name in PARTS}
    for name, kind in PARTS.items():
        monkeypatch.setattr(module, name, stand_in(kind, parts[name]))
    return spec(module.Sequencer(PARAMS), parts)

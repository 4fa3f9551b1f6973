"""Control flow inside of a segment: the commands of its loops and gates."""

from compiler.lowering.ir import (
    GateElse,
    GateEnd,
    GateOperator,
    GateStart,
    LoopEnd,
    LoopStart,
)
from compiler.lowering.registers import SCRATCH
from compiler.passes.assembler import Assembler
from npu.chip.isa import ElementType
from npu.model.layer import Layer

BranchOperator = LoopStart | LoopEnd | GateOperator
"""Where one stretch of straight operators ends, and another one begins."""


class Branches:
    """Emits what begins and ends loops and gates, with labels of their own."""

    def __init__(self, assembler: Assembler) -> None:
        self._asm = assembler
        self._loops = 0
        self._gates: dict[GateStart, int] = {}

    def emit(self, op: BranchOperator, layer: Layer) -> bool:
        """The commands of one; whether something else may lead to what follows, too."""
        if isinstance(op, LoopStart | LoopEnd):
            return self._loop(op, layer)
        return self._gate(op, layer)

    def _loop(self, op: LoopStart | LoopEnd, layer: Layer) -> bool:
        """Begin or end a loop. In a later turn units hold what the turn before has left."""
        asm = self._asm
        if isinstance(op, LoopStart):
            for base in op.bases:
                asm.emit("ADD", layer, rd=base)
            # `npu.runtime.budget` finds the number of turns here.
            asm.emit("ADD", layer, rd=op.count, imm=op.turns)
            self._loops += 1
            asm.label(f"loop {self._loops}")
            return True
        for base, step in op.start.bases.items():
            asm.emit("ADD", layer, rd=base, rs1=base, imm=step)
        asm.emit("SUB", layer, rd=op.start.count, rs1=op.start.count, imm=1)
        asm.emit("BNE", layer, f"loop {self._loops}", rs1=op.start.count)
        return False

    def _gate(self, op: GateOperator, layer: Layer) -> bool:
        """Begin a gate, go on with its other way, or end it."""
        asm, start = self._asm, op if isinstance(op, GateStart) else op.start
        number = self._gates.setdefault(start, len(self._gates) + 1)
        closed, behind = f"gate {number}: closed", f"gate {number}: behind"
        match op:
            case GateStart(condition=condition, threshold=threshold):
                # `npu.analysis.gates` knows a gate by these two.
                kind = int(ElementType.INT8)
                asm.emit("LOADS", layer, rd=SCRATCH, imm=condition.address, type=kind)
                asm.emit("BLT", layer, closed, rs1=SCRATCH, imm=threshold)
                return False
            case GateElse():
                asm.emit("BEQ", layer, behind)
                asm.label(closed)
            case GateEnd():
                asm.label(behind)
        return True

"""The control flow of a loop over the steps of a Repeat."""

from collections.abc import Mapping
from types import MappingProxyType

from compiler.lowering.ir import Repeat, Step
from compiler.lowering.registers import INDEX, SCRATCH
from compiler.passes.assembler import Assembler
from npu.chip.isa import BASES
from npu.model.layer import Layer

NOTHING_MOVES: Mapping[str, int] = MappingProxyType({})

_TURNS, _COUNTERS = SCRATCH, (9, 10, 15, INDEX)


class RepeatLoop:
    """Opens a loop; `moves` comes before each of its steps, `close` behind the last one.

    A register counts the turns, which `npu.runtime.budget` finds in the command before the loop.
    For every number of bytes that something moves by there is a register with where it is; the base
    of an operand that always moves by the same is that register itself.
    """

    def __init__(self, assembler: Assembler, repeat: Repeat, layer: Layer) -> None:
        self._assembler, self._layer = assembler, layer
        self._label = f"repeat at {assembler.pc}"
        by = {k: {m for step in repeat.steps if (m := getattr(step, k))} for k in ("a", "dst")}
        self._bases = {k: BASES[k] for k in by}
        self._places: dict[int, int] = {}
        for operand, moves in by.items():
            if len(moves) == 1 and not moves & set(self._places):
                self._places[next(iter(moves))] = self._bases[operand]
        free = iter(_COUNTERS)
        for moves in by.values():
            for move in sorted(moves - set(self._places)):
                self._places[move] = next(free)
        for register in self._places.values():
            self._emit("ADD", rd=register)
        self._emit("ADD", rd=_TURNS, imm=repeat.count)
        assembler.label(self._label)
        self._now: dict[str, int] = {}

    def moves(self, step: Step) -> dict[str, int]:
        """Set the bases of a step; what each of its operands moves by, of those that do."""
        moves = {k: move for k in self._bases if (move := getattr(step, k))}
        for operand, move in moves.items():
            base, place = self._bases[operand], self._places[move]
            if place != base and self._now.get(operand) != move:
                self._emit("ADD", rd=base, rs1=place)
                self._now[operand] = move
        return moves

    def close(self) -> None:
        """Move on, and go back."""
        for move, register in self._places.items():
            self._emit("ADD", rd=register, rs1=register, imm=move)
        self._emit("SUB", rd=_TURNS, rs1=_TURNS, imm=1)
        self._emit("BNE", to=self._label, rs1=_TURNS)

    def _emit(self, opcode: str, to: str | None = None, **fields: int) -> None:
        self._assembler.emit(opcode, self._layer, to, **fields)

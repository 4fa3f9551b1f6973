"""Routines: scalar programs for what no other command does, one element after the other.

They use the registers of SCRATCH_REGISTERS, and leave nothing in them.
"""

from compiler.lowering.ir import Buffer, Line, Routine, View
from compiler.lowering.registers import INDEX, SCRATCH
from compiler.lowering.site import GraphLowering

SCRATCH_REGISTERS = (SCRATCH, 9, 10, 11, 12, 13, INDEX, 15)
"""Registers that no program of ours keeps anything in over an operator's end."""


class RoutineWriter:
    """A routine that grows.

    Attributes
    ----------
    lines : of the routine so far.
    """

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self._free = list(SCRATCH_REGISTERS)
        self._labels = 0

    def register(self) -> int:
        """A register that nobody else in this routine uses."""
        return self._free.pop(0)

    def release(self, *registers: int) -> None:
        """Registers whose contents are not needed any more."""
        self._free += registers

    def emit(
        self, opcode: str, to: str | None = None, view: View | None = None, **fields: int
    ) -> None:
        """Append a command; `to`: the label it branches to; `view`: its address is added to imm."""
        self.lines.append(Line(opcode, fields, to, view))

    def set(self, rd: int, value: int = 0, view: View | None = None) -> None:
        """rd = value, or the address of a view behind which it lies."""
        self.emit("ADD", rd=rd, imm=value, view=view)

    def new_label(self) -> str:
        """A label that stands nowhere yet."""
        self._labels += 1
        return f"label {self._labels}"

    def label(self, name: str) -> None:
        """Name the next command."""
        self.lines.append(Line("", {}, name))

    def add_to(
        self, site: GraphLowering, reads: tuple[Buffer, ...], writes: tuple[Buffer, ...]
    ) -> None:
        """Append the routine to a segment."""
        site.add(Routine(tuple(self.lines), reads, writes))

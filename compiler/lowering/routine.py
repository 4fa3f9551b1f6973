"""Routines: scalar programs for what no other command does, one element after the other.

A routine is written like a little assembler program, with registers from a list of free ones. They
are those of SCRATCH_REGISTERS, and nothing is left in them behind a routine. The second operand of
a command, y below, is a register plus a number, a register or a number alone.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from compiler.lowering.ir import Buffer, Line, Routine, View
from compiler.lowering.registers import INDEX, SCRATCH
from compiler.lowering.site import GraphLowering
from npu.chip.isa import ElementType

SCRATCH_REGISTERS = (SCRATCH, 9, 10, 15, INDEX, 12, 13, 11)
"""Registers that no program of ours keeps anything in over an operator's end; those that are bases
of addresses come last."""

UNROLLED = 4
"""Elements in a turn of a loop over elements."""


@dataclass(frozen=True)
class Register:
    """A scalar register."""

    number: int


Y = Register | int
ZERO = Register(0)


class RoutineWriter:
    """A routine that grows.

    Attributes
    ----------
    lines : of the routine so far.
    """

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self._free = [Register(number) for number in SCRATCH_REGISTERS]
        self._labels = 0

    @contextmanager
    def registers(self, count: int) -> Iterator[tuple[Register, ...]]:
        """Registers that nobody else in this routine uses meanwhile."""
        taken, self._free = tuple(self._free[:count]), self._free[count:]
        assert len(taken) == count, "a routine needs more registers than there are"
        yield taken
        self._free = [*taken, *self._free]

    @contextmanager
    def register(self, number: int) -> Iterator[Register]:
        """A certain register, say the base of an operand's addresses."""
        taken = Register(number)
        place = self._free.index(taken)
        self._free.remove(taken)
        yield taken
        self._free.insert(place, taken)

    # --- commands -------------------------------------------------------------------------------
    def do(
        self,
        opcode: str,
        rd: Register,
        rs1: Register,
        y: Y = 0,
        imm: int = 0,
        view: View | None = None,
    ) -> None:
        """rd = rs1 `opcode` (y + imm); the address of a view is added to imm."""
        fields = {"rd": rd.number, "rs1": rs1.number, **_second(y, imm)}
        self.lines.append(Line(opcode, fields, views=_views(view)))

    def set(self, rd: Register, value: int = 0, view: View | None = None) -> None:
        """rd = value, or the address of a view behind which it lies."""
        self.do("ADD", rd, ZERO, value, view=view)

    def negate(self, rd: Register, x: Register, plus: int = 0) -> None:
        """rd = plus - x."""
        self.do("SUB", rd, ZERO, x, -plus)

    def leading_zeros(self, rd: Register, x: Register) -> None:
        """rd = leading zeros of x, 0 to 32."""
        self.command("CLZ", rd=rd.number, rs1=x.number)

    def load(
        self,
        rd: Register,
        at: Register,
        kind: ElementType,
        offset: int = 0,
        view: View | None = None,
    ) -> None:
        """rd = the number of this kind at `at` + offset, or that behind a view."""
        fields = {"rd": rd.number, "rs1": at.number, "imm": offset, "type": int(kind)}
        self.lines.append(Line("LOADS", fields, views=_views(view)))

    def store(
        self,
        x: Register,
        at: Register,
        kind: ElementType,
        offset: int = 0,
        view: View | None = None,
    ) -> None:
        """Put x there, as `load`."""
        fields = {"rs2": x.number, "rs1": at.number, "imm": offset, "type": int(kind)}
        self.lines.append(Line("STORES", fields, views=_views(view)))

    def branch(
        self, opcode: str, rs1: Register, y: Y, to: str, imm: int = 0, view: View | None = None
    ) -> None:
        """Go to a label if rs1 `opcode` (y + imm)."""
        fields = {"rs1": rs1.number, **_second(y, imm)}
        self.lines.append(Line(opcode, fields, to, _views(view)))

    def command(self, opcode: str, views: Mapping[str, View] | None = None, **fields: int) -> None:
        """A command of another unit, with the addresses of views in fields."""
        self.lines.append(Line(opcode, fields, views=views or {}))

    def require_inside(self, x: Register, size: int) -> None:
        """Stop with an address error unless x is 0 to size - 1."""
        outside, behind = self.new_label(), self.new_label()
        self.branch("BLT", x, 0, outside)
        self.branch("BLT", x, size, behind)
        self.label(outside)
        self.load(x, ZERO, ElementType.INT8, -1)
        self.label(behind)

    # --- control flow ---------------------------------------------------------------------------
    def new_label(self) -> str:
        """A label that stands nowhere yet."""
        self._labels += 1
        return f"label {self._labels}"

    def label(self, name: str) -> None:
        """Name the next command."""
        self.lines.append(Line("", {}, name))

    @contextmanager
    def unless(self, opcode: str, rs1: Register, y: Y) -> Iterator[None]:
        """What is skipped if rs1 `opcode` y."""
        behind = self.new_label()
        self.branch(opcode, rs1, y, behind)
        yield
        self.label(behind)

    @contextmanager
    def times(self, count: int) -> Iterator[None]:
        """A loop of a known number of turns, at least one; takes a register.

        `npu.runtime.budget` finds that number in the command before the loop.
        """
        if count == 1:
            yield
            return
        with self.registers(1) as (left,):
            self.set(left, count)
            again = self.new_label()
            self.label(again)
            yield
            self.do("SUB", left, left, 1)
            self.branch("BNE", left, 0, again)

    def each(
        self, count: int, pointers: Mapping[Register, int], body: Callable[[int], None]
    ) -> None:
        """A loop over elements: `body(k)` for that k steps from where the pointers are.

        pointers : with the bytes from an element to the next; behind the last one at the end.
        """
        turns, rest = divmod(count, UNROLLED)
        first = next(iter(pointers))

        def elements(number: int) -> None:
            for k in range(number):
                body(k)
            for pointer, step in pointers.items():
                self.do("ADD", pointer, pointer, number * step)

        if turns == 1:
            elements(UNROLLED)
        elif turns:
            with self.registers(1) as (end,):
                self.do("ADD", end, first, turns * UNROLLED * pointers[first])
                again = self.new_label()
                self.label(again)
                elements(UNROLLED)
                self.branch("BLT", first, end, again)
        if rest:
            elements(rest)

    def add_to(
        self, site: GraphLowering, reads: tuple[Buffer, ...], writes: tuple[Buffer, ...]
    ) -> None:
        """Append the routine to a segment."""
        site.add(Routine(tuple(self.lines), reads, writes))


def _second(y: Y, imm: int) -> dict[str, int]:
    """The fields of a second operand."""
    if isinstance(y, Register):
        return {"rs2": y.number, "imm": imm}
    return {"imm": y + imm}


def _views(view: View | None) -> dict[str, View]:
    return {} if view is None else {"imm": view}

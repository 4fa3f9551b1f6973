"""Which scalar registers a program's cycles depend on, command by command, and where data come in.

A register matters before a command if its value may decide a branch, an address or a transfer
behind it. What only ends up in a word of memory, or in the scale of a vector, changes no cycle.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from npu.chip.isa import BASES, REGISTERS, Command
from npu.errors import ImageError

EVERY = (1 << REGISTERS) - 2
"""All registers that can be written, a bit each."""

FROM_DATA = ("LOADS", "LOAD_REG", "VARGMAX")
"""Commands whose result in a register is an element, or a word of memory."""
_DECIDES = {
    **dict.fromkeys(("BEQ", "BNE", "BLT", "BGE"), ("rs1", "rs2")),
    # Their addresses; what STORE_REG and STORES write changes no cycle.
    **dict.fromkeys(("LOAD_BANK", "LOAD_PARAM", "LOAD", "STORE"), ("rs1",)),
    **dict.fromkeys(("STORE_REG", "LOAD_REG", "LOADS", "STORES"), ("rs1",)),
}
_ENDS = ("HALT",)


@dataclass(frozen=True)
class Relevance:
    """What matters, by program counter.

    Attributes
    ----------
    before : the registers that matter before each command, a bit each.
    sources : the commands whose data matter, with the register that they go to.
    at_halt : the registers that matter once the chip has halted.
    """

    before: tuple[int, ...]
    sources: dict[int, int]
    at_halt: int

    def after(self, pc: int) -> int:
        """Those that matter when the command at `pc` begins; all of them outside of the program."""
        return self.before[pc] if 0 <= pc < len(self.before) else EVERY


def relevance(
    program: Sequence[Command | ImageError], entries: Iterable[int] | None = None
) -> Relevance:
    """Of a program that may be started at `entries`; None: anywhere."""
    size = len(program)
    starts = None if entries is None else [pc for pc in entries if 0 <= pc < size]
    before, at_halt = [0] * size, EVERY if starts is None else 0
    changed = True
    while changed:
        changed = False
        for pc in range(size - 1, -1, -1):
            found = _before(program[pc], pc, before, at_halt)
            changed |= found != before[pc]
            before[pc] = found
        if starts is not None:
            wanted = 0
            for pc in starts:
                wanted |= before[pc]
            changed |= wanted != at_halt
            at_halt = wanted
    sources = {}
    for pc, cmd in enumerate(program):
        if isinstance(cmd, Command) and cmd.opcode.name in FROM_DATA:
            rd = cmd.values["rd"]
            if rd and _behind(cmd, pc, before, at_halt) >> rd & 1:
                sources[pc] = rd
    return Relevance(tuple(before), sources, at_halt)


def _behind(cmd: Command, pc: int, before: Sequence[int], at_halt: int) -> int:
    """The registers that matter behind a command."""
    if cmd.opcode.name in _ENDS:
        return at_halt
    follow = [pc + 1]
    if "target" in cmd.values:
        follow.append(cmd.values["target"])
    found = 0
    for to in follow:
        found |= before[to] if to < len(before) else 0
    return found


def _before(cmd: Command | ImageError, pc: int, before: Sequence[int], at_halt: int) -> int:
    """The registers that matter before a command."""
    if isinstance(cmd, ImageError):
        return 0
    v, name = cmd.values, cmd.opcode.name
    found = _behind(cmd, pc, before, at_halt)
    rd = v.get("rd", 0)
    wanted = bool(rd) and bool(found >> rd & 1)
    found &= ~(1 << rd)
    reads = _DECIDES.get(name, ())
    if wanted and name not in FROM_DATA:
        reads = ("rs1", "rs2")
    for key in reads:
        found |= 1 << v.get(key, 0)
    for operand in cmd.relative:
        found |= 1 << BASES[operand]
    return found & EVERY

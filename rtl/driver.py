"""The reference driver: how a host works the chip, with its registers and its interrupt alone.

It knows no bus. Every action is a generator that yields what the host is to do next and is sent
what that gave, so that the same text drives the chip in Verilator (`rtl.sim.machine`), in cocotb
(`rtl.cocotb.driver`) and on a real bus. The chip's debug port is no part of it: a product leaves it
open.

The interrupt says that a program has ended. It does not say that all is well: transfers that the
program did not wait for may still be open, and one of them may fail. The error in STATUS is final
once the chip neither runs nor moves, and only then does memory belong to the host again.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass, fields
from typing import TypeVar

from npu.chip.counters import Counters
from npu.chip.isa import REGISTERS as SCALARS
from npu.chip.status import Status
from npu.errors import MachineError
from rtl.control.registers import BY_NAME, CONTROL, IRQ, STATUS, Field

# Longest pause between two looks at STATUS, in cycles; what takes longer never ends.
PATIENCE = 1 << 28
WORD, SIGN = 0xFFFFFFFF, 0x80000000


@dataclass(frozen=True)
class Write:
    """Write a register; `offset` is its address."""

    register: str
    value: int

    @property
    def offset(self) -> int:
        return BY_NAME[self.register].offset

    def refused(self) -> MachineError:
        """What to raise where the chip answers with an error."""
        return MachineError(
            f"the chip refused to write {self.value & WORD:#x} to register {self.register}"
        )


@dataclass(frozen=True)
class Read:
    """Read a register; gives its value. `offset` is its address."""

    register: str

    @property
    def offset(self) -> int:
        return BY_NAME[self.register].offset

    def refused(self) -> MachineError:
        """What to raise where the chip answers with an error."""
        return MachineError(f"the chip refused to read register {self.register}")


@dataclass(frozen=True)
class Interrupt:
    """Wait until the interrupt is high."""


@dataclass(frozen=True)
class Pause:
    """Let cycles pass, about so many."""

    cycles: int


Step = Write | Read | Interrupt | Pause
T = TypeVar("T")
Steps = Generator[Step, int, T]


def bit(parts: tuple[Field, ...], name: str) -> int:
    """The mask of a one-bit field of a register."""
    return 1 << next(part.lsb for part in parts if part.name == name)


def error_of(status: int) -> Status:
    """The error in a value of STATUS."""
    return Status(status // bit(STATUS, "error"))


BUSY = bit(STATUS, "running") | bit(STATUS, "loading") | bit(STATUS, "moving")


def load(address: int, n_commands: int) -> Steps[None]:
    """Load a program from external memory. Raises MachineError with the status if that fails."""
    yield Write("PROGRAM_ADDRESS", address)
    yield Write("PROGRAM_COMMANDS", n_commands)
    yield from _act("load", "loaded")
    error = error_of((yield Read("STATUS")))
    if error != Status.OK:
        raise MachineError(f"the program load failed: {error.name}", error)


def start(pc: int, arguments: dict[int, int] | None = None) -> Steps[None]:
    """Run from command `pc` to HALT, scalar registers set from `arguments`, until all is quiet.

    Raises MachineError with status and command when the chip has stopped in error, or when a
    transfer that the program did not wait for has failed.
    """
    for register, value in (arguments or {}).items():
        yield Write(f"R{register}", value)
    yield Write("START_PC", pc)
    yield from _act("start", "halted")
    error = error_of((yield Read("STATUS")))
    if error != Status.OK:
        at = yield Read("ERROR_PC")
        raise MachineError(f"command {at}: {error.name}", error, at)


def reset() -> Steps[None]:
    """Clear an error: once the bus is quiet, the chip is as it was before its first start."""
    yield Write("CONTROL", bit(CONTROL, "reset"))
    yield from _until_quiet(bit(STATUS, "resetting"), "the chip does not come out of reset")


def _act(action: str, event: str) -> Steps[None]:
    yield Write("IRQ_STATUS", bit(IRQ, "halted") | bit(IRQ, "loaded"))
    yield Write("IRQ_ENABLE", bit(IRQ, event))
    yield Write("CONTROL", bit(CONTROL, action))
    yield Interrupt()
    yield Write("IRQ_STATUS", bit(IRQ, event))
    yield from _until_quiet(BUSY, "a transfer does not end")


def _until_quiet(mask: int, otherwise: str) -> Steps[None]:
    """Wait until STATUS has no bit of the mask. Raises MachineError, `otherwise`, if that fails."""
    pause = 1
    while (yield Read("STATUS")) & mask:
        if pause > PATIENCE:
            raise MachineError(otherwise)
        yield Pause(pause)
        pause *= 2


def status() -> Steps[Status]:
    """Why the chip stopped, OK while it did not."""
    return error_of((yield Read("STATUS")))


def registers() -> Steps[list[int]]:
    """The scalar registers, as signed numbers."""
    values = []
    for index in range(SCALARS):
        value = yield Read(f"R{index}")
        values.append(value - ((value & SIGN) << 1))
    return values


def counters() -> Steps[Counters]:
    """The performance counters."""
    found = {}
    for counter in fields(Counters):
        found[counter.name] = yield Read(counter.name.upper())
    return Counters(**found)


def clear_counters() -> Steps[None]:
    """Set the performance counters to zero."""
    yield Write("CONTROL", bit(CONTROL, "clear"))


def perform(steps: Steps[T], on_chip: Callable[[Step], int]) -> T:
    """Do every step with `on_chip`, which returns what a Read gives and 0 for the others.

    Returns what the steps give in the end.
    """
    answer = None
    try:
        while True:
            answer = on_chip(steps.send(answer))  # type: ignore[arg-type]  # None starts it
    except StopIteration as done:
        return done.value

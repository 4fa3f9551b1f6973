"""The reference driver: how a host works the chip, with its registers and its interrupt alone.

It knows no bus. Every action is a generator that yields what the host is to do next and is sent
what that gave, so that the same text drives the chip in Verilator (`rtl.sim.machine`), in cocotb
(`rtl.cocotb.driver`) and on a real bus. The chip's debug port is no part of it: a product leaves it
open. `zeroskip.c` beside this file is the same in C: the same functions, and in each of them the
same accesses in the same order.

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

# Cycles of pauses; what takes longer never ends. A pause is twice the one before, up to a longest.
PATIENCE = 1 << 28
LONGEST_PAUSE = 1024
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


EVENTS = bit(IRQ, "halted") | bit(IRQ, "loaded")


def probe() -> Steps[None]:
    """Look whether there is a zeroskip. Raises MachineError if not, or if it is of another version.

    Harmless at any time.
    """
    for name, what in (("ID", "no zeroskip"), ("VERSION", "a zeroskip of another version")):
        found, wanted = (yield Read(name)), BY_NAME[name].reset
        if found != wanted:
            raise MachineError(f"{what}: register {name} is {found:#x}, must be {wanted:#x}")


def fits(fingerprint: int) -> Steps[None]:
    """Look whether the chip is the one that an image was compiled for.

    fingerprint : of that chip (`npu.chip.params.ChipParams`); NAME_PARAMETERS of a raw image.
    Raises MachineError if not. Harmless at any time.
    """
    found = yield Read("PARAMETERS")
    if found != fingerprint:
        raise MachineError(
            f"a zeroskip with other parameters than the image is for: register PARAMETERS is "
            f"{found:#x}, must be {fingerprint:#x}; compile for this chip"
        )


def place_memory(base: int) -> Steps[None]:
    """Tell where on the bus external address 0 lies, a multiple of 4096; after power-on, at 0."""
    yield Write("MEMORY_BASE", base)


def watch(cycles: int) -> Steps[None]:
    """How long the bus may be silent in a transfer before BUS_TIMEOUT, 0 for ever, as after rst.

    cycles : 0 to 2**24 - 1.
    """
    yield Write("WATCHDOG", cycles)


def load(address: int, n_commands: int) -> Steps[None]:
    """Load a program from external memory. Raises MachineError with the status if that fails."""
    yield Write("PROGRAM_ADDRESS", address)
    yield Write("PROGRAM_COMMANDS", n_commands)
    yield from _act("load", "loaded")
    yield from _until_event("loaded")
    error = yield from status()
    if error != Status.OK:
        raise MachineError(f"the program load failed: {error.name}", error)


def start(pc: int, arguments: dict[int, int] | None = None) -> Steps[None]:
    """Start at command `pc`, scalar registers set from `arguments`; it ends while the chip runs."""
    for register, value in (arguments or {}).items():
        yield Write(f"R{register}", value & WORD)
    yield Write("START_PC", pc)
    yield from _act("start", "halted")


def wait() -> Steps[None]:
    """Wait until a start has come to HALT and all is quiet.

    Raises MachineError with status and command when the chip has stopped in error, or when a
    transfer that the program did not wait for has failed.
    """
    yield from _until_event("halted")
    error = yield from status()
    if error != Status.OK:
        at = yield Read("ERROR_PC")
        raise MachineError(f"command {at}: {error.name}", error, at)


def run(pc: int, arguments: dict[int, int] | None = None) -> Steps[None]:
    """Start, and wait. Raises MachineError as `wait` does."""
    yield from start(pc, arguments)
    yield from wait()


def reset() -> Steps[None]:
    """Clear an error: once the bus is quiet, the chip is as it was before its first start."""
    yield Write("CONTROL", bit(CONTROL, "reset"))
    yield from _until_quiet(bit(STATUS, "resetting"), "the chip does not come out of reset")


def ready() -> Steps[None]:
    """Wait behind a hardware reset until memories are filled: needed of a chip with parity."""
    yield from _until_quiet(bit(STATUS, "resetting"), "the chip does not come out of reset")


def _act(action: str, event: str) -> Steps[None]:
    """Forget old events, then ask for something that ends with `event`."""
    yield Write("IRQ_STATUS", EVENTS)
    yield Write("IRQ_ENABLE", bit(IRQ, event))
    yield Write("CONTROL", bit(CONTROL, action))


def _until_event(event: str) -> Steps[None]:
    """Wait for an event, then until the chip is quiet."""
    happened = 0
    while not happened & bit(IRQ, event):
        yield Interrupt()
        happened = (yield Read("IRQ_STATUS")) & EVENTS
        if happened:
            yield Write("IRQ_STATUS", happened)
    yield from _until_quiet(BUSY, "a transfer does not end")


def _until_quiet(mask: int, otherwise: str) -> Steps[None]:
    """Wait until STATUS has no bit of the mask. Raises MachineError, `otherwise`, if that fails."""
    pause, waited = 1, 0
    while (yield Read("STATUS")) & mask:
        if waited >= PATIENCE:
            raise MachineError(otherwise)
        yield Pause(pause)
        waited += pause
        pause = min(2 * pause, LONGEST_PAUSE)


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

"""The register map: the one table from which hardware, drivers and the exported JSON take it."""

from dataclasses import dataclass, fields, replace

from npu.chip.counters import Counters
from npu.chip.isa import PC_BITS
from npu.chip.isa import REGISTERS as SCALARS
from npu.chip.status import WATCHDOG_BITS
from npu.chip.weight_format import VERSION

# For every register; the exported JSON has them, too.
RULES = (
    "Accesses are of 32 bits. One that a register does not allow, now or ever, is refused: it is "
    "answered with SLVERR, does nothing, and a read gives 0. Refused are an address without a "
    "register, a read of a wo register, a write of a ro one, a write without all four strobes, and "
    "what the summaries name. Bits outside a register's fields read as 0; what is written to them "
    "is ignored. External addresses count from MEMORY_BASE on, modulo 2**32; where memory ends, "
    "only the bus knows."
)
STATUS_BITS = 4
ID = 0x4B53_525A  # "ZRSK" in the order of bytes
ADDRESS_BITS = 8
WORD_BITS = 32


@dataclass(frozen=True)
class Field:
    """Bits of a register, and their value after the chip's reset input (`rst`).

    `reset` is None where it is another one in every chip.
    """

    name: str
    lsb: int
    width: int
    summary: str
    reset: int | None = 0

    @property
    def mask(self) -> int:
        """Its bits, where they are in the register."""
        return ((1 << self.width) - 1) << self.lsb


@dataclass(frozen=True)
class Register:
    """A 32-bit register.

    `access` is what the host may do: "ro", "rw", "wo" or "w1c" (ones written clear bits);
    `hardware` is what the chip does with the value: "r" reads it, "w" sets it, "rw" both, and "na"
    nothing, as it is constant.
    """

    name: str
    offset: int
    access: str
    hardware: str
    summary: str
    fields: tuple[Field, ...]

    @property
    def reset(self) -> int | None:
        """Its value after the chip's reset input (`rst`); 0 where it cannot be read.

        None where it is another one in every chip.
        """
        value = 0
        for field in self.fields:
            if field.reset is None:
                return None
            value |= field.reset << field.lsb
        return value


def _value(width: int, reset: int | None = 0) -> tuple[Field, ...]:
    """The one field of a register that is a number."""
    return (Field("value", 0, width, "the number", reset),)


CONTROL = (
    Field(
        "start",
        0,
        1,
        "run from START_PC; refused while running, loading, resetting or in error, not while tagged"
        " transfers of the program before are open",
    ),
    Field(
        "reset",
        1,
        1,
        "stop, drop open transfers, clear the error and R1 to R15, once the bus is quiet; the"
        " program, memories, counters and the other registers stay; never refused by itself",
    ),
    Field(
        "load",
        2,
        1,
        "load a program; refused where start is, while moving, and unless PROGRAM_COMMANDS is 1 to"
        " what program memory holds and PROGRAM_ADDRESS a multiple of the bus width",
    ),
    Field("clear", 3, 1, "set the counters to zero"),
)
STATUS = (
    Field("running", 0, 1, "a program runs"),
    Field("loading", 1, 1, "program memory is being loaded"),
    Field(
        "resetting",
        2,
        1,
        "a reset waits for the bus; with parity, memories are filled behind a hardware reset, too",
    ),
    Field("moving", 3, 1, "transfers of a program are open; in error: one is still on the bus"),
    Field(
        "error",
        8,
        STATUS_BITS,
        "why the chip stopped, see Errors; 0 = none; final when neither running nor moving",
    ),
)
IRQ = (
    Field(
        "halted",
        0,
        1,
        "a program has ended, by HALT, in error or by a reset; transfers that it did not wait for"
        " may go on and fail without another event: see STATUS.moving",
    ),
    Field("loaded", 1, 1, "a program load has ended, well or in error"),
)
# Counters, 32 bits, wrapping: name and what they count.
COUNTERS = tuple((counter.name, counter.metadata["summary"]) for counter in fields(Counters))
# What is refused.
_INDEX = "a write of more than 16 bits is refused"
_LOADING = "a write while loading is refused"
_FREE = "a write while running, loading or resetting is refused"
_QUIET = "a write while running, loading, resetting or moving is refused"
SCALAR_BASE = 0x40
COUNTER_BASE = 0x80

REGISTERS: tuple[Register, ...] = (
    Register("ID", 0x00, "ro", "na", f"always {ID:#x}: the chip is a zeroskip", _value(32, ID)),
    Register(
        "VERSION",
        0x04,
        "ro",
        "na",
        "version of the compressed format of the weights; an image is for one of them",
        _value(32, VERSION),
    ),
    Register(
        "CONTROL",
        0x08,
        "wo",
        "r",
        "actions, a bit each; more than one of start, reset and load in a write is refused, and of"
        " what is refused nothing is done",
        CONTROL,
    ),
    Register("STATUS", 0x0C, "ro", "w", "what the chip does", STATUS),
    Register(
        "ERROR_PC",
        0x10,
        "ro",
        "w",
        "index of the command that caused the error; 0 without one, or if a program load failed",
        _value(PC_BITS),
    ),
    Register("IRQ_ENABLE", 0x14, "rw", "r", "events that raise the interrupt", IRQ),
    Register(
        "IRQ_STATUS", 0x18, "w1c", "rw", "events; one that comes while it is cleared stays", IRQ
    ),
    Register(
        "START_PC",
        0x1C,
        "rw",
        "r",
        f"index of the command to start at; {_INDEX}",
        _value(PC_BITS),
    ),
    Register(
        "PROGRAM_ADDRESS",
        0x20,
        "rw",
        "r",
        f"external address of the next load; {_LOADING}",
        _value(32),
    ),
    Register(
        "PROGRAM_COMMANDS",
        0x24,
        "rw",
        "r",
        f"commands of the next load; {_INDEX}; {_LOADING}",
        _value(PC_BITS),
    ),
    Register(
        "WATCHDOG",
        0x28,
        "rw",
        "r",
        "silent cycles of the bus after which a transfer in progress is in error (BUS_TIMEOUT), 0"
        f" for never; a write of more than {WATCHDOG_BITS} bits is refused",
        (Field("cycles", 0, WATCHDOG_BITS, "the number of cycles"),),
    ),
    Register(
        "MEMORY_BASE",
        0x2C,
        "rw",
        "r",
        f"bus address of external address 0; one that is no multiple of 4096 is refused; {_QUIET}",
        (Field("page", 12, 20, "the address in units of 4 KiB"),),
    ),
    Register(
        "PARAMETERS",
        0x30,
        "ro",
        "na",
        "fingerprint of the chip's parameters; an image is for chips with one of them",
        _value(32, None),
    ),
    Register("R0", SCALAR_BASE, "rw", "na", f"scalar register, always 0; {_FREE}", _value(32)),
    *(
        Register(f"R{i}", SCALAR_BASE + 4 * i, "rw", "rw", f"scalar register; {_FREE}", _value(32))
        for i in range(1, SCALARS)
    ),
    *(
        Register(name.upper(), COUNTER_BASE + 4 * i, "ro", "w", f"counter: {summary}", _value(32))
        for i, (name, summary) in enumerate(COUNTERS)
    ),
)


def of_chip(fingerprint: int) -> tuple[Register, ...]:
    """REGISTERS of the one chip whose PARAMETERS read `fingerprint`: each has a reset value."""
    return tuple(
        replace(register, fields=_value(WORD_BITS, fingerprint))
        if register.name == "PARAMETERS"
        else register
        for register in REGISTERS
    )


BY_NAME = {register.name: register for register in REGISTERS}

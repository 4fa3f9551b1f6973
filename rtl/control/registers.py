"""The register map: the one table from which hardware, drivers and the exported JSON take it."""

from dataclasses import dataclass, fields

from npu.chip.counters import Counters
from npu.chip.isa import REGISTERS as SCALARS

# For every register; the exported JSON has them, too.
RULES = (
    "Accesses are of 32 bits. One that a register does not allow, now or ever, is refused: it is "
    "answered with SLVERR, does nothing, and a read gives 0. Refused are an address without a "
    "register, a read of a wo register, a write of a ro one, a write without all four strobes, and "
    "what the summaries name. Bits outside a register's fields read as 0; what is written to them "
    "is ignored. External addresses count modulo 2**32; where memory ends, only the bus knows."
)
STATUS_BITS = 4
ID = 0x4B53_525A  # "ZRSK" in the order of bytes
ADDRESS_BITS = 8


@dataclass(frozen=True)
class Field:
    """Bits of a register."""

    name: str
    lsb: int
    width: int
    summary: str


@dataclass(frozen=True)
class Register:
    """A 32-bit register. `access`: "ro", "rw", "wo" or "w1c" (ones written clear bits)."""

    name: str
    offset: int
    access: str
    summary: str
    fields: tuple[Field, ...] = ()


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
    Field("resetting", 2, 1, "a reset waits for the bus"),
    Field("moving", 3, 1, "transfers of a program are open; in error: one is still on the bus"),
    Field(
        "error",
        8,
        STATUS_BITS,
        "why the chip stopped (npu.chip.status), 0 = none; final when neither running nor moving",
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
    Field("loaded", 1, 1, "a program load has ended, well, in error or by a reset"),
)
# Counters, 32 bits, wrapping: name and what they count.
COUNTERS = tuple((counter.name, counter.metadata["summary"]) for counter in fields(Counters))
# What is refused.
_INDEX = "a write of more than 16 bits is refused"
_LOADING = "a write while loading is refused"
_FREE = "a write while running, loading or resetting is refused"
SCALAR_BASE = 0x40
COUNTER_BASE = 0x80

REGISTERS: tuple[Register, ...] = (
    Register("ID", 0x00, "ro", f"{ID:#x}"),
    Register("VERSION", 0x04, "ro", "version of the compressed format"),
    Register(
        "CONTROL",
        0x08,
        "wo",
        "actions, a bit each; more than one of start, reset and load in a write is refused, and of"
        " what is refused nothing is done",
        CONTROL,
    ),
    Register("STATUS", 0x0C, "ro", "what the chip does", STATUS),
    Register(
        "ERROR_PC",
        0x10,
        "ro",
        "index of the command that caused the error; 0 without one, or if a program load failed",
    ),
    Register("IRQ_ENABLE", 0x14, "rw", "events that raise the interrupt", IRQ),
    Register("IRQ_STATUS", 0x18, "w1c", "events; one that comes while it is cleared stays", IRQ),
    Register("START_PC", 0x1C, "rw", f"index of the command to start at; {_INDEX}"),
    Register("PROGRAM_ADDRESS", 0x20, "rw", f"external address of the next load; {_LOADING}"),
    Register("PROGRAM_COMMANDS", 0x24, "rw", f"commands of the next load; {_INDEX}; {_LOADING}"),
    Register("R0", SCALAR_BASE, "rw", f"scalar register, always 0; {_FREE}"),
    *(
        Register(f"R{i}", SCALAR_BASE + 4 * i, "rw", f"scalar register; {_FREE}")
        for i in range(1, SCALARS)
    ),
    *(
        Register(name.upper(), COUNTER_BASE + 4 * i, "ro", f"counter: {summary}")
        for i, (name, summary) in enumerate(COUNTERS)
    ),
)
BY_NAME = {register.name: register for register in REGISTERS}

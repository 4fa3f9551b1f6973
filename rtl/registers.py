"""The register map: the one table from which hardware, drivers and the exported JSON take it."""

from dataclasses import dataclass

from npu.isa import REGISTERS as SCALARS

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
    Field("start", 0, 1, "run from START_PC; refused while anything is in progress or in error"),
    Field("reset", 1, 1, "stop, clear the error; waits until the bus is quiet; memories stay"),
    Field("load", 2, 1, "load PROGRAM_COMMANDS commands from PROGRAM_ADDRESS"),
    Field("clear", 3, 1, "set the counters to zero"),
)
STATUS = (
    Field("running", 0, 1, "a program runs"),
    Field("loading", 1, 1, "program memory is being loaded"),
    Field("resetting", 2, 1, "a reset waits for the bus"),
    Field("moving", 3, 1, "the DMA has transfers in progress"),
    Field("error", 8, STATUS_BITS, "why the chip stopped (npu.isa.Status), 0 = no error"),
)
IRQ = (
    Field("halted", 0, 1, "a program has ended, by HALT or in error"),
    Field("loaded", 1, 1, "a program load has ended, well or in error"),
)
# Counters, 32 bits, wrapping: name and what they count.
COUNTERS = (
    ("cycles", "cycles in which a program ran"),
    ("commands", "commands retired"),
    ("sequencer_cycles", "cycles of fetch and decode"),
    ("matvec_cycles", "cycles of matrix-vector commands"),
    ("vector_cycles", "cycles of vector commands"),
    ("dma_cycles", "cycles of commands that wait for their own transfer"),
    ("wait_cycles", "cycles in which a command waited for the DMA's queue or tags"),
    ("transfer_cycles", "cycles with an open transfer"),
    ("symbols", "weights decoded, explicit zeros among them"),
    ("macs", "multiplications with a nonzero weight"),
    ("macs_gated", "of these, with a zero activation; they are multiplied all the same"),
    ("stalled_turns", "decode turns skipped because a result FIFO was full"),
    ("bytes_read", "bytes read from external memory"),
    ("bytes_written", "bytes written to external memory"),
)
SCALAR_BASE = 0x40
COUNTER_BASE = 0x80

REGISTERS: tuple[Register, ...] = (
    Register("ID", 0x00, "ro", f"{ID:#x}"),
    Register("VERSION", 0x04, "ro", "version of the compressed format"),
    Register("CONTROL", 0x08, "wo", "actions, a bit each", CONTROL),
    Register("STATUS", 0x0C, "ro", "what the chip does", STATUS),
    Register("ERROR_PC", 0x10, "ro", "index of the command that caused the error"),
    Register("IRQ_ENABLE", 0x14, "rw", "events that raise the interrupt", IRQ),
    Register("IRQ_STATUS", 0x18, "w1c", "events so far", IRQ),
    Register("START_PC", 0x1C, "rw", "index of the command to start at"),
    Register("PROGRAM_ADDRESS", 0x20, "rw", "external address, a multiple of the bus width"),
    Register("PROGRAM_COMMANDS", 0x24, "rw", "size of the program that is loaded next"),
    *(
        Register(f"R{i}", SCALAR_BASE + 4 * i, "rw", "scalar register; not while running")
        for i in range(SCALARS)
    ),
    *(
        Register(name.upper(), COUNTER_BASE + 4 * i, "ro", f"counter: {summary}")
        for i, (name, summary) in enumerate(COUNTERS)
    ),
)
BY_NAME = {register.name: register for register in REGISTERS}

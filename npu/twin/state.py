"""What the units of the twin share: memories, registers, counters, and the DMA that fills them."""

from dataclasses import asdict, dataclass, field

import numpy as np

from npu.chip import isa
from npu.chip.counters import Counters
from npu.chip.limit import NO_END
from npu.chip.memory import ExternalMemory
from npu.chip.params import ChipParams
from npu.chip.status import Status
from npu.chip.weight_format import LUT_BYTES
from npu.errors import ImageError, MachineError
from npu.twin.dma import Dma
from npu.twin.probe import Probe


@dataclass
class Events:
    """What the twin counts and the chip does not, since the machine was made.

    Attributes
    ----------
    matvec_run_cycles, matvec_turns, matvec_decode_cycles, matvec_positions : as
        `npu.twin.work.Work` has them.
    rows : results that left the lanes.
    vector_elements : that vector commands handled.
    bank_reads : 32-bit words that lanes read from their banks.
    bank_writes : bus words that were dealt to the banks, those of all lanes.
    activation_words : bus words that were broadcast: each is written in every lane.
    sram_reads, sram_writes : accesses of vector SRAM, each of a bus word or a part of it.
    param_reads : words of PARAM_WORD bytes.
    param_writes : bus words.
    """

    matvec_run_cycles: int = 0
    matvec_turns: int = 0
    matvec_decode_cycles: int = 0
    matvec_positions: int = 0
    rows: int = 0
    vector_elements: int = 0
    bank_reads: int = 0
    bank_writes: int = 0
    activation_words: int = 0
    sram_reads: int = 0
    sram_writes: int = 0
    param_reads: int = 0
    param_writes: int = 0

    def as_dict(self) -> dict[str, int]:
        return asdict(self)

    def loaded(self, space: str, first: int, ends: np.ndarray, beats: int) -> None:
        """A transfer has filled a memory from `first` on: a bank of every lane to its end."""
        if space == "bank":
            self.bank_writes += int((ends - first).sum())
        else:
            self.param_writes += beats


# A plain tuple: there is one for every command.
Done = tuple[int, bytes | np.ndarray, int | None]
"""What a command did: its last cycle, what it wrote, and where a taken branch leads."""


@dataclass
class State:
    """The state of one chip; that in `memory` and on the way to it belongs to the host and the DMA.

    Attributes
    ----------
    observed : somebody wants to know what commands write.
    computes : elements are computed; without, only cycles and counts are true, and registers as far
        as no element decides them.
    probe : notes what is done in every cycle, if there is one.
    last : cycle behind which nothing may happen in this start.
    """

    params: ChipParams
    memory: ExternalMemory
    observed: bool = False
    computes: bool = True
    probe: Probe | None = None
    last: int = NO_END
    counters: Counters = field(default_factory=Counters)
    events: Events = field(default_factory=Events)
    registers: list[int] = field(default_factory=lambda: [0] * isa.REGISTERS)

    def __post_init__(self) -> None:
        p = self.params
        self.dma = Dma(p, self.memory, self.counters, self.probe)
        self.banks = np.zeros((p.lanes, p.bank_words), np.uint32)
        self.param = np.zeros(p.param_bytes, np.uint8)
        self.sram = np.zeros(p.sram_bytes, np.uint8)
        self.table = np.zeros(LUT_BYTES, np.int8)

    def set(self, register: int, value: int) -> bytes:
        """Put the low 32 bits of a number into a scalar register; returns what was written."""
        value = (value + (1 << 31)) % (1 << 32) - (1 << 31)
        if not register:
            return b""
        self.registers[register] = value
        return value.to_bytes(4, "little", signed=True)


def require_inside(at: int, n_bytes: int, unit: int, memory: np.ndarray, where: str) -> None:
    """Raise MachineError unless `n_bytes` at `at`, a multiple of `unit`, lie in a memory."""
    if at % unit:
        raise MachineError(
            f"address {at:#x} in {where} is not a multiple of {unit}", Status.ADDRESS
        )
    if at + n_bytes > len(memory):
        raise MachineError(f"{n_bytes} bytes at {at:#x} lie outside {where}", Status.ADDRESS)


def told_of(pc: int, cmd: isa.Command | ImageError, error: MachineError) -> MachineError:
    """The error, told of command `pc`."""
    where = f"command {pc}" if isinstance(cmd, ImageError) else f"command {pc} ({cmd})"
    return MachineError(f"{where}: {error}", error.status, pc)

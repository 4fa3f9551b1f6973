"""The signals that waveforms of the twin and of the RTL share, as Verilator names those of the RTL.

A cycle takes PS_PER_CYCLE in both, and a signal has its value of a cycle from the cycle's beginning
to its middle, where the clock rises. The twin's cycles are those in which the chip's `ACTIVE` is
high; an RTL simulation has others between them, in which the host reads and writes registers.
"""

from npu.chip.isa import PC_BITS
from npu.chip.params import ChipParams

PS_PER_CYCLE = 10
"""Of the waveforms that `rtl/sim/harness.cpp` writes, and of the twin's."""

_PORTS = "TOP.zeroskip"
_CHIP = f"{_PORTS}.chip"

ACTIVE = f"{_PORTS}.debug_active"
RUNNING = f"{_PORTS}.debug_running"
START = f"{_PORTS}.debug_start"
RETIRE = f"{_PORTS}.debug_retire"
PC = f"{_PORTS}.debug_pc"

FETCHING, WAITING, MATVEC_BUSY, VECTOR_BUSY, TRANSFER_BUSY = (
    f"{_CHIP}.sequencer.{name}"
    for name in ("fetching", "waiting", "matvec_busy", "vector_busy", "transfer_busy")
)
DMA_BUSY = f"{_CHIP}.busy"
"""A transfer is open: the DMA's own `busy`, where the chip takes it."""


def axi(channel: str, wire: str) -> str:
    """`valid` or `ready` of an AXI channel: ar, r, aw, w, b."""
    return f"{_PORTS}.m_axi_{channel}{wire}"


def lane(number: int, name: str) -> str:
    """A signal of a lane: see LANE."""
    return f"{_CHIP}.matvec.lane_{number}.{name}"


CHANNELS = ("ar", "r", "aw", "w", "b")
LANE = ("working", "busy", "row_valid", "stalled")
"""Of a lane: rows are unfinished; or the last one is on its way; one is; a turn waits for the
requantiser."""


def widths(params: ChipParams) -> dict[str, int]:
    """Every signal that twin and RTL share, by its full name, with its bits."""
    names = [ACTIVE, RUNNING, START, RETIRE]
    names += [FETCHING, WAITING, MATVEC_BUSY, VECTOR_BUSY, TRANSFER_BUSY, DMA_BUSY]
    names += [axi(channel, wire) for channel in CHANNELS for wire in ("valid", "ready")]
    names += [lane(number, name) for number in range(params.lanes) for name in LANE]
    return {PC: PC_BITS} | dict.fromkeys(names, 1)

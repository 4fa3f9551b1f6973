"""External memory: contents, and the timing with which it answers on the bus.

The default timing is a fixed latency and a fixed number of cycles per beat; any number of bursts
may be open, and are answered in order (`rtl.sim.bus.BusMemory` says all of it). A `BusSchedule`
adds an arbitrary pattern of ready and valid on every channel; the RTL's test bench plays the same
pattern, so that equality is tested under back-pressure too.
"""

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

from npu.chip.params import ChipParams
from npu.chip.status import Status
from npu.errors import MachineError


def _always() -> np.ndarray:
    return np.ones(1, np.bool_)


class WriteOrder(IntEnum):
    """What a memory waits for before it takes a write burst's address or its data.

    AXI4 (ARM IHI 0022, A3.3.1) leaves all of these to the subordinate; the manager, which offers
    both at once, may wait for none of them.
    """

    EITHER = 0  # each as soon as its pattern allows
    ADDRESS_FIRST = 1  # no beat before the cycle behind the address
    DATA_FIRST = 2  # no address before the cycle behind the last beat
    TOGETHER = 3  # both are seen on offer; in a cycle behind that address and first beat together


@dataclass(frozen=True, eq=False)
class BusSchedule:
    """When the memory side of each AXI channel may act: bool arrays, by cycle modulo length.

    `ar`, `aw`, `w`: the memory is ready to take an address or a write beat; `r`, `b`: it may
    present a read beat or a write response. Every array needs at least one True. `order` says what
    address and data of a write burst wait for; TOGETHER takes both by the pattern of `aw`.
    """

    ar: np.ndarray = field(default_factory=_always)
    r: np.ndarray = field(default_factory=_always)
    aw: np.ndarray = field(default_factory=_always)
    w: np.ndarray = field(default_factory=_always)
    b: np.ndarray = field(default_factory=_always)
    order: WriteOrder = WriteOrder.EITHER

    def __post_init__(self) -> None:
        for name in ("ar", "r", "aw", "w", "b"):
            pattern = np.asarray(getattr(self, name), np.bool_)
            if pattern.ndim != 1 or not pattern.any():
                raise ValueError(f"bus schedule {name!r} must be a vector with at least one True")
            object.__setattr__(self, name, pattern)


class ExternalMemory:
    """Byte-addressed external memory of `size` bytes, zero where nothing was written.

    Attributes
    ----------
    data : (size,) uint8.
    schedule : BusSchedule.
    """

    def __init__(self, params: ChipParams, size: int, schedule: BusSchedule | None = None) -> None:
        if size > params.memory_bytes:
            raise MachineError(
                f"the program needs {size} bytes of external memory, "
                f"chip {params.name!r} addresses {params.memory_bytes}"
            )
        self.data = np.zeros(size, np.uint8)
        self.schedule = schedule or BusSchedule()

    def window(self, address: int, n_bytes: int) -> np.ndarray:
        """A view of `n_bytes` at `address`. Raises MachineError outside the memory."""
        if address < 0 or address + n_bytes > len(self.data):
            raise MachineError(
                f"bus error: {n_bytes} bytes at {address:#x} lie outside external memory "
                f"({len(self.data)} bytes)",
                Status.BUS,
            )
        return self.data[address : address + n_bytes]

"""One interface of the machine: a chip with its external memory, whatever it is made of.

The twin (`npu.twin.machine`), the RTL in Verilator (`rtl.sim.machine`) and the exported Verilog
under cocotb (`rtl.cocotb.machine`) have it, so that sessions, probes and comparisons know no
difference.
"""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from npu.chip.counters import Counters
from npu.chip.limit import Budget
from npu.chip.memory import BusSchedule, ExternalMemory
from npu.chip.params import ChipParams
from npu.chip.status import Status
from npu.chip.trace import Retire

Observer = Callable[[Retire, Any], None]
"""Called after every command with its record and the machine."""


class Machine(Protocol):
    """A chip that holds a program, with its external memory.

    Attributes
    ----------
    params : the chip.
    memory : external memory; the host writes and reads it while no program runs.
    sram : (sram_bytes,) uint8, vector SRAM as the chip has written it.
    """

    params: ChipParams
    memory: ExternalMemory
    sram: np.ndarray

    @property
    def registers(self) -> list[int]:
        """The scalar registers, as signed numbers."""

    @property
    def counters(self) -> Counters:
        """What it did since it was made."""

    @property
    def status(self) -> Status:
        """Why the chip stopped, OK while it did not."""

    def load(self, address: int, n_commands: int) -> None:
        """Load a program from external memory in place of the one that is there.

        Raises MachineError: without a status where the chip refuses, with the status where the load
        fails.
        """

    def run(
        self, pc: int, arguments: dict[int, int] | None = None, budget: Budget | None = None
    ) -> int:
        """Start at `pc` with registers set from `arguments`, run to HALT; returns the cycles.

        Raises MachineError (with status and the command's index) when the chip stops in error, and
        when `budget` is used up.
        """

    def reset(self) -> None:
        """Clear an error and the scalar registers; program and memories stay."""


class MachineFactory(Protocol):
    """Makes a machine.

    Parameters
    ----------
    params : ChipParams.
    memory_bytes : size of its external memory.
    program : raw program (see `npu.chip.isa`).
    schedule : when the bus is ready; default always.
    step : of the twin: decode and count every command anew.
    observer : called after every command.
    """

    def __call__(
        self,
        params: ChipParams,
        memory_bytes: int,
        program: bytes,
        *,
        schedule: BusSchedule | None = None,
        step: bool = False,
        observer: Observer | None = None,
    ) -> Machine: ...

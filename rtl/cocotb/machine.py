"""The exported Verilog under cocotb as a machine, for the sessions of `npu.runtime`."""

import numpy as np
from cocotb.task import resume

from npu.chip.counters import Counters
from npu.chip.limit import Budget
from npu.chip.machine import Observer
from npu.chip.memory import BusSchedule, ExternalMemory
from npu.chip.params import ChipParams
from npu.chip.status import Status
from npu.errors import MachineError
from rtl import driver
from rtl.cocotb.clock import Cycles
from rtl.cocotb.driver import Host
from rtl.cocotb.memory import Memory
from rtl.cocotb.scoreboard import Scoreboard


class BenchMachine:
    """A chip that has its program, with the interface of `npu.chip.machine.Machine`.

    For code in a thread of `cocotb.task.bridge`: every call lets the simulation go on until it has
    its answer. An observer is called in the simulation's own thread, in the cycle in which the
    command retires; it may look at `sram` and `memory`, but ask nothing of the chip.

    Parameters
    ----------
    params : the chip's.
    memory_bytes : size of its external memory.
    host, bus, scoreboard, cycles : what is around the chip.
    schedule : of the bus, as `bus` has it.
    observer : called after every command with (Retire, BenchMachine).
    """

    def __init__(
        self,
        params: ChipParams,
        memory_bytes: int,
        host: Host,
        bus: Memory,
        scoreboard: Scoreboard,
        cycles: Cycles,
        schedule: BusSchedule | None = None,
        observer: Observer | None = None,
    ) -> None:
        self.params = params
        self.memory = ExternalMemory(params, memory_bytes, schedule)
        self.sram: np.ndarray = scoreboard.sram
        self._host = host
        self._scoreboard = scoreboard
        self._cycles = cycles
        bus.attach(self.memory.data)
        if observer is not None:
            scoreboard.observers.append(lambda retire: observer(retire, self))

    @property
    def registers(self) -> list[int]:
        """The scalar registers, as signed numbers."""
        return resume(self._host.work)(driver.registers())

    @property
    def counters(self) -> Counters:
        """The performance counters."""
        return resume(self._host.work)(driver.counters())

    @property
    def status(self) -> Status:
        """Why the chip stopped, OK while it did not."""
        return resume(self._host.work)(driver.status())

    def load(self, address: int, n_commands: int) -> None:
        """Load a program from external memory. Raises MachineError."""
        resume(self._host.load)(address, n_commands)

    def reset(self) -> None:
        """Clear an error; memories keep their contents, registers do not."""
        resume(self._host.reset)()

    def run(
        self, pc: int, arguments: dict[int, int] | None = None, budget: Budget | None = None
    ) -> int:
        """Start at `pc`, run to HALT; returns the cycles. Raises MachineError.

        What is wrong with a command shows in the records, too, which stop before it.
        """
        before = self._cycles.running
        try:
            resume(self._host.start)(pc, arguments)
        except MachineError as error:
            if error.pc is not None:
                told = f"{error}, {self._scoreboard.disassembly(error.pc)}"
                raise MachineError(told, error.status, error.pc) from None
            raise
        cycles = self._cycles.running - before
        if budget is not None and cycles > budget.cycles:
            raise budget.used_up()
        return cycles

"""Twin and RTL in lockstep: every retire record compared, and the time of both."""

import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from npu.analysis.results import SpeedReport
from npu.chip.machine import MachineFactory
from npu.chip.trace import Retire, first_cycle
from npu.errors import MachineError
from npu.waves.signals import PS_PER_CYCLE


class Clocked:
    """Makes machines as `factory` does, and adds up the cycles and seconds of their runs.

    Attributes
    ----------
    machine : the newest machine, None before the first.
    cycles, seconds : of its runs; making a machine (and building it) does not count.
    each : the cycles of every run.
    """

    def __init__(self, factory: MachineFactory) -> None:
        self._factory = factory
        self.machine: Any = None
        self.clear()

    def clear(self) -> None:
        """Begin to count anew."""
        self.cycles, self.seconds = 0, 0.0
        self.each: list[int] = []

    def __call__(self, *args: Any, **options: Any) -> Any:
        machine: Any = self._factory(*args, **options)
        self.machine, run = machine, machine.run

        def timed(pc: int, *rest: Any) -> int:
            began = time.perf_counter()
            cycles = run(pc, *rest)
            self.seconds += time.perf_counter() - began
            self.cycles += cycles
            self.each.append(cycles)
            return cycles

        machine.run = timed
        return machine

    def report(self) -> SpeedReport:
        """Cycles, seconds and cycles per second."""
        rate = self.cycles / self.seconds if self.seconds else 0.0
        return {"cycles": self.cycles, "seconds": self.seconds, "cycles_per_second": rate}


@dataclass
class RecordDifference(Exception):
    """Twin and RTL part ways.

    Attributes
    ----------
    twin, rtl : the records, None where that side has none.
    simulated : cycles that the RTL had been simulated, the command's last among them.
    reason : what the RTL says if it stopped in error.
    """

    twin: Retire | None
    rtl: Retire | None
    simulated: int
    reason: str = ""

    @property
    def pc(self) -> int:
        """The command: the twin's where the two differ in that."""
        known = self.twin or self.rtl
        assert known is not None, "one side has a record"
        return known.pc

    @property
    def cycle(self) -> int:
        """The first cycle in which the records say different things."""
        return first_cycle(self.twin, self.rtl)

    @property
    def waves_ps(self) -> int:
        """Where `cycle` is in the waveforms."""
        last = self.cycle if self.rtl is None else self.rtl.end
        return PS_PER_CYCLE * (self.simulated - 1 - (last - self.cycle))


class Lockstep:
    """Compares the records of two machines: first the twin runs a start, then the RTL.

    Attributes
    ----------
    compared : records that were equal.
    """

    def __init__(self) -> None:
        self._expected: deque[Retire] = deque()
        self._last: Retire | None = None
        self.compared = 0

    def of_twin(self, retire: Retire, machine: Any) -> None:
        """The twin's observer."""
        self._expected.append(retire)
        self._last = retire

    def of_rtl(self, retire: Retire, machine: Any) -> None:
        """The RTL's observer. Raises RecordDifference."""
        twin = self._expected.popleft() if self._expected else None
        if twin != retire:
            raise RecordDifference(twin, retire, machine.simulated_cycles)
        self.compared += 1

    def stopped(self, machine: Any, error: MachineError | None = None) -> None:
        """The RTL has come to its end.

        Raises RecordDifference where the twin had not, or without error, and `error` where the
        machine could not be made.
        """
        if error is not None and machine is None:
            raise error
        if self._expected or error is not None:
            twin = self._expected[0] if self._expected else self._last
            reason = str(error) if error is not None else "halted"
            raise RecordDifference(twin, None, machine.simulated_cycles, reason)

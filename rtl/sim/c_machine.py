"""The chip's RTL in Verilator, worked by the C driver (`rtl/driver/zeroskip.c`)."""

from collections.abc import Callable
from typing import Any, TypeVar

from rtl.driver import PATIENCE, Pause, Step, Steps
from rtl.driver.binding import CDriver
from rtl.sim.machine import MAX_CYCLES, RtlMachine

T = TypeVar("T")


class CMachine(RtlMachine):
    """As `RtlMachine`, which it is in everything but the driver.

    Attributes
    ----------
    poll : the driver polls and gets no interrupt. The observer is told of commands late then, when
        SRAM may be younger than they are.
    c : the driver.
    """

    poll = False

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._limit = MAX_CYCLES
        self.c = CDriver(self._step, poll=self.poll)
        super().__init__(*arguments, **options)

    def _work(self, action: Callable[..., Steps[T]], *arguments: Any, limit: int = MAX_CYCLES) -> T:
        self._limit = limit
        self.c.chip.patience = min(limit, PATIENCE)
        return self.c.perform(action, *arguments)

    def _step(self, step: Step) -> int:
        value = self._on_chip(step, self._limit)
        if isinstance(step, Pause):
            self._report()
        return value

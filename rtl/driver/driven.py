"""What a machine reads of its chip with the driver alone, whatever bus leads there."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypeVar

import rtl.driver as driver
from npu.chip.counters import Counters
from npu.chip.status import Status
from rtl.driver import Steps

T = TypeVar("T")


class Driven(ABC):
    """A chip behind `rtl.driver`, in a simulation or on a board."""

    @abstractmethod
    def _work(self, action: Callable[..., Steps[T]], *arguments: Any) -> T:
        """Do what a function of the driver asks for."""

    @property
    def registers(self) -> list[int]:
        """The scalar registers, as signed numbers."""
        return self._work(driver.registers)

    @property
    def counters(self) -> Counters:
        """The performance counters."""
        return self._work(driver.counters)

    @property
    def status(self) -> Status:
        """Why the chip stopped, OK while it did not."""
        return self._work(driver.status)

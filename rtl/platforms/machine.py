"""A chip on a board behind the interface of the twin: the same calls, over a serial line."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from npu.chip import isa
from npu.chip.limit import Budget
from npu.chip.machine import MachineFactory, Observer
from npu.chip.memory import BusSchedule, ExternalMemory
from npu.chip.params import ChipParams
from npu.errors import MachineError
from rtl import driver
from rtl.driver import Steps
from rtl.driver.driven import Driven
from rtl.platforms.link import WORD_BYTES, SerialLink
from rtl.platforms.protocol import MEMORY_BYTES

T = TypeVar("T")


class SerialMemory(ExternalMemory):
    """External memory of a board, with a copy of it here.

    What is written to `data` goes to the board with `flush`. What the chip has left is read
    through `window`: of each word once behind a run. Behind the first run the host writes through
    `window`, too, which knows what the board has.
    """

    def __init__(self, params: ChipParams, size: int, link: SerialLink) -> None:
        whole = -(-size // WORD_BYTES) * WORD_BYTES
        super().__init__(params, whole)
        self._link = link
        self._words = self.data.view("<u4")
        self._there = ~self._words  # nobody knows: all of it is to be sent
        self._fresh = np.zeros(len(self._words), bool)

    def window(self, address: int, n_bytes: int) -> np.ndarray:
        """As of `ExternalMemory`: what the chip has left there."""
        view = super().window(address, n_bytes)
        for words in _stretches(~self._fresh, address, n_bytes):
            first, end = words.start * WORD_BYTES, words.stop * WORD_BYTES
            found = np.frombuffer(self._link.get(first, end - first), "<u4")
            self._words[words] = self._there[words] = found
            self._fresh[words] = True
        return view

    def flush(self, address: int = 0, n_bytes: int | None = None) -> None:
        """Bring what the host has written to the board, of `n_bytes` at `address`."""
        n_bytes = len(self.data) if n_bytes is None else n_bytes
        for words in _stretches(self._words != self._there, address, n_bytes):
            self._link.put(words.start * WORD_BYTES, self._words[words].tobytes())
            self._there[words] = self._words[words]

    def forget(self) -> None:
        """The chip has been at work: what is there has to be read again."""
        self._fresh[:] = False


def _stretches(wanted: np.ndarray, address: int, n_bytes: int) -> list[slice]:
    """Runs of wanted words, among those that hold `n_bytes` at `address`."""
    first, last = address // WORD_BYTES, -(-(address + n_bytes) // WORD_BYTES)
    marked = np.concatenate(([False], wanted[first:last], [False])).astype(np.int8)
    edges = (np.flatnonzero(np.diff(marked)) + first).tolist()
    return [slice(begin, end) for begin, end in zip(edges[::2], edges[1::2], strict=True)]


class BoardMachine(Driven):
    """One chip on a board. Has the interface of `npu.chip.machine.Machine`.

    Cycles are those of the chip's own counter, with the board's memory.

    Parameters
    ----------
    params, memory_bytes, program : as of `npu.chip.machine.MachineFactory`.
    port : the serial port of the board.
    schedule, step, observer : a board has no use for them; an observer is refused.
    patience_s : how long a start may take, in seconds; the budget of a run is for a simulation.

    Raises LinkError where the board does not answer; MachineError where there is another chip than
    `params`, or where program and memory do not fit the board.
    """

    def __init__(
        self,
        params: ChipParams,
        memory_bytes: int,
        program: bytes,
        *,
        port: str,
        schedule: BusSchedule | None = None,
        step: bool = False,
        observer: Observer | None = None,
        **link: Any,
    ) -> None:
        if observer is not None:
            raise MachineError("a board shows no single commands: leave the observer out")
        at = params.align(memory_bytes)
        whole = at + params.align(len(program))
        if whole > MEMORY_BYTES:
            raise MachineError(
                f"the image takes {whole:,} bytes of external memory, the board has "
                f"{MEMORY_BYTES:,}: give it a smaller model"
            )
        self.params = params
        self.sram = np.zeros(params.sram_bytes, np.uint8)
        self._link = SerialLink(port, **link)
        try:
            self._work(driver.probe)
            self._work(driver.fits, params.fingerprint)
            self._work(driver.reset)
            self._work(driver.place_memory, 0)
            self._board_memory = SerialMemory(params, whole, self._link)
            self.memory: ExternalMemory = self._board_memory
            self.memory.data[at : at + len(program)] = np.frombuffer(program, np.uint8)
            self.load(at, len(program) // isa.COMMAND_BYTES)
            self._work(driver.clear_counters)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give the port back."""
        self._link.close()

    def load(self, address: int, n_commands: int) -> None:
        """Load a program from external memory in place of the one that is there."""
        self._board_memory.flush(address, n_commands * isa.COMMAND_BYTES)
        self._work(driver.load, address, n_commands)

    def reset(self) -> None:
        """Clear an error; memories keep their contents, registers do not."""
        self._work(driver.reset)

    def run(
        self, pc: int, arguments: dict[int, int] | None = None, budget: Budget | None = None
    ) -> int:
        """Start at `pc` with registers set from `arguments`, run to HALT; returns the cycles."""
        self._board_memory.flush()
        before = self._work(driver.counters).cycles
        try:
            self._work(driver.run, pc, arguments)
        finally:
            self._board_memory.forget()
        return (self._work(driver.counters).cycles - before) & driver.WORD

    def _work(self, action: Callable[..., Steps[T]], *arguments: Any) -> T:
        return driver.perform(action(*arguments), self._link.step)


if TYPE_CHECKING:
    from functools import partial

    _FACTORY: MachineFactory = partial(BoardMachine, port="")

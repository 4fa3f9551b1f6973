"""The host's side: feeds a compiled image on the simulated chip and reads its results.

A session owns one `Machine`. It loads the memory image, boots the chip (weights into banks), and
then starts it at one of the image's entries after the other, as a driver would.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from npu.chip.limit import Budget
from npu.chip.machine import Machine, MachineFactory, Observer
from npu.chip.memory import BusSchedule
from npu.chip.trace import Retire
from npu.errors import InputError, MachineError
from npu.model.inputs import require_calls, require_indices, require_inputs
from npu.model.real import dequantized, quantized
from npu.model.recording import Recorder
from npu.runtime.budget import Budgets
from npu.runtime.header import BOOT, INVOKE, RESET, TensorInfo
from npu.runtime.host_interface import CALL_SHIFT, CALLS, TOKENS
from npu.runtime.image import Image
from npu.twin.machine import Machine as Twin


class Session:
    """An image on a machine, booted and reset: starts any of its entries.

    Parameters
    ----------
    image : what runs.
    schedule, step, observer : as `Machine` takes them.
    recording : gets what the image's probes see.
    machine : makes what it runs on.
    max_cycles : of every start. Default: what follows from the image (`npu.runtime.budget`),
        without an end where `schedule` makes the bus wait.
    """

    def __init__(
        self,
        image: Image,
        *,
        schedule: BusSchedule | None = None,
        step: bool = False,
        observer: Observer | None = None,
        recording: Recorder | None = None,
        machine: MachineFactory = Twin,
        max_cycles: int | None = None,
    ) -> None:
        self.image = image
        # A bus that is not always ready stretches a program beyond any bound.
        derived = schedule is None and max_cycles is None
        self._budgets = Budgets(image) if derived else None
        self._budget = None if max_cycles is None else Budget.of_cycles(max_cycles)
        self._observers = [observer] if observer is not None else []
        if recording is not None:
            self._observers.append(_prober(image, recording))
        self.machine: Machine = machine(
            image.params,
            image.header.memory_bytes,
            image.program,
            schedule=schedule,
            step=step,
            observer=self._observe if self._observers else None,
        )
        self.machine.memory.data[: len(image.memory)] = image.memory
        self.boot_cycles = self._run(BOOT)
        self.reset_cycles = 0
        self.reset()

    def reset(self) -> None:
        """Begin an utterance: states to their start values."""
        self.reset_cycles = self._run(RESET)

    def start(
        self,
        name: str,
        inputs: Sequence[np.ndarray] = (),
        registers: Mapping[int, int] | None = None,
    ) -> tuple[list[np.ndarray], int]:
        """One start at an entry, which has no loop; returns its outputs, and the cycles.

        registers : values of registers at the start, by number.

        Raises InputError for an entry that is not there and for inputs that do not fit.
        """
        header = self.image.header
        entry = header.entry(name)
        if entry.loop is not None:
            raise InputError(f"entry {name!r} of {header.model} takes several calls in a start")
        require_inputs(header.model, entry.inputs, inputs)
        for position, (tensor, array) in enumerate(zip(entry.inputs, inputs, strict=True)):
            if tensor.index_limit is not None:
                where = f"input {position} of {header.model}"
                require_indices(where, array, tensor.index_limit)
        for tensor, array in zip(entry.inputs, inputs, strict=True):
            self._write(tensor, array)
        cycles = self._run(name, registers=registers)
        return [self._read(tensor) for tensor in entry.outputs], cycles

    def _run(self, entry: str, calls: int = 0, registers: Mapping[int, int] | None = None) -> int:
        """One start, of `calls` encoder calls if it is a loop over those, within its budget."""
        budget = self._budget if self._budgets is None else self._budgets.of_start(calls)
        arguments = {CALLS: calls} if calls else dict(registers or {})
        return self.machine.run(self.image.header.entry(entry).pc, arguments, budget)

    def _observe(self, retire: Retire, machine: Machine) -> None:
        for observer in self._observers:
            observer(retire, machine)

    def _write(self, tensor: TensorInfo, values: np.ndarray, offset: int = 0) -> None:
        """Put a tensor where the chip expects it. Raises InputError for reals without integers."""
        if tensor.stored is not None:
            values = quantized(tensor.name, values, *_real(tensor), tensor.stored)
        raw = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
        self.machine.memory.window(tensor.address + offset, tensor.n_bytes)[: len(raw)] = raw

    def _read(self, tensor: TensorInfo) -> np.ndarray:
        dtype = np.dtype(tensor.memory_dtype)
        raw = self.machine.memory.window(tensor.address, tensor.n_bytes)
        # A copy: the next call writes to the same place.
        values = raw[: math.prod(tensor.shape) * dtype.itemsize].copy()
        integers = values.view(dtype).reshape(tensor.shape)
        return integers if tensor.stored is None else dequantized(integers, *_real(tensor))


class GraphSession(Session):
    """Runs a single graph call by call; states carry over from call to call.

    Attributes
    ----------
    cycles : cycles of every call so far.
    """

    def __init__(self, image: Image, **options: Any) -> None:
        self.entry = image.header.invoke
        self.cycles: list[int] = []
        super().__init__(image, **options)

    def invoke(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """One call. Raises InputError when the inputs do not fit."""
        outputs, cycles = self.start(INVOKE, inputs)
        self.cycles.append(cycles)
        return outputs


class TransducerSession(Session):
    """Streaming speech recognition on the chip: features in, symbols out.

    The image's loop searches; an image whose search runs on the host is for
    `npu.runtime.host_search`.

    Attributes
    ----------
    features : what an encoder call takes.
    calls : encoder calls that the chip takes in one start.
    cycles : cycles of every start so far: encoder calls with the symbols that they emitted, and
        the restart before them if there was one.
    """

    def __init__(self, image: Image, **options: Any) -> None:
        self.features = image.header.features
        info = image.header.transducer
        assert info is not None, "an image with features has a transducer"
        loop = image.header.entry(info.hears).loop
        if loop is None:
            raise InputError(
                f"{image.header.model} has no loop on the chip: its search runs on the host"
            )
        self._info, self._loop = info, loop
        self.calls = loop.calls
        self.cycles: list[int] = []
        self._restart_cycles = 0
        super().__init__(image, **options)

    def reset(self) -> None:
        super().reset()
        self._restart_cycles = 0

    def restart(self) -> None:
        """Begin another utterance amid a stream: as `reset`, but it counts to the next call."""
        self.reset()
        self._restart_cycles = self.reset_cycles

    def accept(self, features: np.ndarray, calls_per_start: int = 1) -> list[int]:
        """As `accept_calls`, all symbols in one list."""
        answers = self.accept_calls(features, calls_per_start)
        return [symbol for symbols in answers for symbol in symbols]

    def accept_calls(self, features: np.ndarray, calls_per_start: int = 1) -> list[list[int]]:
        """Take the next encoder calls of the utterance.

        Parameters
        ----------
        features : (calls, frames, features) int8.
        calls_per_start : encoder calls handed to the chip at once, 1 to `calls`.

        Returns the symbols of each frame that the encoder gave. Raises InputError when `features`
        does not fit.
        """
        tensor = self.features
        require_calls("features", tensor, features)
        if not 1 <= calls_per_start <= self.calls:
            raise InputError(f"calls_per_start must be 1 to {self.calls}")
        answers: list[list[int]] = []
        for first in range(0, len(features), calls_per_start):
            chunk = features[first : first + calls_per_start]
            for index, call in enumerate(chunk):
                self._write(tensor, call, index * tensor.n_bytes)
            cycles = self._run(self._info.hears, len(chunk))
            self.cycles.append(cycles + self._restart_cycles)
            self._restart_cycles = 0
            answers += self._answers(len(chunk))
        return answers

    def _answers(self, calls: int) -> list[list[int]]:
        """The symbols of each frame of a start of so many calls."""
        count = self.machine.registers[TOKENS]
        frames = calls * self._info.frames_out
        if not 0 <= count <= frames * self._info.max_symbols_per_frame:
            raise MachineError(f"the chip reports {count} tokens for {calls} calls")
        words = self.machine.memory.window(self._loop.tokens_address, 4 * count).view("<u4")
        answers: list[list[int]] = [[] for _ in range(frames)]
        for word in words.tolist():
            left, symbol = divmod(word, 1 << CALL_SHIFT)
            if symbol >= len(self._info.tokens) or left >= frames:
                raise MachineError(
                    f"the chip emitted a token that does not exist: {symbol}, with {left} of "
                    f"{frames} frames left"
                )
            answers[frames - 1 - left].append(symbol)
        return answers


def _real(tensor: TensorInfo) -> tuple[float, int]:
    """What the integers mean that stand for real numbers."""
    assert tensor.scale is not None, "an image says so"
    return tensor.scale, tensor.zero_point


def _prober(image: Image, recording: Recorder) -> Observer:
    probes = {probe.pc: probe for probe in image.header.probes}

    def observe(retire: Retire, machine: Machine) -> None:
        probe = probes.get(retire.pc)
        if probe is not None:
            vector = machine.sram[probe.sram : probe.sram + probe.n].view(np.int8).copy()
            recording.add(probe.name, vector)

    return observe

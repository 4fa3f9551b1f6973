"""Twin and RTL side by side: the same inputs, every retire record compared, the time of both."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from npu.chip.trace import Retire
from npu.cli._npz import Wanted, read_inputs
from npu.cli._speech import Speech
from npu.errors import InputError, MachineError, ModelError
from npu.runtime.header import TensorInfo
from npu.runtime.image import Image
from npu.runtime.sessions import GraphSession, MachineFactory, TransducerSession

PS_PER_CYCLE = 10
"""Of the waveforms that `rtl/sim/harness.cpp` writes."""

MOST_CALLS = 100_000
"""Their inputs are held, and the RTL takes hours for as many."""
RANDOM_CALLS = 4
SEED = 1
# A random index where the model states no limit.
_INDICES = 8


class Clocked:
    """Makes machines as `factory` does, and adds up the cycles and seconds of their runs.

    Attributes
    ----------
    machine : the newest machine, None before the first.
    cycles, seconds : of its runs; making a machine (and building it) does not count.
    """

    def __init__(self, factory: MachineFactory) -> None:
        self._factory = factory
        self.machine: Any = None
        self.clear()

    def clear(self) -> None:
        """Begin to count anew."""
        self.cycles, self.seconds = 0, 0.0

    def __call__(self, *args: Any, **options: Any) -> Any:
        self.machine = machine = self._factory(*args, **options)
        run = machine.run

        def timed(pc: int, *rest: Any) -> int:
            began = time.perf_counter()
            cycles = run(pc, *rest)
            self.seconds += time.perf_counter() - began
            self.cycles += cycles
            return cycles

        machine.run = timed
        return machine

    def report(self) -> dict[str, Any]:
        """Cycles, seconds and cycles per second."""
        rate = self.cycles / self.seconds if self.seconds else 0.0
        return {"cycles": self.cycles, "seconds": self.seconds, "cycles_per_second": rate}


@dataclass
class Difference(Exception):
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
        return self._known.pc

    @property
    def cycle(self) -> int:
        """The first cycle in which the records say different things."""
        twin, rtl = self.twin, self.rtl
        if twin is None or rtl is None:
            return self._known.start
        if (twin.pc, twin.start) != (rtl.pc, rtl.start):
            return min(twin.start, rtl.start)
        return min(twin.end, rtl.end)

    @property
    def waves_ps(self) -> int:
        """Where `cycle` is in the waveforms."""
        last = self.cycle if self.rtl is None else self.rtl.end
        return PS_PER_CYCLE * (self.simulated - 1 - (last - self.cycle))

    @property
    def _known(self) -> Retire:
        known = self.twin or self.rtl
        assert known is not None, "one side has a record"
        return known


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
        """The RTL's observer. Raises Difference."""
        twin = self._expected.popleft() if self._expected else None
        if twin != retire:
            raise Difference(twin, retire, machine.simulated_cycles)
        self.compared += 1

    def stopped(self, machine: Any, error: MachineError | None = None) -> None:
        """The RTL has come to its end. Raises Difference where the twin had not, or without error.

        Raises `error` where the machine could not be made.
        """
        if error is not None and machine is None:
            raise error
        if self._expected or error is not None:
            twin = self._expected[0] if self._expected else self._last
            reason = str(error) if error is not None else "halted"
            raise Difference(twin, None, machine.simulated_cycles, reason)


def session_of(image: Image, **options: Any) -> GraphSession | TransducerSession:
    """A session for either kind of image."""
    kind = TransducerSession if image.header.kind == "transducer" else GraphSession
    return kind(image, **options)


def call(session: GraphSession | TransducerSession, inputs: Sequence[np.ndarray]) -> list[Any]:
    """One call; a transducer answers with its tokens."""
    if isinstance(session, TransducerSession):
        return [np.array(session.accept(inputs[0][np.newaxis]), np.int32)]
    return session.invoke(inputs)


def calls_of(
    image: Image, input_path: str | None, audio: str | None, limit: int | None
) -> list[list[np.ndarray]]:
    """The inputs of every call: of a file, or random ones that are always the same.

    Raises InputError or ModelError where the file does not belong to the model.
    """
    header = image.header
    if audio is not None:
        features = Speech.of_image(image).features(audio)
        each = (f for _, block in features for f in block)
        return [[call] for call in islice(each, limit)]
    if input_path is None:
        return list(_random(image, RANDOM_CALLS if limit is None else limit))
    if header.transducer is not None:
        raise ModelError(f"{header.model} is a transducer: give it sound with --audio")
    wanted = [Wanted(tensor.shape, np.dtype(tensor.dtype)) for tensor in header.invoke.inputs]
    inputs = read_inputs(Path(input_path), wanted)
    if limit is not None and limit > len(inputs[0]):
        raise InputError(f"{input_path}: holds {len(inputs[0])} calls, not {limit}")
    return [[array[i] for array in inputs] for i in range(len(inputs[0]))][:limit]


def _random(image: Image, calls: int) -> Iterator[list[np.ndarray]]:
    rng = np.random.default_rng(SEED)
    info = image.header.transducer
    for _ in range(calls):
        if info is not None:
            yield [rng.integers(-128, 128, image.header.features.shape[1:], np.int8)]
        else:
            yield [_random_tensor(rng, tensor) for tensor in image.header.invoke.inputs]


def _random_tensor(rng: np.random.Generator, tensor: TensorInfo) -> np.ndarray:
    if tensor.dtype == "int32":
        return rng.integers(0, tensor.index_limit or _INDICES, tensor.shape, np.int32)
    return rng.integers(-128, 128, tensor.shape, np.int8)

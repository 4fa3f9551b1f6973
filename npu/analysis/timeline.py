"""A chip's work on the axis of time: starts, commands and transfers, and what they fill of it."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from npu.analysis.frames import Bounded, Decided
from npu.analysis.utterance import SoundFrames
from npu.chip.params import ChipParams
from npu.events.machine import CommandRecord, EventMachine, TransferRecord, events_of
from npu.events.stretch import COUNTS
from npu.events.trace import Start
from npu.runtime.header import BOOT
from npu.runtime.image import Image

NS_PER_MS = 1e6
LEAST_WINDOW_CYCLES = 64
MOST_WINDOWS = 20_000
"""Of a timeline; with more cycles the windows are longer."""

_MACS = COUNTS.index("macs")


class Part(NamedTuple):
    """A start of the chip: a frame or one of those that it takes, a reset, the boot.

    Attributes
    ----------
    cycle, cycles : its first cycle on the machine, and how many it takes.
    begin_ns : when that is.
    """

    name: str
    cycle: int
    cycles: int
    begin_ns: float


class Windows(NamedTuple):
    """What a part does, window by window.

    Attributes
    ----------
    edges : (n + 1,) cycles.
    n_bytes : (n,) moved over the bus.
    occupancy : (n,) of the lanes: nonzero weights multiplied over what all lanes could, 0 to 1.
    """

    edges: np.ndarray
    n_bytes: np.ndarray
    occupancy: np.ndarray


class Timeline:
    """What ran on a chip, and when.

    Attributes
    ----------
    parts : in order; those of a sound begin when it has come, the others one behind the other.
    """

    def __init__(self, image: Image) -> None:
        self.image = image
        self._machine: EventMachine = events_of(image, keep=True)
        self._start = Bounded(image, self._machine).run
        self.parts: list[Part] = []
        self._entries = {entry.pc: entry.name for entry in image.header.entries}
        self.run("boot", [Start(image.header.entry(BOOT).pc)])

    @property
    def params(self) -> ChipParams:
        return self.image.params

    @property
    def cycles(self) -> int:
        """Of all parts."""
        return sum(part.cycles for part in self.parts)

    @property
    def end_ns(self) -> float:
        """When the last part has ended; 0 before the first."""
        if not self.parts:
            return 0.0
        part = self.parts[-1]
        return part.begin_ns + self.nanoseconds(part.cycles)

    def nanoseconds(self, cycles: float) -> float:
        """How long cycles take."""
        return self.params.milliseconds(cycles) * NS_PER_MS

    def run(self, name: str, starts: Sequence[Start], comes_ms: float = 0.0) -> None:
        """Run starts, a part each: behind what was before, and not before `comes_ms`.

        Raises MachineError for a start that does not halt in its budget.
        """
        machine = self._machine
        for start in starts:
            behind = machine.cycle
            cycles = self._start(start)
            cycle = machine.cycle - cycles
            # Before it, transfers of the part before may still go on.
            free = self.end_ns + self.nanoseconds(cycle - behind)
            entry = self._entries.get(start.pc, name)
            shown = name if entry == name or len(starts) == 1 else f"{name}: {entry}"
            self.parts.append(Part(shown, cycle, cycles, max(comes_ms * NS_PER_MS, free)))

    def disassembly(self) -> list[str]:
        """Every command of the program as text."""
        return [str(command) for command in self._machine.program]

    def commands(self) -> Iterator[tuple[int, CommandRecord]]:
        """Every command in order, with the number of its part."""
        begins = [part.cycle for part in self.parts]
        for command in self._machine.commands():
            yield bisect_right(begins, command.start) - 1, command

    def transfers(self) -> Iterator[tuple[int, TransferRecord]]:
        """Every transfer in the order in which they are queued, with the number of its part."""
        begins = [part.cycle for part in self.parts]
        for transfer in self._machine.transfers():
            yield bisect_right(begins, transfer.start) - 1, transfer

    def windows(self) -> list[Windows]:
        """Of every part, windows of one length; transfers that go on behind it are in them."""
        length = max(LEAST_WINDOW_CYCLES, -(-self.cycles // MOST_WINDOWS))
        moved, worked = self._moved(), self._multiplied()
        last = max([p.cycle + p.cycles for p in self.parts] + moved[:, 1].astype(int).tolist())
        ends = [*(part.cycle for part in self.parts[1:]), last]
        return [
            self._windows(part.cycle, end, length, moved, worked)
            for part, end in zip(self.parts, ends, strict=True)
        ]

    def windows_of(self, index: int, count: int) -> Windows:
        """Of one part, at most so many windows."""
        part = self.parts[index]
        length = max(1, -(-part.cycles // count))
        end = part.cycle + part.cycles
        return self._windows(part.cycle, end, length, self._moved(), self._multiplied())

    def _windows(
        self, begin: int, end: int, length: int, moved: np.ndarray, worked: np.ndarray
    ) -> Windows:
        count = max(1, -(-(end - begin) // length))
        edges = np.minimum(begin + np.arange(count + 1) * length, end)
        room = self.params.lanes * np.maximum(np.diff(edges), 1)
        return Windows(edges, spread(moved, edges), spread(worked, edges) / room)

    def _moved(self) -> np.ndarray:
        """(n, 3): begin, end and bytes of every transfer's beats, as far as those are known.

        Transfers overlap, but their beats come in order: behind those of the transfer before.
        """
        rows, behind = [], 0
        for _, transfer in self.transfers():
            end = transfer.done + 1
            rows.append((min(max(transfer.start, behind), end - 1), end, transfer.n_bytes))
            behind = end
        return np.array(rows, np.float64).reshape(-1, 3)

    def _multiplied(self) -> np.ndarray:
        """(n, 3): begin, end and nonzero multiplications of every product."""
        tally = self._machine.tally()
        mean = tally.counts[:, _MACS] / np.maximum(tally.runs, 1)
        rows = [
            (command.start, command.end + 1, mean[command.pc])
            for _, command in self.commands()
            if mean[command.pc]
        ]
        return np.array(rows, np.float64).reshape(-1, 3)


def spread(spans: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """(edges - 1,) float64: amounts that come evenly from begin to end, by window.

    spans : (n, 3) float64, begin, end behind it, and amount. edges : of the windows, in order.
    """
    begins, ends, amounts = spans.T
    if not len(begins):
        return np.zeros(len(edges) - 1)
    rates = amounts / (ends - begins)
    at, change = np.concatenate([begins, ends]), np.concatenate([rates, -rates])
    order = np.argsort(at, kind="stable")
    at, rate = at[order], np.cumsum(change[order])
    total = np.concatenate([[0.0], np.cumsum(rate[:-1] * np.diff(at))])
    return np.diff(np.interp(edges, at, total))


def timeline_of(image: Image, decided: Decided) -> Timeline:
    """Boot, reset and frames, one behind the other."""
    timeline = Timeline(image)
    timeline.run("reset", decided.reset)
    for number, starts in enumerate(decided.frames):
        timeline.run(f"frame {number}", starts)
    return timeline


def timeline_of_sound(image: Image, sound: SoundFrames) -> Timeline:
    """Boot and reset, and the frames of a sound as they come."""
    timeline = Timeline(image)
    timeline.run("reset", sound.reset)
    for number, (starts, comes) in enumerate(zip(sound.frames, sound.comes_ms, strict=True)):
        timeline.run(f"frame {number}", starts, comes)
    return timeline


@dataclass
class Shelves:
    """Puts spans that overlap on as few shelves as they need.

    Attributes
    ----------
    ends : of what lies last on each.
    """

    ends: list[int]

    def put(self, begin: int, end: int) -> int:
        """The shelf of a span; spans come in the order of their begins."""
        for shelf, taken in enumerate(self.ends):
            if taken <= begin:
                self.ends[shelf] = end
                return shelf
        self.ends.append(end)
        return len(self.ends) - 1

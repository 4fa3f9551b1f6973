"""The event simulation: a trace's starts on a chip, command by command, without its data."""

from collections.abc import Iterable, Iterator
from dataclasses import fields
from typing import Any, NamedTuple

import numpy as np

from npu.chip.counters import Counters
from npu.chip.isa import OPCODES, Command
from npu.chip.limit import NO_END, Budget
from npu.chip.memory import BusSchedule, ExternalMemory
from npu.chip.params import ChipParams
from npu.chip.status import Status
from npu.errors import MachineError
from npu.events.relevance import relevance
from npu.events.source import Label, Source
from npu.events.stretch import COUNTS, Place, Stretch
from npu.events.trace import Start
from npu.runtime.image import Image
from npu.twin.machine import MAX_COMMANDS
from npu.twin.state import Events

MOST_STRETCHES = 1 << 14
"""That are remembered at a time: where data take many values, hardly one of them comes again."""


class CommandRecord(NamedTuple):
    """A command that ran: cycles as in `npu.chip.trace.Retire`.

    Attributes
    ----------
    wait : of its cycles, those in which it waited for the DMA's queue or for tags.
    """

    pc: int
    name: str
    unit: str
    start: int
    end: int
    wait: int


class TransferRecord(NamedTuple):
    """A transfer: first and last cycle as `npu.twin.dma.Transfer` has them.

    Attributes
    ----------
    pc, kind : the command that it belongs to, and its opcode.
    tag : None where the command waits for it.
    """

    pc: int
    kind: str
    start: int
    done: int
    n_bytes: int
    tag: int | None


class Tally(NamedTuple):
    """What the commands of a program did together.

    Attributes
    ----------
    runs : (commands,) int64, how often each ran.
    spent : (commands,) int64, cycles of each from its start to its end.
    counts : (commands, len(COUNTS)) int64, what each counted, in the order of COUNTS.
    """

    runs: np.ndarray
    spent: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, commands: int) -> "Tally":
        """Of a program of so many commands, none of which has run."""
        return cls(
            np.zeros(commands, np.int64),
            np.zeros(commands, np.int64),
            np.zeros((commands, len(COUNTS)), np.int64),
        )

    def add(self, stretches: Iterable[Stretch]) -> None:
        """Add what stretches did, as often as they were run through."""
        for stretch in stretches:
            if stretch.times:
                self.runs[stretch.pcs] += stretch.times * stretch.runs
                self.spent[stretch.pcs] += stretch.times * stretch.spent
                self.counts[stretch.pcs] += stretch.times * stretch.counts


class EventMachine:
    """A chip that runs a trace's starts.

    Parameters
    ----------
    params, memory_bytes, program, schedule : as `npu.twin.machine.Machine` takes them.
    entries : where the program may be started; None: anywhere. Fewer entries, fewer registers that
        matter.
    keep : keep what ran, for `commands` and `transfers`.

    Attributes
    ----------
    memory : external memory; the host writes weights and records there, before the first start.
    cycle : the cycle behind the last start.
    """

    def __init__(
        self,
        params: ChipParams,
        memory_bytes: int,
        program: bytes,
        *,
        schedule: BusSchedule | None = None,
        entries: Iterable[int] | None = None,
        keep: bool = False,
    ) -> None:
        self._source = Source(params, memory_bytes, program, schedule)
        twin = self._source.machine
        self.params, self.program = params, twin.program
        self.memory: ExternalMemory = twin.memory
        self.cycle = 0
        self.status = Status.OK
        self._relevance = relevance(twin.program, entries)
        bus = twin.memory.schedule
        # Cycles are the same at any time only where the bus is.
        self._remembers = all(pattern.all() for pattern in (bus.ar, bus.r, bus.aw, bus.w, bus.b))
        self._stretches: list[Stretch] = []
        # What stretches did that are not remembered any more.
        self._forgotten = Tally.of(len(twin.program))
        self._path: list[tuple[int, Stretch]] | None = [] if keep else None
        self._place = self._source.place(self._relevance, halted=True)
        self._idle, self._cycles = 0, 0
        # Where the twin behind it stands, and when.
        self._stands: tuple[Place, int] | None = (self._place, 0)

    @property
    def needs_trace(self) -> bool:
        """Whether data decide anywhere in the program."""
        return bool(self._relevance.sources)

    def reset(self) -> None:
        """Clear an error and the scalar registers."""
        self._source.machine.reset()
        self.status, self._idle = Status.OK, 0
        self._place = self._source.place(self._relevance, halted=True)
        self._stands = (self._place, self.cycle)

    def run(self, start: Start, budget: Budget | None = None) -> int:
        """A start, to its HALT; returns the cycles.

        Raises MachineError as the twin does, where `start` lacks a value, and (without a status)
        where the program writes what it loads as weights.
        """
        if self.status != Status.OK:
            raise MachineError(f"the chip refused to start: in error ({self.status.name}); reset")
        budget = budget or Budget(NO_END, MAX_COMMANDS)
        place, values = self._place, iter(start.values)
        began = cycle = self.cycle + self._idle
        label: Label = (start.pc, start.arguments)
        # From the last place whose state is known: the labels that led on.
        known, known_at, labels = place, cycle, []
        path, commands = self._path, 0
        while True:
            labels.append(label)
            stretch = place.behind.get(label)
            if stretch is None:
                if self._stands != (place, cycle):
                    self._go(known, known_at, labels[:-1])
                stretch = self._simulate(place, label, budget, (cycle, cycle - began, commands))
            stretch.times += 1
            commands += len(stretch.commands)
            if path is not None:
                path.append((cycle, stretch))
            cycle += stretch.cycles
            assert stretch.to is not None, "only of one that broke off"
            place = stretch.to
            if cycle - began > budget.cycles:
                raise budget.used_up()
            if stretch.halts:
                break
            if place.state is not None:
                known, known_at = place, cycle
                labels.clear()
            label = next(values, None)
            if label is None:
                raise self._lacks(stretch)
        self.cycle, self._place, self._idle = cycle, place, stretch.idle
        self._cycles += cycle - began
        return cycle - began

    @property
    def counters(self) -> Counters:
        """As the chip's since it was made or cleared, but for `macs_gated`, which is 0: only values
        know it."""
        return Counters(cycles=self._cycles, **self._counted(Counters))

    @property
    def events(self) -> Events:
        """As the twin's."""
        return Events(**self._counted(Events))

    def _counted(self, kind: type) -> dict[str, int]:
        names = {field.name for field in fields(kind)}
        sums = self.tally().counts.sum(axis=0).tolist()
        return {name: n for name, n in zip(COUNTS, sums, strict=True) if name in names}

    # --- what ran -------------------------------------------------------------------------------
    def clear(self) -> None:
        """Forget what ran; what it costs stays known."""
        self._cycles = 0
        self._forgotten = Tally.of(len(self.program))
        for stretch in self._stretches:
            stretch.times = 0
        if self._path is not None:
            self._path.clear()
        if not self._remembers:
            self._stretches.clear()

    def tally(self) -> Tally:
        """What ran since it was made, or cleared."""
        tally = Tally(*(total.copy() for total in self._forgotten))
        tally.add(self._stretches)
        return tally

    def commands(self) -> Iterator[CommandRecord]:
        """Every command that ran, in order, if they are kept."""
        names = [cmd.opcode.name if isinstance(cmd, Command) else "" for cmd in self.program]
        for at, stretch in self._kept():
            for pc, start, end, wait in stretch.times_of():
                name = names[pc]
                yield CommandRecord(pc, name, OPCODES[name].unit, at + start, at + end, wait)

    def transfers(self) -> Iterator[TransferRecord]:
        """Every transfer that was queued, in order, if they are kept."""
        for at, stretch in self._kept():
            for moved in stretch.moved:
                cmd = self.program[moved.pc]
                assert isinstance(cmd, Command), "it has run"
                yield TransferRecord(
                    moved.pc,
                    cmd.opcode.name,
                    at + moved.start,
                    at + moved.done,
                    moved.n_bytes,
                    moved.tag,
                )

    def _kept(self) -> list[tuple[int, Stretch]]:
        if self._path is None:
            raise ValueError("make the machine with keep=True to see what ran")
        return self._path

    # --- what is not known yet ------------------------------------------------------------------
    def _simulate(
        self, place: Place, label: Label, budget: Budget, at: tuple[int, int, int]
    ) -> Stretch:
        """Run a stretch on the twin, and remember it.

        at : its first cycle, and how many cycles and commands of its start are behind it.
        """
        cycle, *spent = at
        source, self._stands = self._source, None
        try:
            stretch = source.run(label, self._relevance, budget, (spent[0], spent[1]))
        except MachineError as error:
            self._broke(source.broken(), cycle, error)
            raise
        if len(self._stretches) >= MOST_STRETCHES:
            self._forgotten.add(self._stretches)
            self._stretches.clear()
            source.forget()
        self._stretches.append(stretch)
        if self._remembers:
            place.behind[label] = stretch
            stretch.to = source.place(self._relevance, stretch.halts)
        else:
            stretch.to = Place(None)
        self._stands = (stretch.to, cycle + stretch.cycles + stretch.idle)
        return stretch

    def _go(self, known: Place, cycle: int, labels: list[Label]) -> None:
        """Bring the twin to where `labels` lead from a known place."""
        assert known.state is not None, "it is known"
        self._source.stand(known.state, cycle, self._relevance)
        for label in labels:
            self._source.run(label, self._relevance, Budget(NO_END, MAX_COMMANDS))

    def _broke(self, stretch: Stretch, cycle: int, error: MachineError) -> None:
        stretch.times = 1
        self._stretches.append(stretch)
        if self._path is not None:
            self._path.append((cycle, stretch))
        self.cycle = cycle + stretch.cycles
        self.status = error.status or Status.OK

    def _lacks(self, stretch: Stretch) -> MachineError:
        pc = int(stretch.commands[-1, 0])
        return MachineError(
            f"command {pc} ({self.program[pc]}): its result decides how the program goes on, and "
            "the trace has no further value; record it with the same program and inputs"
        )


def events_of(image: Image, **options: Any) -> EventMachine:
    """An event machine that holds an image; `options` as it takes them. Its first start is BOOT."""
    header = image.header
    machine = EventMachine(
        image.params,
        header.memory_bytes,
        image.program,
        entries=[entry.pc for entry in header.entries],
        **options,
    )
    machine.memory.data[: len(image.memory)] = image.memory
    return machine

"""A stretch of a program that takes the same cycles whenever it begins in the same state."""

from collections.abc import Iterator
from dataclasses import fields
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np

from npu.chip.counters import Counters
from npu.twin.machine import Machine
from npu.twin.state import Events

# Cycles of whole starts, and what only values know.
_NOT_COUNTED = ("cycles", "macs_gated")
_COUNTERS = tuple(field.name for field in fields(Counters) if field.name not in _NOT_COUNTED)
_EVENTS = tuple(field.name for field in fields(Events))
COUNTS = (*_COUNTERS, *_EVENTS)
"""What is counted of every command, by the names of `Counters` and of the twin's `Events`."""
_WAIT = COUNTS.index("wait_cycles")
_of_counters, _of_events = attrgetter(*_COUNTERS), attrgetter(*_EVENTS)


class Times(NamedTuple):
    """A command of a stretch, in cycles from its begin: the cycles as in a retire record."""

    pc: int
    start: int
    end: int


class Moved(NamedTuple):
    """A transfer of a stretch: its command, first and last cycle from the begin, bytes, and tag."""

    pc: int
    start: int
    done: int
    n_bytes: int
    tag: int | None


class Place:
    """A moment between two stretches.

    Attributes
    ----------
    behind : the stretches that begin here, by what begins them.
    state : all that they depend on, None where transfers are open: it follows from the places
        before.
    """

    __slots__ = ("behind", "state")

    def __init__(self, state: "Standing | None") -> None:
        self.behind: dict[Any, Stretch] = {}
        self.state = state


class Standing(NamedTuple):
    """A chip between two commands, no transfer open.

    Attributes
    ----------
    registers : as far as they matter.
    matvec, vector : what the units hold.
    contents : names what lies in banks and parameter memory.
    source : the command whose result is to come, None behind a HALT.
    """

    registers: tuple[int, ...]
    matvec: tuple
    vector: tuple
    contents: tuple
    source: int | None


class Stretch:
    """From a start, or from what data decide, to the next decision or to HALT.

    Attributes
    ----------
    cycles : that it takes; idle : from then until no transfer is open, of one that halts.
    halts : the chip has halted behind it.
    to : where it leads; None where it ended in error.
    commands, moved : in order, in cycles from its begin.
    pcs, counts : (n,) of those of its commands, each once, and (n, len(COUNTS)) what they counted.
    runs, spent : (n,), how often each of `pcs` ran, and its cycles from start to end.
    waits : of each command, the cycles that it waited for the queue or for tags.
    times : how often the stretch was run through.
    """

    __slots__ = (
        "commands",
        "counts",
        "cycles",
        "halts",
        "idle",
        "moved",
        "pcs",
        "runs",
        "spent",
        "times",
        "to",
        "waits",
    )

    def __init__(self, notes: "Notes", cycles: int, idle: int, halts: bool) -> None:
        self.cycles, self.idle, self.halts = cycles, idle, halts
        self.to: Place | None = None
        self.times = 0
        self.commands = np.array(notes.commands, np.int64).reshape(-1, 3)
        self.moved = notes.moved
        each = np.diff(np.array(notes.seen, np.int64).reshape(-1, len(COUNTS)), axis=0)
        self.waits = each[:, _WAIT]
        self.pcs, index = np.unique(self.commands[:, 0], return_inverse=True)
        self.runs = np.bincount(index, minlength=len(self.pcs))
        self.spent = np.zeros(len(self.pcs), np.int64)
        np.add.at(self.spent, index, self.commands[:, 2] - self.commands[:, 1] + 1)
        self.counts = np.zeros((len(self.pcs), len(COUNTS)), np.int64)
        np.add.at(self.counts, index, each)

    def times_of(self) -> Iterator[tuple[int, int, int, int]]:
        """(pc, start, end, wait) of every command."""
        for (pc, start, end), wait in zip(self.commands.tolist(), self.waits.tolist(), strict=True):
            yield pc, start, end, wait


class Notes:
    """What is noted of a stretch while it runs on a twin."""

    def __init__(self, machine: Machine, begin: int) -> None:
        self._machine = machine
        self.begin = begin
        self.commands: list[Times] = []
        self.moved: list[Moved] = []
        self.seen = [self._counts()]

    def command(self, pc: int, start: int, end: int) -> None:
        """A command has run."""
        self.commands.append(Times(pc, start - self.begin, end - self.begin))
        self.seen.append(self._counts())

    def transfer(self, pc: int, start: int, done: int, n_bytes: int, tag: int | None) -> None:
        """A transfer was queued."""
        self.moved.append(Moved(pc, start - self.begin, done - self.begin, n_bytes, tag))

    def _counts(self) -> tuple[int, ...]:
        machine = self._machine
        return _of_counters(machine.counters) + _of_events(machine.events)

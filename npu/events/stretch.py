"""A stretch of a program that takes the same cycles whenever it begins in the same state."""

from collections.abc import Iterator, Sequence
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
_PART = 1 << 12
"""Commands that are noted one by one before they are added up."""
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
        self.moved = notes.moved
        done, self.commands, self.waits = notes.finish()
        self.pcs, self.runs, self.spent, self.counts = done

    def times_of(self) -> Iterator[tuple[int, int, int, int]]:
        """(pc, start, end, wait) of every command."""
        for (pc, start, end), wait in zip(self.commands.tolist(), self.waits.tolist(), strict=True):
            yield pc, start, end, wait


class Sums(NamedTuple):
    """What commands did, by command.

    Attributes
    ----------
    pcs : (n,) int64, ascending.
    runs, spent : (n,) int64. counts : (n, len(COUNTS)) int64.
    """

    pcs: np.ndarray
    runs: np.ndarray
    spent: np.ndarray
    counts: np.ndarray

    @classmethod
    def joined(cls, parts: Sequence["Sums"]) -> "Sums":
        """All of them together."""
        pcs, runs, spent, counts = (np.concatenate(column) for column in zip(*parts, strict=True))
        found, index = np.unique(pcs, return_inverse=True)
        sums = cls(
            found,
            np.zeros(len(found), np.int64),
            np.zeros(len(found), np.int64),
            np.zeros((len(found), len(COUNTS)), np.int64),
        )
        for total, values in ((sums.runs, runs), (sums.spent, spent), (sums.counts, counts)):
            np.add.at(total, index, values)
        return sums


class Notes:
    """What is noted of a stretch while it runs on a twin, in memory that grows little with it."""

    def __init__(self, machine: Machine, begin: int) -> None:
        self._machine = machine
        self.begin = begin
        self.moved: list[Moved] = []
        self._commands: list[Times] = []
        self._seen = [self._counts()]
        self._parts: list[tuple[Sums, np.ndarray, np.ndarray]] = []

    def command(self, pc: int, start: int, end: int) -> None:
        """A command has run."""
        self._commands.append(Times(pc, start - self.begin, end - self.begin))
        self._seen.append(self._counts())
        if len(self._commands) >= _PART:
            self._fold()

    def transfer(self, pc: int, start: int, done: int, n_bytes: int, tag: int | None) -> None:
        """A transfer was queued."""
        self.moved.append(Moved(pc, start - self.begin, done - self.begin, n_bytes, tag))

    def finish(self) -> tuple[Sums, np.ndarray, np.ndarray]:
        """The sums by command, the commands as rows of `Times`, and the cycles that each waited."""
        if self._commands or not self._parts:
            self._fold()
        sums, commands, waits = zip(*self._parts, strict=True)
        if len(sums) == 1:
            return sums[0], commands[0], waits[0]
        return Sums.joined(sums), np.concatenate(commands), np.concatenate(waits)

    def _fold(self) -> None:
        commands = np.array(self._commands, np.int64).reshape(-1, len(Times._fields))
        each = np.diff(np.array(self._seen, np.int64), axis=0)
        pcs, start, end = commands.T
        sums = Sums.joined([Sums(pcs, np.ones(len(pcs), np.int64), end - start + 1, each)])
        self._parts.append((sums, commands, each[:, _WAIT].copy()))
        self._commands.clear()
        del self._seen[:-1]

    def _counts(self) -> tuple[int, ...]:
        machine = self._machine
        return _of_counters(machine.counters) + _of_events(machine.events)

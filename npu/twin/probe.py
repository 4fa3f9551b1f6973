"""What a machine does in every cycle, noted while it runs: for waveforms (`npu.waves`)."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from npu.chip import cost
from npu.chip.isa import Command
from npu.chip.lanes import LaneLog, LaneRun, Turns
from npu.chip.params import ChipParams


class CommandNote(NamedTuple):
    """A command that has run: its unit, first and last cycle."""

    pc: int
    name: str
    unit: str
    start: int
    end: int


class TransferNote(NamedTuple):
    """A transfer.

    Attributes
    ----------
    taken : the cycle in which the DMA takes it; start, done : as `npu.twin.dma.Transfer` has them.
    waited : its command waits for its end.
    writes : to external memory.
    beats : a log of `npu.twin.bus`.
    """

    taken: int
    start: int
    done: int
    waited: bool
    writes: bool
    beats: np.ndarray


class LaneCourse(NamedTuple):
    """What the lanes do in a product, from their first turn on.

    Attributes
    ----------
    log : by cycle.
    first_filled : (lanes,) int64, the first thread of each that has rows; -1 where none has.
    """

    log: LaneLog
    first_filled: np.ndarray

    @classmethod
    def of(
        cls,
        cmd: Command,
        held: cost.Held,
        params: ChipParams,
        streams: cost.Streams,
        run: LaneRun,
        positions: int,
    ) -> "LaneCourse":
        """Of a product whose lanes have run: they run again.

        cmd, held, params, streams : as `npu.chip.cost.product` takes them. run : what came of it.
        """
        log = LaneLog.of(params.lanes, run.cycles, positions)
        cost.product(cmd, held, params, streams, log=log)
        return cls(log, _first_filled(streams.turns, params))


def _first_filled(turns: Turns, params: ChipParams) -> np.ndarray:
    filled = np.diff(turns.first).reshape(params.lanes, params.threads) > 0
    return np.where(filled.any(axis=1), filled.argmax(axis=1), -1)


class ProductNote(NamedTuple):
    """A product: the first cycle of its command, and of the lanes' first turn; their course."""

    start: int
    first_turn: int
    course: LaneCourse


@dataclass
class Probe:
    """Everything that one machine does, in the order in which it happens.

    Attributes
    ----------
    starts : the first cycle of every start.
    """

    starts: list[int] = field(default_factory=list)
    commands: list[CommandNote] = field(default_factory=list)
    transfers: list[TransferNote] = field(default_factory=list)
    products: list[ProductNote] = field(default_factory=list)

    @property
    def cycles(self) -> int:
        """Cycles until all of it is done."""
        ends = [command.end for command in self.commands]
        ends += [transfer.done for transfer in self.transfers]
        return max(ends, default=-1) + 1

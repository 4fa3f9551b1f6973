"""What commands cost: the cycles of each unit, from what its command is; no value is looked at.

A cost is a function of the command and of what its unit holds from the command before (`Held`), and
of a product also of its streams. All of them are pure: they know no machine, and may be called for
commands that no chip has run. One that depends on the data, too, takes them behind the others.

What the DMA takes depends on the bus: `npu.twin.dma` counts it from addresses and the memory's
timing.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from npu.chip import timing
from npu.chip.isa import Command
from npu.chip.lanes import NEVER, Barrel, LaneLog, LaneRun, Repeats, Turns, run_lanes
from npu.chip.params import ChipParams
from npu.chip.weight_format import LUT_BYTES, PARAM_WORD
from npu.chip.windows import walk


class Held(NamedTuple):
    """What a unit holds from the commands before, as far as a cost may depend on it.

    Attributes
    ----------
    window, positions : the last WINDOW and POSITIONS.
    repeats : of the n elements of a looped vector command, count_1 * count_2.
    """

    window: Command | None = None
    positions: Command | None = None
    repeats: int = 1


class Streams(NamedTuple):
    """What a product's cycles depend on, of what it finds in its memories.

    Attributes
    ----------
    sets : run and value entries of each code set.
    scales : that its rows share; 0 if every row has its own.
    turns : in which the rows end.
    """

    sets: Sequence[tuple[int, int]]
    scales: int
    turns: Turns


class ProductCost(NamedTuple):
    """Of a matrix-vector command.

    Attributes
    ----------
    cycles : in all. They mean nothing where the lanes were stopped.
    run : of lanes and requantiser.
    reads : (positions,) int64, words of SRAM that hold the activations of each.
    """

    cycles: int
    run: LaneRun
    reads: np.ndarray


def scalar(cmd: Command, held: Held) -> int:
    """Cycles of a command of the sequencer, a wait apart."""
    return timing.SCALARS.get(cmd.opcode.name, timing.SCALAR)


def vector(cmd: Command, held: Held, params: ChipParams) -> int:
    """Cycles of a command of the vector unit."""
    if cmd.opcode.name == "TABLE":
        return timing.VECTOR_START + LUT_BYTES // PARAM_WORD
    if cmd.opcode.name == "VLOOP":
        return timing.VECTOR_LOOP
    if cmd.looped:
        return timing.vector(cmd.opcode.name, cmd.n * held.repeats)
    return timing.vector(cmd.opcode.name, -(-cmd.n // params.vector_elements))


def set_up(cmd: Command, held: Held) -> int:
    """Cycles of a WINDOW or POSITIONS."""
    return timing.SET_UP


def product(
    cmd: Command,
    held: Held,
    params: ChipParams,
    streams: Streams,
    most_cycles: int = NEVER,
    log: LaneLog | None = None,
) -> ProductCost:
    """Cycles of a matrix-vector command, until a stream is found corrupt.

    held : with window and positions, if the command is windowed. most_cycles : of the lanes; more
    is too many. log : to be filled, of as many cycles as the lanes run.
    """
    sets, scales, turns = streams
    p, v = params, cmd.values
    if v["held"]:
        sets, scales = (), 0
    reads = np.array([p.align(v["columns"]) // p.bus_bytes])
    if v["windowed"]:
        assert held.window is not None and held.positions is not None, "it is windowed"
        reads = walk(cmd, held.window, held.positions, p).reads()
    ahead = v["columns"] <= p.ahead_columns and not v["add"]
    repeats = Repeats(reads, ahead, timing.prime(p.threads), bool(v["add"]))
    barrel = Barrel(p.lanes, p.threads, p.result_fifo)
    # Left out where nobody looks: what fills the log is compiled for itself.
    logs = () if log is None else (log,)
    run = run_lanes(barrel, turns, repeats, most_cycles, *logs)
    load = timing.load(sets, scales, int(reads[0]), p.threads)
    return ProductCost(timing.MATVEC_START + load + run.cycles + timing.MATVEC_END, run, reads)

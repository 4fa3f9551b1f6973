"""What commands cost: the cycles of each unit, from what its command is; no value is looked at.

A cost is a function of the command and of what its unit holds from the command before (`Held`), and
of a product also of its streams. All of them are pure: they know no machine, and may be called for
commands that no chip has run. One that depends on the data, too, takes them behind the others.

What the DMA takes depends on the bus: `npu.twin.dma` counts it from addresses and the memory's
timing.
"""

from collections.abc import Sequence
from typing import NamedTuple

from npu.chip import timing
from npu.chip.isa import Command
from npu.chip.lanes import NEVER, Barrel, LaneRun, Turns, record_cycles, run_lanes
from npu.chip.params import ChipParams
from npu.chip.weight_format import LUT_BYTES, PARAM_WORD


class Held(NamedTuple):
    """What a unit holds from the command before, as far as a cost may depend on it.

    Attributes
    ----------
    block : where in parameter memory the codes come from that the decoders hold; None after
        power-on. No cost depends on it today: every product loads its block anew.
    repeats : of the n elements of a looped vector command, count_1 * count_2.
    """

    block: int | None = None
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
    """

    cycles: int
    run: LaneRun


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


def product(
    cmd: Command, held: Held, params: ChipParams, streams: Streams, most_cycles: int = NEVER
) -> ProductCost:
    """Cycles of a matrix-vector command, until a stream is found corrupt.

    most_cycles : of the lanes; more is too many.
    """
    sets, scales, turns = streams
    barrel = Barrel(params.lanes, params.threads, params.result_fifo, record_cycles(scales == 0))
    run = run_lanes(barrel, turns, most_cycles)
    load = timing.load(sets, scales, cmd.columns, params.bus_bytes, params.threads)
    return ProductCost(timing.MATVEC_START + load + run.cycles + timing.MATVEC_END, run)

"""How long a start of the chip may take: a bound that follows from the image alone.

A program of ours has loops over a transducer's encoder calls, the frames of each and their symbols,
and those of its routines: a start takes at most as many passes as the image says. In a pass every
command runs once, or as often as the loops around it turn. The command before a loop of a routine
sets a register that the branch at its end compares; one of the two says the number of turns, or an
address or a number of bytes that is no less. What needs more than all this does not halt, or comes
from somewhere else; the simulation of an image must not last for hours because its header asks for
it.
"""

from typing import NamedTuple

import numpy as np

from npu.chip import timing
from npu.chip.isa import Command, decode_program
from npu.chip.limit import Budget
from npu.chip.params import ChipParams
from npu.chip.tile import most_loose
from npu.chip.weight_format import (
    LUT_BYTES,
    MAX_SCALES,
    MAX_SETS,
    MAX_SYMBOLS,
    MAX_TILE_ROWS,
    ROW_DTYPE,
)
from npu.runtime.header import LayerInfo
from npu.runtime.image import Image

MOST_CYCLES = 1 << 32
"""Of a start, whatever its image says: seconds of the chip's time."""

_UNEVEN = 4
"""Rows are dealt by their nonzeros, so a thread may get more rows than its share."""

_BURST_CYCLES = 4
_EVERY_SET = ((MAX_SYMBOLS, MAX_SYMBOLS),) * MAX_SETS


class Budgets:
    """The budgets of an image's starts. The bus is taken to be always ready."""

    def __init__(self, image: Image) -> None:
        program = decode_program(image.program)
        header = image.header
        layers = {info.layer: info for info in header.layers}
        working = [header.command_layers[index] for index in header.command_layer]
        loops = [c.count_1 * c.count_2 for c in program if c.opcode.name == "VLOOP"]
        repeats = max(loops, default=1)
        # As many rows as the image can hold records of.
        rows = len(image.memory) // ROW_DTYPE.itemsize
        turns = _turns(program)
        self._commands = sum(turns)
        counts = [c.count_x * c.count_y for c in program if c.opcode.name == "POSITIONS"]
        most = _Most(rows, max(counts, default=1), repeats)
        self._cycles = sum(
            _most_cycles(command, image.params, layers.get(layer), most) * turn
            for command, layer, turn in zip(program, working, turns, strict=True)
        )
        info = header.transducer
        self._passes = 1 if info is None else 1 + info.frames_out * info.max_symbols_per_frame

    def of_start(self, calls: int = 0) -> Budget:
        """The budget of a start that runs `calls` encoder calls; 0 for any other start."""
        passes = max(1, calls * self._passes)
        return Budget(
            min(MOST_CYCLES, passes * self._cycles), min(MOST_CYCLES, passes * self._commands)
        )


def _turns(program: list[Command]) -> list[int]:
    """How often every command of a pass runs, at most."""
    turns = np.ones(len(program))
    for at, command in enumerate(program):
        first = command.values.get("target", at + 1)
        if not 0 < first <= at:
            continue
        before = program[first - 1]
        if before.opcode.name == "ADD" and before.rd in (command.rs1, command.rs2):
            loop = turns[first : at + 1]
            np.minimum(loop * max(1, before.imm, command.imm), MOST_CYCLES, out=loop)
    return [int(turn) for turn in turns]


class _Most(NamedTuple):
    """Of a command of an image: rows that have records, positions, and repeats of a walk."""

    rows: int
    positions: int
    repeats: int


def _most_cycles(command: Command, params: ChipParams, layer: LayerInfo | None, most: _Most) -> int:
    """The most cycles of one command, with the wait for its transfer if it starts one."""
    name, unit = command.opcode.name, command.opcode.unit
    cycles = timing.FETCH + timing.DECODE + max(timing.SCALARS.values())
    if unit == "dma":
        dealing = _deal(params) if name == "LOAD_BANK" else 0
        return cycles + _transfer(command.values.get("beats", 1), params) + dealing
    if name in ("WINDOW", "POSITIONS"):
        return cycles + timing.SET_UP
    if unit == "matvec":
        rows = most.rows if layer is None else -(-layer.rows // layer.tiles) + 1
        rows = min(rows, most.rows, MAX_TILE_ROWS)
        positions = most.positions if command.values["windowed"] else 1
        return cycles + positions * _product(rows, command.columns, params)
    if name == "TABLE":
        return cycles + timing.VECTOR_START + LUT_BYTES
    if name == "VLOOP":
        return cycles + timing.VECTOR_LOOP
    if unit == "vector":
        each = (
            command.n * most.repeats if command.looped else -(-command.n // params.vector_elements)
        )
        return cycles + timing.vector(name, each + 1)
    return cycles


def _transfer(beats: int, params: ChipParams) -> int:
    """One burst after the other, as on a bus that takes one at a time."""
    beats = min(beats, params.memory_bytes // params.bus_bytes)
    longest = min(params.dma_burst_beats, timing.BURST_BOUNDARY // params.bus_bytes)
    bursts = beats // longest + beats * params.bus_bytes // timing.BURST_BOUNDARY + 2
    gap = params.memory_cycles_per_beat
    each = params.memory_latency_cycles + gap + _BURST_CYCLES
    return timing.DMA_START + bursts * each + beats * gap + timing.DMA_DONE


def _deal(params: ChipParams) -> int:
    """A tile with as many loose words as a front can hold."""
    loose = most_loose(params.lanes, params.threads, params.bus_words)
    return timing.deal(params.lanes, params.threads, loose)


def _product(rows: int, columns: int, params: ChipParams) -> int:
    """A turn for every weight, a row of a thread behind the other, then one row out at a time."""
    # Every word of the vector may come from two of SRAM.
    reads = 2 * (columns // params.bus_bytes + 1)
    load = timing.load(_EVERY_SET, MAX_SCALES, reads, params.threads)
    rows_of_a_thread = _UNEVEN * (rows // params.slots + 1)
    turns = params.threads * rows_of_a_thread * (columns + 1)
    ends = timing.LANE_PIPELINE + 2 * rows + timing.REQUANTISE
    return timing.MATVEC_START + load + turns + ends + timing.MATVEC_END

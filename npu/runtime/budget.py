"""How long a start of the chip may take: a bound that follows from the image alone.

A program of ours runs every command at most once in a pass, and its only loops are those over a
transducer's encoder calls and the symbols of each. So a start takes at most as many passes as the
image says, and a pass at most what its commands take together. What needs more than that does not
halt, or comes from somewhere else; the simulation of an image must not last for hours because its
header asks for it.
"""

from typing import NamedTuple

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
        self._commands = len(program)
        counts = [c.count_x * c.count_y for c in program if c.opcode.name == "POSITIONS"]
        most = _Most(rows, max(counts, default=1), repeats)
        self._cycles = sum(
            _most_cycles(command, image.params, layers.get(layer), most)
            for command, layer in zip(program, working, strict=True)
        )
        info = header.transducer
        self._passes = 1 if info is None else 1 + info.max_symbols_per_frame

    def of_start(self, calls: int = 0) -> Budget:
        """The budget of a start that runs `calls` encoder calls; 0 for any other start."""
        passes = max(1, calls * self._passes)
        return Budget(min(MOST_CYCLES, passes * self._cycles), passes * self._commands)


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

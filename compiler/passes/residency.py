"""Which tiles stay in the banks where not all do, and how large those are that are streamed.

What stays saves its bytes in every run: matrices of loops come first, and of those that run equally
often the same part stays of each. What is streamed comes through two windows, one of which fills
while the other one is multiplied: smaller windows leave more room for what stays, larger ones need
fewer tiles. Tiles that stay run where the bus would be waited for.
"""

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from compiler.lowering.ir import Matrix
from compiler.passes.tiles import Cut, PackedMatrix
from npu.chip import timing
from npu.chip.params import ChipParams
from npu.chip.weight_format import MAX_TILE_ROWS

# What a further tile of a product costs beside its activations and a last row of every slot: the
# commands around it, the first words of its streams, rows on the way to SRAM, and that the lanes
# have less of it to share evenly.
TILE_CYCLES = 50
# How much longer a tile's fullest section may be than those of its matrix say.
UNEVEN = 1.06
# From one size of windows to the next that is tried.
STEP = 1.12
# How large a tile that stays is at least that runs where the bus would be waited for, in units of
# what it costs to be one of its own: small ones hide every wait, large ones are few.
FILLS = (0.0, 1.0, 2.0, 4.0, 8.0)
# Of the program, for products and what they load.
PROGRAM_SHARE = 0.5


def tile_commands(stays: bool, streams_records: bool = False) -> int:
    """Commands of a tile in a product: one, and of a tile that is streamed a wait and its loads.

    streams_records : whether its row records are loaded with it.
    """
    return 1 if stays else 3 + streams_records


@dataclass(frozen=True)
class Runs:
    """How often a matrix runs; `order` sorts those first that stay first.

    Attributes
    ----------
    segment : place of the first segment that runs it, the most important one first.
    turns : in a run of the segment.
    uses : places in the program, each of which has its own commands.
    positions : at which it is multiplied each time.
    """

    segment: int
    turns: int
    uses: int
    positions: int = 1

    @property
    def order(self) -> tuple[int, int]:
        """What runs in a loop comes first: there, no other product hides what is streamed."""
        return self.segment, -(self.turns // self.uses)


@dataclass(frozen=True)
class _Layers:
    """A matrix as `n` layers of a row for every slot, all alike.

    Attributes
    ----------
    words, beats, cycles, record_bytes : of a layer.
    again : cycles that a further tile costs.
    """

    n: int
    rows: int
    words: float
    beats: float
    cycles: float
    again: float
    record_bytes: float

    @classmethod
    def of(cls, packed: PackedMatrix, params: ChipParams, positions: int) -> "_Layers":
        rows = len(packed.matrix.weights)
        n = max(1, -(-rows // params.slots))
        image = sum(len(tile.image) for tile in packed.tiles)
        turns = sum(
            tile.packed.symbols_per_slot.reshape(params.lanes, -1).sum(axis=1).max()
            for tile in packed.tiles
        )
        further = params.slots + packed.matrix.columns_used / params.bus_bytes
        return cls(
            n=n,
            rows=rows,
            words=packed.bank_words / n,
            beats=image / params.bus_bytes / n,
            cycles=positions * float(turns) / n,
            again=TILE_CYCLES + positions * further,
            record_bytes=packed.record_bytes / n,
        )


@dataclass(frozen=True)
class _Option:
    """Cuts, the cycles that they are thought to take, and the commands of their tiles."""

    cuts: dict[Matrix, Cut]
    cycles: float
    commands: int


def choose(
    packed: Mapping[Matrix, PackedMatrix],
    runs: Mapping[Matrix, Runs],
    params: ChipParams,
    bank_words: int,
    record_bytes: int,
) -> dict[Matrix, Cut] | None:
    """How to cut every matrix: the best of all sizes of windows, None if there is none.

    Parameters
    ----------
    packed : the matrices, compressed as a whole.
    bank_words, record_bytes : of every bank, of parameter memory, for tiles and their records.
    """
    layers = {m: _Layers.of(one, params, runs[m].positions) for m, one in packed.items()}
    if sum(one.n * one.record_bytes for one in layers.values()) > record_bytes:
        return None
    options = []
    window = 1.0
    while 2 * window < bank_words:
        for fill in FILLS:
            option = _option(layers, runs, params, window, bank_words, fill)
            if option is not None:
                options.append(option)
        window *= STEP
    if not options:
        return None
    most = int(PROGRAM_SHARE * params.program_commands)
    best = min(options, key=lambda option: (max(0, option.commands - most), option.cycles))
    return best.cuts


def _option(
    layers: Mapping[Matrix, _Layers],
    runs: Mapping[Matrix, Runs],
    params: ChipParams,
    window: float,
    bank_words: int,
    fill: float,
) -> _Option | None:
    """Cuts where a window takes so many words, or None where no tile fits one."""
    room = bank_words - 2 * (UNEVEN * window + 1)
    cuts: dict[Matrix, Cut] = {}
    cycles, commands = 0.0, 0
    ordered = sorted(layers, key=lambda matrix: runs[matrix].order)
    for _, group in groupby(ordered, key=lambda matrix: runs[matrix].order):
        members = list(group)
        whole = sum(layers[m].n * layers[m].words for m in members)
        part = min(1.0, max(0.0, room) / whole) if whole else 1.0
        owed = 0.0
        stretch = _Stretch(params)
        for matrix in members:
            one = layers[matrix]
            owed += part * one.n
            stays = min(one.n, int(owed + 1e-9))
            owed -= stays
            if stays < one.n and window < one.words:
                return None
            room -= stays * one.words
            most = max(1, MAX_TILE_ROWS // params.slots)
            per_tile = min(most, int(window / one.words)) if one.words else most
            before = stretch.now
            cuts[matrix] = cut = stretch.run(one, stays, per_tile, most, fill)
            cycles += (stretch.now - before) * runs[matrix].turns
            commands += runs[matrix].uses * sum(map(tile_commands, cut.stays))
    return _Option(cuts, cycles, commands)


class _Stretch:
    """Products and loads of matrices that run one behind the other, to see who waits for whom.

    Attributes
    ----------
    now : the cycle in which the last product ends.
    """

    def __init__(self, params: ChipParams) -> None:
        self._params = params
        self._bus_free, self._asked = 0.0, 0.0
        # When the two windows may be filled again.
        self._free = deque((0.0, 0.0))
        # Tiles that are in their windows before the run begins.
        self._there = len(self._free)
        self.now = 0.0

    def run(self, one: _Layers, stays: int, per_tile: int, most: int, fill: float) -> Cut:
        """Cut a matrix: so many layers stay, the others are tiles of `per_tile` at most.

        What stays runs where the bus would be waited for. No tile has more than `most` layers.
        """
        streamed = deque(_parts(one.n - stays, -(-(one.n - stays) // max(1, per_tile))))
        order: list[tuple[int, bool]] = []
        while streamed:
            ready = self._loaded(streamed[0] * one.beats)
            wait = max(0.0, ready - self.now)
            if wait > one.again * min(fill, 1) and one.cycles:
                part = math.ceil(max(wait, fill * one.again) / one.cycles)
                if part := min(stays, most, part):
                    stays -= part
                    order.append((part, True))
                    self._product(part, one)
            self.now = max(self.now, ready)
            order.append((streamed[0], False))
            self._product(streamed.popleft(), one)
            self._free.append(self.now)
        for part in _parts(stays, -(-stays // most)):
            order.append((part, True))
            self._product(part, one)
        ends = np.cumsum([n * self._params.slots for n, _ in order]).clip(max=one.rows)
        rows = np.diff(ends, prepend=0).tolist()
        return Cut(tuple(rows), tuple(kept for _, kept in order))

    def _product(self, n: int, one: _Layers) -> None:
        self.now += n * one.cycles + one.again

    def _loaded(self, beats: float) -> float:
        """The cycle in which a tile is there that is loaded next."""
        params = self._params
        if self._there:
            self._there -= 1
            self._free.popleft()
            return 0.0
        gap = params.memory_cycles_per_beat
        asked = max(self._asked, self._free.popleft()) + timing.DMA_START
        begin = max(asked + params.memory_latency_cycles, self._bus_free)
        # What is dealt takes the banks' port from the beats: a lane's directory and its tail.
        came = begin + beats * gap + 2 * params.lanes * (gap == 1)
        # A loose word a slot is about what the sections' ends leave, a tenth of a tile its front.
        dealt = timing.deal(params.lanes, params.threads, params.slots)
        end = max(came, begin + beats * gap / 10 + dealt) + timing.DEAL_END + timing.DMA_DONE
        # Addresses run ahead of the beats.
        ahead = params.dma_outstanding * params.dma_burst_beats
        self._asked = max(asked, came - ahead * gap)
        self._bus_free = end + timing.DMA_NEXT
        return end


def _parts(n: int, parts: int) -> Sequence[int]:
    """n as so many numbers that differ by one at most."""
    return [len(part) for part in np.array_split(np.arange(n), parts)] if n else []

"""Where the weights go: tiles that stay in the banks, and tiles that are streamed.

If everything fits, everything is resident. If not, `compiler.passes.residency` says what stays, and
two windows are left: one tile is multiplied while the next one loads. Row records stay where
parameter memory holds all of them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from compiler.lowering.ir import (
    ChipModule,
    GateStart,
    LayerError,
    LoopEnd,
    LoopStart,
    Matrix,
    MatVec,
    Segment,
    Vector,
)
from compiler.passes.assembler import MemoryMap
from compiler.passes.packing import pack_each
from compiler.passes.residency import Runs, choose
from compiler.passes.scales import RowScales
from compiler.passes.tiles import (
    Cut,
    PackedMatrix,
    Tile,
    first_count,
    least_words,
    pack_cut,
    pack_matrix,
    require_longest_row,
)
from npu.chip.isa import OPCODES
from npu.chip.params import ChipParams
from npu.chip.weight_format import BLOCK_HEADER_BYTES, LUT_BYTES, MAX_BLOCK_BYTES
from npu.errors import CapacityError

WINDOWS = 2
"""Places of the banks that streamed tiles take turns in."""

_Packed = dict[Matrix, PackedMatrix]
_Stays = dict[Matrix, tuple[bool, ...]]


@dataclass(eq=False)
class PlacedTile:
    """A tile with its addresses. `bank` in bus words, `records` in parameter memory, -1 for what is
    streamed; external addresses are set when the memory image is laid out."""

    tile: Tile
    stays: bool
    bank: int = -1
    records: int = -1
    external: int = -1
    external_records: int = -1


@dataclass(eq=False)
class PlacedMatrix:
    """A packed matrix, its code tables' address in parameter memory, and its tiles."""

    packed: PackedMatrix
    tiles: list[PlacedTile]
    block: int = -1

    @property
    def resident(self) -> bool:
        """Whether all of it stays."""
        return all(tile.stays for tile in self.tiles)

    @property
    def resident_bytes(self) -> int:
        """Of the tiles that stay, as they lie in external memory."""
        return sum(len(tile.tile.image) for tile in self.tiles if tile.stays)


@dataclass(eq=False)
class WeightPlan:
    """Placement of all weights and tables.

    Attributes
    ----------
    matrices : by lowered matrix.
    tables : look-up tables and their addresses in parameter memory.
    constants : contents of parameter memory that is loaded once, from address 0.
    stream_banks, stream_records : addresses of the two windows that tiles are streamed through,
        and their records, where these do not stay (`streams_records`).
    """

    matrices: dict[Matrix, PlacedMatrix]
    tables: dict[bytes, int] = field(default_factory=dict)
    constants: bytes = b""
    stream_banks: tuple[int, int] = (0, 0)
    stream_records: tuple[int, int] = (0, 0)
    streams_records: bool = False

    def streamed(self, segment: Segment) -> list[PlacedTile]:
        """The tiles that a segment streams, in the order in which they run."""
        products = (op for op in segment.operators if isinstance(op, MatVec))
        return [t for op in products for t in self.matrices[op.matrix].tiles if not t.stays]

    def streamed_bytes(self, placed: PlacedMatrix, params: ChipParams) -> int:
        """What comes for every product of a matrix: tiles, and records where these are streamed."""
        streamed = [tile.tile for tile in placed.tiles if not tile.stays]
        n_bytes = sum(len(tile.image) for tile in streamed)
        if self.streams_records:
            n_bytes += sum(params.align(len(tile.records)) for tile in streamed)
        return n_bytes

    def ahead(self, module: ChipModule) -> list[PlacedTile]:
        """Tiles that may load before their segment begins: the first of the only one that streams.

        In a loop a tile of the last turn would load for nothing, behind a gate one of a call in
        which it is closed.
        """
        streams = [s for s in module.segments.values() if self.streamed(s)]
        stops = (LoopStart, GateStart)
        if len(streams) != 1 or any(isinstance(op, stops) for op in streams[0].operators):
            return []
        return self.streamed(streams[0])[:WINDOWS]


def plan_weights(module: ChipModule, params: ChipParams) -> WeightPlan:
    """Compress every matrix and place it. Raises CapacityError if that cannot be done."""
    runs, tables = _weights_of(module)
    _require_possible(list(runs), params)
    if (halves := _foreseen(list(runs), tables, params)) is not None:
        return _place(halves, _none_stays(halves), tables, params)
    bank_words = params.bank_bus_words
    packed = pack_each(runs, lambda m: pack_matrix(m, params, bank_words, params.param_bytes))
    fixed = len(tables) * LUT_BYTES + sum(len(p.block) for p in packed.values())
    free = params.param_bytes - fixed
    if free < _least_free(params):
        raise CapacityError(
            f"code and look-up tables take {fixed} bytes of parameter memory, chip "
            f"{params.name!r} has param_bytes {params.param_bytes}; take a chip with a larger one"
        )
    words = sum(p.bank_words for p in packed.values())
    records = sum(p.record_bytes for p in packed.values())
    stays = {m: (True,) * len(p.tiles) for m, p in packed.items()}
    if words > bank_words or records > free:
        packed, stays = _shared(packed, runs, params, free) or _streamed(packed, params, free)
    return _place(packed, stays, tables, params)


def _shared(
    packed: _Packed, runs: dict[Matrix, Runs], params: ChipParams, record_bytes: int
) -> tuple[_Packed, _Stays] | None:
    """Compressed again, as `compiler.passes.residency` cuts them, or None if that does not fit."""
    bank_words = spare = params.bank_bus_words
    most = record_bytes + sum(len(p.block) for p in packed.values())
    while spare > 0:
        cuts = choose(packed, runs, params, spare, record_bytes)
        if cuts is None:
            return None
        cut = {m: one for m, one in cuts.items() if not all(one.stays)}
        try:
            again = {**packed, **pack_each(cut, partial(_pack_cut, cut, params, bank_words))}
        except CapacityError:
            return None
        stays = {
            m: cut[m].stays if m in cut else (True,) * len(whole.tiles)
            for m, whole in packed.items()
        }
        missing = _words(again, stays) - bank_words
        if sum(len(p.block) + p.record_bytes for p in again.values()) > most:
            return None
        if missing <= 0:
            return again, stays
        # Some tile is longer than it was thought to be; the next try is to do.
        spare -= 2 * missing
    return None


def _pack_cut(
    cuts: Mapping[Matrix, Cut], params: ChipParams, bank_words: int, m: Matrix
) -> PackedMatrix:
    return pack_cut(m, params, cuts[m], bank_words)


def _words(packed: _Packed, stays: _Stays) -> int:
    """Bus words of a bank for what stays and two windows."""
    kept = _tiles(packed, stays, True)
    return sum(t.bank_words for t in kept) + 2 * _longest(_tiles(packed, stays, False))


def _longest(tiles: list[Tile]) -> int:
    return max((tile.bank_words for tile in tiles), default=0)


def _tiles(packed: _Packed, stays: _Stays, kept: bool) -> list[Tile]:
    """Those that stay, or the others."""
    return [
        tile
        for m, p in packed.items()
        for tile, stay in zip(p.tiles, stays[m], strict=True)
        if stay == kept
    ]


def _streamed(packed: _Packed, params: ChipParams, record_bytes: int) -> tuple[_Packed, _Stays]:
    """What is left where rows are long or parameter memory is small: as few tiles as fit halves."""
    halves = _halves(packed, params, _window(params, record_bytes))
    return halves, _none_stays(halves)


def _halves(matrices: Iterable[Matrix], params: ChipParams, window: int) -> _Packed:
    """As few tiles as fit half of a bank, their records `window` bytes of parameter memory."""
    half = params.bank_bus_words // 2
    return pack_each(matrices, lambda m: pack_matrix(m, params, half, window))


def _window(params: ChipParams, record_bytes: int) -> int:
    """Bytes of each of two windows in what parameter memory leaves for records."""
    window = record_bytes // 2
    return window - (window % params.bus_bytes + params.bus_bytes)


def _none_stays(packed: _Packed) -> _Stays:
    return {m: (False,) * len(p.tiles) for m, p in packed.items()}


def _least_free(params: ChipParams) -> int:
    """Bytes of parameter memory below which no records are streamed."""
    return 4 * params.bus_bytes


def _foreseen(matrices: list[Matrix], tables: list[bytes], params: ChipParams) -> _Packed | None:
    """The halves of `_streamed` where that is the way whatever the codes take, else None.

    Packing the whole matrices only says how large their blocks are. Where the records of all rows
    do not fit beside the smallest blocks that there may be, and the largest ones leave windows that
    cut no matrix into more tiles than the smallest ones do, that need not be known.
    """
    scales = {m: RowScales.of(m) for m in matrices}
    records = sum(len(m.weights) * of.record_bytes for m, of in scales.items())
    fixed = len(tables) * LUT_BYTES + sum(of.shared.nbytes for of in scales.values())
    most = params.param_bytes - fixed - len(matrices) * BLOCK_HEADER_BYTES
    least = params.param_bytes - fixed - len(matrices) * MAX_BLOCK_BYTES
    if records <= most or least < _least_free(params):
        return None
    half = params.bank_bus_words // 2
    narrow, wide = _window(params, least), _window(params, most)
    try:
        for m, of in scales.items():
            counts = [first_count(m, of, params, half, window) for window in (narrow, wide)]
            if counts[0] != counts[1]:
                return None
        return _halves(matrices, params, narrow)
    except CapacityError:
        # Which of the two ways refuses it first, and so with which reason, is seen on the long one.
        return None


def check_weights(module: ChipModule, params: ChipParams) -> None:
    """Raise CapacityError for a matrix that no compression makes fit, as `plan_weights` does."""
    _require_possible(list(_weights_of(module)[0]), params)


def _weights_of(module: ChipModule) -> tuple[dict[Matrix, Runs], list[bytes]]:
    """The matrices with how often they run, in order of priority, and the look-up tables."""
    segments = [*module.hot, *(s for s in module.segments if s not in module.hot)]
    runs: dict[Matrix, Runs] = {}
    tables: list[bytes] = []
    for place, name in enumerate(segments):
        segment, turns = module.segments.get(name), 1
        for op in segment.operators if segment else ():
            match op:
                case LoopStart():
                    turns = op.turns
                case LoopEnd():
                    turns = 1
                case MatVec():
                    seen = runs.get(op.matrix, Runs(place, 0, 0))
                    positions = op.positions.count_x * op.positions.count_y
                    runs[op.matrix] = Runs(
                        seen.segment,
                        seen.turns + turns,
                        seen.uses + 1,
                        max(seen.positions, positions),
                    )
                case Vector() if op.table is not None:
                    tables.append(table_bytes(op.table))
    return runs, list(dict.fromkeys(tables))


def _require_possible(matrices: list[Matrix], params: ChipParams) -> None:
    """Before any work: raise CapacityError for too many columns or a row that is too long."""
    for matrix in matrices:
        most = min(params.activation_entries, OPCODES["MATVEC"].field("columns").range[1])
        if matrix.weights.shape[1] > most:
            raise LayerError(
                matrix.layer,
                f"{matrix.weights.shape[1]} columns, a lane of chip "
                f"{params.name!r} takes {most} (activation_entries {params.activation_entries})",
            )
    _require_longest_rows(matrices, params, params.bank_bus_words)


def _require_longest_rows(matrices: list[Matrix], params: ChipParams, bank_words: int) -> None:
    """Before any work: raise CapacityError for a row too long for the half of a bank."""
    least = {matrix: least_words(matrix, params) for matrix in matrices}
    if sum(least.values()) > bank_words:
        for matrix, words in least.items():
            # What takes more than a quarter may be streamed.
            if words > bank_words // 4:
                require_longest_row(matrix, params, bank_words // 2)


def _place(packed: _Packed, stays: _Stays, tables: list[bytes], params: ChipParams) -> WeightPlan:
    """Addresses of everything. Records stay where all of them fit parameter memory."""
    constants = bytearray()
    plan = WeightPlan({})
    for table in tables:
        plan.tables[table] = len(constants)
        constants += table
    for matrix, p in packed.items():
        tiles = [PlacedTile(t, stay) for t, stay in zip(p.tiles, stays[matrix], strict=True)]
        plan.matrices[matrix] = PlacedMatrix(p, tiles, len(constants))
        constants += p.block
    streamed = _tiles(packed, stays, False)
    records = sum(p.record_bytes for p in packed.values())
    plan.streams_records = len(constants) + records > params.param_bytes
    bank = 0
    for placed in plan.matrices.values():
        for tile in placed.tiles:
            if tile.stays:
                tile.bank = bank
                bank += tile.tile.bank_words
            if tile.stays or not plan.streams_records:
                tile.records = len(constants)
                constants += tile.tile.records
    plan.constants = bytes(constants).ljust(params.align(len(constants)), b"\0")
    plan.stream_banks = (bank, bank + _longest(streamed)) if streamed else (0, 0)
    if plan.streams_records:
        first = len(plan.constants)
        size = params.align(max(len(tile.records) for tile in streamed))
        plan.stream_records = (first, first + size)
        if first + 2 * size > params.param_bytes:
            raise CapacityError(
                f"parameter memory of {params.param_bytes} bytes is too small for the row "
                "records; take a chip with a larger param_bytes"
            )
    return plan


def place_weights(plan: WeightPlan, memory: MemoryMap, params: ChipParams) -> int:
    """Lay weights and tables out in external memory; returns the address of the constants."""
    constants = memory.place("parameter memory", plan.constants) if plan.constants else 0
    for matrix, placed in plan.matrices.items():
        for index, tile in enumerate(placed.tiles):
            name = f"{matrix.layer}, tile {index}"
            tile.external = memory.place(name, tile.tile.image)
            if not tile.stays and plan.streams_records:
                tile.external_records = memory.place(f"{name}, rows", tile.tile.records)
    return constants


def table_bytes(table: np.ndarray) -> bytes:
    """The bytes that identify a look-up table in a plan."""
    return table.astype(np.int8).tobytes()

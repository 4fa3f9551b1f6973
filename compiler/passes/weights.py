"""Where the weights go: matrices that stay in the banks, and matrices streamed tile by tile.

If everything fits, everything is resident. If not, a quarter of every bank keeps the matrices that
run most often, the rest is split into two halves: one tile is multiplied while the next one loads.
"""

from dataclasses import dataclass, field

import numpy as np

from compiler.lowering.ir import ChipModule, LayerError, Matrix, MatVec, Vector
from compiler.passes.tiles import PackedMatrix, Tile, least_words, pack_matrix, require_longest_row
from npu.chip.isa import OPCODES
from npu.chip.params import ChipParams
from npu.chip.weight_format import LUT_BYTES
from npu.errors import CapacityError


@dataclass(eq=False)
class PlacedTile:
    """A tile with its addresses. `bank` in bus words, `records` in parameter memory; external
    addresses are set when the memory image is laid out."""

    tile: Tile
    bank: int = -1
    records: int = -1
    external: int = -1
    external_records: int = -1


@dataclass(eq=False)
class PlacedMatrix:
    """A packed matrix, its code tables' address in parameter memory, and its tiles."""

    packed: PackedMatrix
    resident: bool
    tiles: list[PlacedTile]
    block: int = -1


@dataclass(eq=False)
class WeightPlan:
    """Placement of all weights and tables.

    Attributes
    ----------
    matrices : by lowered matrix.
    tables : look-up tables and their addresses in parameter memory.
    constants : contents of parameter memory that is loaded once, from address 0.
    stream_banks, stream_records : addresses of the two halves that tiles are streamed through.
    """

    matrices: dict[Matrix, PlacedMatrix]
    tables: dict[bytes, int] = field(default_factory=dict)
    constants: bytes = b""
    stream_banks: tuple[int, int] = (0, 0)
    stream_records: tuple[int, int] = (0, 0)


def plan_weights(module: ChipModule, params: ChipParams) -> WeightPlan:
    """Compress every matrix and place it. Raises CapacityError if that cannot be done."""
    matrices, tables = _weights_of(module)
    _require_possible(matrices, params)
    bank_words = params.bank_bus_words
    packed = {m: pack_matrix(m, params, bank_words, params.param_bytes) for m in matrices}
    fixed = len(tables) * LUT_BYTES + sum(len(p.block) for p in packed.values())
    free = params.param_bytes - fixed
    if free < 4 * params.bus_bytes:
        raise CapacityError(
            f"code and look-up tables take {fixed} bytes of parameter memory, chip "
            f"{params.name!r} has param_bytes {params.param_bytes}; take a chip with a larger one"
        )
    words = sum(p.bank_words for p in packed.values())
    records = sum(p.record_bytes for p in packed.values())
    if words <= bank_words and records <= free:
        resident, stream_words, stream_bytes = set(matrices), 0, 0
    else:
        resident = _choose_resident(packed, bank_words // 4, free // 4)
        stream_words = (bank_words - sum(packed[m].bank_words for m in resident)) // 2
        stream_bytes = (free - sum(packed[m].record_bytes for m in resident)) // 2
        stream_bytes -= stream_bytes % params.bus_bytes + params.bus_bytes
        for m in matrices:
            if m not in resident:
                packed[m] = pack_matrix(m, params, stream_words, stream_bytes)
    return _place(packed, resident, tables, params, stream_words, stream_bytes)


def check_weights(module: ChipModule, params: ChipParams) -> None:
    """Raise CapacityError for a matrix that no compression makes fit, as `plan_weights` does."""
    _require_possible(_weights_of(module)[0], params)


def _weights_of(module: ChipModule) -> tuple[list[Matrix], list[bytes]]:
    """The matrices in order of priority, and the look-up tables."""
    segments = [*module.hot, *(s for s in module.segments if s not in module.hot)]
    matrices: list[Matrix] = []
    tables: list[bytes] = []
    for name in segments:
        segment = module.segments.get(name)
        for op in segment.operators if segment else ():
            if isinstance(op, MatVec) and op.matrix not in matrices:
                matrices.append(op.matrix)
            if isinstance(op, Vector) and op.table is not None:
                tables.append(table_bytes(op.table))
    return matrices, list(dict.fromkeys(tables))


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
            # What takes more than a quarter is streamed, see `_choose_resident`.
            if words > bank_words // 4:
                require_longest_row(matrix, params, bank_words // 2)


def _choose_resident(
    packed: dict[Matrix, PackedMatrix], bank_words: int, record_bytes: int
) -> set[Matrix]:
    """Matrices in order of priority, as far as they fit."""
    chosen: set[Matrix] = set()
    for matrix, candidate in packed.items():
        if candidate.bank_words <= bank_words and candidate.record_bytes <= record_bytes:
            chosen.add(matrix)
            bank_words -= candidate.bank_words
            record_bytes -= candidate.record_bytes
    return chosen


def _place(
    packed: dict[Matrix, PackedMatrix],
    resident: set[Matrix],
    tables: list[bytes],
    params: ChipParams,
    stream_words: int,
    stream_bytes: int,
) -> WeightPlan:
    constants = bytearray()
    plan = WeightPlan({})
    for table in tables:
        plan.tables[table] = len(constants)
        constants += table
    bank = 0
    for matrix, p in packed.items():
        placed = PlacedMatrix(p, matrix in resident, [PlacedTile(t) for t in p.tiles])
        placed.block = len(constants)
        constants += p.block
        plan.matrices[matrix] = placed
        if placed.resident:
            for tile in placed.tiles:
                tile.bank, tile.records = bank, len(constants)
                bank += tile.tile.bank_words
                constants += tile.tile.records
    plan.constants = bytes(constants).ljust(params.align(len(constants)), b"\0")
    if stream_words:
        first = len(plan.constants)
        plan.stream_banks = (bank, bank + stream_words)
        plan.stream_records = (first, first + stream_bytes)
        if first + 2 * stream_bytes > params.param_bytes:
            raise CapacityError(
                f"parameter memory of {params.param_bytes} bytes is too small for the row "
                "records; take a chip with a larger param_bytes"
            )
    return plan


def table_bytes(table: np.ndarray) -> bytes:
    """The bytes that identify a look-up table in a plan."""
    return table.astype(np.int8).tobytes()

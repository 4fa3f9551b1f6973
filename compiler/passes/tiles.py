"""Tiles: rows of a matrix dealt to slots, compressed, with their records for the requantiser."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from compiler.codec import Packed, encode, entropy_bits
from compiler.codec.arrange import Arrangement, arrange
from compiler.lowering.ir import LayerError, Matrix
from compiler.passes.scales import RowScales
from npu.chip.params import ChipParams
from npu.chip.weight_format import (
    MAX_SYMBOL_BITS,
    MAX_TILE_ROWS,
    ROW_DTYPE,
    WORD_BITS,
    block_bytes,
    directory_words,
    pack_block,
)
from npu.errors import CapacityError

Arrange = Callable[[np.ndarray, Sequence[np.ndarray], ChipParams], Arrangement]
"""Deals the rows of each group, a tile, to slots: `compiler.codec.arrange.arrange` or another."""

# Fewer tiles than hold this part of the entropy are not tried.
LEAST_OF_ENTROPY = 0.9
# Of a bank: a row that takes more than this when coded alone does not fit in company either.
NEAR = 1.125
# More than a weight takes in any code, its run and its value; a row has one more of them at most.
MOST_BITS = 4 * MAX_SYMBOL_BITS
_MAX_DESTINATION = int(np.iinfo(ROW_DTYPE["destination"]).max)

# Bits of matrices that are in use: they are asked for several times.
_ENTROPY: WeakKeyDictionary[Matrix, float] = WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class Tile:
    """Some rows of a matrix, ready to load.

    Attributes
    ----------
    packed : the sections.
    image : the tile as it lies in external memory.
    records : row records in slot order, with their scales if the matrix has one per row.
    bank_words : bus words that the longest section takes in every bank.
    """

    packed: Packed
    image: bytes
    records: bytes
    bank_words: int


@dataclass(frozen=True, eq=False)
class PackedMatrix:
    """A matrix as tiles that share one block of code sets and scales."""

    matrix: Matrix
    scales: RowScales
    block: bytes
    tiles: tuple[Tile, ...]

    @property
    def bank_words(self) -> int:
        return sum(tile.bank_words for tile in self.tiles)

    @property
    def record_bytes(self) -> int:
        return sum(len(tile.records) for tile in self.tiles)

    @property
    def compressed_bits(self) -> int:
        """Everything that the weights cost: tiles and code sets, without scales."""
        scales = self.scales.shared.nbytes
        return 8 * (sum(len(tile.image) for tile in self.tiles) + len(self.block) - scales)

    @property
    def bank_bits(self) -> int:
        """What the lanes read of it from their banks: directories and streams."""
        return WORD_BITS * sum(
            len(section) for tile in self.tiles for section in tile.packed.sections
        )

    @property
    def entropy_bits(self) -> float:
        """Zeroth-order entropy of the operator's matrices, each for itself."""
        return entropy_bits(*self.matrix.operands)


@dataclass(frozen=True)
class Cut:
    """The tiles of a matrix, in the order in which they run.

    Attributes
    ----------
    rows : of each tile.
    stays : whether it stays in the banks.
    """

    rows: tuple[int, ...]
    stays: tuple[bool, ...]


def pack_matrix(
    matrix: Matrix,
    params: ChipParams,
    max_words: int,
    max_record_bytes: int,
    arrange: Arrange = arrange,
) -> PackedMatrix:
    """Compress a matrix into as few tiles as fit `max_words` bus words per bank and the records.

    arrange : deals the rows of the tiles to slots and chooses the code sets.

    Raises CapacityError when even one row per slot does not fit.
    """
    if np.max(matrix.destination, initial=0) > _MAX_DESTINATION:
        raise LayerError(
            matrix.layer,
            f"its rows go to {int(matrix.destination.max()) + 1} places, "
            f"a row record names {_MAX_DESTINATION + 1}; split the layer",
        )
    scales = RowScales.of(matrix)
    count = first_count(matrix, scales, params, max_words, max_record_bytes)
    require_longest_row(matrix, params, max_words)
    rows = len(matrix.weights)
    capacity = 8 * params.bus_bytes * params.lanes * max(1, max_words)
    while True:
        groups = [group for group in np.array_split(np.arange(rows), count) if len(group)]
        arranged = arrange(matrix.weights, groups, params)
        tiles = _try_tiles(matrix, params, groups, arranged, scales, max_words)
        if tiles is not None:
            break
        if max(map(len, groups)) == 1:
            raise _too_long(matrix, params, max_words)
        # At least as many as all sections together need.
        bits = arranged.sizes[0] - 8 * block_bytes(arranged.sets, 0)
        count = min(rows, max(count + max(1, count // 8), -(-bits // capacity)))
    return PackedMatrix(matrix, scales, pack_block(arranged.sets, scales.shared), tuple(tiles))


def first_count(
    matrix: Matrix, scales: RowScales, params: ChipParams, max_words: int, max_record_bytes: int
) -> int:
    """Tiles that `pack_matrix` tries first. Raises CapacityError where no row's record fits."""
    longest = min(MAX_TILE_ROWS, max_record_bytes // scales.record_bytes)
    if longest < 1:
        raise LayerError(
            matrix.layer,
            f"parameter memory leaves {max_record_bytes} bytes for row records of "
            f"{scales.record_bytes} bytes; take a chip with a larger param_bytes",
        )
    rows = len(matrix.weights)
    least = -(-least_words(matrix, params) // max(1, max_words))
    return min(rows, max(-(-rows // longest), least))


def pack_cut(matrix: Matrix, params: ChipParams, cut: Cut, max_words: int) -> PackedMatrix:
    """Compress a matrix into given tiles. Raises CapacityError where one is longer than a bank."""
    scales = RowScales.of(matrix)
    groups = np.split(np.arange(len(matrix.weights)), np.cumsum(cut.rows)[:-1])
    arranged = arrange(matrix.weights, groups, params)
    tiles = _try_tiles(matrix, params, groups, arranged, scales, max_words)
    if tiles is None:
        raise _too_long(matrix, params, max_words)
    return PackedMatrix(matrix, scales, pack_block(arranged.sets, scales.shared), tuple(tiles))


def least_words(matrix: Matrix, params: ChipParams) -> int:
    """Bus words of every bank that a matrix takes in any case."""
    if matrix not in _ENTROPY:
        _ENTROPY[matrix] = entropy_bits(matrix.weights)
    per_word = 8 * params.bus_bytes * params.lanes
    return int(LEAST_OF_ENTROPY * _ENTROPY[matrix] / per_word)


def require_longest_row(matrix: Matrix, params: ChipParams, max_words: int) -> None:
    """Before any work on all rows: raise CapacityError where the fullest one alone does not fit.

    Its own codes are the best for it but for what the choice of codes leaves; a row that is near
    the limit is left to the search for tiles.
    """
    columns = matrix.weights.shape[1]
    most_bits = (columns + 1) * MOST_BITS + WORD_BITS * directory_words(params.threads)
    if not matrix.weights.size or most_bits <= 8 * params.bus_bytes * (max_words - 2):
        return
    row = matrix.weights[[np.count_nonzero(matrix.weights, axis=1).argmax()]]
    arranged = arrange(row, [np.arange(1)], params)
    try:
        packed = encode(row, arranged.deals[0], params.lanes, params.threads, arranged.sets)
    except CapacityError as error:
        raise _too_long(matrix, params, max_words) from error
    if packed.bank_words(params.bus_bytes) > NEAR * max_words:
        raise _too_long(matrix, params, max_words)


def _too_long(matrix: Matrix, params: ChipParams, max_words: int) -> LayerError:
    return LayerError(
        matrix.layer,
        f"a single row does not fit {max_words * params.bus_bytes} bytes per bank; "
        "take a chip with a larger bank_bytes",
    )


def _try_tiles(
    matrix: Matrix,
    params: ChipParams,
    groups: Sequence[np.ndarray],
    arranged: Arrangement,
    scales: RowScales,
    max_words: int,
) -> list[Tile] | None:
    """One tile per group of rows, or None as soon as one is too long for its bank."""
    tiles = []
    for rows, dealt in zip(groups, arranged.deals, strict=True):
        try:
            packed = encode(
                matrix.weights[rows],
                dealt,
                params.lanes,
                params.threads,
                arranged.sets,
                bus_bytes=params.bus_bytes,
            )
            image = packed.tile(params.bus_bytes)
        except CapacityError:
            return None
        words = packed.bank_words(params.bus_bytes)
        if words > max_words:
            return None
        order = rows[np.concatenate(dealt)]
        tiles.append(Tile(packed, image, scales.records(matrix, order), words))
    return tiles

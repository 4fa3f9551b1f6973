"""A matrix to its compressed form in one call, or tile by tile."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from compiler.codec.arrange import Lanes, arrange, check_lanes
from compiler.codec.checks import DEFAULT_BUS_BYTES, check_count
from compiler.codec.packed import Packed, encode
from compiler.codec.symbols import CYCLE_BITS, as_coded
from npu.chip.weight_format import MAX_STREAM_BITS, MAX_SYMBOL_BITS, MAX_TILE_ROWS


@dataclass(frozen=True)
class Decoders:
    """So many lanes of so many threads, on a bus of `bus_bytes` bytes: a power of two from 4 on."""

    lanes: int = 16
    threads: int = 2
    bus_bytes: int = DEFAULT_BUS_BYTES

    def __post_init__(self) -> None:
        check_lanes(self)

    @property
    def slots(self) -> int:
        """Rows that are decoded at a time."""
        return self.lanes * self.threads


def compress(
    weights: np.ndarray,
    decoders: Lanes | None = None,
    thorough: bool = True,
    workers: int = 1,
    cycle_bits: int = CYCLE_BITS,
) -> Packed:
    """Deal the rows of a matrix, choose its codes, and encode it.

    weights : (rows, columns) int8, of any size that the directories hold. decoders : what will
    decode it, by default 16 lanes of 2 threads on a bus of 16 bytes. thorough : False is several
    times as fast and takes some percent more bytes, see `arrange`. workers : threads that code
    lanes. cycle_bits : what a lane's cycle is worth in bits, where a zero could be coded as a
    weight, in a cycle of its own, instead of skipped by a run: BYTES_FIRST takes the fewest bytes,
    CYCLES_FIRST the fewest cycles, a nonzero in each; in between any whole number.

    The same weights give the same bytes. Raises CapacityError when a stream, a slot or the matrix
    is too large for its directory: `compress_rows` cuts it into tiles.
    """
    decoders = decoders or Decoders()
    rows = np.arange(len(as_coded(weights)))
    made = arrange(weights, [rows], decoders, thorough, cycle_bits)
    return encode(
        weights,
        made.deals[0],
        decoders.lanes,
        decoders.threads,
        made.sets,
        workers,
        cycle_bits,
        decoders.bus_bytes,
    )


def compress_rows(
    blocks: Iterable[np.ndarray],
    decoders: Lanes | None = None,
    thorough: bool = True,
    workers: int = 1,
    cycle_bits: int = CYCLE_BITS,
    tile_rows: int = MAX_TILE_ROWS,
) -> Iterator[Packed]:
    """Compress a matrix of any number of rows as they come: one tile after the other.

    blocks : rows of the matrix in order, any number (rows, columns) int8 at a time; a block may be
    overwritten as soon as the next one is asked for. The other arguments are those of `compress`.
    No more than a tile is held: as many rows as fit the directories whatever the weights are, at
    most `tile_rows`.

    The tiles' rows in order are those of the matrix. Raises ValueError for a block of other columns
    than the first, CapacityError for rows too long for a tile of one row per slot.
    """
    decoders = decoders or Decoders()
    check_lanes(decoders)
    check_count("tile_rows", tile_rows)
    if tile_rows > MAX_TILE_ROWS:
        raise ValueError(f"tile_rows must be at most {MAX_TILE_ROWS}, not {tile_rows}")
    if not isinstance(blocks, Iterable):
        raise ValueError(f"blocks must be an iterable of arrays, not {type(blocks).__name__}")
    tile = np.empty((0, 0), np.int8)
    size = filled = 0
    for number, block in enumerate(blocks):
        columns = _columns(number, block)
        if not size:
            # Every weight may take a turn, and a turn that much of a stream; rows dealt to slots
            # leave none with more than twice its share.
            fit = decoders.slots * MAX_STREAM_BITS // (2 * MAX_SYMBOL_BITS * max(1, columns))
            size = min(tile_rows, max(decoders.slots, fit))
            tile = np.empty((size, columns), np.int8)
        if columns != tile.shape[1]:
            raise ValueError(f"a block of {columns} columns behind one of {tile.shape[1]}")
        taken = 0
        while taken < len(block):
            # Copied, because what made the block may reuse its memory for the next one.
            fresh = block[taken : taken + size - filled]
            tile[filled : filled + len(fresh)] = fresh
            taken, filled = taken + len(fresh), filled + len(fresh)
            if filled == size:
                yield compress(tile, decoders, thorough, workers, cycle_bits)
                filled = 0
    if filled:
        yield compress(tile[:filled], decoders, thorough, workers, cycle_bits)


def _columns(number: int, block: np.ndarray) -> int:
    """Columns of a block. Raises ValueError for what is none."""
    if not isinstance(block, np.ndarray) or block.dtype != np.int8 or block.ndim != 2:
        what = getattr(block, "dtype", type(block).__name__), getattr(block, "shape", "")
        raise ValueError(
            f"block {number} must be int8 (rows, columns), not {what[0]} {what[1]}; "
            "a whole matrix is one block: compress_rows([weights])"
        )
    return block.shape[1]

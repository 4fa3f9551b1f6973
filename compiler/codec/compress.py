"""A matrix to its compressed form in one call, or tile by tile."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from compiler.codec.arrange import Lanes, arrange
from compiler.codec.packed import Packed, encode
from compiler.codec.symbols import CYCLE_BITS
from npu.format import MAX_STREAM_BITS, MAX_SYMBOL_BITS, MAX_TILE_ROWS


@dataclass(frozen=True)
class Decoders:
    """So many lanes of so many threads, fed by a bus of `bus_bytes` bytes (a multiple of 4)."""

    lanes: int = 16
    threads: int = 2
    bus_bytes: int = 16

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
    made = arrange(weights, [np.arange(len(weights))], decoders, thorough, cycle_bits)
    return encode(
        weights,
        made.deals[0],
        decoders.lanes,
        decoders.threads,
        made.sets,
        workers,
        cycle_bits,
    )


def compress_rows(
    blocks: Iterable[np.ndarray], decoders: Lanes | None = None, thorough: bool = True
) -> Iterator[Packed]:
    """Compress a matrix of any number of rows as they come: one tile after the other.

    blocks : rows of the matrix in order, any number (rows, columns) int8 at a time; the other
    arguments are those of `compress`. No more than a tile is held: as many rows as fit the
    directories whatever the weights are, at most MAX_TILE_ROWS.

    The tiles' rows in order are those of the matrix. Raises ValueError for a block of other columns
    than the first, CapacityError for rows too long for a tile of one row per slot.
    """
    decoders = decoders or Decoders()
    waiting: list[np.ndarray] = []
    columns = size = 0
    for block in blocks:
        if not size:
            columns = block.shape[1]
            # Every weight may take a turn, and a turn that much of a stream; rows dealt to slots
            # leave none with more than twice its share.
            fit = decoders.slots * MAX_STREAM_BITS // (2 * MAX_SYMBOL_BITS * max(1, columns))
            size = min(MAX_TILE_ROWS, max(decoders.slots, fit))
        if block.shape[1] != columns:
            raise ValueError(f"a block of {block.shape[1]} columns behind one of {columns}")
        while len(block):
            room = size - sum(map(len, waiting))
            waiting.append(block[:room])
            block = block[room:]
            if sum(map(len, waiting)) == size:
                yield compress(np.concatenate(waiting), decoders, thorough)
                waiting = []
    if waiting:
        yield compress(np.concatenate(waiting), decoders, thorough)

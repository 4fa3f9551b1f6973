"""A matrix to its compressed form in one call."""

from dataclasses import dataclass

import numpy as np

from compiler.codec.arrange import Lanes, arrange
from compiler.codec.packed import Packed, encode


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


def compress(weights: np.ndarray, decoders: Lanes | None = None, thorough: bool = True) -> Packed:
    """Deal the rows of a matrix, choose its codes, and encode it.

    weights : (rows, columns) int8, of any size that the directories hold. decoders : what will
    decode it, by default 16 lanes of 2 threads on a bus of 16 bytes. thorough : False takes a tenth
    of the time and some percent more bytes, see `arrange`.

    The same weights give the same bytes. Raises CapacityError when a stream, a slot or the matrix
    is too large for its directory: cut it into groups of rows.
    """
    decoders = decoders or Decoders()
    made = arrange(weights, [np.arange(len(weights))], decoders, thorough)
    return encode(weights, made.deals[0], decoders.lanes, decoders.threads, made.sets)

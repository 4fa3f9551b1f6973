"""The scales of a matrix: few, shared by its rows, or one with every row's record."""

from dataclasses import dataclass

import numpy as np

from compiler.lowering.ir import Matrix
from npu.chip.weight_format import MAX_SCALES, ROW_DTYPE, SCALE_DTYPE, record_bytes


@dataclass(frozen=True, eq=False)
class RowScales:
    """Worked out once for a matrix.

    Attributes
    ----------
    shared : (n,) SCALE_DTYPE, what its block holds; none if every row needs its own.
    index : (rows,), which of the shared ones a row takes; 0 where there are none.
    own : (rows, 2) int64, each row's multiplier and shift.
    """

    shared: np.ndarray
    index: np.ndarray
    own: np.ndarray

    @staticmethod
    def of(matrix: Matrix) -> "RowScales":
        """The scales of a matrix: shared as far as a block takes so many."""
        pairs = np.stack([matrix.multipliers, matrix.shifts], axis=1)
        unique, index = np.unique(pairs, axis=0, return_inverse=True)
        if len(unique) > MAX_SCALES:
            return RowScales(_as_scales(pairs[:0]), np.zeros(len(pairs), np.int64), pairs)
        return RowScales(_as_scales(unique), index.reshape(-1), pairs)

    @property
    def per_row(self) -> bool:
        """Whether every row's record carries its scale."""
        return len(self.shared) == 0

    @property
    def record_bytes(self) -> int:
        """Bytes of parameter memory per row."""
        return record_bytes(len(self.shared))

    def records(self, matrix: Matrix, order: np.ndarray) -> bytes:
        """The records of some rows, in an order of theirs."""
        rows = np.zeros(len(order), ROW_DTYPE)
        rows["bias"] = matrix.bias[order]
        rows["destination"] = matrix.destination[order]
        rows["scale"] = self.index[order]
        raw = rows.view(np.uint8).reshape(len(order), ROW_DTYPE.itemsize)
        if self.per_row:
            own = _as_scales(self.own[order])
            raw = np.concatenate([raw, own.view(np.uint8).reshape(len(order), -1)], axis=1)
        return raw.tobytes()


def _as_scales(pairs: np.ndarray) -> np.ndarray:
    # Zeros, as numpy copies no padding.
    scales = np.zeros(len(pairs), SCALE_DTYPE)
    scales["multiplier"], scales["shift"] = pairs[:, 0], pairs[:, 1]
    return scales

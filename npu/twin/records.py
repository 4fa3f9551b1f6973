"""Row records and scales: what the requantiser does with every row that leaves the lanes."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from npu.chip.faults import RecordFault
from npu.chip.weight_format import ROW_DTYPE, SCALE_DTYPE, record_bytes
from npu.model.numerics import MAX_SHIFT, MIN_SHIFT
from npu.twin.product import ROW


class Wrong(NamedTuple):
    """The first row that is wrong: its place among those asked for, and how."""

    row: int
    fault: RecordFault


class Records(NamedTuple):
    """What lies in parameter memory.

    Attributes
    ----------
    rows : (records,) ROW_DTYPE.
    scales : SCALE_DTYPE, the shared ones, or one per record.
    per_row : which of the two.
    """

    rows: np.ndarray
    scales: np.ndarray
    per_row: bool

    @classmethod
    def read(cls, param: np.ndarray, at: int, count: int, shared: np.ndarray) -> "Records":
        """`count` records at `at` of parameter memory, fewer where it ends before.

        shared : the block's scales, none if every record has its own.
        """
        item = record_bytes(len(shared))
        count = min(count, max(0, len(param) - at) // item)
        raw = param[at : at + count * item].reshape(count, item)
        rows = raw[:, : ROW_DTYPE.itemsize].copy().view(ROW_DTYPE)[:, 0]
        if len(shared):
            return cls(rows, shared, per_row=False)
        own = raw[:, ROW_DTYPE.itemsize :].copy().view(SCALE_DTYPE)[:, 0]
        return cls(rows, own, per_row=True)

    def of(
        self, wanted: np.ndarray, outside: Callable[[np.ndarray], np.ndarray]
    ) -> tuple[np.ndarray, Wrong | None]:
        """Bias, destination and scale of the rows with the records `wanted`, in that order.

        wanted : (rows,) int64 numbers of records. outside : for which of some destinations there
        is no place.

        Returns (rows,) ROW, and the first row for which something is not there or out of range,
        None if there is none.
        """
        rows, there = _found(self.rows, wanted)
        index = wanted if self.per_row else rows["scale"].astype(np.int64)
        scales, scaled = _found(self.scales, index)
        right = (scales["multiplier"] >= 0) & (scales["shift"] >= MIN_SHIFT)
        right &= scales["shift"] <= MAX_SHIFT
        faults = np.select(
            [~there, ~scaled | outside(rows["destination"].astype(np.int64)), ~right],
            [RecordFault.OUTSIDE, RecordFault.INDEX, RecordFault.SCALE],
            RecordFault.NONE,
        )
        made = np.zeros(len(wanted), ROW)
        made["bias"], made["destination"] = rows["bias"], rows["destination"]
        made["multiplier"], made["shift"] = scales["multiplier"], scales["shift"]
        if not faults.any():
            return made, None
        first = int(np.argmax(faults != RecordFault.NONE))
        return made, Wrong(first, RecordFault(faults[first]))


def _found(table: np.ndarray, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Entries of a table, zero where it has no such entry, and where it has."""
    there = index < len(table)
    found = np.zeros(len(index), table.dtype)
    found[there] = table[index[there]]
    return found, there

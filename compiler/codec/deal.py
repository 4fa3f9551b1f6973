"""Dealing the rows of a matrix to the slots of the chip, so that all finish together.

A product takes as many cycles as its fullest slot. Longest-processing-time first (R. L. Graham,
"Bounds on multiprocessing timing anomalies", SIAM J. Appl. Math. 17, 1969) comes close; moves and
swaps between the fullest slot and the others take off most of what is left.
"""

import heapq

import numpy as np

from npu.errors import CapacityError
from npu.format import MAX_SLOT_ROWS

MAX_EXCHANGES = 500


def deal(row_symbols: np.ndarray, slots: int) -> list[np.ndarray]:
    """Deal rows to slots with the least largest sum found.

    row_symbols : (rows,) integers >= 0, the decode cycles of each row; slots >= 1. No slot gets
    more than MAX_SLOT_ROWS rows; CapacityError when they cannot hold all.

    Returns `slots` int64 arrays of rows, each in ascending order. Any order takes the same time;
    descending lengths would let all slots end their first rows together, then their second, and
    crowd the requantiser, while rows in their original order end as irregularly as lengths vary.
    """
    lengths = np.asarray(row_symbols, np.int64)
    if slots < 1:
        raise ValueError(f"slots must be at least 1, not {slots}")
    if len(lengths) > slots * MAX_SLOT_ROWS:
        raise CapacityError(
            f"{len(lengths)} rows for {slots} slots of at most {MAX_SLOT_ROWS}: "
            "split the matrix into tiles"
        )
    dealt = _longest_first(lengths, slots)
    _exchange(lengths, dealt, slots)
    return [np.flatnonzero(dealt == slot) for slot in range(slots)]


def imbalance(row_symbols: np.ndarray, slot_rows: list[np.ndarray]) -> float:
    """Largest slot sum over the mean: time over the time of a perfect deal. 1.0 without symbols."""
    sums = np.array([row_symbols[rows].sum() for rows in slot_rows])
    return float(sums.max() / sums.mean()) if sums.any() else 1.0


def _longest_first(lengths: np.ndarray, slots: int) -> np.ndarray:
    """(rows,) slot of each row: longest row first, to the emptiest slot."""
    dealt = np.empty(len(lengths), np.int64)
    # Ties: the slot with fewer rows, then the lower one, so rows without symbols spread too.
    heap = [(0, 0, slot) for slot in range(slots)]
    for row in np.argsort(-lengths, kind="stable"):
        total, rows, slot = heapq.heappop(heap)
        dealt[row] = slot
        if rows + 1 < MAX_SLOT_ROWS:
            heapq.heappush(heap, (total + int(lengths[row]), rows + 1, slot))
    return dealt


def _exchange(lengths: np.ndarray, dealt: np.ndarray, slots: int) -> None:
    """Improve `dealt` in place: move or swap rows out of the fullest slot while that helps."""
    sums = np.bincount(dealt, lengths, slots).astype(np.int64)
    counts = np.bincount(dealt, minlength=slots)
    floor = max(-(-int(lengths.sum()) // slots), int(lengths.max(initial=0)))
    for _ in range(MAX_EXCHANGES):
        fullest = int(np.argmax(sums))
        if sums[fullest] <= floor:
            return
        mine = np.flatnonzero(dealt == fullest)
        others = np.flatnonzero(dealt != fullest)
        room = np.flatnonzero((counts < MAX_SLOT_ROWS) & (np.arange(slots) != fullest))
        # Per candidate: what leaves the fullest slot, and the sum of the slot that takes it.
        shift = np.concatenate(
            [
                lengths[mine, None] - lengths[None, others],
                np.broadcast_to(lengths[mine, None], (len(mine), len(room))),
            ],
            axis=1,
        )
        partner = np.concatenate([dealt[others], room])
        larger = np.maximum(sums[fullest] - shift, sums[partner] + shift)
        best = int(np.argmin(larger)) if larger.size else -1
        if best < 0 or larger.flat[best] >= sums[fullest]:
            return
        row, candidate = mine[best // len(partner)], best % len(partner)
        amount, slot = int(shift.flat[best]), int(partner[candidate])
        dealt[row] = slot
        if candidate < len(others):
            dealt[others[candidate]] = fullest
        else:
            counts[fullest] -= 1
            counts[slot] += 1
        sums[fullest] -= amount
        sums[slot] += amount

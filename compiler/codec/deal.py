"""Dealing the rows of a matrix to the slots of the chip, so that all finish together.

A product takes as many cycles as its fullest slot. Longest-processing-time first (R. L. Graham,
"Bounds on multiprocessing timing anomalies", SIAM J. Appl. Math. 17, 1969) comes close; moves and
swaps between the fullest slot and the others take off most of what is left.
"""

import numpy as np

from npu.chip.weight_format import MAX_SLOT_ROWS
from npu.errors import CapacityError
from npu.jit import kernel

MAX_EXCHANGES = 500
# More than any slot holds.
NO_PARTNER = 1 << 62


def deal(row_symbols: np.ndarray, slots: int, most: int = MAX_SLOT_ROWS) -> list[np.ndarray]:
    """Deal rows to slots with the least largest sum found.

    row_symbols : (rows,) integers >= 0, the decode cycles of each row; slots >= 1. No slot gets
    more than `most` rows; CapacityError when they cannot hold all.

    Returns `slots` int64 arrays of rows, each in ascending order. Any order takes the same time;
    descending lengths would let all slots end their first rows together, then their second, and
    crowd the requantiser, while rows in their original order end as irregularly as lengths vary.
    """
    lengths = np.asarray(row_symbols, np.int64)
    if slots < 1:
        raise ValueError(f"slots must be at least 1, not {slots}")
    if len(lengths) > slots * most:
        raise CapacityError(
            f"{len(lengths)} rows for {slots} slots of at most {most}: split the matrix into tiles"
        )
    dealt = _longest_first(lengths, np.argsort(-lengths, kind="stable"), slots, most)
    # No slot ends before the mean of all, or before the longest row.
    floor = max(-(-int(lengths.sum()) // slots), int(lengths.max(initial=0)))
    _exchange(lengths, dealt, slots, most, floor)
    return np.split(
        np.argsort(dealt, kind="stable"), np.cumsum(np.bincount(dealt, minlength=slots))[:-1]
    )


def imbalance(row_symbols: np.ndarray, slot_rows: list[np.ndarray]) -> float:
    """Largest slot sum over the mean: time over the time of a perfect deal. 1.0 without symbols."""
    sums = np.array([row_symbols[rows].sum() for rows in slot_rows])
    return float(sums.max() / sums.mean()) if sums.any() else 1.0


@kernel
def _longest_first(lengths: np.ndarray, order: np.ndarray, slots: int, most: int) -> np.ndarray:
    """(rows,) slot of each row: in this order, to the emptiest slot that has room."""
    dealt = np.empty(len(lengths), np.int64)
    sums = np.zeros(slots, np.int64)
    counts = np.zeros(slots, np.int64)
    for place in range(len(order)):
        row = order[place]
        # Ties: the slot with fewer rows, then the lower one, so rows without symbols spread too.
        best = -1
        for slot in range(slots):
            if counts[slot] == most:
                continue
            emptier = best < 0 or sums[slot] < sums[best]
            if emptier or (sums[slot] == sums[best] and counts[slot] < counts[best]):
                best = slot
        dealt[row] = best
        sums[best] += lengths[row]
        counts[best] += 1
    return dealt


@kernel
def _exchange(lengths: np.ndarray, dealt: np.ndarray, slots: int, most: int, floor: int) -> None:
    """Improve `dealt` in place: move or swap rows out of the fullest slot while that helps.

    floor : the sum of the fullest slot that nothing improves.
    """
    rows = len(lengths)
    sums = np.zeros(slots, np.int64)
    counts = np.zeros(slots, np.int64)
    for row in range(rows):
        sums[dealt[row]] += lengths[row]
        counts[dealt[row]] += 1
    # Partners of a swap are rows; behind them, slots that have room for one more, which give none.
    # `kept` is what a partner's slot has without what it gives. The loop over all of them has no
    # branch, so that several are looked at at a time.
    gives = np.zeros(rows + slots, np.int64)
    gives[:rows] = lengths
    kept = np.zeros(rows + slots, np.int64)
    for _ in range(MAX_EXCHANGES):
        fullest = 0
        for slot in range(slots):
            if sums[slot] > sums[fullest]:
                fullest = slot
        best = sums[fullest]
        if best <= floor:
            return
        for row in range(rows):
            slot = dealt[row]
            kept[row] = NO_PARTNER if slot == fullest else sums[slot] - lengths[row]
        for slot in range(slots):
            full = slot == fullest or counts[slot] == most
            kept[rows + slot] = NO_PARTNER if full else sums[slot]
        moved = -1
        for row in range(rows):
            if dealt[row] != fullest:
                continue
            rest = sums[fullest] - lengths[row]
            least = best
            for other in range(rows + slots):
                least = min(least, max(rest + gives[other], kept[other] + lengths[row]))
            if least < best:
                best, moved = least, row
        if moved < 0:
            return
        rest = sums[fullest] - lengths[moved]
        swapped = 0
        while max(rest + gives[swapped], kept[swapped] + lengths[moved]) > best:
            swapped += 1
        shift = lengths[moved] - gives[swapped]
        if swapped < rows:
            taker = dealt[swapped]
            dealt[swapped] = fullest
        else:
            taker = swapped - rows
            counts[fullest] -= 1
            counts[taker] += 1
        dealt[moved] = taker
        sums[fullest] -= shift
        sums[taker] += shift

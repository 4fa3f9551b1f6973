"""Rows swap places: between code sets, within a slot, between lanes, as long as that saves bits.

Each kernel tries pairs of rows of equally many weights, so that slots stay as full as each other.
Pairs are looked at in a fixed order, and all arithmetic is on integers.
"""

import numpy as np

from compiler.codec.symbols import Slots
from npu.chip.weight_format import WORD_BITS
from npu.jit import inner_kernel, kernel

# About how many pairs of rows a kernel looks at in a sweep: all that 1,000 rows are, and every so
# many of a taller matrix.
PAIRS = 1 << 19
# Sweeps over the pairs, and rows that a lane swaps to end just under a word.
SWEEPS = 6
SWAPS = 8


@kernel
def exchange_rows(
    order: np.ndarray, sets: np.ndarray, mass: np.ndarray, prices: np.ndarray
) -> None:
    """Swap rows between code sets, in place, while both together are cheaper there.

    order : (rows,) the rows by place; sets : (rows,) the code set of each place; mass : (rows,)
    by row: only rows of the same swap; prices : (rows, sets) of a row under a set's codes.
    """
    step = 1 + len(order) ** 2 // (2 * PAIRS)
    for _ in range(SWEEPS):
        swapped = False
        for i in range(len(order)):
            for j in range(i + 1 + i % step, len(order), step):
                one, other, mine, theirs = order[i], order[j], sets[i], sets[j]
                if mine == theirs or mass[one] != mass[other]:
                    continue
                before = prices[one, mine] + prices[other, theirs]
                if prices[one, theirs] + prices[other, mine] < before:
                    order[i], order[j] = other, one
                    swapped = True
        if not swapped:
            break


@inner_kernel
def _between(left: int, right: int, sizes: np.ndarray, costs: np.ndarray) -> int:
    """What the zeros between two rows of a slot cost; -1 for no row before or behind.

    sizes : see `measure_rows`; costs : (2, n), of a gap and of a slot's end, by the zeros in it.
    """
    before = sizes[left, 1] if left >= 0 else 0
    return costs[1, before] if right < 0 else costs[0, before + sizes[right, 0]]


@inner_kernel
def _neighbours(order: np.ndarray, first: int, behind: int, at: int) -> tuple[int, int]:
    """The rows before and behind place `at` of a slot, -1 for none."""
    left = order[at - 1] if at > first else -1
    right = order[at + 1] if at + 1 < behind else -1
    return left, right


@inner_kernel
def _around(
    order: np.ndarray, first: int, behind: int, i: int, j: int, sizes: np.ndarray, costs: np.ndarray
) -> int:
    """What the zeros before and behind the rows at two places of a slot cost, i < j."""
    left, right = _neighbours(order, first, behind, i)
    total = _between(left, order[i], sizes, costs) + _between(order[i], right, sizes, costs)
    left, right = _neighbours(order, first, behind, j)
    if j > i + 1:
        total += _between(left, order[j], sizes, costs)
    return total + _between(order[j], right, sizes, costs)


@kernel
def order_rows(dealt: Slots, sizes: np.ndarray, prices: np.ndarray, zeros: np.ndarray) -> None:
    """Swap rows within slots, in place, while that is cheaper and adds no explicit zero.

    sizes : see `measure_rows`; prices, zeros : (2, n) int64, price and explicit zeros of a gap and
    of a slot's end, by how many zeros they are.
    """
    order, starts = dealt
    pairs = 0
    for slot in range(len(starts) - 1):
        pairs += (starts[slot + 1] - starts[slot]) ** 2 // 2
    step = 1 + pairs // PAIRS
    for slot in range(len(starts) - 1):
        first, behind = starts[slot], starts[slot + 1]
        for _ in range(SWEEPS):
            swapped = False
            for i in range(first, behind):
                for j in range(i + 1 + i % step, behind, step):
                    price = _around(order, first, behind, i, j, sizes, prices)
                    order[i], order[j] = order[j], order[i]
                    if _around(order, first, behind, i, j, sizes, prices) < price:
                        explicit = _around(order, first, behind, i, j, sizes, zeros)
                        order[i], order[j] = order[j], order[i]
                        if explicit > _around(order, first, behind, i, j, sizes, zeros):
                            continue
                        swapped = True
                    order[i], order[j] = order[j], order[i]
            if not swapped:
                break


@inner_kernel
def _change(left: int, right: int, old: int, new: int, sizes: np.ndarray, costs: np.ndarray) -> int:
    """By how much the zeros around a row cost more with another in its place."""
    now = _between(left, new, sizes, costs) + _between(new, right, sizes, costs)
    return now - _between(left, old, sizes, costs) - _between(old, right, sizes, costs)


@kernel
def swap_lanes(
    dealt: Slots,
    threads: int,
    lengths: np.ndarray,
    sizes: np.ndarray,
    bits: np.ndarray,
    zeros: np.ndarray,
) -> None:
    """Swap rows between lanes of a code set, in place, until sections end just under a word.

    lengths : (lanes,) bits of the sections, kept up to date; sizes : see `measure_rows`; bits,
    zeros : (2, n) int64, what a gap and a slot's end take, explicit zeros and all, by how many
    zeros they are. Only rows of equally many symbols swap, where no explicit zeros are added.
    """
    order, starts = dealt
    lanes = (len(starts) - 1) // threads
    slot_of = np.zeros(len(order), np.int64)
    for slot in range(len(starts) - 1):
        for place in range(starts[slot], starts[slot + 1]):
            slot_of[place] = slot
    step = 1 + len(order) ** 2 // (2 * PAIRS)
    for lane in range(lanes - 1):
        first, behind = starts[lane * threads], starts[(lane + 1) * threads]
        for _ in range(SWAPS):
            best, at, other_at = -lengths[lane] % WORD_BITS, -1, -1
            change, other_change = 0, 0
            for i in range(first, behind):
                one = order[i]
                slot = slot_of[i]
                left, right = _neighbours(order, starts[slot], starts[slot + 1], i)
                for j in range(behind + i % step, len(order), step):
                    other = order[j]
                    if sizes[one, 2] != sizes[other, 2]:
                        continue
                    slot = slot_of[j]
                    left2, right2 = _neighbours(order, starts[slot], starts[slot + 1], j)
                    if (
                        _change(left, right, one, other, sizes, zeros) > 0
                        or _change(left2, right2, other, one, sizes, zeros) > 0
                    ):
                        continue
                    inner = sizes[other, 3] - sizes[one, 3]
                    mine = inner + _change(left, right, one, other, sizes, bits)
                    theirs = _change(left2, right2, other, one, sizes, bits) - inner
                    cost = -(lengths[lane] + mine) % WORD_BITS + mine + theirs
                    if cost < best:
                        best, at, other_at = cost, i, j
                        change, other_change = mine, theirs
            if at < 0:
                break
            order[at], order[other_at] = order[other_at], order[at]
            lengths[lane] += change
            lengths[slot_of[other_at] // threads] += other_change

"""Rows swap places: between code sets, within a slot, between lanes, as long as that saves bits.

Each kernel tries pairs of rows of equally many weights, so that slots stay as full as each other.
Pairs are looked at in a fixed order, and all arithmetic is on integers.
"""

import numpy as np

from npu.jit import kernel

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


@kernel
def _boundary(
    order: np.ndarray, first: int, behind: int, at: int, sizes: np.ndarray, costs: np.ndarray
) -> int:
    """What the zeros before place `at` of a slot cost; `behind`: those behind its last weight."""
    before = sizes[order[at - 1], 1] if at > first else 0
    if at == behind:
        return costs[1, before]
    return costs[0, before + sizes[order[at], 0]]


@kernel
def _around(
    order: np.ndarray, first: int, behind: int, i: int, j: int, sizes: np.ndarray, costs: np.ndarray
) -> int:
    """What the zeros before and behind the rows at two places of a slot cost, i < j."""
    total = _boundary(order, first, behind, i, sizes, costs)
    total += _boundary(order, first, behind, i + 1, sizes, costs)
    if j > i + 1:
        total += _boundary(order, first, behind, j, sizes, costs)
    return total + _boundary(order, first, behind, j + 1, sizes, costs)


@kernel
def order_rows(
    order: np.ndarray, starts: np.ndarray, sizes: np.ndarray, prices: np.ndarray, zeros: np.ndarray
) -> None:
    """Swap rows within slots, in place, while that is cheaper and adds no explicit zero.

    order, starts : rows of all slots, see `joined`; sizes : see `measure_rows`; prices, zeros : (2,
    n) int64, price and explicit zeros of a gap and of a slot's end, by how many zeros they are.
    """
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
                    explicit = _around(order, first, behind, i, j, sizes, zeros)
                    order[i], order[j] = order[j], order[i]
                    if (
                        _around(order, first, behind, i, j, sizes, prices) < price
                        and _around(order, first, behind, i, j, sizes, zeros) <= explicit
                    ):
                        swapped = True
                    else:
                        order[i], order[j] = order[j], order[i]
            if not swapped:
                break


@kernel
def swap_lanes(
    order: np.ndarray,
    starts: np.ndarray,
    threads: int,
    lengths: np.ndarray,
    sizes: np.ndarray,
    bits: np.ndarray,
    zeros: np.ndarray,
    zero_bits: int,
    end_bits: np.ndarray,
    end_zeros: np.ndarray,
    bus: int,
) -> None:
    """Swap rows between lanes of a code set, in place, until sections end just under a word.

    order : (rows,) slot after slot; starts : (slots + 1,) where they start in it; lengths :
    (lanes,) bits of the sections, kept up to date; sizes : see `measure_rows`. Only rows of equally
    many symbols swap, where no explicit zeros are added.
    """
    lanes = (len(starts) - 1) // threads
    slot_of = np.zeros(len(order), np.int64)
    for slot in range(len(starts) - 1):
        slot_of[starts[slot] : starts[slot + 1]] = slot
    step = 1 + len(order) ** 2 // (2 * PAIRS)
    for lane in range(lanes - 1):
        first, behind = starts[lane * threads], starts[(lane + 1) * threads]
        for _ in range(SWAPS):
            waste = -lengths[lane] % bus
            best, at, other_at = waste, -1, -1
            change, other_change = 0, 0
            for i in range(first, behind):
                for j in range(behind + i % step, len(order), step):
                    if sizes[order[i], 2] != sizes[order[j], 2]:
                        continue
                    inner = sizes[order[j], 3] - sizes[order[i], 3]
                    mine, theirs = inner, -inner
                    fewer = True
                    for side in range(2):
                        here, there = (i, j) if side == 0 else (j, i)
                        which = slot_of[here]
                        old, new = order[here], order[there]
                        before = 0
                        if here > starts[which]:
                            before = sizes[order[here - 1], 1]
                        a, b = before + sizes[old, 0], before + sizes[new, 0]
                        explicit = zeros[b] - zeros[a]
                        delta = bits[b] - bits[a]
                        if here + 1 < starts[which + 1]:
                            gap = sizes[order[here + 1], 0]
                            a, b = sizes[old, 1] + gap, sizes[new, 1] + gap
                            explicit += zeros[b] - zeros[a]
                            delta += bits[b] - bits[a]
                        else:
                            a, b = sizes[old, 1], sizes[new, 1]
                            explicit += end_zeros[b] - end_zeros[a]
                            delta += end_bits[b] - end_bits[a]
                        if explicit > 0:
                            fewer = False
                        elif explicit < 0:
                            delta += explicit * zero_bits
                        if side == 0:
                            mine += delta
                        else:
                            theirs += delta
                    if not fewer:
                        continue
                    cost = -(lengths[lane] + mine) % bus + mine + theirs
                    if cost < best:
                        best, at, other_at = cost, i, j
                        change, other_change = mine, theirs
            if at < 0:
                break
            order[at], order[other_at] = order[other_at], order[at]
            lengths[lane] += change
            lengths[slot_of[other_at] // threads] += other_change

"""Classes of rows that are worth a code set each: rows alike in their runs and values.

A row's profile counts its runs and values. Rows are cut in two halves of equal mass (symbols, what
their lanes take turns for), so that both halves together take the fewest bits under codes of their
own: from several first cuts, each half's entropy code is worked out from its rows, and the rows are
sorted by how much cheaper one half's code is for them than the other's, and cut again. Four classes
are the halves of the halves.

All arithmetic on rows is on integers, so that every machine finds the same classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from compiler.codec.bits import RowSteps
from npu.jit import kernel

# Runs from here on share counts, in bins that double in size.
EXACT_RUNS = 48
RUN_BINS = EXACT_RUNS + 16
BINS = RUN_BINS + 256
# The search looks at so many rows, evenly spread; the others follow their codes.
SAMPLE_ROWS = 512
ROUNDS = 6
# A bit of a symbol's price, and what a symbol that a half never saw counts as.
PRICE_UNITS = 256
UNSEEN = 1 / 64


@kernel
def _count(steps: RowSteps, counts: np.ndarray) -> None:
    """Count, to (rows, BINS): a row's runs, those at its ends as one, then its values."""
    for row in range(len(steps.left)):
        first, behind = steps.starts[row], steps.starts[row + 1]
        if steps.values[first] == 0:
            continue
        for i in range(first, behind):
            counts[row, RUN_BINS + steps.values[i]] += 1
            # Behind the last value, and around to the first.
            run = steps.gaps[i + 1] if i + 1 < behind else steps.left[row] + steps.gaps[first]
            place = run
            if run >= EXACT_RUNS:
                place = EXACT_RUNS
                while run >= 2 * EXACT_RUNS and place < RUN_BINS - 1:
                    run >>= 1
                    place += 1
            counts[row, place] += 1


@kernel
def _prices(profiles: np.ndarray, price: np.ndarray) -> np.ndarray:
    """(rows,) int64: the profiles' symbols at `price` (BINS,) each."""
    total = np.zeros(len(profiles), np.int64)
    for row in range(len(profiles)):
        units = 0
        for i in range(len(price)):
            units += profiles[row, i] * price[i]
        total[row] = units
    return total


@kernel
def _code(profiles: np.ndarray, rows: np.ndarray) -> tuple[float, np.ndarray]:
    """(bits, price of each symbol in PRICE_UNITS) of an ideal code for the rows of a class."""
    counts = np.zeros(BINS, np.int64)
    prices = np.zeros(BINS, np.int64)
    for place in range(len(rows)):
        row = rows[place]
        for i in range(BINS):
            counts[i] += profiles[row, i]
    bits = 0.0
    end = 0
    while end < BINS:
        first, end = end, RUN_BINS if end == 0 else BINS
        total = 0
        for i in range(first, end):
            total += counts[i]
        total = max(1, total)
        for i in range(first, end):
            share = np.log2(total / max(np.float64(counts[i]), UNSEEN))
            bits += counts[i] * share
            prices[i] = np.int64(np.rint(share * PRICE_UNITS))
    return bits, prices


def halves(order: np.ndarray, mass: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`order` cut in two of about equal mass; mass : by row."""
    masses = mass[order]
    behind = np.cumsum(masses)
    # Rows whose middle lies in the first half of the mass; behind them none does.
    cut = int(np.count_nonzero(2 * behind - masses < masses.sum()))
    return order[:cut], order[cut:]


def _search(
    profiles: np.ndarray, mass: np.ndarray, sample: np.ndarray, starts: np.ndarray
) -> np.ndarray:
    """The best difference of prices found to tell two halves of the rows `sample` apart.

    starts : (n, rows of the sample) int64, by what to sort them at first.
    """
    sampled = profiles[sample]
    weights = mass[sample]
    least, best = np.inf, np.zeros(profiles.shape[1], np.int64)
    for i in range(len(starts)):
        order = np.argsort(starts[i], kind="stable")
        last = np.inf
        for _ in range(ROUNDS):
            first, second = halves(order, weights)
            bits, price = _code(sampled, first)
            other_bits, other_price = _code(sampled, second)
            bits, price = bits + other_bits, price - other_price
            if bits < least:
                least, best = bits, price
            if bits >= last:
                break
            last = bits
            order = np.argsort(_prices(sampled, price) * PRICE_UNITS // weights, kind="stable")
    return best


@dataclass(frozen=True, eq=False)
class Split:
    """How to tell two halves apart.

    Attributes
    ----------
    preference : (rows,) int64: the lower, the more a row belongs to the first half.
    saved : bits that the rows it was made for take less as halves, under ideal codes.
    """

    preference: np.ndarray
    saved: float


def _split(profiles: np.ndarray, size: np.ndarray, mass: np.ndarray, rows: np.ndarray) -> Split:
    """The best split found for some rows, as a preference of all; size : by row, of its values."""
    sample = rows[:: -(-len(rows) // SAMPLE_ROWS) or 1]
    rank = np.argsort(np.argsort(size[sample], kind="stable"), kind="stable")
    dense = np.argsort(np.argsort(mass[sample], kind="stable"), kind="stable")
    starts = np.stack([rank, rank + dense, rank - dense])
    price = _search(profiles, mass, sample, starts)
    preference = _prices(profiles, price) * PRICE_UNITS // mass
    parts = (rows, *halves(rows[np.argsort(preference[rows], kind="stable")], mass))
    whole, *separate = (_code(profiles, part)[0] for part in parts)
    return Split(preference, whole - sum(separate))


def splits(steps: RowSteps, mass: np.ndarray, sets: int) -> list[Split]:
    """How to split the rows of a matrix in `sets` classes: one for 2, three for 4.

    mass : (rows,) at least 1.
    """
    profiles = np.zeros((len(mass), BINS), np.int32)
    _count(steps, profiles)
    values = np.abs(np.arange(256) - 128)[(np.arange(256) + 128) % 256]
    size = profiles[:, RUN_BINS:] @ values * PRICE_UNITS // mass
    found: list[Split] = []
    parts = [np.arange(len(mass))]
    for _ in range(sets.bit_length() - 1):
        level = [_split(profiles, size, mass, part) for part in parts]
        parts = _halved(parts, level, mass)
        found += level
    return found


def _halved(
    parts: Sequence[np.ndarray], level: Sequence[Split], mass: np.ndarray
) -> list[np.ndarray]:
    """Each part's two halves, in ascending order."""
    return [
        np.sort(half)
        for part, split in zip(parts, level, strict=True)
        for half in halves(part[np.argsort(split.preference[part], kind="stable")], mass)
    ]


def classes(found: Sequence[Split], mass: np.ndarray, rows: np.ndarray) -> list[np.ndarray]:
    """Some of the rows by class, in ascending order, all classes of about equal mass."""
    parts, at = [rows], 0
    while at < len(found):
        level = found[at : at + len(parts)]
        at += len(level)
        parts = _halved(parts, level, mass)
    return parts

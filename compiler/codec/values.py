"""The search for the table of values.

A table's entries are groups of neighbouring values, each as many as the raw bits tell apart. Where
the groups begin is a shortest path: a group costs its entropy and its table entry. What an entry is
priced at decides how many there are.
"""

from dataclasses import dataclass

import numpy as np

from compiler.codec.codebook import code_table, longest_code, optimal_lengths
from compiler.codec.steps import table_bits
from npu.chip.weight_format import MAX_CODE_BITS, MAX_RAW_BITS, MAX_SYMBOLS, CodeTable
from npu.jit import inner_kernel, kernel

VALUES = 256
# Prices of an entry in bits that are tried, and how often the least that leaves few enough entries
# is narrowed down where these are too low.
ENTRY_PRICES = (3.0, 8.0, 16.0)
NARROWINGS = 8
# More raw bits are not looked at once the entropy is so much above the best code found.
HOPELESS = 1.02


@inner_kernel
def _entropy(count: int, total: int) -> float:
    return count * np.log2(total / count) if count > 0 else 0.0


@inner_kernel
def _groups(
    counts: np.ndarray, bits: np.ndarray, cost: np.ndarray, price: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """(first value, count) of the groups of neighbours that cost the least, and their entropy.

    counts : (n,) int64; bits : (n + 1, span + 1), entropy of a group by its end and its size;
    cost : (n + 1,), overwritten; price : of a group, in bits. Values that never occur lie between
    groups where that is cheaper.
    """
    n = len(counts)
    step = np.zeros(n + 1, np.int64)
    groups = np.zeros(n + 1, np.int64)
    cost[0] = 0.0
    for end in range(1, n + 1):
        cost[end] = np.inf
        if counts[end - 1] == 0:
            cost[end], groups[end] = cost[end - 1], groups[end - 1]
        for size in range(1, min(bits.shape[1] - 1, end) + 1):
            found = cost[end - size] + bits[end, size] + price
            if found < cost[end]:
                cost[end], step[end], groups[end] = found, size, groups[end - size] + 1
    left = groups[n]
    starts = np.zeros(left, np.int64)
    sums = np.zeros(left, np.int64)
    entropy = cost[n] - left * price
    end = n
    while end:
        size = step[end]
        if size:
            left -= 1
            starts[left] = end - size
            for value in range(end - size, end):
                sums[left] += counts[value]
        end -= max(1, size)
    return starts, sums, entropy


@kernel
def _best_groups(
    counts: np.ndarray, raw_bits: int, bits: np.ndarray, cost: np.ndarray
) -> tuple[int, float, np.ndarray, np.ndarray]:
    """(bits with table, entropy with table, first values, counts) of the best groups found.

    counts : (n,) int64, the last one not zero; bits, cost : as `_groups` takes them, overwritten.
    Bits are -1 when there would be too many entries.
    """
    n, span = len(counts), 1 << raw_bits
    total = 0
    for value in range(n):
        total += counts[value]
    best, least = -1, np.inf
    best_starts = best_sums = np.zeros(0, np.int64)
    # As few groups as can be.
    fewest = at = 0
    while at < n:
        fewest += counts[at] > 0
        at += span if counts[at] > 0 else 1
    if fewest > MAX_SYMBOLS:
        return best, least, best_starts, best_sums
    for end in range(1, n + 1):
        weight = 0
        for size in range(1, min(span, end) + 1):
            weight += counts[end - size]
            bits[end, size] = _entropy(weight, total)
    max_bits = longest_code(raw_bits)
    # Between a price that leaves too many entries and one that does not.
    low, high = 0.0, 2.0 * total * MAX_CODE_BITS
    last = -1
    for i in range(len(ENTRY_PRICES) + NARROWINGS):
        if i < len(ENTRY_PRICES):
            price = ENTRY_PRICES[i]
        elif low == 0.0:
            break
        else:
            price = high if best < 0 else np.sqrt(low * high)
        starts, sums, entropy = _groups(counts, bits, cost, price)
        entries = len(sums)
        if entries > MAX_SYMBOLS:
            low = max(low, price)
            continue
        high = min(high, price)
        if entries == last:
            continue
        last = entries
        extra = total * raw_bits + table_bits(entries)
        least = min(least, entropy + extra)
        lengths = optimal_lengths(sums, max_bits)
        coded = extra
        for entry in range(entries):
            coded += sums[entry] * lengths[entry]
        if best < 0 or coded < best:
            best, best_starts, best_sums = coded, starts, sums
    return best, least, best_starts, best_sums


def _opening(counts: np.ndarray) -> int:
    """The value at which to open the circle of all values: behind the most that never occur."""
    used = np.flatnonzero(counts)
    gaps = np.diff(used, append=used[0] + VALUES)
    return int(used[(np.argmax(gaps) + 1) % len(used)])


@dataclass(frozen=True, eq=False)
class ValueChoice:
    """A value table: bits of the value streams and the table."""

    bits: int
    table: CodeTable


def choose_values(counts: np.ndarray) -> ValueChoice:
    """The best table found for values (modulo 256) that occur `counts` times."""
    if not counts.any():
        one = np.zeros(1, np.int64)
        return ValueChoice(table_bits(1), code_table(one, one, 0))
    best: tuple[int, int, np.ndarray, np.ndarray] | None = None
    total = int(counts.sum())
    first = _opening(counts)
    used = np.trim_zeros(np.roll(counts, -first), "b")
    for raw_bits in range(MAX_RAW_BITS + 1):
        if best and total * raw_bits >= best[0]:
            break
        of_groups, cost = np.zeros((len(used) + 1, (1 << raw_bits) + 1)), np.empty(len(used) + 1)
        bits, entropy, starts, groups = _best_groups(used, raw_bits, of_groups, cost)
        if bits >= 0 and (best is None or bits < best[0]):
            best = bits, raw_bits, (starts + first) % VALUES, groups
        if best and np.isfinite(entropy) and entropy > HOPELESS * best[0]:
            break
    assert best is not None  # 8 raw bits code every value
    bits, raw_bits, starts, groups = best
    return ValueChoice(bits, code_table(starts, groups, raw_bits))

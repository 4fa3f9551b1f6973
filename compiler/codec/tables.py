"""The search for the two code tables of a matrix, or of several that share them.

Both streams are judged by histograms alone, so the search costs the same for a small matrix and a
large one. Run and value table meet in the explicit zeros: the run table decides how many there are,
the value table what one costs. So the two are chosen in turns, for rows that end by flag and for
rows that end at the last column.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from compiler.codec.bits import count_steps
from compiler.codec.codebook import code_table, codes
from compiler.codec.symbols import ZERO_CYCLE_BITS, as_coded, count_entries, split_gaps
from npu.format import LAST_FLAG, MAX_SYMBOLS, RUN_BASE_BITS, CodeTable, block_bytes
from npu.jit import kernel

MAX_RAW_BITS = 8
# What an explicit zero's value costs before anything is known: a rare symbol in a sparse matrix, a
# frequent one where it takes the place of a run.
RARE_ZERO_BITS = 10
FREQUENT_ZERO_BITS = 4
TURNS = 3
REPLANS = 4
ALPHABET_SIZES = (1, 2, 3, 4, 6, 8, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64)
# Huffman lengths are tried on this many of the best partitions by entropy.
PARTITIONS_TRIED = 6


def _table_bits(run_entries: int, value_entries: int) -> int:
    return 8 * block_bytes(run_entries, value_entries, 0)


@dataclass(frozen=True, eq=False)
class _Steps:
    """What is to be coded: gaps before last weights and others, and values, each by its count."""

    gaps: np.ndarray  # (2, columns) int64
    values: np.ndarray  # (256,) int64, by weight modulo 256


def _steps(matrices: Sequence[np.ndarray], flagless: bool) -> _Steps:
    columns = max(m.shape[1] for m in matrices)
    gaps = np.zeros((2, columns), np.int64)
    values = np.zeros(256, np.int64)
    for weights in matrices:
        count_steps(weights, flagless, gaps, values)
    return _Steps(gaps[:, : int(np.flatnonzero(gaps.any(axis=0)).max(initial=0)) + 1], values)


@dataclass(frozen=True, eq=False)
class _RunChoice:
    bits: float  # with the table and the price of the explicit zeros
    table: CodeTable
    counts: np.ndarray  # of the table's entries
    explicit: int


def _try_alphabet(
    entries: np.ndarray, raw_bits: int, gaps: np.ndarray, zero_bits: int
) -> _RunChoice | None:
    """The best code for a given set of run entries, or None if they cannot code the gaps."""
    n = gaps.shape[1]
    best = None
    counts = np.bincount(
        np.concatenate([_grouped(gaps[flag], raw_bits)[0] + flag * LAST_FLAG for flag in (0, 1)]),
        np.concatenate([_grouped(gaps[flag], raw_bits)[1] for flag in (0, 1)]),
        2 * LAST_FLAG,
    )[entries].astype(np.int64)
    table = code_table(entries, counts, raw_bits)
    for _ in range(REPLANS):
        entries = table.entries.astype(np.int64)
        bases, flags = (entries % LAST_FLAG) << raw_bits, entries // LAST_FLAG
        lengths = codes(table)[1] + raw_bits
        first, bits, _ = split_gaps(bases, flags, lengths, raw_bits, zero_bits, n)
        entry_of = np.zeros((2, n), np.int64)
        for i in reversed(range(len(entries))):
            entry_of[flags[i], bases[i] : bases[i] + (1 << raw_bits)] = i
        counts = np.zeros(len(entries), np.int64)
        explicit = count_entries(gaps, first, bits, entry_of, counts)
        if explicit < 0:
            return best
        used = np.flatnonzero(counts) if counts.any() else np.arange(1)
        used_counts = dict(zip(entries[used].tolist(), counts[used].tolist(), strict=True))
        table = code_table(entries[used], counts[used], raw_bits)
        counts = np.array([used_counts[int(entry)] for entry in table.entries], np.int64)
        total = int(counts @ (codes(table)[1] + raw_bits)) + explicit * zero_bits
        total += _table_bits(len(used), 0)
        if best is not None and total >= best.bits:
            break
        best = _RunChoice(total, table, counts, explicit)
    return best


def _grouped(counts: np.ndarray, raw_bits: int) -> tuple[np.ndarray, np.ndarray]:
    """(entries, counts) of the runs that an entry can express, added up by entry."""
    counts = counts[: 1 << (RUN_BASE_BITS + raw_bits)]
    starts = np.arange(0, len(counts), 1 << raw_bits)
    return starts >> raw_bits, np.add.reduceat(counts, starts)


def _choose_runs(steps: _Steps, flagless: bool, zero_bits: int) -> _RunChoice:
    """The best run table when an explicit zero costs `zero_bits`."""
    best: _RunChoice | None = None
    longest = steps.gaps.shape[1] - 1
    for raw_bits in range(min(MAX_RAW_BITS, longest.bit_length()) + 1):
        entries, counts = _grouped(steps.gaps[0], raw_bits)
        last_entries, last_counts = _grouped(steps.gaps[1], raw_bits)
        entries = np.concatenate([entries, last_entries + LAST_FLAG])
        counts = np.concatenate([counts, last_counts])
        entries = entries[np.argsort(-counts, kind="stable")]
        occurring = int(np.count_nonzero(counts))
        always = [0] if flagless else [0, LAST_FLAG]
        alphabets = [
            np.unique([*entries[: max(0, min(size, occurring) - len(always))], *always])
            for size in ALPHABET_SIZES
            if len(always) <= size and (size <= occurring or size == len(always))
        ]
        if occurring <= MAX_SYMBOLS:
            # Nothing needs a split, so nothing needs the runs of 0 that make splits possible.
            alphabets.append(np.sort(entries[: max(1, occurring)]))
        for alphabet in alphabets:
            choice = _try_alphabet(alphabet, raw_bits, steps.gaps, zero_bits)
            if choice and (best is None or choice.bits < best.bits):
                best = choice
    assert best is not None  # runs of 0 alone can code anything
    return _without_rare_entries(best, steps, zero_bits)


def _without_rare_entries(best: _RunChoice, steps: _Steps, zero_bits: int) -> _RunChoice:
    """Drop, one at a time and rarest first, the entries that do not earn their place."""
    for entry in best.table.entries[np.argsort(best.counts, kind="stable")]:
        kept = best.table.entries[best.table.entries != entry].astype(np.int64)
        if len(kept) in (0, len(best.table.entries)):
            continue
        flagless = not (best.table.entries >= LAST_FLAG).any()
        if not flagless and not (kept >= LAST_FLAG).any():
            continue
        choice = _try_alphabet(kept, best.table.raw_bits, steps.gaps, zero_bits)
        if choice and choice.bits < best.bits:
            best = choice
    return best


@kernel
def _partition(counts: np.ndarray, span: int) -> tuple[np.ndarray, np.ndarray]:
    """Split values into 1 to MAX_SYMBOLS groups of at most `span` neighbours, least entropy first.

    counts : (256,) float64. Returns (cost, step): cost (MAX_SYMBOLS + 1, 257), bits to code
    counts[:i] with m groups; step: size of the last group there, or 0 where a value that never
    occurs lies between groups.
    """
    n = len(counts)
    total = counts.sum()
    cost = np.full((MAX_SYMBOLS + 1, n + 1), np.inf)
    step = np.zeros((MAX_SYMBOLS + 1, n + 1), np.int64)
    cost[0, 0] = 0.0
    for end in range(1, n + 1):
        if counts[end - 1] == 0:
            for m in range(MAX_SYMBOLS + 1):
                cost[m, end] = cost[m, end - 1]
        weight = 0.0
        for size in range(1, min(span, end) + 1):
            weight += counts[end - size]
            bits = -weight * np.log2(weight / total) if weight else 0.0
            for m in range(1, MAX_SYMBOLS + 1):
                if cost[m - 1, end - size] + bits < cost[m, end]:
                    cost[m, end] = cost[m - 1, end - size] + bits
                    step[m, end] = size
    return cost, step


def _cuts(counts: np.ndarray) -> list[int]:
    """Values at which the circle of 256 may be opened: groups never cross such a cut."""
    used = np.flatnonzero(counts)
    gaps = np.diff(used, append=used[0] + 256)
    widest = int(used[(np.argmax(gaps) + 1) % len(used)])
    return sorted({0, 1, 128, widest})


def _choose_values(counts: np.ndarray) -> tuple[int, CodeTable]:
    """(bits with the table, table) that codes values occurring `counts` times."""
    if not counts.any():
        table = code_table(np.zeros(1), np.zeros(1), 0)
        return _table_bits(0, 1), table
    best: tuple[int, CodeTable] | None = None
    total = int(counts.sum())
    for raw_bits in range(MAX_RAW_BITS + 1):
        for cut in _cuts(counts):
            rolled = np.roll(counts, -cut)
            cost, step = _partition(rolled.astype(np.float64), 1 << raw_bits)
            estimate = np.array([c + _table_bits(0, m) for m, c in enumerate(cost[:, -1])])
            for m in np.argsort(estimate, kind="stable")[:PARTITIONS_TRIED]:
                if not np.isfinite(estimate[m]):
                    break
                if best and estimate[m] + total * raw_bits >= best[0]:
                    break
                bases, groups = [], []
                end = 256
                while m or end:
                    size = int(step[m, end])
                    if size:
                        bases.append((end - size + cut) % 256)
                        groups.append(int(rolled[end - size : end].sum()))
                        m -= 1
                    end -= max(1, size)
                table = code_table(np.array(bases), np.array(groups), raw_bits)
                lengths = dict(zip(table.entries.tolist(), codes(table)[1].tolist(), strict=True))
                bits = sum(g * (lengths[b] + raw_bits) for b, g in zip(bases, groups, strict=True))
                bits += _table_bits(0, len(bases))
                if best is None or bits < best[0]:
                    best = bits, table
    assert best is not None  # 8 raw bits code every value
    return best


def _zero_bits(value: CodeTable) -> int | None:
    """What the value table takes for a zero."""
    covers = (-value.entries.astype(np.int64)) % 256 < 1 << value.raw_bits
    return int(codes(value)[1][covers].min()) + value.raw_bits if covers.any() else None


def choose_tables(weights: Sequence[np.ndarray]) -> tuple[CodeTable, CodeTable]:
    """Run and value table for matrices that share them, with the fewest bits found.

    Counts the streams, the tables in the matrix block, the explicit zeros, and for each of those
    ZERO_CYCLE_BITS on top for its decode cycle.

    weights : matrices (rows, columns) int8, any sizes, 0 included. The same input gives the same
    tables.
    """
    matrices = [m for m in map(as_coded, weights) if len(m)] or [np.zeros((1, 1), np.int8)]
    best: tuple[float, CodeTable, CodeTable] | None = None
    for flagless, guess in ((False, RARE_ZERO_BITS), (True, FREQUENT_ZERO_BITS)):
        steps = _steps(matrices, flagless)
        for _ in range(TURNS):
            runs = _choose_runs(steps, flagless, guess + ZERO_CYCLE_BITS)
            values = steps.values.copy()
            values[0] += runs.explicit
            value_bits, value = _choose_values(values)
            total = runs.bits - runs.explicit * (guess + ZERO_CYCLE_BITS)
            total += int(values[0]) * ZERO_CYCLE_BITS + value_bits
            if best is not None and total >= best[0] and guess == _zero_bits(value):
                break
            if best is None or total < best[0]:
                best = total, runs.table, value
            zero = _zero_bits(value)
            if zero is None or zero == guess:
                break
            guess = zero
    assert best is not None
    return best[1], best[2]

"""The search for the code tables of the rows that share them.

Both streams are judged by histograms alone, so the search costs the same for a small matrix and a
large one. Run and value table meet in the explicit zeros: the run table decides how many there are,
the value table what one costs. So the two are chosen in turns, from two first guesses of that cost.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from compiler.codec.bits import count_slot
from compiler.codec.codebook import code_table, codes
from compiler.codec.symbols import ZERO_CYCLE_BITS, as_coded, count_entries, split_gaps
from npu.format import (
    ENTRY_BITS,
    MAX_SYMBOLS,
    CodeSet,
    CodeTable,
    padded_entries,
    set_of_lane,
)
from npu.jit import kernel

MAX_RAW_BITS = 8
# What an explicit zero's value costs before anything is known: a rare symbol in a sparse matrix, a
# frequent one where it takes the place of a run.
RARE_ZERO_BITS = 10
FREQUENT_ZERO_BITS = 4
TURNS = 3
REPLANS = 4
# From so many weights among the places on, zeros may be worth coding in place of runs.
FREQUENT_ZEROS_FROM = 0.4
ALPHABET_SIZES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
# Larger alphabets, or more raw bits, are not looked at once these many in a row were no better.
PATIENCE = 2
# Huffman lengths are tried on this many of the best partitions by entropy.
PARTITIONS_TRIED = 3
# More raw bits are not looked at once the entropy is so much above the best code found.
HOPELESS = 1.02


def _table_bits(entries: int) -> int:
    return 8 * padded_entries(entries)


@dataclass(frozen=True, eq=False)
class Steps:
    """What is to be coded, each by its count.

    Attributes
    ----------
    columns : of the matrix.
    gaps, ends, values : see `compiler.codec.bits.count_slot`.
    """

    columns: int
    gaps: np.ndarray
    ends: np.ndarray
    values: np.ndarray


def count_steps(columns: int, parts: Sequence[tuple[np.ndarray, Sequence[np.ndarray]]]) -> Steps:
    """Count the steps of (weights, slot_rows) pairs: int8 matrices of so many columns, dealt."""
    columns = max(1, columns)
    steps = Steps(
        columns,
        np.zeros(2 * columns - 1, np.int64),
        np.zeros(columns, np.int64),
        np.zeros(256, np.int64),
    )
    for weights, slot_rows in parts:
        coded = as_coded(weights)
        for rows in slot_rows:
            count_slot(coded, rows, steps.gaps, steps.ends, steps.values)
    return steps


def _raw_bits(near: int | None) -> range:
    """The raw bits to try: all, or those about a good choice."""
    if near is None:
        return range(MAX_RAW_BITS + 1)
    return range(max(0, near - 1), min(MAX_RAW_BITS, near + 1) + 1)


@dataclass(frozen=True, eq=False)
class _RunChoice:
    bits: float  # with the table and the price of the explicit zeros
    table: CodeTable
    counts: np.ndarray  # of the table's entries
    explicit: int


def _try_alphabet(
    entries: np.ndarray, raw_bits: int, steps: Steps, n: int, zero_bits: int
) -> _RunChoice | None:
    """The best code for a given set of run entries, or None if they cannot code the gaps below n.

    Terminators longer than any gap are not looked at.
    """
    best = None
    gaps, ends = steps.gaps[:n], steps.ends[:n]
    grouped, counts = _grouped(gaps, raw_bits)
    counts = np.bincount(grouped, counts, 1 << ENTRY_BITS)[entries].astype(np.int64)
    table = code_table(entries, counts, raw_bits)
    for _ in range(REPLANS):
        entries = table.entries.astype(np.int64)
        bases = entries << raw_bits
        lengths = codes(table)[1] + raw_bits
        first, bits, _, end_first, end_bits, _ = split_gaps(
            bases, lengths, raw_bits, zero_bits, steps.columns, n
        )
        entry_of = np.zeros(n, np.int64)
        for i in reversed(range(len(entries))):
            entry_of[bases[i] : bases[i] + (1 << raw_bits)] = i
        counts = np.zeros(len(entries), np.int64)
        explicit = count_entries(gaps, ends, first, bits, end_first, end_bits, entry_of, counts)
        if explicit < 0:
            return best
        used = np.flatnonzero(counts) if counts.any() else np.arange(1)
        used_counts = dict(zip(entries[used].tolist(), counts[used].tolist(), strict=True))
        table = code_table(entries[used], counts[used], raw_bits)
        counts = np.array([used_counts[int(entry)] for entry in table.entries], np.int64)
        total = int(counts @ (codes(table)[1] + raw_bits)) + explicit * zero_bits
        total += _table_bits(len(used))
        if best is not None and total >= best.bits:
            break
        best = _RunChoice(total, table, counts, explicit)
    return best


def _grouped(counts: np.ndarray, raw_bits: int) -> tuple[np.ndarray, np.ndarray]:
    """(entries, counts) of the runs that an entry can express, added up by entry."""
    counts = counts[: 1 << (ENTRY_BITS + raw_bits)]
    starts = np.arange(0, len(counts), 1 << raw_bits)
    return starts >> raw_bits, np.add.reduceat(counts, starts)


def _choose_runs(steps: Steps, zero_bits: int, near: int | None) -> _RunChoice:
    """The best run table when an explicit zero costs `zero_bits`; raw bits near some, or any."""
    best: _RunChoice | None = None
    longest = max(int(np.flatnonzero(c).max(initial=0)) for c in (steps.gaps, steps.ends))
    symbols = int(steps.gaps.sum() + steps.ends.sum())
    for raw_bits in _raw_bits(near):
        if raw_bits > longest.bit_length():
            break
        if best and symbols * raw_bits >= best.bits:
            break
        entries, counts = _grouped(steps.gaps[: longest + 1], raw_bits)
        entries = entries[np.argsort(-counts, kind="stable")]
        occurring = int(np.count_nonzero(counts))
        alphabets = [
            np.unique([*entries[: max(0, min(size, occurring) - 1)], 0])
            for size in ALPHABET_SIZES
            if size <= max(1, occurring)
        ]
        if occurring <= MAX_SYMBOLS:
            # Nothing needs a split, so nothing needs the run of 0 that makes splits possible.
            alphabets.append(np.sort(entries[: max(1, occurring)]))
        worse, last = 0, None
        for alphabet in reversed(alphabets):
            choice = _try_alphabet(alphabet, raw_bits, steps, longest + 1, zero_bits)
            if choice is None:
                continue
            worse = worse + 1 if last is not None and choice.bits >= last else 0
            last = choice.bits
            if best is None or choice.bits < best.bits:
                best = choice
            if worse == PATIENCE:
                break
    assert best is not None  # runs of 0 alone can code anything
    return _without_rare_entries(best, steps, longest + 1, zero_bits)


def _without_rare_entries(best: _RunChoice, steps: Steps, n: int, zero_bits: int) -> _RunChoice:
    """Drop, one at a time and rarest first, the entries that do not earn their place."""
    for entry in best.table.entries[np.argsort(best.counts, kind="stable")]:
        kept = best.table.entries[best.table.entries != entry].astype(np.int64)
        if len(kept) in (0, len(best.table.entries)):
            continue
        choice = _try_alphabet(kept, best.table.raw_bits, steps, n, zero_bits)
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


@kernel
def _groups(counts: np.ndarray, step: np.ndarray, m: int) -> tuple[np.ndarray, np.ndarray]:
    """(first value, count) of each of the `m` groups that a partition ends with."""
    starts = np.zeros(m, np.int64)
    groups = np.zeros(m, np.int64)
    end = len(counts)
    while end:
        size = step[m, end]
        if size:
            m -= 1
            starts[m] = end - size
            groups[m] = counts[end - size : end].sum()
        end -= max(1, size)
    return starts, groups


def _cuts(counts: np.ndarray) -> list[int]:
    """Values at which the circle of 256 may be opened: groups never cross such a cut."""
    used = np.flatnonzero(counts)
    gaps = np.diff(used, append=used[0] + 256)
    widest = int(used[(np.argmax(gaps) + 1) % len(used)])
    return sorted({0, 1, 128, widest})


def _choose_values(counts: np.ndarray, near: int | None) -> tuple[int, CodeTable]:
    """(bits with the table, table) for values occurring `counts` times; `near` as for runs."""
    if not counts.any():
        table = code_table(np.zeros(1), np.zeros(1), 0)
        return _table_bits(1), table
    best: tuple[int, CodeTable] | None = None
    total = int(counts.sum())
    table_bits = np.array([_table_bits(m) for m in range(MAX_SYMBOLS + 1)])
    for raw_bits in _raw_bits(near):
        if best and total * raw_bits >= best[0]:
            break
        least = np.inf
        for cut in _cuts(counts) if raw_bits else (0,):
            rolled = np.roll(counts, -cut)
            cost, step = _partition(rolled.astype(np.float64), 1 << raw_bits)
            estimate = cost[:, -1] + table_bits + total * raw_bits
            least = min(least, float(estimate.min()))
            for m in np.argsort(estimate, kind="stable")[:PARTITIONS_TRIED]:
                if not np.isfinite(estimate[m]) or (best and estimate[m] >= best[0]):
                    break
                starts, groups = _groups(rolled, step, m)
                table = code_table((starts + cut) % 256, groups, raw_bits)
                lengths = np.zeros(256, np.int64)
                lengths[table.entries] = codes(table)[1]
                bits = int(groups @ (lengths[(starts + cut) % 256] + raw_bits))
                bits += _table_bits(len(groups))
                if best is None or bits < best[0]:
                    best = bits, table
        if best and np.isfinite(least) and least > HOPELESS * best[0]:
            break
    assert best is not None  # 8 raw bits code every value
    return best


def _zero_bits(value: CodeTable) -> int | None:
    """What the value table takes for a zero."""
    covers = (-value.entries.astype(np.int64)) % 256 < 1 << value.raw_bits
    return int(codes(value)[1][covers].min()) + value.raw_bits if covers.any() else None


def choose_tables(steps: Steps) -> CodeSet:
    """Run and value table for these steps, with the fewest bits found.

    Counts the streams, the tables in the matrix block, the explicit zeros, and for each of those
    ZERO_CYCLE_BITS on top for its decode cycle. The same input gives the same tables.
    """
    best: tuple[float, CodeTable, CodeTable] | None = None
    places = sum(int(np.arange(len(c)) @ c) for c in (steps.gaps, steps.ends))
    places += int(steps.values.sum())
    guesses = [RARE_ZERO_BITS]
    if steps.values.sum() >= FREQUENT_ZEROS_FROM * places:
        guesses.append(FREQUENT_ZERO_BITS)
    for first_guess in guesses:
        guess = first_guess
        near_run: int | None = None
        near_value: int | None = None
        for _ in range(TURNS):
            runs = _choose_runs(steps, guess + ZERO_CYCLE_BITS, near_run)
            values = steps.values.copy()
            values[0] += runs.explicit
            value_bits, value = _choose_values(values, near_value)
            near_run, near_value = runs.table.raw_bits, value.raw_bits
            total = runs.bits - runs.explicit * guess + value_bits
            if best is None or total < best[0]:
                best = total, runs.table, value
            zero = _zero_bits(value)
            if zero is None or zero == guess:
                break
            guess = zero
    assert best is not None
    # A bound for every input: all weights, zeros too, in eight bits each.
    if 8 * places + 2 * _table_bits(1) < best[0]:
        one = np.zeros(1, np.int64)
        return code_table(one, one, 0), code_table(one, one, 8)
    return best[1], best[2]


Part = tuple[np.ndarray, Sequence[np.ndarray]]
"""A matrix (rows, columns) int8 and its rows by slot."""


def choose_sets(parts: Sequence[Part], lanes: int, sets: int) -> list[CodeSet]:
    """Code sets for dealt matrices that share them.

    parts : matrices of the same number of columns, each dealt to the slots of `lanes` lanes.
    """
    columns = max((weights.shape[1] for weights, _ in parts), default=1)
    chosen = []
    for number in range(sets):
        mine = [lane for lane in range(lanes) if set_of_lane(lane, lanes, sets) == number]
        shares = []
        for weights, slot_rows in parts:
            threads = len(slot_rows) // lanes
            slots = [lane * threads + thread for lane in mine for thread in range(threads)]
            shares.append((weights, [slot_rows[slot] for slot in slots]))
        chosen.append(choose_tables(count_steps(columns, shares)))
    return chosen

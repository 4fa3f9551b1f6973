"""The search for the table of runs."""

from dataclasses import dataclass

import numpy as np

from compiler.codec.codebook import (
    by_length,
    longest_code,
    most_frequent,
    optimal_lengths,
    table_of,
)
from compiler.codec.steps import Steps, table_bits
from compiler.codec.symbols import count_entries, split_gaps
from npu.chip.weight_format import ENTRY_BITS, MAX_RAW_BITS, MAX_SYMBOLS, CodeTable
from npu.jit import inner_kernel, kernel

REPLANS = 4
ALPHABET_SIZES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
# Larger alphabets are not looked at once these many in a row were no better.
PATIENCE = 2


@dataclass(frozen=True, eq=False)
class RunChoice:
    """A run table.

    Attributes
    ----------
    bits : of the run streams and the table, with the price of the explicit zeros.
    entries, lengths : (n,) int64, entries in ascending order and the bits of their codes.
    explicit : zeros that are coded as weights.
    """

    bits: int
    raw_bits: int
    entries: np.ndarray
    lengths: np.ndarray
    explicit: int

    def table(self) -> CodeTable:
        return table_of(self.entries, self.lengths, self.raw_bits)


@inner_kernel
def _lengths(
    entries: np.ndarray, counts: np.ndarray, max_bits: int
) -> tuple[np.ndarray, np.ndarray, int]:
    """(entries, lengths, bits of codes and table) of the better of two codes for a run table.

    One is the best code for the entries, (n,) int64, ascending, used `counts` times. The other is
    in order: runs 0, 1, 2, ... up to the last entry, no longer run with a shorter code. That takes
    no bytes in the matrix block (`npu.chip.weight_format`).
    """
    lengths = optimal_lengths(counts, max_bits)
    bits = table_bits(len(entries))
    for i in range(len(entries)):
        bits += counts[i] * lengths[i]
    if entries[-1] >= MAX_SYMBOLS:
        return entries, lengths, bits
    every = np.zeros(entries[-1] + 1, np.int64)
    for i in range(len(entries)):
        every[entries[i]] = counts[i]
    found = optimal_lengths(every, max_bits)
    runs = np.zeros(len(every), np.int64)
    rising = np.zeros(len(every), np.int64)
    ordered = 0
    order = by_length(found)
    for run in range(len(order)):
        runs[run], rising[run] = run, found[order[run]]
        ordered += every[run] * rising[run]
    if ordered > bits:
        return entries, lengths, bits
    return runs, rising, ordered


@inner_kernel
def _fit(
    entries: np.ndarray,
    raw_bits: int,
    gaps: np.ndarray,
    ends: np.ndarray,
    columns: int,
    zero_bits: int,
) -> tuple[int, np.ndarray, np.ndarray, int]:
    """The best code found for a given set of run entries, as a `RunChoice`'s fields.

    entries : (n,) int64, ascending; gaps, ends : a `Steps`', as far as they occur. Bits are -1
    where the entries cannot code the gaps. Terminators longer than any gap are not looked at.
    """
    n = len(gaps)
    span = 1 << raw_bits
    max_bits = longest_code(raw_bits)
    counts = np.zeros(len(entries), np.int64)
    for i in range(len(entries)):
        for gap in range(entries[i] * span, min((entries[i] + 1) * span, n)):
            counts[i] += gaps[gap]
    lengths = optimal_lengths(counts, max_bits)
    best, best_entries, best_lengths, best_explicit = -1, entries, lengths, 0
    for _ in range(REPLANS):
        canonical = by_length(lengths)
        bases = np.zeros(len(entries), np.int64)
        sizes = np.zeros(len(entries), np.int64)
        entry_of = np.zeros(n, np.int64)
        for place in range(len(entries) - 1, -1, -1):
            i = canonical[place]
            bases[place], sizes[place] = entries[i] * span, lengths[i] + raw_bits
            for run in range(bases[place], min(bases[place] + span, n)):
                entry_of[run] = i
        between_runs, behind_runs = split_gaps(bases, sizes, raw_bits, zero_bits, columns, n)
        used = np.zeros(len(entries), np.int64)
        between = count_entries(gaps, between_runs, entry_of, used)
        behind = count_entries(ends, behind_runs, entry_of, used)
        if between < 0 or behind < 0:
            break
        explicit = between + behind
        coding = 0
        for i in range(len(used)):
            coding += used[i] > 0
        kept = np.zeros(max(1, coding), np.int64)
        counts = np.zeros(len(kept), np.int64)
        kept[0] = entries[0]  # where none codes anything
        coding = symbols = 0
        for i in range(len(used)):
            if used[i] > 0:
                kept[coding], counts[coding] = entries[i], used[i]
                symbols += used[i]
                coding += 1
        entries, lengths, coded = _lengths(kept, counts, max_bits)
        total = coded + symbols * raw_bits + explicit * zero_bits
        if best >= 0 and total >= best:
            break
        best, best_entries, best_lengths, best_explicit = total, entries, lengths, explicit
    return best, best_entries, best_lengths, best_explicit


@inner_kernel
def _alphabet(frequent: np.ndarray, n: int, zero: bool) -> np.ndarray:
    """The first `n` entries in ascending order; with the run of 0, which lets all runs be split."""
    found = np.zeros(1 << ENTRY_BITS, np.int64)
    found[0] = zero
    for i in range(n):
        found[frequent[i]] = 1
    size = 0
    for entry in range(len(found)):
        size += found[entry]
    entries = np.zeros(size, np.int64)
    size = 0
    for entry in range(len(found)):
        if found[entry]:
            entries[size] = entry
            size += 1
    return entries


@kernel
def _search(
    gaps: np.ndarray, ends: np.ndarray, columns: int, zero_bits: int
) -> tuple[int, int, np.ndarray, np.ndarray, int]:
    """(bits, raw bits, entries, code lengths, explicit zeros) of the best table found.

    gaps, ends : a `Steps`', as far as they occur.
    """
    symbols = 0
    for i in range(len(gaps)):
        symbols += gaps[i]
    for i in range(len(ends)):
        symbols += ends[i]
    best, best_raw, best_explicit = -1, 0, 0
    best_entries = best_lengths = np.zeros(0, np.int64)
    for raw_bits in range(MAX_RAW_BITS + 1):
        span = 1 << raw_bits
        # Longer runs than any are of no use.
        if raw_bits > 0 and span // 2 > len(gaps) - 1:
            break
        if best >= 0 and symbols * raw_bits >= best:
            break
        counts = np.zeros(1 << ENTRY_BITS, np.int64)
        for gap in range(min(len(gaps), span << ENTRY_BITS)):
            counts[gap >> raw_bits] += gaps[gap]
        frequent = most_frequent(counts)
        occurring = 1
        while occurring < len(counts) and counts[frequent[occurring]] > 0:
            occurring += 1
        worse, last = 0, -1
        for i in range(len(ALPHABET_SIZES), -1, -1):
            if i == len(ALPHABET_SIZES):
                # All at once: nothing needs a split, so nothing needs the run of 0 for it.
                if occurring > MAX_SYMBOLS:
                    continue
                alphabet = _alphabet(frequent, occurring, False)
            elif ALPHABET_SIZES[i] <= occurring:
                alphabet = _alphabet(frequent, ALPHABET_SIZES[i] - 1, True)
            else:
                continue
            bits, entries, lengths, explicit = _fit(
                alphabet, raw_bits, gaps, ends, columns, zero_bits
            )
            if bits < 0:
                continue
            worse = worse + 1 if last >= 0 and bits >= last else 0
            last = bits
            if best < 0 or bits < best:
                best, best_raw, best_entries, best_lengths = bits, raw_bits, entries, lengths
                best_explicit = explicit
            if worse == PATIENCE:
                break
    return best, best_raw, best_entries, best_lengths, best_explicit


def choose_runs(steps: Steps, zero_bits: int) -> RunChoice:
    """The best run table found when an explicit zero costs `zero_bits`."""
    steps = steps.trimmed()
    found = RunChoice(*_search(steps.gaps, steps.ends, steps.columns, zero_bits))
    assert found.bits >= 0  # runs of 0 alone can code anything
    return found

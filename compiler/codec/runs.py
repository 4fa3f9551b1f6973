"""The search for the table of runs."""

from dataclasses import dataclass

import numpy as np

from compiler.codec.codebook import code_table, optimal_lengths
from compiler.codec.steps import Steps, raw_bits_near, table_bits
from compiler.codec.symbols import count_entries, split_gaps
from npu.format import ENTRY_BITS, MAX_CODE_BITS, MAX_SYMBOL_BITS, MAX_SYMBOLS, CodeTable
from npu.jit import kernel

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
    entries, counts : (n,) int64, entries in ascending order and how often each is used.
    explicit : zeros that are coded as weights.
    """

    bits: int
    raw_bits: int
    entries: np.ndarray
    counts: np.ndarray
    explicit: int

    def table(self) -> CodeTable:
        return code_table(self.entries, self.counts, self.raw_bits)


@kernel
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
    max_bits = min(MAX_CODE_BITS, MAX_SYMBOL_BITS - raw_bits)
    counts = np.zeros(len(entries), np.int64)
    for i in range(len(entries)):
        counts[i] = gaps[entries[i] * span : (entries[i] + 1) * span].sum()
    best, best_entries, best_counts, best_explicit = -1, entries, counts, 0
    lengths = optimal_lengths(counts, max_bits) + raw_bits
    for _ in range(REPLANS):
        canonical = np.argsort(lengths, kind="mergesort")
        bases = entries[canonical] * span
        first, bits, _, end_first, end_bits, _ = split_gaps(
            bases, lengths[canonical], raw_bits, zero_bits, columns, n
        )
        entry_of = np.zeros(n, np.int64)
        for i in canonical[::-1]:
            entry_of[entries[i] * span : (entries[i] + 1) * span] = i
        used = np.zeros(len(entries), np.int64)
        between = count_entries(gaps, first, bits, entry_of, used)
        behind = count_entries(ends, end_first, end_bits, entry_of, used)
        if between < 0 or behind < 0:
            break
        explicit = between + behind
        kept = np.flatnonzero(used)
        if len(kept) == 0:
            kept = np.arange(1)
        entries, counts = entries[kept], used[kept]
        lengths = optimal_lengths(counts, max_bits) + raw_bits
        total = (counts * lengths).sum() + explicit * zero_bits + table_bits(len(kept))
        if best >= 0 and total >= best:
            break
        best, best_entries, best_counts, best_explicit = total, entries, counts, explicit
    return best, best_entries, best_counts, best_explicit


def _try(entries: np.ndarray, raw_bits: int, steps: Steps, zero_bits: int) -> RunChoice | None:
    bits, entries, counts, explicit = _fit(
        *(np.sort(entries), raw_bits, steps.gaps, steps.ends, steps.columns, zero_bits)
    )
    return RunChoice(bits, raw_bits, entries, counts, explicit) if bits >= 0 else None


def choose_runs(steps: Steps, zero_bits: int, near: int | None) -> RunChoice:
    """The best run table found when an explicit zero costs `zero_bits`.

    near : look at these raw bits and their neighbours alone.
    """
    steps = steps.trimmed()
    best: RunChoice | None = None
    symbols = int(steps.gaps.sum() + steps.ends.sum())
    for raw_bits in raw_bits_near(near):
        if raw_bits > (len(steps.gaps) - 1).bit_length():
            break
        if best and symbols * raw_bits >= best.bits:
            break
        gaps = steps.gaps[: 1 << (ENTRY_BITS + raw_bits)]
        counts = np.add.reduceat(gaps, np.arange(0, len(gaps), 1 << raw_bits))
        entries = np.argsort(-counts, kind="stable")
        occurring = int(np.count_nonzero(counts))
        alphabets = [
            np.unique([*entries[: max(0, min(size, occurring) - 1)], 0])
            for size in ALPHABET_SIZES
            if size <= max(1, occurring)
        ]
        if occurring <= MAX_SYMBOLS:
            # Nothing needs a split, so nothing needs the run of 0 that makes splits possible.
            alphabets.append(entries[: max(1, occurring)])
        worse, last = 0, None
        for alphabet in reversed(alphabets):
            choice = _try(alphabet, raw_bits, steps, zero_bits)
            if choice is None:
                continue
            worse = worse + 1 if last is not None and choice.bits >= last else 0
            last = choice.bits
            if best is None or choice.bits < best.bits:
                best = choice
            if worse == PATIENCE:
                break
    assert best is not None  # runs of 0 alone can code anything
    return _without_rare_entries(best, steps, zero_bits)


def _without_rare_entries(best: RunChoice, steps: Steps, zero_bits: int) -> RunChoice:
    """Drop, one at a time and rarest first, the entries that do not earn their place."""
    for entry in best.entries[np.argsort(best.counts, kind="stable")]:
        kept = best.entries[best.entries != entry]
        if len(kept) in (0, len(best.entries)):
            continue
        choice = _try(kept, best.raw_bits, steps, zero_bits)
        if choice and choice.bits < best.bits:
            best = choice
    return best

"""From rows of weights to symbols: gaps, and the explicit zeros that split what has no code.

A row is a sequence of steps (gap, weight): zeros skipped, then a weight. The last step ends the
row, in one of two ways, which the run table decides:

- with the last flag, when the table has entries with it;
- without, at the matrix's last column, when it has none. A row whose last column is zero then
  gets an explicit zero there. Dense matrices spend no bit on runs this way.

A gap without a code of its own is split into pieces: a shorter run, an explicit zero, and the rest.
`Plan` holds the cheapest split of every gap under two tables.
"""

from dataclasses import dataclass

import numpy as np

from compiler.codec.bits import measure_rows
from compiler.codec.codebook import codes
from npu.format import LAST_FLAG, CodeTable
from npu.jit import kernel

# An explicit zero costs a decode cycle besides its bits. Priced low: bits come first.
ZERO_CYCLE_BITS = 2
# Far above any sum of real bits, far below the end of int64.
NO_CODE = 1 << 40


@kernel
def split_gaps(
    bases: np.ndarray, flags: np.ndarray, lengths: np.ndarray, raw_bits: int, zero_bits: int, n: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The cheapest way to code each gap below `n`, in front of a last weight (1) or another (0).

    bases, flags, lengths : (entries,) first run, last flag, bits with raw bits of each run entry.
    zero_bits : price of an explicit zero's value and cycle.

    Returns three (2, n) int64 arrays: the run of the first piece (the gap itself when it needs no
    split), the run bits of all pieces (>= NO_CODE: impossible), and the explicit zeros.
    """
    span = 1 << raw_bits
    first = np.zeros((2, n), np.int64)
    bits = np.full((2, n), NO_CODE, np.int64)
    zeros = np.zeros((2, n), np.int64)
    for i in range(len(bases)):
        for run in range(bases[i], min(bases[i] + span, n)):
            bits[flags[i], run] = min(bits[flags[i], run], lengths[i])
    for last in range(2):
        for gap in range(n):
            first[last, gap] = gap
            price = bits[last, gap]
            for i in range(len(bases)):
                # All runs of an entry cost the same, so take its longest: a good split, though
                # with raw bits not always the best one.
                run = min(bases[i] + span, gap) - 1
                if flags[i] or run < bases[i]:
                    continue
                rest = gap - run - 1
                rest_price = bits[last, rest] + zeros[last, rest] * zero_bits
                if lengths[i] + zero_bits + rest_price < price:
                    price = lengths[i] + zero_bits + rest_price
                    first[last, gap] = run
                    bits[last, gap] = lengths[i] + bits[last, rest]
                    zeros[last, gap] = 1 + zeros[last, rest]
    return first, bits, zeros


@kernel
def count_entries(
    gap_counts: np.ndarray,
    first: np.ndarray,
    bits: np.ndarray,
    entry_of: np.ndarray,
    counts: np.ndarray,
) -> int:
    """Add up how often each entry is used; returns the explicit zeros, or -1 if a gap has no code.

    entry_of : (2, n) int64, entry of a run that is coded in one piece.
    """
    explicit = 0
    for last in range(2):
        for gap in range(gap_counts.shape[1]):
            n = gap_counts[last, gap]
            if n == 0:
                continue
            if bits[last, gap] >= NO_CODE:
                return -1
            rest = gap
            while first[last, rest] != rest:
                counts[entry_of[0, first[last, rest]]] += n
                explicit += n
                rest -= first[last, rest] + 1
            counts[entry_of[last, rest]] += n
    return explicit


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything that two tables say about coding weights of up to a number of columns.

    Attributes
    ----------
    flagless : rows end at the last column, not by flag.
    first, bits, zeros : see `split_gaps`.
    run_codes, run_lengths : (2, columns) int64, code and raw bits of each run that has a code;
        `[last, run]`.
    value_codes, value_lengths : (256,) int64, by weight modulo 256; length NO_CODE for none.
    """

    flagless: bool
    first: np.ndarray
    bits: np.ndarray
    zeros: np.ndarray
    run_codes: np.ndarray
    run_lengths: np.ndarray
    value_codes: np.ndarray
    value_lengths: np.ndarray


def make_plan(run: CodeTable, value: CodeTable, columns: int) -> Plan:
    """Work out how the tables code every gap and weight. columns >= 1."""
    raws = np.arange(1 << value.raw_bits)
    value_codes = np.zeros(256, np.int64)
    value_lengths = np.full(256, NO_CODE, np.int64)
    # Entries may overlap. Backwards, so that the shortest code of a weight is what stays.
    for entry, code, length in reversed(list(zip(value.entries, *codes(value), strict=True))):
        covered = (int(entry) + raws) % 256
        value_codes[covered] = (code << value.raw_bits) + raws
        value_lengths[covered] = length + value.raw_bits

    raws = np.arange(1 << run.raw_bits)
    flags = run.entries.astype(np.int64) // LAST_FLAG
    bases = (run.entries.astype(np.int64) % LAST_FLAG) << run.raw_bits
    run_codes = np.zeros((2, columns), np.int64)
    run_lengths = np.full((2, columns), NO_CODE, np.int64)
    entry_codes, entry_lengths = codes(run)
    for i in reversed(range(len(bases))):
        n = max(0, min(len(raws), columns - int(bases[i])))
        covered = bases[i] + raws[:n]
        run_codes[flags[i], covered] = (entry_codes[i] << run.raw_bits) + raws[:n]
        run_lengths[flags[i], covered] = entry_lengths[i] + run.raw_bits
    zero_bits = min(NO_CODE, int(value_lengths[0]) + ZERO_CYCLE_BITS)
    first, bits, zeros = split_gaps(
        bases, flags, entry_lengths + run.raw_bits, run.raw_bits, zero_bits, columns
    )
    return Plan(
        not flags.any(), first, bits, zeros, run_codes, run_lengths, value_codes, value_lengths
    )


def as_coded(weights: np.ndarray) -> np.ndarray:
    """The matrix that is coded: `weights`, or one column of zeros in place of none.

    A row of no columns still has a bias and an output, and a row's end needs a symbol.
    """
    weights = np.ascontiguousarray(weights)
    if weights.dtype != np.int8 or weights.ndim != 2:
        raise ValueError(
            f"weights must be int8 (rows, columns), not {weights.dtype} {weights.shape}"
        )
    return weights if weights.shape[1] else np.zeros((len(weights), 1), np.int8)


def row_sizes(weights: np.ndarray, plan: Plan) -> np.ndarray:
    """(rows, 3) int64: coded symbols, run bits and value bits of every row.

    Raises ValueError when the tables behind `plan` have no code for a weight or a gap.
    """
    sizes = measure_rows(
        as_coded(weights), plan.flagless, plan.bits, plan.zeros, plan.value_lengths
    )
    for row in np.flatnonzero((sizes[:, 1:] >= NO_CODE).any(axis=1))[:1]:
        kind = "run" if sizes[row, 1] >= NO_CODE else "value"
        raise ValueError(f"the {kind} code cannot express row {row}")
    return sizes


def row_symbols(weights: np.ndarray, run: CodeTable, value: CodeTable) -> np.ndarray:
    """(rows,) int64, at least 1: symbols of each row, which are its decode cycles.

    weights : (rows, columns) int8.
    """
    return row_sizes(weights, make_plan(run, value, max(1, weights.shape[1])))[:, 0]

"""From the rows of a slot to symbols: gaps, and the explicit zeros that split what has no code.

A slot is a sequence of steps (gap, weight): zeros skipped since the previous weight, over the end
of a row if need be, then a weight. A row without nonzeros has one step, an explicit zero in its
last column. Behind the last weight comes the terminator: a run that passes the row's end.

A gap without a code of its own is split into pieces: a shorter run, an explicit zero, and the rest.
`Plan` holds the cheapest split of every gap and every end under two tables.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from compiler.codec.codebook import codes
from npu.chip.weight_format import CodeSet
from npu.jit import kernel

# What a lane's cycle is worth in bits: an explicit zero takes one besides its bits. At BYTES_FIRST
# cycles cost nothing, at CYCLES_FIRST no zero is coded that a run can skip. In between stands the
# price with the least product of bytes and cycles over the matrices of `npu bench codec` that have
# 5 to 45 % zeros; where there are more, runs take fewest of both.
BYTES_FIRST, CYCLE_BITS, CYCLES_FIRST = 0, 4, 1 << 10
# Far above any sum of real bits; a tile full of them is far below the end of int64.
NO_CODE = 1 << 32


@kernel
def _split(
    first: np.ndarray,
    bits: np.ndarray,
    zeros: np.ndarray,
    bases: np.ndarray,
    lengths: np.ndarray,
    span: int,
    zero_bits: int,
) -> None:
    """Split where that is cheaper than the one piece that `first` and `bits` hold, in place."""
    for gap in range(len(first)):
        price = bits[gap]
        for i in range(len(bases)):
            # All runs of an entry cost the same, so take its longest: a good split, though
            # with raw bits not always the best one.
            run = min(bases[i] + span, gap) - 1
            if run < bases[i]:
                continue
            rest = gap - run - 1
            rest_price = bits[rest] + zeros[rest] * zero_bits
            if lengths[i] + zero_bits + rest_price < price:
                price = lengths[i] + zero_bits + rest_price
                first[gap] = run
                bits[gap] = lengths[i] + bits[rest]
                zeros[gap] = 1 + zeros[rest]


@kernel
def split_gaps(
    bases: np.ndarray, lengths: np.ndarray, raw_bits: int, zero_bits: int, columns: int, n: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The cheapest way to code each gap below `n`, and each end of a slot with as many zeros left.

    bases, lengths : (entries,) first run and bits with raw bits of each run entry.
    zero_bits : price of an explicit zero's value and cycle.

    Returns three (n,) int64 arrays for gaps: the run of the first piece (the gap itself when it
    needs no split), the run bits of all pieces (>= NO_CODE: impossible), and the explicit zeros;
    then the same three, (min(columns, n),), for ends: there the first piece is the terminator when
    it is not shorter than the zeros left.
    """
    span = 1 << raw_bits
    direct = np.full(n, NO_CODE, np.int64)
    for i in range(len(bases)):
        for run in range(bases[i], min(bases[i] + span, n)):
            direct[run] = min(direct[run], lengths[i])

    first = np.arange(n)
    bits = direct.copy()
    zeros = np.zeros(n, np.int64)
    _split(first, bits, zeros, bases, lengths, span, zero_bits)

    ends = min(columns, n)
    end_first = np.zeros(ends, np.int64)
    end_bits = np.zeros(ends, np.int64)
    end_zeros = np.zeros(ends, np.int64)
    # A terminator is any run from `left` to `left + columns - 1`: the window slides down.
    best = n - 1
    for left in range(n - 1, -1, -1):
        if best - left >= columns:
            best = left
            for run in range(left, left + columns):
                if direct[run] < direct[best]:
                    best = run
        elif direct[left] <= direct[best]:
            best = left
        if left < ends:
            end_first[left] = best
            end_bits[left] = direct[best]
    _split(end_first, end_bits, end_zeros, bases, lengths, span, zero_bits)
    return first, bits, zeros, end_first, end_bits, end_zeros


@kernel
def count_entries(
    steps: np.ndarray, first: np.ndarray, bits: np.ndarray, entry_of: np.ndarray, counts: np.ndarray
) -> int:
    """Add up how often each entry is used; returns the explicit zeros, or -1 if one has no code.

    steps : how often each gap, or each end, occurs; first, bits : of `split_gaps` for the same;
    entry_of : (n,) int64, entry of a run that is coded in one piece.
    """
    explicit = 0
    for gap in range(min(len(steps), len(first))):
        n = steps[gap]
        if n == 0:
            continue
        if bits[gap] >= NO_CODE:
            return -1
        rest = gap
        while first[rest] < rest:
            counts[entry_of[first[rest]]] += n
            explicit += n
            rest -= first[rest] + 1
        counts[entry_of[first[rest]]] += n
    return explicit


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything that two tables say about coding a matrix of a number of columns.

    Attributes
    ----------
    first, bits, zeros, end_first, end_bits, end_zeros : see `split_gaps`; gaps may be as long as
        two rows less their weights, ends as a row less its weight.
    run_codes, run_lengths : (2 * columns - 1,) int64, code and raw bits of each run with a code.
    value_codes, value_lengths : (256,) int64, by weight modulo 256; length NO_CODE for none.
    zero_bits : price of an explicit zero's value and cycle.
    """

    first: np.ndarray
    bits: np.ndarray
    zeros: np.ndarray
    end_first: np.ndarray
    end_bits: np.ndarray
    end_zeros: np.ndarray
    run_codes: np.ndarray
    run_lengths: np.ndarray
    value_codes: np.ndarray
    value_lengths: np.ndarray
    zero_bits: int

    def boundaries(self) -> tuple[np.ndarray, np.ndarray]:
        """(price, explicit zeros), each (2, gaps) int64: of a gap, and of an end, by its zeros.

        The price is in bits and counts the explicit zeros and their cycles. Behind the longest end
        stands 0.
        """
        ends = np.zeros((2, len(self.bits)), np.int64)
        ends[:, : len(self.end_bits)] = self.end_bits, self.end_zeros
        bits, zeros = np.stack([self.bits, ends[0]]), np.stack([self.zeros, ends[1]])
        return bits + zeros * self.zero_bits, zeros


@kernel
def fill_codes(
    firsts: np.ndarray,
    raw_bits: int,
    entry_codes: np.ndarray,
    entry_lengths: np.ndarray,
    wrap: bool,
    codes: np.ndarray,
    lengths: np.ndarray,
) -> None:
    """Code and length of everything that entries express, those from `firsts` on.

    wrap : whether what follows the last place is the first one; else it has no code.
    """
    # Entries may overlap. Backwards, so that the shortest code is what stays.
    for i in range(len(firsts) - 1, -1, -1):
        for raw in range(1 << raw_bits):
            place = firsts[i] + raw
            if place >= len(codes):
                if not wrap:
                    break
                place -= len(codes)
            codes[place] = (entry_codes[i] << raw_bits) + raw
            lengths[place] = entry_lengths[i] + raw_bits


def make_plan(code_set: CodeSet, columns: int, cycle_bits: int = CYCLE_BITS) -> Plan:
    """Work out how the tables code every gap, end and weight. columns >= 1.

    cycle_bits : what a lane's cycle is worth in bits, see `check_cycle_bits`.
    """
    run, value = code_set
    value_codes = np.zeros(256, np.int64)
    value_lengths = np.full(256, NO_CODE, np.int64)
    firsts = value.entries.astype(np.int64)
    fill_codes(firsts, value.raw_bits, *codes(value), True, value_codes, value_lengths)

    gaps = 2 * columns - 1
    run_codes = np.zeros(gaps, np.int64)
    run_lengths = np.full(gaps, NO_CODE, np.int64)
    bases = run.entries.astype(np.int64) << run.raw_bits
    entry_codes, entry_lengths = codes(run)
    fill_codes(bases, run.raw_bits, entry_codes, entry_lengths, False, run_codes, run_lengths)
    zero_bits = min(NO_CODE, int(value_lengths[0]) + cycle_bits)
    lengths = entry_lengths + run.raw_bits
    first, bits, zeros, end_first, end_bits, end_zeros = split_gaps(
        bases, lengths, run.raw_bits, zero_bits, columns, gaps
    )
    return Plan(
        *(first, bits, zeros, end_first, end_bits, end_zeros),
        *(run_codes, run_lengths, value_codes, value_lengths, zero_bits),
    )


def check_cycle_bits(cycle_bits: int) -> None:
    """Raise ValueError unless it is a price of a lane's cycle: BYTES_FIRST to CYCLES_FIRST bits."""
    if not isinstance(cycle_bits, (int, np.integer)) or not (
        BYTES_FIRST <= cycle_bits <= CYCLES_FIRST
    ):
        raise ValueError(
            f"cycle_bits must be {BYTES_FIRST} (fewest bytes) to {CYCLES_FIRST} (fewest cycles), "
            f"not {cycle_bits!r}"
        )


def joined(slots: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The rows of all slots in one array, and where each slot's start: (slots + 1,) int64."""
    rows = np.concatenate([np.zeros(0, np.int64), *slots])
    return rows, np.cumsum([0, *map(len, slots)])


def as_coded(weights: np.ndarray) -> np.ndarray:
    """The matrix that is coded: `weights`, or one column of zeros in place of none.

    A row of no columns still has a bias and an output, and needs a symbol.
    """
    if not isinstance(weights, np.ndarray):
        raise ValueError(
            f"weights must be an int8 array (rows, columns), not {type(weights).__name__}"
        )
    if weights.dtype != np.int8 or weights.ndim != 2:
        raise ValueError(
            f"weights must be int8 (rows, columns), not {weights.dtype} {weights.shape}"
        )
    weights = np.ascontiguousarray(weights)
    return weights if weights.shape[1] else np.zeros((len(weights), 1), np.int8)

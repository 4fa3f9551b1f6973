"""From the rows of a slot to symbols: gaps, and the explicit zeros that split what has no code.

A slot is a sequence of steps (gap, weight): zeros skipped since the previous weight, over the end
of a row if need be, then a weight. A row without nonzeros has one step, an explicit zero in its
last column. Behind the last weight comes the terminator: a run that passes the row's end.

A gap without a code of its own is split into pieces: a shorter run, an explicit zero, and the rest.
`Plan` holds the cheapest split of every gap and every end under two tables.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from compiler.codec.codebook import codes
from npu.chip.weight_format import CodeSet
from npu.jit import inner_kernel, kernel

# What a lane's cycle is worth in bits: an explicit zero takes one besides its bits. At BYTES_FIRST
# cycles cost nothing, at CYCLES_FIRST no zero is coded that a run can skip. In between stands the
# price with the least product of bytes and cycles over the matrices of `npu bench codec` that have
# 5 to 45 % zeros; where there are more, runs take fewest of both.
BYTES_FIRST, CYCLE_BITS, CYCLES_FIRST = 0, 4, 1 << 10
# Far above any sum of real bits; a tile full of them is far below the end of int64.
NO_CODE = 1 << 32


class Slots(NamedTuple):
    """Rows dealt to slots.

    Attributes
    ----------
    rows : (rows,) int64, those of all slots, one after the other.
    starts : (slots + 1,) int64, where each slot's start.
    """

    rows: np.ndarray
    starts: np.ndarray

    def part(self, first: int, end: int) -> "Slots":
        """The slots from `first` to before `end`."""
        return Slots(self.rows, self.starts[first : end + 1])


class Split(NamedTuple):
    """How zeros are coded, by how many they are: (n,) int64 each.

    Attributes
    ----------
    first : the run of the first piece; all of them where there is no other piece.
    bits : run bits of all pieces, NO_CODE or more where there is no code.
    zeros : explicit zeros between the pieces.
    """

    first: np.ndarray
    bits: np.ndarray
    zeros: np.ndarray


class Codewords(NamedTuple):
    """Codeword and raw bits in one, and their length, by what is coded: (n,) int64 each.

    The length is NO_CODE where there is none.
    """

    codes: np.ndarray
    lengths: np.ndarray


@inner_kernel
def _split(found: Split, bases: np.ndarray, lengths: np.ndarray, span: int, zero_bits: int) -> None:
    """Split where that is cheaper than the one piece that `found` holds, in place."""
    first, bits, zeros = found
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
) -> tuple[Split, Split]:
    """The cheapest way to code each gap below `n`, and each end of a slot with as many zeros left.

    bases, lengths : (entries,) first run and bits with raw bits of each run entry.
    zero_bits : price of an explicit zero's value and cycle.

    Returns the split of the gaps, and that of the ends, of which there are min(columns, n): there
    the first piece is the terminator when it is not shorter than the zeros left.
    """
    span = 1 << raw_bits
    gaps = Split(np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64))
    direct = np.zeros(n, np.int64)
    for gap in range(n):
        direct[gap] = NO_CODE
    for i in range(len(bases)):
        for run in range(bases[i], min(bases[i] + span, n)):
            direct[run] = min(direct[run], lengths[i])

    for gap in range(n):
        gaps.first[gap], gaps.bits[gap] = gap, direct[gap]
    _split(gaps, bases, lengths, span, zero_bits)

    n_ends = min(columns, n)
    ends = Split(
        np.zeros(n_ends, np.int64),
        np.zeros(n_ends, np.int64),
        np.zeros(n_ends, np.int64),
    )
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
        if left < n_ends:
            ends.first[left] = best
            ends.bits[left] = direct[best]
    _split(ends, bases, lengths, span, zero_bits)
    return gaps, ends


@inner_kernel
def count_entries(steps: np.ndarray, split: Split, entry_of: np.ndarray, counts: np.ndarray) -> int:
    """Add up how often each entry is used; returns the explicit zeros, or -1 if one has no code.

    steps : how often each gap, or each end, occurs; split : of the same; entry_of : (n,) int64,
    entry of a run that is coded in one piece.
    """
    first, bits, _ = split
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


class Plan(NamedTuple):
    """Everything that two tables say about coding a matrix of a number of columns.

    Attributes
    ----------
    gaps, ends : how the zeros before a weight and those behind a slot's last are split; gaps may be
        as long as two rows less their weights, ends as a row less its weight.
    runs : of each run, (2 * columns - 1,).
    values : of each weight modulo 256.
    zero_bits : price of an explicit zero's value and cycle.
    """

    gaps: Split
    ends: Split
    runs: Codewords
    values: Codewords
    zero_bits: int

    def boundaries(self) -> tuple[np.ndarray, np.ndarray]:
        """(price, explicit zeros), each (2, gaps) int64: of a gap, and of an end, by its zeros.

        The price is in bits and counts the explicit zeros and their cycles. Behind the longest end
        stands 0.
        """
        bits, zeros = (
            np.stack([of_gaps, np.pad(of_ends, (0, len(of_gaps) - len(of_ends)))])
            for of_gaps, of_ends in zip(self.gaps[1:], self.ends[1:], strict=True)
        )
        return bits + zeros * self.zero_bits, zeros


@kernel
def fill_codes(
    firsts: np.ndarray,
    raw_bits: int,
    entry_codes: np.ndarray,
    entry_lengths: np.ndarray,
    wrap: bool,
    words: Codewords,
) -> None:
    """Code and length of everything that entries express, those from `firsts` on, to `words`.

    wrap : whether what follows the last place is the first one; else it has no code.
    """
    codes, lengths = words
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
    values = _no_codes(256)
    fill_codes(value.entries.astype(np.int64), value.raw_bits, *codes(value), True, values)

    n_gaps = 2 * columns - 1
    runs = _no_codes(n_gaps)
    bases = run.entries.astype(np.int64) << run.raw_bits
    entry_codes, entry_lengths = codes(run)
    fill_codes(bases, run.raw_bits, entry_codes, entry_lengths, False, runs)
    zero_bits = min(NO_CODE, int(values.lengths[0]) + cycle_bits)
    lengths = entry_lengths + run.raw_bits
    gaps, ends = split_gaps(bases, lengths, run.raw_bits, zero_bits, columns, n_gaps)
    return Plan(gaps, ends, runs, values, zero_bits)


def _no_codes(n: int) -> Codewords:
    return Codewords(np.zeros(n, np.int64), np.full(n, NO_CODE, np.int64))


def check_cycle_bits(cycle_bits: int) -> None:
    """Raise ValueError unless it is a price of a lane's cycle: BYTES_FIRST to CYCLES_FIRST bits."""
    if not isinstance(cycle_bits, (int, np.integer)) or not (
        BYTES_FIRST <= cycle_bits <= CYCLES_FIRST
    ):
        raise ValueError(
            f"cycle_bits must be {BYTES_FIRST} (fewest bytes) to {CYCLES_FIRST} (fewest cycles), "
            f"not {cycle_bits!r}"
        )


def joined(slots: Sequence[np.ndarray]) -> Slots:
    """The rows of all slots in one array."""
    rows = np.concatenate([np.zeros(0, np.int64), *slots])
    return Slots(rows, np.cumsum([0, *map(len, slots)]))


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

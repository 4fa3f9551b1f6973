"""Optimal length-limited prefix codes in canonical order.

`code_lengths` is the package-merge algorithm of L. L. Larmore and D. S. Hirschberg, "A fast
algorithm for optimal length-limited Huffman codes", J. ACM 37 (1990).
"""

import numpy as np

from compiler.codec.checks import as_whole, check_count, table_problem
from npu.chip.weight_format import (
    LENGTHS,
    MAX_CODE_BITS,
    MAX_RAW_BITS,
    MAX_SYMBOL_BITS,
    MAX_SYMBOLS,
    CodeTable,
)
from npu.jit import inner_kernel, kernel

MAX_ENTRY = int(np.iinfo(np.uint8).max)


@inner_kernel
def _package_merge(counts: np.ndarray, max_bits: int) -> np.ndarray:
    """Lengths for `counts` in ascending order, at least two of them, at most 2**max_bits."""
    n = len(counts)
    # A list of one level is packages of two items of the level below, merged with the symbols;
    # is_symbol[level, i] is all that is needed to unfold the chosen ones again.
    is_symbol = np.zeros((max_bits, 2 * n), np.int64)
    below = np.empty(2 * n, np.int64)
    here = np.empty(2 * n, np.int64)
    n_below = 0
    for level in range(max_bits):
        packages = n_below // 2
        symbol = 0
        package = 0
        n_here = 0
        while symbol < n or package < packages:
            # A tie takes the symbol: shorter packages, and the same answer on every machine.
            if package == packages or (
                symbol < n and counts[symbol] <= below[2 * package] + below[2 * package + 1]
            ):
                here[n_here] = counts[symbol]
                is_symbol[level, n_here] = 1
                symbol += 1
            else:
                here[n_here] = below[2 * package] + below[2 * package + 1]
                package += 1
            n_here += 1
        below, here = here, below
        n_below = n_here
    lengths = np.zeros(n, np.int64)
    chosen = 2 * n - 2
    for level in range(max_bits - 1, -1, -1):
        symbols = 0
        for i in range(chosen):
            symbols += is_symbol[level, i]
        for i in range(symbols):
            lengths[i] += 1
        chosen = 2 * (chosen - symbols)
    return lengths


@inner_kernel
def longest_code(raw_bits: int) -> int:
    """The most bits that a code may take in front of so many raw bits."""
    return min(MAX_CODE_BITS, MAX_SYMBOL_BITS - raw_bits)


@inner_kernel
def most_frequent(counts: np.ndarray) -> np.ndarray:
    """(n,) int64: symbols by descending counts, of equal counts the first one first.

    counts : (n,) int64. They are few, so they are inserted one by one.
    """
    order = np.zeros(len(counts), np.int64)
    for symbol in range(len(counts)):
        place = symbol
        while place > 0 and counts[order[place - 1]] < counts[symbol]:
            order[place] = order[place - 1]
            place -= 1
        order[place] = symbol
    return order


@kernel
def optimal_lengths(counts: np.ndarray, max_bits: int) -> np.ndarray:
    """`code_lengths` for compiled callers: counts are int64, and nothing is checked."""
    n = len(counts)
    lengths = np.zeros(n, np.int64)
    if n > 1:
        order = most_frequent(counts)
        ascending = np.zeros(n, np.int64)
        for i in range(n):
            ascending[n - 1 - i] = counts[order[i]]
        found = _package_merge(ascending, max_bits)
        for i in range(n):
            lengths[order[i]] = found[n - 1 - i]
    return lengths


@inner_kernel
def by_length(lengths: np.ndarray) -> np.ndarray:
    """(n,) int64: entries by ascending code length, those of a length in their order.

    lengths : (n,) int64, 0 to MAX_SYMBOL_BITS.
    """
    order = np.zeros(len(lengths), np.int64)
    placed = 0
    for length in range(MAX_SYMBOL_BITS + 1):
        for i in range(len(lengths)):
            if lengths[i] == length:
                order[placed] = i
                placed += 1
    return order


def code_lengths(counts: np.ndarray, max_bits: int = MAX_CODE_BITS) -> np.ndarray:
    """Code length of each symbol, minimising sum(counts * lengths); the code is complete.

    counts : (n,) >= 0, 1 <= n <= min(MAX_SYMBOLS, 2**max_bits), sum below 2**52 (package weights
    stay in int64). A single symbol has length 0; any other, however rare, at least 1. Ties go by
    position: of equal counts the later gets the longer code or the same.

    Returns (n,) int64.
    """
    counts = as_whole(counts, "counts")
    n = len(counts)
    check_count("max_bits", max_bits, 0)
    max_bits = min(max_bits, MAX_SYMBOLS - 1)  # no code of so few symbols is longer
    if not 1 <= n <= min(MAX_SYMBOLS, 1 << max_bits):
        raise ValueError(f"{n} symbols, must be 1 to {min(MAX_SYMBOLS, 1 << max_bits)}")
    if counts.min() < 0:
        raise ValueError(f"count must be >= 0, not {counts.min()}")
    return optimal_lengths(counts, max_bits)


def code_table(entries: np.ndarray, counts: np.ndarray, raw_bits: int) -> CodeTable:
    """The best code for table entries that occur `counts` times.

    entries : (n,) 0..255, distinct; counts : (n,) >= 0; 1 <= n <= MAX_SYMBOLS. Entries of one
    code length are in ascending order, and ties go by entry, so the order of the input does not
    matter.
    """
    check_count("raw bits", raw_bits, 0)
    entries, counts = as_whole(entries, "entries"), as_whole(counts, "counts")
    if raw_bits > MAX_RAW_BITS or len(entries) != len(counts):
        raise ValueError(
            f"{len(entries)} entries, {len(counts)} counts, must be as many; {raw_bits} raw bits, "
            f"at most {MAX_RAW_BITS}"
        )
    if len(entries) and not 0 <= entries.min() <= entries.max() <= MAX_ENTRY:
        raise ValueError(f"entries must be 0 to {MAX_ENTRY}, not {entries.tolist()}")
    by_entry = np.argsort(entries, kind="stable")
    lengths = code_lengths(counts[by_entry], longest_code(raw_bits))
    return table_of(entries[by_entry], lengths, raw_bits)


def table_of(entries: np.ndarray, lengths: np.ndarray, raw_bits: int) -> CodeTable:
    """The table of entries, in ascending order, with codes of so many bits."""
    canonical = np.argsort(lengths, kind="stable")
    counts = np.bincount(lengths, minlength=LENGTHS).astype(np.int64)
    return CodeTable(raw_bits, counts, entries[canonical].astype(np.uint8))


def codes(table: CodeTable) -> tuple[np.ndarray, np.ndarray]:
    """(codes, lengths), each (n,) int64, of the entries in canonical order."""
    if problem := table_problem(table):
        raise ValueError(problem)
    lengths = np.repeat(np.arange(len(table.counts)), table.counts)
    # A code begins where those before it end, in units of the longest code there may be.
    spans = 1 << (len(table.counts) - lengths)
    return (np.cumsum(spans) - spans) // spans, lengths

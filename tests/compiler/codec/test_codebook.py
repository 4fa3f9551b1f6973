"""Prefix codes: optimal, complete, canonical, and the same every time."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.codec import code_lengths, code_table, codes
from npu.chip.weight_format import MAX_CODE_BITS, MAX_SYMBOL_BITS, MAX_SYMBOLS

VECTORS = Path(__file__).parents[2] / "vectors" / "codec" / "codes.txt"


def read_blocks() -> list[dict[str, list[str]]]:
    text = "\n".join(
        line for line in VECTORS.read_text(encoding="utf-8").splitlines() if line[:1] != "#"
    )
    return [
        {line.split()[0]: line.split()[1:] for line in block.strip().splitlines()}
        for block in text.split("\n\n")
        if block.strip()
    ]


@pytest.mark.parametrize("block", read_blocks(), ids=lambda block: " ".join(block["name"]))
def test_codes_worked_by_hand(block):
    entries = [int(entry, 16) for entry in block["entries"]]
    counts = [int(count) for count in block["counts"]]
    assert code_lengths(np.array(counts)).tolist() == [int(n) for n in block["lengths"]]
    table = code_table(np.array(entries), np.array(counts), 0)
    assert [f"{entry:02x}" for entry in table.entries] == block["canonical"]
    bits = [f"{code:0{n}b}" if n else "-" for code, n in zip(*codes(table), strict=True)]
    assert bits == block["codes"]


def brute_force_cost(counts: list[int], max_bits: int) -> int:
    """The least cost of any lengths that satisfy Kraft's inequality."""
    best = None
    ordered = sorted(counts, reverse=True)
    for lengths in itertools.combinations_with_replacement(range(1, max_bits + 1), len(counts)):
        if sum(1 << (max_bits - n) for n in lengths) <= 1 << max_bits:
            cost = sum(c * n for c, n in zip(ordered, lengths, strict=True))
            best = cost if best is None else min(best, cost)
    assert best is not None
    return best


@given(
    st.integers(2, 5).flatmap(
        lambda bits: st.tuples(
            st.just(bits),
            st.lists(st.integers(0, 200), min_size=2, max_size=min(7, 1 << bits)),
        )
    )
)
def test_lengths_are_optimal_under_the_limit(case):
    max_bits, counts = case
    lengths = code_lengths(np.array(counts), max_bits)
    assert int(lengths @ counts) == brute_force_cost(counts, max_bits)
    assert lengths.max() <= max_bits


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=MAX_SYMBOLS), st.integers(0, 8))
def test_every_table_is_one_that_the_chip_accepts(counts, raw_bits):
    entries = np.arange(len(counts)) * 3 % 256
    table = code_table(entries, np.array(counts), raw_bits)
    assert table.problem() is None
    values, lengths = codes(table)
    assert lengths.max() + raw_bits <= MAX_SYMBOL_BITS
    strings = [f"{code:0{n}b}" if n else "" for code, n in zip(values, lengths, strict=True)]
    assert len(set(strings)) == len(strings)
    for a, b in itertools.pairwise(sorted(strings)):
        assert not b.startswith(a)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=MAX_SYMBOLS), st.randoms())
def test_ties_do_not_depend_on_the_order_of_the_input(counts, random):
    entries = np.arange(len(counts))
    order = entries.copy()
    random.shuffle(order)
    one = code_table(entries, np.array(counts), 0)
    other = code_table(entries[order], np.array(counts)[order], 0)
    np.testing.assert_array_equal(one.entries, other.entries)
    np.testing.assert_array_equal(one.counts, other.counts)


def test_fibonacci_counts_meet_the_limit():
    fibonacci = [1, 1]
    while len(fibonacci) < MAX_SYMBOLS:
        fibonacci.append(fibonacci[-1] + fibonacci[-2])
    lengths = code_lengths(np.array(fibonacci))
    assert lengths.max() == MAX_CODE_BITS
    assert sum(1 << (MAX_CODE_BITS - int(n)) for n in lengths) == 1 << MAX_CODE_BITS


def test_wrong_counts_are_refused():
    with pytest.raises(ValueError, match="0 symbols, must be 1 to 64"):
        code_lengths(np.zeros(0, np.int64))
    with pytest.raises(ValueError, match="65 symbols, must be 1 to 64"):
        code_lengths(np.ones(65, np.int64))
    with pytest.raises(ValueError, match="count must be >= 0, not -1"):
        code_lengths(np.array([3, -1]))

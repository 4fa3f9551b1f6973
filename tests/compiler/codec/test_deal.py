"""Dealing rows to slots: every row once, and close to the best there is."""

import itertools

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from compiler.codec.deal import deal, imbalance
from npu.errors import CapacityError


def largest(lengths, slots):
    return max(int(lengths[rows].sum()) for rows in slots)


@given(st.lists(st.integers(0, 1000), max_size=80), st.integers(1, 20))
@example([22, 22, 22, 44], 2)  # 66 is the best there is, a fifth above the mean
def test_every_row_is_dealt_once_in_original_order(lengths, slots):
    lengths = np.array(lengths, np.int64)
    dealt = deal(lengths, slots)
    assert len(dealt) == slots
    assert sorted(np.concatenate(dealt).tolist()) == list(range(len(lengths)))
    assert all((np.diff(rows) > 0).all() for rows in dealt)
    # Graham's bound of any list: the fullest slot was the emptiest before its last row.
    longest = int(lengths.max(initial=0))
    assert slots * largest(lengths, dealt) <= int(lengths.sum()) + (slots - 1) * longest


@given(st.lists(st.integers(1, 30), min_size=1, max_size=7), st.integers(1, 3))
def test_small_deals_are_near_the_optimum(lengths, slots):
    lengths = np.array(lengths)
    optimum = min(
        int(np.bincount(places, lengths, slots).max())
        for places in itertools.product(range(slots), repeat=len(lengths))
    )
    # (4/3 - 1/(3 slots)) is Graham's guarantee; exchanges never make it worse.
    assert 3 * slots * largest(lengths, deal(lengths, slots)) <= (4 * slots - 1) * optimum


def test_exchanges_mend_what_longest_first_leaves():
    lengths = np.array([3, 3, 2, 2, 2])
    assert largest(lengths, deal(lengths, 2)) == 6


def test_pruned_rows_are_dealt_within_two_permille():
    rng = np.random.default_rng(1)
    for rows, columns in ((2048, 640), (768, 192)):
        lengths = rng.binomial(columns, 0.25, rows)
        assert imbalance(lengths, deal(lengths, 32)) <= 1.002


def test_the_same_rows_are_dealt_the_same_way():
    lengths = np.random.default_rng(2).integers(1, 9, 200)
    for one, other in zip(deal(lengths, 32), deal(lengths.copy(), 32), strict=True):
        np.testing.assert_array_equal(one, other)


def test_edges():
    assert [rows.tolist() for rows in deal(np.zeros(0, np.int64), 2)] == [[], []]
    assert [len(rows) for rows in deal(np.zeros(4, np.int64), 2)] == [2, 2]
    assert imbalance(np.zeros(4, np.int64), deal(np.zeros(4, np.int64), 2)) == 1.0
    with pytest.raises(ValueError, match="slots must be at least 1, not 0"):
        deal(np.ones(3), 0)


def test_a_slot_holds_no_more_rows_than_its_directory_counts():
    lengths = np.array([100, 1, 1, 1, 1, 1])
    assert [len(rows) for rows in deal(lengths, 2, most=3)] == [3, 3]
    with pytest.raises(CapacityError, match="7 rows for 2 slots of at most 3"):
        deal(np.ones(7, np.int64), 2, most=3)

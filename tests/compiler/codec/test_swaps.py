"""Swaps of rows: only swaps, never dearer, and nothing left to swap where all pairs are tried."""

from itertools import combinations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from compiler.codec.swaps import exchange_rows, order_rows
from compiler.codec.symbols import Slots


def boundaries(rows, sizes, costs):
    """What the gaps between the rows of a slot cost, the one before and the one behind too."""
    left, total = 0, 0
    for row in rows:
        total += int(costs[0, left + sizes[row, 0]])
        left = sizes[row, 1]
    return total + (int(costs[1, left]) if len(rows) else 0)


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 9), min_size=1, max_size=4))
def test_rows_are_ordered_within_their_slots(seed, counts):
    rng = np.random.default_rng(seed)
    order, starts = rng.permutation(sum(counts)), np.cumsum([0, *counts])
    sizes = rng.integers(0, 8, (sum(counts), 4))
    prices = rng.integers(0, 12, (2, 16))
    zeros = rng.integers(0, 2, (2, 16))
    before = np.split(order.copy(), starts[1:-1])
    order_rows(Slots(order, starts), sizes, prices, zeros)
    for old, new in zip(before, np.split(order, starts[1:-1]), strict=True):
        assert sorted(old) == sorted(new)
        price, explicit = (boundaries(new, sizes, costs) for costs in (prices, zeros))
        assert price <= boundaries(old, sizes, prices)
        assert explicit <= boundaries(old, sizes, zeros)
        for i, j in combinations(range(len(new)), 2):
            other = new.copy()
            other[[i, j]] = other[[j, i]]
            better = boundaries(other, sizes, prices) < price
            assert not better or boundaries(other, sizes, zeros) > explicit


@given(st.integers(0, 2**32 - 1), st.integers(0, 20), st.integers(1, 4))
def test_rows_change_sets_where_both_are_cheaper(seed, rows, n_sets):
    rng = np.random.default_rng(seed)
    order, sets = rng.permutation(rows), np.sort(rng.integers(0, n_sets, rows))
    mass, prices = rng.integers(1, 3, rows), rng.integers(0, 50, (rows, n_sets))
    before = order.copy()
    exchange_rows(order, sets, mass, prices)
    np.testing.assert_array_equal(np.sort(order), np.arange(rows))
    np.testing.assert_array_equal(mass[order], mass[before])
    assert prices[order, sets].sum() <= prices[before, sets].sum()


def test_two_rows_change_sets():
    order, sets = np.arange(4), np.array([0, 0, 1, 1])
    prices = np.array([[9, 1], [1, 9], [1, 9], [9, 1]])
    exchange_rows(order, sets, np.ones(4, np.int64), prices)
    assert order.tolist() == [2, 1, 0, 3]
    exchange_rows(order, sets, np.array([1, 1, 2, 2]), prices[::-1].copy())
    assert order.tolist() == [2, 1, 0, 3]  # of another mass

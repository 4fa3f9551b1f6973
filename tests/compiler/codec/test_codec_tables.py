"""The search for tables: how many bits it may cost, at the worst and where it matters."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.codec import (
    BYTES_FIRST,
    CYCLE_BITS,
    CYCLES_FIRST,
    choose_sets,
    encode,
    entropy_bits,
)
from compiler.codec.ideal import ideal_bits

BUS_BYTES = 16
# Block header and two tables of at most 64 entries, tile directory, section directory and padding
# of one lane: what a matrix costs besides its streams.
OVERHEAD_BITS = 8 * (32 + 64 + 64 + BUS_BYTES + 12 + BUS_BYTES)


def one_slot(weights):
    return weights, [np.arange(len(weights))]


def packed_stats(weights, sets=None, cycle_bits=CYCLE_BITS):
    packed = encode(*one_slot(weights), 1, 1, sets, cycle_bits=cycle_bits)
    np.testing.assert_array_equal(packed.decode(), weights)
    return packed.stats(BUS_BYTES)


def laplacian(rng, shape, density):
    weights = np.rint(rng.laplace(0, 17, shape))
    threshold = np.quantile(np.abs(weights), 1 - density)
    return np.clip(weights * (np.abs(weights) > threshold), -128, 127).astype(np.int8)


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 300), st.integers(-128, 127))
def test_dense_weights_never_cost_more_than_eight_bits_each(seed, rows, columns, low):
    weights = np.random.default_rng(seed).integers(low, 128, (rows, columns)).astype(np.int8)
    assert packed_stats(weights).total_bits <= 8 * weights.size + OVERHEAD_BITS


@pytest.mark.parametrize(
    ("density", "bound"), [(0.5, 1.02), (0.25, 1.02), (0.1, 1.03), (0.05, 1.04)]
)
def test_pruned_laplacian_weights_stay_near_their_entropy(density, bound):
    weights = laplacian(np.random.default_rng(4), (256, 640), density)
    assert packed_stats(weights).over_entropy < bound


def alphabet(values, zeros, seed=10):
    rng = np.random.default_rng(seed)
    weights = rng.choice(np.array(values, np.int8), (256, 640))
    weights[rng.random(weights.shape) < zeros] = 0
    return weights


@pytest.mark.parametrize("values", [(-1, 1), (-3, -2, -1, 1, 2, 3), (5,)])
@pytest.mark.parametrize("zeros", [0.4, 0.5, 0.75, 0.9, 0.95])
def test_small_alphabets_stay_near_a_huffman_code(values, zeros):
    weights = alphabet(values, zeros)
    stats = packed_stats(weights)
    assert stats.run_bits + stats.value_bits <= 1.01 * min(ideal_bits(weights).values())


@pytest.mark.parametrize("zeros", [0.1, 0.2, 0.3])
def test_a_cycle_is_worth_what_the_caller_says(zeros):
    weights = alphabet([*range(-7, 0), *range(1, 8)], zeros)
    smallest, usual, fastest = (
        packed_stats(weights, cycle_bits=price) for price in (BYTES_FIRST, CYCLE_BITS, CYCLES_FIRST)
    )
    assert smallest.total_bits <= 1.01 * min(ideal_bits(weights).values())
    assert fastest.symbols == fastest.nonzeros
    products = [stats.total_bits * stats.symbols for stats in (smallest, usual, fastest)]
    assert products[1] <= 1.001 * min(products)


@pytest.mark.parametrize("price", [-1, CYCLES_FIRST + 1])
def test_prices_out_of_range(price):
    with pytest.raises(ValueError, match=f"cycle_bits must be 0 .* to 1024 .*, not {price}"):
        packed_stats(np.zeros((1, 1), np.int8), cycle_bits=price)


def test_few_distinct_values_cost_what_they_hold():
    levels = np.array([-90, -50, -33, -20, -12, -7, -3, -1, 1, 4, 8, 13, 21, 34, 55, 100], np.int8)
    weights = levels[np.random.default_rng(5).integers(0, 16, (128, 256))]
    ((run, value),) = sets = choose_sets([one_slot(weights)], 1, 1)
    assert value.raw_bits == 0
    assert sorted(value.entries.view(np.int8)) == sorted(levels)
    assert len(run.entries) == 1
    stats = packed_stats(weights, sets)
    assert stats.total_bits <= 4 * weights.size + OVERHEAD_BITS
    assert stats.symbols == weights.size


def test_nothing_but_zeros_costs_no_bit():
    stats = packed_stats(np.zeros((100, 100), np.int8))
    assert stats.run_bits == stats.value_bits == 0
    assert stats.symbols == 100


def test_one_step_per_nonzero_where_runs_pay():
    weights = laplacian(np.random.default_rng(6), (128, 256), 0.25)
    stats = packed_stats(weights)
    assert stats.symbols <= 1.002 * stats.nonzeros


def test_a_sparse_row_costs_few_explicit_zeros():
    weights = np.zeros((40, 4000), np.int8)
    weights[np.arange(40), np.arange(40) * 99] = 7
    stats = packed_stats(weights)
    assert stats.total_bits <= OVERHEAD_BITS + 40 * 40
    assert stats.symbols <= 400


def test_shared_tables_fit_all_matrices():
    rng = np.random.default_rng(7)
    gates = [laplacian(rng, (64, 96), density) for density in (0.15, 0.25, 0.3, 0.35)]
    shared = choose_sets([one_slot(gate) for gate in gates], 1, 1)
    for gate in gates:
        packed_stats(gate, shared)
    separate = sum(packed_stats(gate).total_bits for gate in gates)
    sections = sum(packed_stats(gate, shared).total_bits for gate in gates)
    blocks = sum(packed_stats(gate, shared).block_bits for gate in gates)
    # Gates of unlike density: a code for all takes some more.
    assert sections - blocks * 3 / 4 < 1.02 * separate


def test_sets_are_those_of_the_lanes_that_take_them():
    """Values 1 and 2 on one half of the lanes, 3 and 4 on the other."""
    weights = np.random.default_rng(8).integers(1, 3, (32, 50)).astype(np.int8)
    weights[16:] += 2
    dealt = np.array_split(np.arange(32), 8)
    sets = choose_sets([(weights, dealt)], 4, 2)
    assert [sorted(value.entries) for _, value in sets] == [[1, 2], [3, 4]]
    packed = encode(weights, dealt, 4, 2, sets)
    np.testing.assert_array_equal(packed.decode(), weights)
    with pytest.raises(ValueError, match="the value code cannot express lane 0, thread 0"):
        encode(weights, dealt[::-1], 4, 2, sets)


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.01, 0.2, 0.6, 1.0]))
def test_the_search_is_deterministic(seed, density):
    rng = np.random.default_rng(seed)
    weights = (rng.integers(-9, 10, (12, 40)) * (rng.random((12, 40)) < density)).astype(np.int8)
    ((*tables,),), ((*again,),) = (
        choose_sets([one_slot(matrix)], 1, 1) for matrix in (weights, weights.copy())
    )
    for one, other in zip(tables, again, strict=True):
        assert one.raw_bits == other.raw_bits
        np.testing.assert_array_equal(one.counts, other.counts)
        np.testing.assert_array_equal(one.entries, other.entries)


def test_entropy_is_the_bound_that_sizes_are_held_against():
    weights = laplacian(np.random.default_rng(9), (64, 64), 0.3)
    stats = packed_stats(weights)
    assert stats.over_entropy == stats.total_bits / entropy_bits(weights)

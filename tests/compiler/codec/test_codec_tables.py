"""The search for tables: how many bits it may cost, at the worst and where it matters."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.codec import choose_tables, encode, entropy_bits, row_symbols

BUS_BYTES = 16
# Block header and two tables of at most 64 entries, tile directory, section directory and padding
# of one lane: what a matrix costs besides its streams.
OVERHEAD_BITS = 8 * (32 + 64 + 64 + BUS_BYTES + 12 + BUS_BYTES)


def packed_stats(weights, tables=None):
    packed = encode(weights, [np.arange(len(weights))], 1, 1, tables)
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
    assert packed_stats(weights).ratio < bound


def test_few_distinct_values_cost_what_they_hold():
    levels = np.array([-90, -50, -33, -20, -12, -7, -3, -1, 1, 4, 8, 13, 21, 34, 55, 100], np.int8)
    weights = levels[np.random.default_rng(5).integers(0, 16, (128, 256))]
    run, value = choose_tables([weights])
    assert value.raw_bits == 0
    assert sorted(value.entries.view(np.int8)) == sorted(levels)
    assert packed_stats(weights, (run, value)).total_bits <= 4 * weights.size + OVERHEAD_BITS
    assert (row_symbols(weights, run, value) == 256).all()


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


def test_shared_tables_fit_all_matrices_and_beat_foreign_ones():
    rng = np.random.default_rng(7)
    gates = [laplacian(rng, (64, 96), density) for density in (0.15, 0.25, 0.3, 0.35)]
    shared = choose_tables(gates)
    for gate in gates:
        packed_stats(gate, shared)
    stacked = np.concatenate(gates)
    separate = sum(packed_stats(gate).total_bits for gate in gates)
    assert packed_stats(stacked, shared).total_bits < separate


def test_matrices_of_different_widths_share_tables():
    rng = np.random.default_rng(8)
    pair = [laplacian(rng, (8, 300), 0.1), laplacian(rng, (30, 7), 0.9), np.zeros((0, 4), np.int8)]
    tables = choose_tables(pair)
    for weights in pair:
        packed_stats(weights, tables)


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.01, 0.2, 0.6, 1.0]))
def test_the_search_is_deterministic(seed, density):
    rng = np.random.default_rng(seed)
    weights = (rng.integers(-9, 10, (12, 40)) * (rng.random((12, 40)) < density)).astype(np.int8)
    for one, other in zip(choose_tables([weights]), choose_tables([weights.copy()]), strict=True):
        assert one.raw_bits == other.raw_bits
        np.testing.assert_array_equal(one.counts, other.counts)
        np.testing.assert_array_equal(one.entries, other.entries)


def test_entropy_is_the_bound_that_the_ratio_uses():
    weights = laplacian(np.random.default_rng(9), (64, 64), 0.3)
    stats = packed_stats(weights)
    assert stats.ratio == stats.total_bits / entropy_bits(weights)

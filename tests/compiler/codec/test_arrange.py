"""Rows in slots: all of them, exactly as large as it says, never worse than a plain deal."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.codec import Decoders, choose_sets, encode
from compiler.codec.arrange import Arrangement, arrange
from compiler.codec.deal import deal, imbalance
from npu.chip.params import load_params
from npu.chip.weight_format import WORD_BITS, directory_words
from tests.npu.twin.programs import chip


def sparse(seed, rows, columns, density, scale=20):
    rng = np.random.default_rng(seed)
    weights = np.clip(np.rint(rng.laplace(0, scale, (rows, columns))), -128, 127)
    return (weights * (rng.random((rows, columns)) < density)).astype(np.int8)


def plain(weights, groups, params):
    tiles = tuple(weights[rows] for rows in groups)
    mass = np.maximum(1, np.count_nonzero(weights, axis=1))
    deals = tuple(tuple(deal(mass[rows], params.slots)) for rows in groups)
    sets = choose_sets(list(zip(tiles, deals, strict=True)), params.lanes, 1)
    return Arrangement(tiles, deals, tuple(sets), params)


def packed(made, params):
    return [
        encode(weights, slots, params.lanes, params.threads, made.sets)
        for weights, slots in made.parts()
    ]


@given(
    st.integers(0, 2**32 - 1),
    st.integers(0, 60),
    st.integers(1, 80),
    st.sampled_from([0, 0.03, 0.3, 1]),
    st.integers(1, 6),
    st.integers(2, 3),
    st.integers(1, 3),
)
def test_any_matrix(seed, rows, columns, density, lanes, threads, tiles):
    weights = sparse(seed, rows, columns, density)
    params = Decoders(lanes, threads, chip().bus_bytes)
    groups = np.array_split(np.arange(rows), tiles)
    made = arrange(weights, groups, params)
    assert lanes % len(made.sets) == 0
    for group, tile in zip(groups, packed(made, params), strict=True):
        np.testing.assert_array_equal(tile.decode(), weights[group])
    assert made.price <= plain(weights, groups, params).price


def test_sizes_are_what_is_packed():
    params = chip(lanes=8)
    weights = np.concatenate([sparse(1, 450, 90, 0.2), sparse(2, 150, 90, 0.6, 3)])
    groups = [np.arange(first, 600, 2) for first in range(2)]
    made = arrange(weights, groups, params)
    assert len(made.sets) == 2
    bits, cycles = made.sizes
    stats = [tile.stats(params.bus_bytes) for tile in packed(made, params)]
    streams = sum(WORD_BITS * stream_words(tile) for tile in packed(made, params))
    assert bits == streams + stats[0].block_bits
    turns = sum(int(tile.symbols_per_slot.max()) + 1 for tile in packed(made, params))
    assert turns * params.threads < cycles < turns * params.threads + 2 * 130


@pytest.mark.parametrize(("lanes", "most"), [(1, 1), (2, 2), (3, 1), (4, 4), (6, 2), (16, 4)])
def test_sets_are_taken_where_they_pay(lanes, most):
    params = chip(lanes=lanes)
    rows = [sparse(i, 160, 200, 0.3, scale) for i, scale in enumerate((2, 8, 24, 70))]
    different = np.concatenate(rows)
    every = [np.arange(len(different))]
    assert len(arrange(different, every, params).sets) == most
    alike = sparse(1, 640, 200, 0.3)
    assert len(arrange(alike, every, params).sets) == 1


def test_a_small_matrix_does_not_pay_for_a_set():
    weights = np.concatenate([sparse(1, 8, 40, 0.3, 3), sparse(2, 8, 40, 0.3, 60)])
    assert len(arrange(weights, [np.arange(16)], chip()).sets) == 1


def stream_words(tile):
    """Words of all sections without their directories."""
    return sum(len(section) - directory_words(tile.threads) for section in tile.sections)


def test_sections_end_just_under_a_word():
    params = load_params("edge")
    weights = sparse(3, 768, 192, 0.25)
    groups = [np.arange(768)]
    (before,), (after,) = (
        packed(made, params)
        for made in (plain(weights, groups, params), arrange(weights, groups, params))
    )
    stats = [tile.stats(params.bus_bytes) for tile in (before, after)]
    bits = [one.run_bits + one.value_bits for one in stats]
    waste = [
        WORD_BITS * stream_words(tile) - n for tile, n in zip((before, after), bits, strict=True)
    ]
    # About half a word per lane before; the last lane takes what is left.
    assert waste[0] > 16 * 10
    assert waste[1] < 16 * 5
    assert bits[1] <= bits[0] + 16 * 8


@pytest.mark.parametrize(("rows", "columns"), [(2048, 640), (640, 2048), (768, 192)])
def test_slots_stay_as_full_as_each_other(rows, columns):
    params = load_params("edge")
    halves = [sparse(i, rows // 2, columns, 0.25, scale) for i, scale in enumerate((5, 40))]
    weights = np.concatenate(halves)
    made = arrange(weights, [np.arange(rows)], params)
    assert len(made.sets) > 1
    assert imbalance(np.count_nonzero(weights, axis=1), list(made.deals[0])) <= 1.01


def test_very_sparse_rows_are_dealt_by_what_they_take():
    """Rows with one far weight take explicit zeros: as many turns as rows with more weights."""
    weights = np.zeros((64, 4000), np.int8)
    weights[:32, 3900] = 5
    weights[32:, :120:4] = 7
    params = chip(activation_entries=4000)
    made = arrange(weights, [np.arange(64)], params)
    (tile,) = packed(made, params)
    assert tile.symbols_per_slot.max() <= 1.1 * tile.symbols_per_slot.mean()


def test_the_same_matrix_is_arranged_the_same_way():
    params = chip(lanes=4)
    weights = np.concatenate([sparse(1, 90, 90, 0.2), sparse(2, 60, 90, 0.6, 3)])
    one, other = (arrange(weights.copy(order), [np.arange(150)], params) for order in "CF")
    for mine, theirs in zip(one.deals[0], other.deals[0], strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert [dataclasses.astuple(run)[0] for run, _ in one.sets] == [
        dataclasses.astuple(run)[0] for run, _ in other.sets
    ]

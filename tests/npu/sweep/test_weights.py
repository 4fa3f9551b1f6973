"""Weights pruned and rounded further."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler import load_model
from npu.sweep.weights import Thinning, weights_of

int8_lists = st.lists(st.integers(-128, 127), min_size=1, max_size=60)


@given(int8_lists, st.floats(0, 1))
def test_the_smallest_are_pruned_and_no_others(values, sparsity):
    before = np.array(values, np.int8)
    after = Thinning(sparsity).weights(before)
    assert np.count_nonzero(after == 0) >= sparsity * before.size
    kept = after != 0
    assert np.array_equal(after[kept], before[kept])
    left = np.abs(before[kept].astype(int))
    gone = np.abs(before[~kept].astype(int))
    assert not left.size or not gone.size or gone.max() <= left.min()
    # No more than was asked for, but for what was zero before.
    most = max(np.ceil(sparsity * before.size), np.count_nonzero(before == 0))
    assert np.count_nonzero(after == 0) <= most


@given(int8_lists, st.integers(2, 8))
def test_rounded_weights_are_the_nearest_that_so_many_bits_hold(values, bits):
    before = np.array(values, np.int8)
    after = Thinning(bits=bits).weights(before).astype(int)
    grid = (1 << (8 - bits)) * np.arange(-(1 << (bits - 1)), 1 << (bits - 1))
    assert set(after) <= set(grid)
    off = np.abs(after - before)
    assert np.array_equal(off, np.abs(grid[:, None] - before.astype(int)).min(axis=0))


def test_a_zero_point_is_what_is_pruned_to():
    after = Thinning(0.5).weights(np.array([10, 12, 90, -90], np.int8), zero_point=11)
    assert after.tolist() == [11, 11, 90, -90]


def test_a_model_keeps_everything_but_its_weights():
    model = load_model("commands_rnnt")
    thin = Thinning(0.9, 4).of(model)
    for role, graph in model.graphs.items():
        wanted = {i for op in graph.operators for i in weights_of(op)}
        assert wanted
        for index, (a, b) in enumerate(zip(graph.tensors, thin.graphs[role].tensors, strict=True)):
            if index not in wanted:
                assert a is b
                continue
            assert np.mean(b.data == 0) >= 0.9 and not np.array_equal(a.data, b.data)
            assert not b.data.flags.writeable
    assert Thinning(0.0, 8).of(model) is model


@pytest.mark.parametrize("wrong", [{"sparsity": 1.1}, {"sparsity": -0.1}, {"bits": 1}, {"bits": 9}])
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError, match="must be"):
        Thinning(**wrong)

"""Random weights: as many zeros as asked for, and the same ones for the same seed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.frontends.workloads.weights import DENSE_RMS, RandomWeights


@given(st.floats(0, 0.999), st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**63 - 1))
def test_the_share_of_zeros_is_met(sparsity, rows, columns, seed):
    found = RandomWeights(sparsity, seed).matrix((rows, columns))
    assert found.dtype == np.int8 and found.shape == (rows, columns)
    assert np.count_nonzero(found == 0) == round(sparsity * rows * columns)
    assert found.min(initial=0) >= -127


def test_a_seed_decides_all():
    one, same, other = (RandomWeights(0.75, seed) for seed in (1, 1, 2))
    for _ in range(2):
        first = one.matrix((20, 30))
        assert np.array_equal(first, same.matrix((20, 30)))
        assert not np.array_equal(first, other.matrix((20, 30)))


def test_matrices_of_a_seed_differ():
    weights = RandomWeights(0.0, 1)
    assert not np.array_equal(weights.matrix((20, 30)), weights.matrix((20, 30)))


def test_the_nonzeros_are_spread_as_is_said():
    dense = RandomWeights(0.0, 1).matrix((500, 1000)).astype(float)
    assert np.sqrt(np.mean(dense**2)) == pytest.approx(DENSE_RMS, rel=0.01)
    assert abs(dense.mean()) < 0.2


def test_what_nobody_prunes_has_no_zeros():
    weights = RandomWeights(0.75, 1)
    found = weights.dense((20, 30))
    assert found.dtype == np.int8 and found.shape == (20, 30) and found.all()
    assert not np.array_equal(found, weights.dense((20, 30)))


def test_zeros_know_nothing_of_values():
    """What is left at 75 % is as large as what there is at 0 %."""
    sparse = RandomWeights(0.75, 1).matrix((1000, 1000)).astype(float)
    assert np.sqrt(np.mean(sparse[sparse != 0] ** 2)) == pytest.approx(DENSE_RMS, rel=0.01)

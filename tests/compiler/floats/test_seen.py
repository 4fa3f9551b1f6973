"""Histograms of values, beside numpy's."""

import numpy as np
import pytest

from compiler.floats.seen import BINS, Seen

RNG = np.random.default_rng(6)
VALUES = {
    "normal": RNG.normal(size=40_000),
    "on edges": RNG.integers(-BINS // 2, BINS // 2 + 1, 30_000) / 64,
    "mostly 0": np.maximum(RNG.normal(size=20_000), 1),
    "huge": RNG.normal(size=999) * 1e30,
    "tiny": RNG.normal(size=999) * 1e-30,
    "far from 0": 1000 + RNG.uniform(size=5_000),
}


@pytest.mark.parametrize("name", VALUES)
def test_counts_are_numpys(name):
    values = VALUES[name].astype(np.float32)
    seen = Seen()
    halves = values[:100], values[100:]
    assert all(seen.widen(half) for half in halves)
    for half in halves:
        seen.count(half.reshape(-1, 1))
    ends = (float(values.min()), float(values.max()))
    wanted, _ = np.histogram(values.astype(np.float64), BINS, ends)
    assert (seen.least, seen.most) == ends
    np.testing.assert_array_equal(seen.counts, wanted)


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_told(odd):
    seen = Seen()
    assert seen.widen(np.array([1, 2], np.float32))
    assert not seen.widen(np.array([1, odd, 2], np.float32))


def test_a_value_that_never_changes_has_no_counts():
    seen = Seen()
    seen.widen(np.full(3, 2, np.float32))
    seen.count(np.full(3, 2, np.float32))
    assert not seen.counts.any()

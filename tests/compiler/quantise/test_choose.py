"""Ranges: each method on distributions where one knows what it should do."""

import numpy as np
import pytest
from scipy import stats

from compiler.floats.seen import Seen
from compiler.quantise.choose import METHODS, range_of
from npu.errors import NpuError


def seen_of(*parts: np.ndarray) -> Seen:
    seen = Seen()
    for part in parts:
        seen.widen(part)
    for part in parts:
        seen.count(part)
    return seen


def square_error(values: np.ndarray, least: float, most: float) -> float:
    """Of rounding to 256 levels between, by itself."""
    least, most = min(least, 0.0), max(most, 0.0)
    step = (most - least) / 255
    return float(np.mean((np.rint(np.clip(values, least, most) / step) * step - values) ** 2))


def test_all_is_covered():
    values = np.random.default_rng(0).normal(size=10_000)
    assert range_of(seen_of(values), "minmax") == (values.min(), values.max())


@pytest.mark.parametrize("method", ["mse", "percentile", "entropy"])
def test_a_lonely_value_costs_the_others_nothing(method):
    values = np.append(np.random.default_rng(1).normal(size=200_000), 25.0)
    least, most = range_of(seen_of(values), method)
    assert most < 24 and least < -2
    assert square_error(values[:-1], least, most) < square_error(
        values[:-1], *range_of(seen_of(values), "minmax")
    )


def test_least_mean_square_is_least():
    """Against every share of the range, each rounded for itself."""
    rng = np.random.default_rng(2)
    for values in (
        rng.laplace(size=50_000),
        rng.normal(size=50_000) ** 2,
        rng.uniform(-1, 3, 50_000),
    ):
        least, most = range_of(seen_of(values), "mse")
        found = square_error(values, least, most)
        others = [
            square_error(values, values.min() * s, values.max() * s)
            for s in np.linspace(0.35, 1, 40)
        ]
        assert found < 1.05 * min(others)


def test_what_never_changes():
    for method in METHODS:
        assert range_of(seen_of(np.full(5, 3.0)), method) == (3.0, 3.0)
        assert range_of(seen_of(np.zeros(5)), method) == (0.0, 0.0)


@pytest.mark.parametrize("method", METHODS)
def test_one_side(method):
    values = stats.expon.rvs(size=20_000, random_state=3)
    least, most = range_of(seen_of(values), method)
    assert 0 <= least < 0.1 and 3 < most <= values.max()


def test_an_unknown_method_is_told():
    with pytest.raises(NpuError, match="no method 'best'; there are minmax"):
        range_of(Seen(), "best")

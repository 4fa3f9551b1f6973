"""Intervals: of draws that can be worked out, as often right as they say; Poisson's by a table."""

import numpy as np
import pytest

from npu.analysis.error_intervals import grouped, percentiles, poisson_interval, resampled


def test_values_are_summed_by_group():
    assert grouped([[1, 2, 4], [1, 1, 1]], ["b", "a", "b"]).tolist() == [[5, 2], [2, 1]]


def test_a_draw_takes_as_many_groups_as_there_are_all_rows_the_same():
    values = np.array([[1.0, 10, 100, 1000, 10000], [2, 20, 200, 2000, 20000], [1, 1, 1, 1, 1]])
    drawn = resampled(values, 3000)
    assert (drawn[1] == 2 * drawn[0]).all() and (drawn[2] == 5).all()
    digits = np.array([[int(d) for d in f"{int(total):05d}"] for total in drawn[0] if total < 1e5])
    assert (digits.sum(axis=1) == 5).all()
    # Each group is drawn once on average, with the variance of 5 draws at 1 in 5.
    times = np.array([[total // 10**k % 10 for k in range(5)] for total in drawn[0]])
    assert times.mean(axis=0) == pytest.approx(np.ones(5), abs=0.06)
    assert times.var(axis=0) == pytest.approx(np.full(5, 0.8), abs=0.08)


def test_the_seed_decides_and_the_size_of_the_steps_does_not(monkeypatch):
    values = np.arange(12.0)[None]
    once = resampled(values, 500)
    assert (once == resampled(values, 500)).all()
    assert (once != resampled(values, 500, seed=1)).any()
    monkeypatch.setattr("npu.analysis.error_intervals._DRAWN_AT_ONCE", 100)
    assert (once == resampled(values, 500)).all()


def test_an_interval_holds_the_truth_as_often_as_it_says():
    """300 sets of 80 recordings with two utterances each, whose errors go together."""
    rng = np.random.default_rng(11)
    inside = alone = 0
    for _ in range(300):
        words = np.repeat(rng.integers(2, 7, 80), 2)
        errors = rng.binomial(words, np.repeat(rng.beta(0.5, 4.5, 80), 2))
        names = [str(n // 2) for n in range(160)]
        for groups, by_recording in ((names, True), ([str(n) for n in range(160)], False)):
            drawn = resampled(grouped([errors, words], groups), 1000)
            low, high = percentiles(drawn[0] / drawn[1])
            inside += by_recording and low <= 0.1 <= high
            alone += not by_recording and low <= 0.1 <= high
    assert 0.92 <= inside / 300 <= 0.975
    # Utterances drawn one by one would claim too much.
    assert alone < inside


@pytest.mark.parametrize(
    ("count", "low", "high"),
    # Garwood's limits as tables print them.
    [
        (0, 0, 3.689),
        (1, 0.0253, 5.572),
        (2, 0.242, 7.225),
        (10, 4.795, 18.390),
        (100, 81.36, 121.63),
    ],
)
def test_limits_of_rare_events(count, low, high):
    assert poisson_interval(count) == pytest.approx((low, high), rel=1e-3, abs=1e-9)


def test_limits_of_many_events():
    low, high = poisson_interval(5000)
    assert low == pytest.approx(5000 - 1.96 * 5000**0.5, rel=1e-3)
    assert high == pytest.approx(5000 + 1.96 * 5000**0.5, rel=1e-3)

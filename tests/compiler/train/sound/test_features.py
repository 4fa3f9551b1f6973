"""Training hears what the product hears."""

import numpy as np
import pytest

from compiler.train.sound.features import (
    FFT,
    HOP,
    MEL,
    RATE_HZ,
    SPECTRUM,
    STACK,
    WINDOW,
    Bend,
    end_of_calls,
    frontend,
    log_mel,
    steps,
)
from npu.speech.features import LOG_FLOOR, FeatureExtractor

MEAN = np.full(MEL.bins, -9.0, np.float32)
STD = np.linspace(1.5, 3, MEL.bins).astype(np.float32)


def both(samples):
    """Of training (quantised) and of the product: (steps, features) integers."""
    extractor = FeatureExtractor(frontend(MEAN.tolist(), STD.tolist()), 4 / 127, 0, 2)
    product = extractor.accept(samples)
    ours = np.rint(steps(log_mel(samples), MEAN, STD) / np.float32(4 / 127))
    return ours, product.reshape(-1, product.shape[-1]).astype(int)


@pytest.mark.parametrize("peak", [1.0, 1e-2, 3e-5])
@pytest.mark.parametrize("count", [0, 399, 1199, 1200, 2159, 2160, 30_011])
def test_as_the_product(count, peak):
    rng = np.random.default_rng(count)
    samples = (peak * rng.uniform(-1, 1, count)).astype(np.float32)
    ours, product = both(samples)
    assert ours.shape == product.shape
    assert np.abs(ours - product).max(initial=0) <= 1
    assert np.count_nonzero(ours != product) <= ours.size / 100


def test_another_front_end_is_seen():
    samples = np.random.default_rng(3).uniform(-1, 1, 30_000).astype(np.float32)
    ours, product = both(samples)
    bent = np.rint(steps(log_mel(samples, Bend(tract=1.1)), MEAN, STD) / np.float32(4 / 127))
    assert np.abs(bent - product).max() > 1 >= np.abs(ours - product).max()


def test_calls_end_with_their_last_sample():
    ends = end_of_calls(5) * RATE_HZ
    for call, end in enumerate(np.rint(ends).astype(int)):
        for count, calls in ((end - 1, call), (end, call + 1)):
            seen = steps(log_mel(np.zeros(count, np.float32)), MEAN, STD)
            assert len(seen) == 2 * calls


def test_a_stretch_changes_the_frames_alone():
    samples = np.random.default_rng(1).uniform(-1, 1, 40_000).astype(np.float32)
    plain, twice = log_mel(samples), log_mel(samples, Bend(stretch=2.0))
    # A product with more rows may add in another order.
    np.testing.assert_allclose(twice[::2], plain, rtol=0, atol=1e-5)
    assert len(log_mel(samples, Bend(stretch=0.8))) == 1 + (40_000 - WINDOW) // (HOP / 0.8)


@pytest.mark.parametrize("tract", [0.85, 1.0, 1.15])
def test_a_tract_moves_a_tone(tract):
    time = np.arange(8000) / RATE_HZ
    at = log_mel(np.sin(2 * np.pi * 1000 * tract * time).astype(np.float32))
    bent = log_mel(np.sin(2 * np.pi * 1000 * tract * time).astype(np.float32), Bend(tract=tract))
    usual = log_mel(np.sin(2 * np.pi * 1000 * time).astype(np.float32))
    assert abs(bent.mean(axis=0).argmax() - usual.mean(axis=0).argmax()) <= 1
    assert tract == 1 or at.mean(axis=0).argmax() != usual.mean(axis=0).argmax()


def test_a_gain_is_of_power():
    samples = np.random.default_rng(2).uniform(-1, 1, 8000).astype(np.float32)
    louder = log_mel(samples, Bend(gain=np.full(SPECTRUM, 100, np.float32)))
    # The floor below the logarithm stays as it is.
    wanted = np.log((np.exp(log_mel(samples).astype(float)) - LOG_FLOOR) * 100 + LOG_FLOOR)
    assert np.abs(louder - wanted).max() < 1e-2
    assert SPECTRUM == FFT // 2 + 1


def test_steps_stack_the_oldest_first():
    features = np.arange(13 * MEL.bins, dtype=np.float32).reshape(13, MEL.bins) / 1000
    made = steps(features, np.zeros(MEL.bins, np.float32), np.ones(MEL.bins, np.float32))
    assert made.shape == (4, STACK * MEL.bins)
    assert np.array_equal(made.reshape(12, MEL.bins), features[:12])
    clipped = steps(features * 1e6, MEAN, STD)
    assert clipped.max() == 4

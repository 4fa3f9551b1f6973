"""The level of each call: against whole arrays, in any chunks, and of tones."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npu.speech.levels import SILENT_DB, CallLevels

RATE, STEP = 1_000, 60


@given(
    first=st.sampled_from([40, 60, 85]),
    count=st.integers(0, 600),
    cuts=st.lists(st.integers(0, 600), max_size=8),
    seed=st.integers(0, 9),
)
def test_levels_are_those_of_the_last_samples_in_any_chunks(first, count, cuts, seed):
    samples = np.random.default_rng(seed).normal(0, 0.1, count)
    ends = range(first, count + 1, STEP)
    # A call's own samples weigh as much as another's, also of a first one that is shorter.
    powers = [0.0, 0.0]
    powers += [np.mean(samples[max(0, end - STEP) : end] ** 2) for end in ends]
    wanted = [10 * math.log10(sum(powers[n : n + 3]) / 3) for n in range(len(ends))]
    levels = CallLevels(first, STEP, RATE)
    found = [each for chunk in np.split(samples, sorted(cuts)) for each in levels.accept(chunk)]
    assert found == pytest.approx(wanted)
    assert found == CallLevels(first, STEP, RATE).accept(samples)


def test_a_sine_of_full_scale_has_minus_3_db_and_a_click_less_than_a_word():
    sine = np.sin(np.arange(10 * STEP) * 2 * np.pi / 20)
    levels = CallLevels(STEP, STEP, RATE)
    assert levels.accept(sine)[2:] == pytest.approx([10 * math.log10(0.5)] * 8)
    click = np.where(np.arange(10 * STEP) // STEP == 4, sine, 0.0)
    assert max(CallLevels(STEP, STEP, RATE).accept(click)) == pytest.approx(10 * math.log10(1 / 6))


def test_silence_has_a_level():
    assert CallLevels(STEP, STEP, RATE).accept(np.zeros(2 * STEP)) == [SILENT_DB] * 2

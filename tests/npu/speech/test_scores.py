"""Scores in fixed point beside scipy's in floats, and the same on every machine."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax, logsumexp

from npu.speech import scores
from npu.speech.scores import LEAST, ONE, Scorer, log_add, probability

LOGITS = st.lists(st.integers(-128, 127), min_size=2, max_size=300).map(
    lambda values: np.array(values, np.int8)
)


@given(
    logits=LOGITS,
    scale=st.floats(1e-3, 0.5),
    penalty=st.floats(-15, 15),
    temperature=st.floats(0.25, 4),
    blank=st.integers(0, 1),
)
def test_scores_are_those_of_a_softmax(logits, scale, penalty, temperature, blank):
    found = Scorer(scale, blank, penalty, temperature)(logits)
    real = logits.astype(float) * scale / temperature
    real[blank] -= penalty
    wanted = log_softmax(real)
    likely = wanted > -15
    assert np.abs(found / ONE - wanted)[likely].max() < 1e-4
    assert (found[~likely] / ONE < -14.9).all() and found.min() >= LEAST
    assert abs(logsumexp(found / ONE)) < 1e-4


@given(one=st.integers(-(1 << 28), 0), apart=st.integers(0, 15 * ONE))
def test_two_scores_are_added(one, apart):
    found = log_add(one, one - apart)
    assert found == log_add(one - apart, one)
    assert abs(found / ONE - np.logaddexp(one / ONE, (one - apart) / ONE)) < 8e-5


def test_what_is_exact():
    assert log_add(0, 0) == round(np.log(2) * ONE) and log_add(5, LEAST) == 5
    assert probability(0) == probability(3) == 1.0 and probability(-ONE) == pytest.approx(
        np.exp(-1)
    )
    alone = Scorer(0.1, 0)(np.array([100, -128], np.int8))
    assert abs(int(alone[0])) <= 2


def test_tables_are_the_same_on_every_machine():
    tables = [scores._ln_table(), scores._add_table(), Scorer(0.0837, 0, 1.5)._exp_blank]
    digests = [hashlib.sha256(table.astype("<i8").tobytes()).hexdigest()[:16] for table in tables]
    assert digests == ["fb0896563481df5c", "97d5fe46de0d29dc", "19ea8199bbdf57a3"]


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"scale": 0.0}, "scale must be"),
        ({"scale": float("nan")}, "scale must be"),
        ({"temperature": -1.0}, "temperature must be"),
        ({"blank_penalty": 16.0}, "blank_penalty must be -15 to 15, not 16"),
        ({"blank_penalty": float("nan")}, "blank_penalty must be"),
    ],
)
def test_what_is_out_of_range(wrong, match):
    with pytest.raises(ValueError, match=match):
        Scorer(**{"scale": 0.1, "blank": 0} | wrong)

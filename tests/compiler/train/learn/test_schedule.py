"""What happens when."""

import pytest

from compiler.train.learn import schedule
from tests.compiler.train.toy import recipe

MADE = recipe(
    learning={"steps": 1000, "warm_up": 100}, pruning={"zeros": 0.75, "begin": 200, "end": 600}
)


def test_the_rate_rises_and_falls():
    rates = [schedule.rate(MADE.learning, step) for step in range(1000)]
    top = rates.index(max(rates))
    assert 90 <= top <= 110
    assert max(rates) == pytest.approx(MADE.learning.rate, rel=0.05)
    assert rates[:top] == sorted(rates[:top]) and rates[top:] == sorted(rates[top:], reverse=True)
    assert 0 < rates[-1] < 0.02 * max(rates)


def test_the_helper_falls_at_three_tenths():
    weights = [schedule.helper_weight(MADE.learning, step) for step in (0, 299, 300, 999)]
    before, after = MADE.learning.ctc
    assert weights == [before, before, after, after] and before > after


def test_zeros_rise_cubically_to_what_is_asked():
    shares = {step: schedule.zeros(MADE.pruning, step) for step in range(1000)}
    asked = {step: share for step, share in shares.items() if share is not None}
    assert list(asked) == list(range(200, 601, 50))
    assert asked[200] == 0 and asked[600] == 0.75
    assert asked[400] == pytest.approx(0.75 * (1 - 0.5**3))
    dense = MADE.pruning.model_copy(update={"zeros": 0.0})
    assert all(schedule.zeros(dense, step) is None for step in range(1000))

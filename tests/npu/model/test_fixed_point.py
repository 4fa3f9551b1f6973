"""Fixed-point functions against the real ones, and what they do at their ends."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from npu.model import fixed_point
from npu.model.numerics import INT32_MAX
from npu.model.rows import l2_factor, log_softmax_limits, softmax_factor

SUM = st.integers(1 << 19, (4095 << 19) + 1)


@given(st.integers(-(31 << 26), 0))
def test_exponential(a):
    found = fixed_point.exp_of_difference(a, 5) / 2**31
    assert abs(found - math.exp(a / 2**26)) < 1e-6


@given(SUM)
@example((1 << 30) - 1)
def test_reciprocal(x):
    factor, bits = fixed_point.reciprocal(x, 12)
    # A half less two steps for what is all but twice a power of two: Newton's steps end below it.
    assert (1 << 30) - 2 <= factor <= INT32_MAX
    assert abs(factor / 2.0 ** (31 + bits) * x / 2**19 - 1) < 1e-8


@given(SUM)
def test_logarithm(x):
    found = fixed_point.log_of_at_least_one(x) / 2**26
    assert abs(found - math.log(x / 2**19)) < 3e-6


@given(st.integers(2, INT32_MAX))
def test_inverse_square_root(x):
    multiplier, shift = fixed_point.inverse_square_root(x)
    assert 0 < multiplier <= INT32_MAX and -31 <= shift <= 0
    assert abs(multiplier * 2.0 ** (shift - 31) * math.sqrt(x) - 1) < 2e-5


def test_ends():
    assert fixed_point.exp_of_difference(0, 5) == INT32_MAX
    assert fixed_point.log_of_at_least_one(1 << 19) == 0
    # Nothing to divide by counts as one.
    assert fixed_point.inverse_square_root(0) == fixed_point.inverse_square_root(1)
    assert l2_factor(0) == (INT32_MAX, 7)
    assert [fixed_point.leading_zeros(x) for x in (0, 1, INT32_MAX)] == [32, 31, 1]


@pytest.mark.parametrize("bits", [8, 16])
@given(total=SUM)
def test_softmax_factor(bits, total):
    """Times the sum's own exponentials, all steps; of 8 bits none from a sum of 512 on."""
    multiplier, shift = softmax_factor(total, bits)
    if bits == 8 and total >= 512 << 19:
        assert (multiplier, shift) == (0, 0)
    else:
        assert -31 <= shift <= 0
        one = multiplier * 2.0 ** (shift - 31) * 2**31
        assert abs(one * total / 2**19 / 2**bits - 1) < 1e-8


@pytest.mark.parametrize("total", [1 << 19, 1000 << 19])
def test_log_softmax_limits(total):
    log, limit = log_softmax_limits(total, -200, 1 << 30, -22)
    assert log == fixed_point.log_of_at_least_one(total)
    exact = (log - 2**31) * 2.0 ** (-1 - 22)
    assert limit == max(-201, np.floor(exact + 0.5))

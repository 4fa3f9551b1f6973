"""Tables of tanh and logistic: near the functions, and saturated where they are."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npu.model import int8_tables

INT8 = st.integers(-128, 127)


@given(st.floats(2.0**-12, 0.25, width=32), INT8)
def test_int8_tables_approximate_the_functions(scale, zero_point):
    real = (np.arange(-128, 128) - zero_point) * float(scale)
    tanh = int8_tables.tanh_table_int8(scale, zero_point)
    logistic = int8_tables.logistic_table_int8(scale, zero_point)
    for table, exact, slack in (
        (tanh, np.tanh(real) * 128, 0.51),
        (logistic, 256 / (1 + np.exp(-real)) - 128, 0.51),
    ):
        assert np.max(np.abs(table - np.clip(exact, -128, 127))) <= slack
        assert np.all(np.diff(table.astype(int)) >= 0)


def test_int8_tables_at_extreme_scales():
    # Beyond the radius everything saturates, and zero counts as beyond when the radius is zero.
    assert set(int8_tables.tanh_table_int8(2.0**40, 0)) == {-128, 127}
    with pytest.raises(ValueError, match=r"at least 2\^-27"):
        int8_tables.logistic_table_int8(2.0**-28, 0)


@pytest.mark.parametrize("function", [int8_tables.tanh_q4_27, int8_tables.logistic_q4_27])
def test_q4_27_functions(function):
    exact = math.tanh if function is int8_tables.tanh_q4_27 else lambda v: 1 / (1 + math.exp(-v))
    rng = np.random.default_rng(1)
    for raw in [0, 1, -1, 2**31 - 1, -(2**31) + 1, *rng.integers(-(2**31) + 1, 2**31, 300)]:
        found = function(int(raw)) / 2**31
        assert abs(found - exact(int(raw) / 2**27)) < 1e-6

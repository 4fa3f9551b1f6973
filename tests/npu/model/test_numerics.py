"""Every rounding of `npu.model.numerics` against the slow oracle, extremes included."""

import math
from fractions import Fraction

import numba
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from npu.model import numerics
from npu.model.numerics.table import SIGMOID_TABLE
from tests import naive

INT32 = st.integers(naive.INT32_MIN, naive.INT32_MAX)
INT16 = st.integers(-(2**15), 2**15 - 1)
INT8 = st.integers(-128, 127)
MULTIPLIER = st.just(0) | st.integers(2**30, 2**31 - 1)
SHIFT = st.integers(-31, 30)
TABLE = [int(v) for v in SIGMOID_TABLE]


@given(st.integers(-(2**62), 2**62))
@example(2**31)
@example(-(2**31) - 1)
def test_wrap_int32(x):
    assert numerics.wrap_int32(x) == naive.wrap(x)


@given(INT32, INT32)
@example(naive.INT32_MIN, naive.INT32_MIN)
@example(naive.INT32_MIN, naive.INT32_MAX)
@example(1 << 15, 1 << 15)
@example(-(1 << 15), 1 << 15)
@example(-3 * (1 << 15), 1 << 15)
def test_doubling_high_mul(a, b):
    assert numerics.saturating_rounding_doubling_high_mul(a, b) == naive.doubling_high_mul(a, b)


@given(INT32, st.integers(0, 31))
@example(naive.INT32_MIN, 31)
@example(naive.INT32_MAX, 31)
@example(-3, 1)
@example(3, 1)
def test_divide_by_pot(x, exponent):
    assert numerics.rounding_divide_by_pot(x, exponent) == naive.divide_by_pot(x, exponent)


def test_divide_by_pot_of_every_small_value():
    for x in range(-130, 131):
        for exponent in range(9):
            assert numerics.rounding_divide_by_pot(x, exponent) == naive.divide_by_pot(x, exponent)


@given(INT32, MULTIPLIER, SHIFT)
@example(naive.INT32_MIN, 2**31 - 1, 30)
@example(naive.INT32_MAX, 2**31 - 1, -31)
@example(naive.INT32_MIN, 0, 0)
def test_multiply(x, multiplier, shift):
    assert numerics.multiply_by_quantized_multiplier(x, multiplier, shift) == naive.multiply(
        x, multiplier, shift
    )


def test_rounding_is_done_twice():
    x, multiplier, shift = 3, 2**30, -2
    assert naive.multiply(x, multiplier, shift) != naive.multiply_single_rounding(
        x, multiplier, shift
    )
    assert numerics.multiply_by_quantized_multiplier(x, multiplier, shift) == naive.multiply(
        x, multiplier, shift
    )


@given(st.integers(-(2**40), 2**40), INT32, MULTIPLIER, SHIFT, INT8)
def test_requantize(acc, bias, multiplier, shift, zero_point):
    assert numerics.requantize(
        acc, bias, multiplier, shift, zero_point, -128, 127
    ) == naive.requantize(acc + bias, multiplier, shift, zero_point, -128, 127)


@numba.njit
def _in_int32(acc, multiplier, shift, zero_point):
    left, right = np.int32(max(shift, 0)), np.int32(max(-shift, 0))
    lo, hi = np.int32(-128), np.int32(127)
    return numerics.requantize_int32(
        np.int32(acc), np.int32(multiplier), left, right, np.int32(zero_point), lo, hi
    )


@given(INT32, MULTIPLIER, SHIFT, INT8)
@example(-(2**31), 2**31 - 1, 0, 0)
@example(-(2**31), 2**30, -31, 127)
@example(-3, 2**30, -1, 0)
@example(2**31 - 1, 2**31 - 1, 30, -128)
def test_requantize_in_int32(acc, multiplier, shift, zero_point):
    assert _in_int32(acc, multiplier, shift, zero_point) == naive.requantize(
        acc, multiplier, shift, zero_point, -128, 127
    )


@given(INT8, INT8, INT8, INT8, MULTIPLIER, SHIFT)
def test_mul_affine(a, b, za, zb, multiplier, shift):
    assert numerics.mul_affine(a, b, za, zb, multiplier, shift, 3, -128, 127) == naive.requantize(
        (a - za) * (b - zb), multiplier, shift, 3, -128, 127
    )


@given(INT8, INT8, INT8, INT8, MULTIPLIER, MULTIPLIER, st.integers(-31, 0), st.integers(-31, 0))
def test_add_affine(a, b, za, zb, m1, m2, s1, s2):
    scaled_a = naive.multiply((a - za) * 2**20, m1, s1)
    scaled_b = naive.multiply((b - zb) * 2**20, m2, s2)
    expected = naive.requantize(scaled_a + scaled_b, 2**30, -19, -7, -100, 90)
    found = numerics.add_affine(a, b, (za, m1, s1), (zb, m2, s2), (2**30, -19, -7, -100, 90))
    assert found == expected


@given(INT16, INT16)
@example(32767, 1)
@example(-32768, -1)
def test_saturating_add(a, b):
    assert numerics.saturating_add_int16(a, b) == naive.clamp(a + b, -32768, 32767)


@pytest.mark.parametrize("log2_scale", [-12, -15, -13, -11, -9])
def test_table_functions_for_every_int16(log2_scale):
    multiplier, shift = numerics.table_input_scaling(log2_scale)
    x = np.arange(-(2**15), 2**15)
    real = x * 2.0**log2_scale
    for function, oracle, exact in (
        (numerics.sigmoid_int16, naive.sigmoid_int16, 1 / (1 + np.exp(-real))),
        (numerics.tanh_int16, naive.tanh_int16, np.tanh(real)),
    ):
        found = np.array([function(int(v), multiplier, shift) for v in x])
        # Interpolation between entries 1/24 apart is this good, and no better.
        assert np.max(np.abs(found / 2**15 - exact)) < 2.5e-4
        assert np.all(np.diff(found) >= 0)
        for v in range(-(2**15), 2**15, 37):
            assert found[v + 2**15] == oracle(v, TABLE, multiplier, shift)


@given(INT16)
@example(-32768)
@example(32767)
@example(0)
@example(-1)
def test_table_functions(x):
    assert numerics.sigmoid_int16(x, 3, 0) == naive.sigmoid_int16(x, TABLE)
    assert numerics.tanh_int16(x, 3, 0) == naive.tanh_int16(x, TABLE)


def test_table_is_the_sigmoid():
    exact = [65536 / (1 + math.exp(-i / 24)) for i in range(256)]
    assert max(abs(a - b) for a, b in zip(TABLE, exact, strict=True)) < 1.2
    assert TABLE[0] == 32768 and TABLE[-1] == 65535 and sorted(TABLE) == TABLE


def test_table_input_scaling():
    assert numerics.table_input_scaling(-12) == (3, 0)
    assert numerics.table_input_scaling(-11) == (6, 0)
    assert numerics.table_input_scaling(-15) == (3, 3)
    with pytest.raises(ValueError, match=r"2\^-27 to 2\^2 here, not 2\^3"):
        numerics.table_input_scaling(3)


@given(st.floats(2.0**-31, 2.0**29))
def test_quantize_multiplier(real):
    multiplier, shift = numerics.quantize_multiplier(real)
    assert 2**30 <= multiplier < 2**31
    assert abs(math.ldexp(multiplier, shift - 31) / real - 1) <= 2.0**-31


def test_quantize_multiplier_at_its_ends():
    assert numerics.quantize_multiplier(0.0) == (0, 0)
    assert numerics.quantize_multiplier(2.0**-33) == (0, 0)
    assert numerics.quantize_multiplier(2.0**-32) == (2**30, -31)
    assert numerics.quantize_multiplier(1.0) == (2**30, 1)
    # Rounds up to the next power of two.
    assert numerics.quantize_multiplier(1 - 2.0**-40) == (2**30, 1)
    for bad in (-1.0, math.inf, math.nan, 2.0**30):
        with pytest.raises(ValueError, match="a multiplier must be"):
            numerics.quantize_multiplier(bad)


def test_checked_log2():
    assert numerics.checked_log2(2.0**-13) == (-13, True)
    assert numerics.checked_log2(3.0)[1] is False


@given(st.integers(-(2**20), 2**20), st.floats(2.0**-14, 2.0))
def test_products_that_are_rounded_once(acc, real):
    multiplier, shift = numerics.quantize_multiplier(real, once=True)
    found = numerics.requantize(acc, 0, multiplier, shift, 0, -(2**31), 2**31 - 1)
    # Between the factor and what it became lies half of 2**-31 of the accumulator.
    exact = Fraction(acc) * Fraction(real)
    apart = Fraction(abs(acc), 2**32) + Fraction(1, 2**40)
    assert math.floor(exact - apart + Fraction(1, 2)) <= found
    assert found <= math.floor(exact + apart + Fraction(1, 2))


def test_once_and_twice():
    # 0.4990 in steps of 2**-8 is a half, which goes up.
    real, acc = 2.0**-8 * 1.00001, 127
    twice = numerics.quantize_multiplier(real)
    once = numerics.quantize_multiplier(real, once=True)
    assert once[1] == 0 > twice[1]
    rounded = [numerics.requantize(acc, 0, *each, 0, -128, 127) for each in (twice, once)]
    assert rounded == [1, 0] and acc * real < 0.5
    assert numerics.quantize_multiplier(3.0, once=True) == numerics.quantize_multiplier(3.0)
    assert numerics.quantize_multiplier(1 - 2.0**-40, once=True) == (2**31 - 1, 0)

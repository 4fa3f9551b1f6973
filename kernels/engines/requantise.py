"""Integers become narrower ones: one factor, one offset and one clamp for all."""

import numpy as np

from npu.jit import kernel
from npu.model.numerics import requantize, rounding_divide_by_pot, saturate


@kernel
def requantise(source, multiplier, shift, zero_point, lo, hi, output):
    """output[k] = `numerics.requantize` of source[k]; flat int64 to int8 or int16."""
    for k in range(source.shape[0]):
        output[k] = requantize(source[k], 0, multiplier, shift, zero_point, lo, hi)


@kernel
def divide(source, exponent, zero_point, output):
    """output[k] = source[k] / 2^`exponent`, rounded, + `zero_point`; flat int64 to flat int8."""
    for k in range(source.shape[0]):
        quotient = rounding_divide_by_pot(source[k], exponent) + zero_point
        output[k] = saturate(quotient, np.int64(-128), np.int64(127))

"""Functions of an int8 that are not fixed-point approximations, as tables of all 256 values.

Each table is (256,) int8, indexed by q + 128. Plain Python, run once per model. Source of method:
TensorFlow Lite Micro's `leaky_relu.h`, `hard_swish.h`, `elu.cc` and `elementwise.cc`. Scales are
multiplied and divided in double throughout, as the pinned oracle does.
"""

import math
from collections.abc import Callable

import numpy as np

from npu.jit import interpreted
from npu.model.fixed_point import divide_by_pot, inverse_square_root
from npu.model.graph import Quantization
from npu.model.numerics import (
    INT8_MAX,
    INT8_MIN,
    INT16_MAX,
    INT16_MIN,
    INT32_MAX,
    INT32_MIN,
    MIN_SHIFT,
    multiply_by_quantized_multiplier,
    quantize_multiplier,
    round_half_away,
)

EVERY_INT8 = range(INT8_MIN, INT8_MAX + 1)

_multiply = interpreted(multiply_by_quantized_multiplier)


def _table(values: Callable[[int], int]) -> np.ndarray:
    """`values` of every int8, limited to int8."""
    limited = [min(max(values(q), INT8_MIN), INT8_MAX) for q in EVERY_INT8]
    return np.array(limited, np.int8)


def _ratio(source: Quantization, output: Quantization) -> float:
    return float(source.scale[0]) / float(output.scale[0])


def leaky_relu_table(source: Quantization, output: Quantization, alpha: float) -> np.ndarray:
    """x where it is not negative, `alpha` x elsewhere; `alpha` (a float32) may be negative.

    Raises
    ------
    ValueError
        If a factor between the scales cannot be expressed.
    """
    identity = quantize_multiplier(_ratio(source, output))
    slope = float(source.scale[0]) * alpha / float(output.scale[0])
    steep = quantize_multiplier(abs(slope))
    sign = -1 if slope < 0 else 1

    def value(q: int) -> int:
        x = q - source.zero_point
        y = _multiply(x, *identity) if x >= 0 else sign * _multiply(x, *steep)
        return output.zero_point + y

    return _table(value)


def abs_table(source: Quantization, output: Quantization) -> np.ndarray:
    """|x|. Raises ValueError as `leaky_relu_table`."""
    same = source.scale[0] == output.scale[0]
    factor = quantize_multiplier(_ratio(source, output))

    def value(q: int) -> int:
        x = abs(q - source.zero_point)
        return output.zero_point + (x if same else _multiply(x, *factor))

    return _table(value)


_ROOT_SHIFT = 20


def rsqrt_table(source: Quantization, output: Quantization) -> np.ndarray:
    """1 / sqrt(x).

    TFLM gives the largest int8 at x = 0, and fails in a call that meets a negative x. Neither the
    kernels nor a chip in the middle of a model can fail on a value, and a negative one where only
    positive ones belong is the rounding of a small one: it is taken as 0.

    Raises
    ------
    ValueError
        If a factor between the scales cannot be expressed: TFLM shifts by more bits than there are.
    """
    real = 1.0 / (math.sqrt(float(source.scale[0])) * float(output.scale[0]))
    multiplier, shift = quantize_multiplier(real)
    if shift - _ROOT_SHIFT < MIN_SHIFT:
        raise ValueError(f"the output's scale {output.scale[0]} is too large for the input's")

    def value(q: int) -> int:
        x = q - source.zero_point
        if x <= 0:
            return INT8_MAX
        root, right = inverse_square_root(x)
        scaled = _multiply(1, root, right + _ROOT_SHIFT)
        return output.zero_point + _multiply(scaled, multiplier, shift - _ROOT_SHIFT)

    return _table(value)


def float_table(
    source: Quantization, output: Quantization, function: Callable[[float], float]
) -> np.ndarray:
    """A function worked out in float32, rounded to the output's steps and limited to int8."""
    scale, zero_point = np.float32(source.scale[0]), source.zero_point
    with np.errstate(over="ignore"):
        inverse = np.float32(1.0) / np.float32(output.scale[0])

    def value(q: int) -> int:
        # Products of float32 in float32, their functions as exact as a float32 is.
        with np.errstate(over="ignore"):
            x = float(scale * np.float32(q - zero_point))
            y = float(np.float32(function(x)) * inverse)
        if not abs(y) <= INT32_MAX:
            return INT32_MAX if y > 0 else INT32_MIN
        return round_half_away(y) + output.zero_point

    return _table(value)


def elu_table(source: Quantization, output: Quantization) -> np.ndarray:
    """x where it is not negative, exp(x) - 1 elsewhere.

    Raises
    ------
    ValueError
        If a value leaves int32 in the output's steps, where C leaves open what it becomes.
    """
    largest = max((INT8_MAX - source.zero_point) * float(source.scale[0]), 1.0)
    if largest / float(output.scale[0]) > INT32_MAX:
        raise ValueError(f"the output's scale {output.scale[0]} is too small")
    return float_table(source, output, _elu)


def _elu(x: float) -> float:
    return float(np.float32(exp(x)) - np.float32(1.0)) if x < 0 else x


def exp(x: float) -> float:
    """exp(x) rounded to float32; infinity beyond."""
    try:
        exact = math.exp(x)
    except OverflowError:
        return math.inf
    with np.errstate(over="ignore", under="ignore"):
        return float(np.float32(exact))


def hard_swish_table(source: Quantization, output: Quantization) -> np.ndarray:
    """x min(max(x + 3, 0), 6) / 6, in int16 arithmetic.

    Raises
    ------
    ValueError
        If a factor between the scales cannot be expressed.
    """
    fine = float(source.scale[0]) / 128
    output_multiplier, output_shift = quantize_multiplier(fine / float(output.scale[0]))
    if output_shift > 0:
        raise ValueError(f"the output's scale {output.scale[0]} is too small for the input's")
    reluish_multiplier, reluish_shift = quantize_multiplier(fine / float(np.float32(3 / 32768)))
    to_output, to_reluish = _int16(output_multiplier), _int16(reluish_multiplier)

    def value(q: int) -> int:
        x = (q - source.zero_point) << 7
        gate = x
        if reluish_shift > 0:
            gate = _shift_left_int16(gate, reluish_shift - 1)
        gate = _high_mul_int16(gate, to_reluish)
        if reluish_shift > 0:
            gate = _shift_left_int16(gate, 1)
        if reluish_shift < 0:
            gate = _divide_int16(gate, -reluish_shift)
        gate = (gate + (1 << 15)) >> 1
        product = gate * _high_mul_int16(x, to_output)
        # Divided as C does, toward zero, to cancel the bias of the rounding ones before.
        product = product >> 15 if product >= 0 else -(-product >> 15)
        return _divide_int16(product, -output_shift) + output.zero_point

    return _table(value)


def _int16(multiplier: int) -> int:
    """The upper half of an int32 multiplier, rounded."""
    return INT16_MAX if multiplier >= INT32_MAX - (1 << 15) else (multiplier + (1 << 15)) >> 16


def _shift_left_int16(x: int, exponent: int) -> int:
    return min(max(x << exponent, INT16_MIN), INT16_MAX)


def _high_mul_int16(a: int, b: int) -> int:
    """The high half of 2ab, rounded to nearest; `b` is not negative."""
    product = a * b
    return (product + (1 << 14)) >> 15 if product >= 0 else -((-product + (1 << 14) - 1) >> 15)


def _divide_int16(x: int, exponent: int) -> int:
    """int16 `x` / 2^`exponent`, rounded to nearest, ties away from zero.

    From 16 on, what TFLM's mask of 16 bits makes of it: 1 of what is not negative, else -1.
    """
    if exponent > 15:
        return 1 if x >= 0 else -1
    return divide_by_pot(x, exponent)

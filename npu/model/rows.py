"""What is worked out once a row, in TensorFlow Lite Micro's fixed-point arithmetic.

Plain Python on integers: kernels call it for every row, a chip runs it as a short program. A factor
is (multiplier, shift) of `numerics.multiply_by_quantized_multiplier`.
"""

from npu.model.fixed_point import (
    LOG_INPUT_BITS,
    inverse_square_root,
    log_of_at_least_one,
    reciprocal,
)
from npu.model.numerics import INT32_MIN, MIN_SHIFT, multiply_by_quantized_multiplier


def softmax_factor(total: int, output_bits: int) -> tuple[int, int]:
    """What exponentials in Q0.31 are multiplied by, to be in steps of their sum.

    Parameters
    ----------
    total : the sum in Q12.19, at least 1 (`SoftmaxParams.summand`)
    output_bits : the steps are 2^-`output_bits` of the sum
    """
    multiplier, bits = reciprocal(total, LOG_INPUT_BITS)
    shift = output_bits - 31 - bits
    # From a sum of 512 on TFLM aborts, as it cannot shift that far. The quotients are below half a
    # step there: all are rounded to 0.
    return (multiplier, shift) if shift >= MIN_SHIFT else (0, 0)


def log_softmax_limits(
    total: int, diff_min: int, back_multiplier: int, back_shift: int
) -> tuple[int, int]:
    """(logarithm of a sum in Q5.26, the difference above which an element is not the least).

    Parameters
    ----------
    total : the sum in Q12.19, at least 1
    diff_min, back_multiplier, back_shift : of `LogSoftmaxParams` and its `SoftmaxParams`
    """
    log = log_of_at_least_one(total)
    limit = multiply_by_quantized_multiplier(log + INT32_MIN, back_multiplier, back_shift)
    return log, max(diff_min - 1, int(limit))


_L2_OUTPUT_BITS = 7


def l2_factor(squares: int) -> tuple[int, int]:
    """What elements are multiplied by, to be in steps of 1/128 of the root of `squares`."""
    multiplier, shift = inverse_square_root(squares)
    return multiplier, shift + _L2_OUTPUT_BITS

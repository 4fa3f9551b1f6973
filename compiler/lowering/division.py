"""Divisions by what is known at compile time: multiplications by a rounded reciprocal."""

from functools import cache

import numpy as np

from npu.model.numerics import multiply_by_quantized_multiplier


@cache
def division(divisor: int) -> tuple[int, int]:
    """(multiplier, shift) that divide every sum of `divisor` int8, to nearest, ties away from zero.

    Checked for every one of them.

    Raises
    ------
    ValueError
        If there are none, for divisors of several thousand.
    """
    if divisor == 1:
        return 1 << 30, 1
    # A little more than the reciprocal, so that ties go away from zero.
    multiplier = (1 << 31) // divisor + 1
    sums = np.arange(-128 * divisor, 127 * divisor + 1, dtype=np.int64)
    wanted = np.sign(sums) * ((2 * np.abs(sums) + divisor) // (2 * divisor))
    if any(
        multiply_by_quantized_multiplier(int(x), multiplier, 0) != y
        for x, y in zip(sums.tolist(), wanted.tolist(), strict=True)
    ):
        raise ValueError(f"no multiplier divides sums of {divisor} int8 exactly")
    return multiplier, 0

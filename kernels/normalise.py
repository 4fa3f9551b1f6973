"""Whole rows become rows."""

from collections.abc import Callable

import numpy as np

from kernels.engines.requantise import divide, requantise
from kernels.values import Step, Values
from npu.model.numerics import INT8_MAX, INT8_MIN
from npu.model.operators.normalise import (
    L2Normalization,
    L2Params,
    LogSoftmax,
    LogSoftmaxParams,
    Softmax,
    SoftmaxParams,
)
from npu.model.rows import l2_factor, log_softmax_limits, softmax_factor

_LOG_SHIFT = 22
"""From Q5.26 to steps of 1/16."""


def _each_row(
    values: Values,
    op: Softmax | LogSoftmax | L2Normalization,
    run: Callable[[np.ndarray, np.ndarray], None],
) -> Step:
    """`run(input row, output row)` for every row that has elements."""
    length = values[op.input].shape[-1]
    if values[op.input].size == 0:
        return lambda: None
    inputs = values[op.input].reshape(-1, length)
    outputs = values[op.output].reshape(-1, length)

    def step() -> None:
        for source, output in zip(inputs, outputs, strict=True):
            run(source, output)

    return step


def _below_largest(row: np.ndarray) -> np.ndarray:
    """How far each element lies below the largest, 0 to 255."""
    return int(row.max()) - row.astype(np.int64)


def prepare_softmax(values: Values, op: Softmax, params: SoftmaxParams) -> Step:
    """Exponentials over their sum."""
    exp, bits = params.exp.astype(np.int64), params.output_bits
    lo, hi = -(1 << (bits - 1)), (1 << (bits - 1)) - 1

    def run(row: np.ndarray, output: np.ndarray) -> None:
        below = _below_largest(row)
        factor = softmax_factor(int(params.summand[below].sum(dtype=np.int64)), bits)
        requantise(exp[below], *factor, lo, lo, hi, output)

    return _each_row(values, op, run)


def prepare_log_softmax(values: Values, op: LogSoftmax, params: LogSoftmaxParams) -> Step:
    """Scaled differences less the logarithm of the sum of exponentials."""
    softmax, scaled = params.softmax, params.scaled.astype(np.int64)

    def run(row: np.ndarray, output: np.ndarray) -> None:
        below = _below_largest(row)
        log, limit = log_softmax_limits(
            int(softmax.summand[below].sum(dtype=np.int64)),
            softmax.diff_min,
            params.back_multiplier,
            params.back_shift,
        )
        divide(scaled[below] - log, _LOG_SHIFT, INT8_MAX, output)
        output[-below <= limit] = INT8_MIN

    return _each_row(values, op, run)


def prepare_l2(values: Values, op: L2Normalization, params: L2Params) -> Step:
    """Elements over the root of the sum of their squares."""

    def run(row: np.ndarray, output: np.ndarray) -> None:
        centred = row.astype(np.int64) - params.input_zero_point
        factor = l2_factor(int(centred @ centred))
        requantise(centred, *factor, 0, INT8_MIN, INT8_MAX, output)

    return _each_row(values, op, run)


PREPARE = {
    Softmax: prepare_softmax,
    LogSoftmax: prepare_log_softmax,
    L2Normalization: prepare_l2,
}

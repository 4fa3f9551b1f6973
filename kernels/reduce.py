"""Many elements become one."""

import numpy as np

from kernels.engines.requantise import requantise
from kernels.values import Step, Values
from npu.model.numerics import INT8_MAX, INT8_MIN
from npu.model.operators.reduce import (
    ArgMax,
    ArgMin,
    Mean,
    ReduceMax,
    ReduceMin,
    Search,
    Sum,
    reduced,
)
from npu.model.operators.rescale import RescaleParams


def prepare_sum(values: Values, op: Mean | Sum, params: RescaleParams) -> Step:
    """The sum of what the elements stand for, in steps of the output."""
    source, output = values[op.input], values.flat(op.output)
    count = reduced(values.graph, op)
    if source.size == 0:
        # TFLM leaves 0 where it has nothing to add up.
        return lambda: output.fill(0)
    offset = count * params.input_zero_point

    def step() -> None:
        total = source.sum(axis=op.axes, dtype=np.int64) - offset
        requantise(
            total.reshape(-1),
            params.multiplier,
            params.shift,
            params.output_zero_point,
            params.lo,
            params.hi,
            output,
        )

    return step


def prepare_extreme(values: Values, op: ReduceMax | ReduceMin, params: None) -> Step:
    """The largest or the smallest integer; of nothing, the other end of the range."""
    source, output = values[op.input], values.flat(op.output)
    if isinstance(op, ReduceMax):
        return lambda: np.copyto(output, source.max(op.axes, initial=INT8_MIN).reshape(-1))
    return lambda: np.copyto(output, source.min(op.axes, initial=INT8_MAX).reshape(-1))


def prepare_search(values: Values, op: Search, params: None) -> Step:
    """Where the largest or the smallest integer is; the first of several."""
    source, output = values[op.input], values[op.output]
    find = np.argmax if isinstance(op, ArgMax) else np.argmin
    return lambda: np.copyto(output, find(source, axis=op.axis), casting="same_kind")


PREPARE = {
    Mean: prepare_sum,
    Sum: prepare_sum,
    ReduceMax: prepare_extreme,
    ReduceMin: prepare_extreme,
    ArgMax: prepare_search,
    ArgMin: prepare_search,
}

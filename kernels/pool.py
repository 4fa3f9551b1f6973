"""Windows of images, each channel by itself, become one value."""

import numpy as np

from kernels.values import Step, Values
from npu.jit import kernel
from npu.model.numerics import saturate
from npu.model.operators.pool import AveragePool2D, MaxPool2D, PoolParams, window


@kernel
def pool(inputs, average, geometry, lo, hi, outputs):
    """outputs[n, y, x, c] of the window (y, x) of inputs[n], limited to lo..hi.

    `geometry` is (down, across) of the window's size, its stride and its padding in front.
    """
    rows, columns, down, across, top, left = geometry
    for n in range(outputs.shape[0]):
        for y in range(outputs.shape[1]):
            first_y = max(0, y * down - top)
            end_y = min(inputs.shape[1], y * down - top + rows)
            for x in range(outputs.shape[2]):
                first_x = max(0, x * across - left)
                end_x = min(inputs.shape[2], x * across - left + columns)
                count = (end_y - first_y) * (end_x - first_x)
                for c in range(outputs.shape[3]):
                    total, largest = np.int64(0), np.int64(-0x80)
                    for j in range(first_y, end_y):
                        for i in range(first_x, end_x):
                            value = np.int64(inputs[n, j, i, c])
                            total += value
                            if value > largest:
                                largest = value
                    if average:
                        # The C source divides, which truncates toward zero.
                        magnitude = (abs(total) + count // 2) // count
                        largest = magnitude if total > 0 else -magnitude
                    outputs[n, y, x, c] = saturate(largest, lo, hi)


def prepare(values: Values, op: AveragePool2D | MaxPool2D, params: PoolParams) -> Step:
    """Every window of every image."""
    inputs, outputs = values[op.input], values[op.output]
    windows = window(op)
    geometry = (*windows.size, *windows.stride, *windows.padding[:2])
    average = isinstance(op, AveragePool2D)
    return lambda: pool(inputs, average, geometry, params.lo, params.hi, outputs)


PREPARE = {AveragePool2D: prepare, MaxPool2D: prepare}

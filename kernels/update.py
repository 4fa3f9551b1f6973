"""A part of a tensor replaced, at a place that is only known when it runs."""

import numpy as np

from kernels.values import Step, Values
from npu.model.operators.update import UpdateSlice


def prepare(values: Values, op: UpdateSlice, params: None) -> Step:
    """The input, then the update over it."""
    source, update, start, output = (values[i] for i in (op.input, op.update, op.start, op.output))
    last = np.array(source.shape, np.int64) - update.shape

    def run() -> None:
        np.copyto(output, source)
        at = np.clip(start, 0, last)
        box = tuple(slice(int(a), int(a) + n) for a, n in zip(at, update.shape, strict=True))
        output[box] = update

    return run


PREPARE = {UpdateSlice: prepare}

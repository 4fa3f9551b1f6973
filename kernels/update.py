"""A part of a tensor read or replaced, at a place that is only known when it runs."""

import numpy as np

from kernels.values import Step, Values
from npu.errors import InputError
from npu.model.operators.update import ReadSlice, UpdateSlice
from npu.model.quantisation import place


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


def prepare_read(values: Values, op: ReadSlice, params: None) -> Step:
    """The box. The step raises InputError where it does not lie inside."""
    source, start, output = (values[i] for i in (op.input, op.start, op.output))
    where = place(values.graph, op)
    last = np.array(source.shape, np.int64) - output.shape

    def run() -> None:
        if np.any(start < 0) or np.any(start > last):
            raise InputError(
                f"{where}: {list(output.shape)} from {start.tolist()} are not all in "
                f"{list(source.shape)}"
            )
        box = tuple(slice(int(a), int(a) + n) for a, n in zip(start, output.shape, strict=True))
        np.copyto(output, source[box])

    return run


PREPARE = {UpdateSlice: prepare, ReadSlice: prepare_read}

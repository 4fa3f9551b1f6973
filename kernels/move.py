"""Elements copied as they are."""

import numpy as np
from numpy.lib.stride_tricks import as_strided

from kernels.engines.program import COPY, PROGRAMS, Program
from kernels.values import Step, Values
from npu.model.boxes import Box
from npu.model.operators.move import Copy, Reshape


def prepare_reshape(values: Values, op: Reshape, params: None) -> Step:
    """The same elements in the same order."""
    source, output = values.flat(op.input), values.flat(op.output)
    if PROGRAMS:
        return Program([[COPY, source.nbytes, source, output]])
    return lambda: np.copyto(output, source)


def prepare_copy(values: Values, op: Copy, params: None) -> Step:
    """Box after box."""
    outputs = [values.flat(index) for index in op.outputs]
    pairs = [
        (
            _view(outputs[piece.target], piece.written),
            _view(values.flat(op.inputs[piece.source]), piece.read),
        )
        for piece in op.pieces
    ]

    def copy() -> None:
        if op.fill is not None:
            for output in outputs:
                output.fill(op.fill)
        for written, read in pairs:
            np.copyto(written, read)

    return copy


def _view(flat: np.ndarray, box: Box) -> np.ndarray:
    """A box of a flat array. The rules of the operator keep it inside."""
    strides = [stride * flat.itemsize for stride in box.strides]
    return as_strided(flat[box.offset :], box.sizes, strides)


PREPARE = {Reshape: prepare_reshape, Copy: prepare_copy}

"""Slices of a tensor, picked by index."""

from math import prod

import numpy as np

from kernels.engines.program import GATHER, PROGRAMS, Program
from kernels.values import Step, Values
from npu.model.inputs import require_indices
from npu.model.operators.gather import Gather
from npu.model.quantisation import place


def prepare(values: Values, op: Gather, params: None) -> Step:
    """What the indices name. The step raises InputError for one outside of the table."""
    where = place(values.graph, op)
    shape = values[op.table].shape
    batch, outer = prod(shape[: op.batch_dims]), prod(shape[op.batch_dims : op.axis])
    inner = prod(shape[op.axis + 1 :])
    count = values[op.indices].size // max(batch, 1)
    table = values[op.table].reshape(batch, outer, shape[op.axis], inner)
    indices = values[op.indices].reshape(batch, count)
    output = values[op.output].reshape(batch, outer, count, inner)

    def gather() -> None:
        require_indices(where, indices, shape[op.axis])
        for b in range(batch):
            np.copyto(output[b], table[b][:, indices[b]])

    single = batch == outer == 1 and values[op.indices].dtype == np.int32
    if PROGRAMS and single:
        arrays = [values.flat(i) for i in (op.table, op.indices, op.output)]
        width = inner * arrays[0].itemsize
        row = [GATHER, count, shape[op.axis], width, *arrays]
        return Program([row], [gather])
    return gather


PREPARE = {Gather: prepare}

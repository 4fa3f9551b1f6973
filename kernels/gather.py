"""Rows of a constant table."""

import numpy as np

from kernels.values import Step, Values
from npu.model.inputs import require_indices
from npu.model.operators.gather import Gather
from npu.model.quantisation import place


def prepare(values: Values, op: Gather, params: None) -> Step:
    """The rows that the indices name. The step raises InputError for one outside of the table."""
    table, indices, output = (values[i] for i in (op.table, op.indices, op.output))
    where = place(values.graph, op)

    def gather() -> None:
        require_indices(where, indices, len(table))
        np.copyto(output, table[indices])

    return gather


PREPARE = {Gather: prepare}

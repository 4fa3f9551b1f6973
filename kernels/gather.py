"""Rows of a constant table."""

import numpy as np

from kernels.values import Step, Values
from npu.errors import InputError
from npu.model.operators.gather import Gather
from npu.model.quantisation import place


def prepare(values: Values, op: Gather, params: None) -> Step:
    """The rows that the indices name. The step raises InputError for one outside of the table."""
    table, indices, output = (values[i] for i in (op.table, op.indices, op.output))
    where = place(values.graph, op)

    def gather() -> None:
        outside = indices[(indices < 0) | (indices >= len(table))]
        if outside.size:
            raise InputError(f"{where}: an index must be 0 to {len(table) - 1}, not {outside[0]}")
        np.copyto(output, table[indices])

    return gather


PREPARE = {Gather: prepare}

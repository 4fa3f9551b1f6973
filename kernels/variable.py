"""Variables: states that several operators of a graph read and write, in their order."""

import numpy as np

from kernels.values import Step, Values
from npu.model.operators.variable import AssignVariable, ReadVariable


def prepare_read(values: Values, op: ReadVariable, params: None) -> Step:
    """A copy out of the variable."""
    return _copy(values, op.variable, op.output)


def prepare_assign(values: Values, op: AssignVariable, params: None) -> Step:
    """A copy into the variable."""
    return _copy(values, op.value, op.variable)


def _copy(values: Values, source: int, target: int) -> Step:
    read, written = values.flat(source), values.flat(target)
    return lambda: np.copyto(written, read)


PREPARE = {ReadVariable: prepare_read, AssignVariable: prepare_assign}

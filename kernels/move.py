"""Elements copied as they are."""

import numpy as np

from kernels.values import Step, Values
from npu.model.operators.move import Reshape


def prepare(values: Values, op: Reshape, params: None) -> Step:
    """The same elements in the same order."""
    source, output = values.flat(op.input), values.flat(op.output)
    return lambda: np.copyto(output, source)


PREPARE = {Reshape: prepare}

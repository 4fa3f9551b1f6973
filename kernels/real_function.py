"""Functions of real numbers."""

import numpy as np

from kernels.values import Step, Values
from npu.model.operators.real_function import RealFunction
from npu.model.real import FUNCTIONS


def prepare(values: Values, op: RealFunction, params: None) -> Step:
    """A function of every element; infinite where float32 ends."""
    source, output, function = values[op.input], values[op.output], FUNCTIONS[op.function]

    def run() -> None:
        with np.errstate(over="ignore", invalid="ignore"):
            output[...] = function(source)

    return run


PREPARE = {RealFunction: prepare}

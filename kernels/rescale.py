"""Rescaling an int8 activation: there are 256 answers, so they are prepared as a table."""

from kernels.table import by_table
from kernels.values import Step, Values
from npu.model.operators.rescale import Quantize, Relu, Relu6, RescaleParams, rescale_table


def prepare(values: Values, op: Relu | Relu6 | Quantize, params: RescaleParams) -> Step:
    """Every element in other steps."""
    return by_table(values, op.input, op.output, rescale_table(params))


PREPARE = {Relu: prepare, Relu6: prepare, Quantize: prepare}

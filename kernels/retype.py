"""The same real values in another type."""

import numpy as np

from kernels.values import Step, Values
from npu.jit import kernel
from npu.model.numerics import requantize
from npu.model.operators.rescale import RescaleParams
from npu.model.operators.retype import FromReal, RealParams, Requantize, ToReal
from npu.model.quantisation import place
from npu.model.real import dequantized, quantized


@kernel
def rescale(source, params, output):
    """output[k] = source[k] in other steps, all flat int64; `params` are a `RescaleParams`'."""
    multiplier, shift, input_zero_point, output_zero_point, lo, hi = params
    for k in range(source.shape[0]):
        output[k] = requantize(
            source[k] - input_zero_point, 0, multiplier, shift, output_zero_point, lo, hi
        )


def prepare_requantize(values: Values, op: Requantize, params: RescaleParams) -> Step:
    """Every element in steps and type of the output."""
    source, output = values.flat(op.input), values.flat(op.output)
    plain = (
        params.multiplier,
        params.shift,
        params.input_zero_point,
        params.output_zero_point,
        params.lo,
        params.hi,
    )

    # One compiled loop for all types: in between, integers are wide.
    def run() -> None:
        wide = np.empty(source.shape, np.int64)
        rescale(source.astype(np.int64), plain, wide)
        output[:] = wide

    return run


def prepare_from_real(values: Values, op: FromReal, params: RealParams) -> Step:
    """The step raises InputError for a number that has no integer."""
    source, output = values[op.input], values[op.output]
    where, dtype = place(values.graph, op), values.graph.tensors[op.output].dtype
    return lambda: np.copyto(output, quantized(where, source, *params, dtype))


def prepare_to_real(values: Values, op: ToReal, params: RealParams) -> Step:
    """Every element as a real number."""
    source, output = values[op.input], values[op.output]
    return lambda: np.copyto(output, dequantized(source, *params))


PREPARE = {Requantize: prepare_requantize, FromReal: prepare_from_real, ToReal: prepare_to_real}

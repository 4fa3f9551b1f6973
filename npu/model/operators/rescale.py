"""The same real values in other steps, perhaps cut off: a factor, an offset and a clamp."""

from dataclasses import dataclass

import numpy as np

from npu.model import numerics
from npu.model.graph import DTYPE_RANGES, Graph, Quantization, quantization
from npu.model.quantisation import place, ratio, steps
from npu.model.references import Operand, Operator, Result
from npu.model.rules import unary


@dataclass(frozen=True)
class Relu(Operator):
    """max(x, 0), requantised to the output's scale."""

    input: Operand
    output: Result


@dataclass(frozen=True)
class Relu6(Operator):
    """min(max(x, 0), 6) in the input's steps; TFLM does not ask for the output's."""

    input: Operand
    output: Result


@dataclass(frozen=True)
class Quantize(Operator):
    """The same real values under another quantisation."""

    input: Operand
    output: Result


@dataclass(frozen=True)
class RescaleParams:
    """`requantize(q - input_zero_point, 0, multiplier, shift, output_zero_point, lo, hi)`."""

    multiplier: int
    shift: int
    input_zero_point: int
    output_zero_point: int
    lo: int
    hi: int


def verify(graph: Graph, op: Relu | Relu6 | Quantize) -> None:
    """An int8 activation, and another of its shape."""
    unary(graph, op.input, op.output)


def requantisation(
    source: Quantization,
    output: Quantization,
    where: str,
    dtype: str = "int8",
    once: bool = False,
) -> RescaleParams:
    """Parameters of a QUANTIZE from one quantisation to another, of type `dtype`; `once` as of a
    graph's `rounds_once`.

    Raises
    ------
    ModelError
        If the scales cannot be expressed.
    """
    # In double, as the pinned oracle does; see `npu.model.quantisation`.
    multiplier, shift = ratio(source, output, where, once)
    lo, hi = DTYPE_RANGES[dtype]
    return RescaleParams(multiplier, shift, source.zero_point, output.zero_point, lo, hi)


def quantize_params(graph: Graph, op: Quantize) -> RescaleParams:
    """Parameters of a QUANTIZE. Raises ModelError as `requantisation`."""
    source, output = (quantization(graph.tensors[i]) for i in (op.input, op.output))
    return requantisation(source, output, place(graph, op), once=graph.rounds_once)


def relu_params(graph: Graph, op: Relu) -> RescaleParams:
    """Parameters of a RELU. Raises ModelError as `requantisation`."""
    source, output = (quantization(graph.tensors[i]) for i in (op.input, op.output))
    multiplier, shift = ratio(source, output, place(graph, op), graph.rounds_once)
    zero = output.zero_point
    lo, hi = DTYPE_RANGES["int8"]
    return RescaleParams(multiplier, shift, source.zero_point, zero, max(lo, zero), hi)


def relu6_params(graph: Graph, op: Relu6) -> RescaleParams:
    """Parameters of a RELU6, which TFLM only clamps: a rescale by exactly one.

    Raises
    ------
    ModelError
        If its scale is so small that six cannot be expressed.
    """
    source = quantization(graph.tensors[op.input])
    multiplier, shift = numerics.quantize_multiplier(1.0)
    zero = source.zero_point
    six = zero + steps(6.0, source.scale[0], place(graph, op))
    hi = min(DTYPE_RANGES["int8"][1], six)
    return RescaleParams(multiplier, shift, zero, zero, zero, hi)


def rescale_table(params: RescaleParams) -> np.ndarray:
    """A rescale of every int8 as (256,) int8, indexed by q + 128."""
    return np.array(
        [
            numerics.requantize(
                q - params.input_zero_point,
                0,
                params.multiplier,
                params.shift,
                params.output_zero_point,
                params.lo,
                params.hi,
            )
            for q in range(numerics.INT8_MIN, numerics.INT8_MAX + 1)
        ],
        np.int8,
    )


RULES = {Relu: verify, Relu6: verify, Quantize: verify}
PARAMETERS = {Relu: relu_params, Relu6: relu6_params, Quantize: quantize_params}

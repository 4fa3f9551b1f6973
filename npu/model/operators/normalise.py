"""Whole rows become rows: every element in relation to all of its row.

A row is the last dimension. What is worked out once a row, from its largest element or its sum,
stands in `npu.model.rows`; the integers here say what of an element goes into it.
"""

import math
from dataclasses import dataclass

import numpy as np

from npu.errors import ModelError
from npu.model.fixed_point import divide_by_pot, exp_of_difference, high_mul
from npu.model.graph import Graph, Tensor, quantization
from npu.model.int8_tables import input_radius
from npu.model.numerics import INT32_MAX, round_half_away
from npu.model.quantisation import multiplier_below_one, place
from npu.model.references import Operand, Operator, Result
from npu.model.rules import activation, require, same_shapes

SCALED_BITS = 5
"""Differences within a row are Q5.26 once they are scaled."""

SUM_BITS = 12
"""Exponentials are summed in Q12.19."""

MAX_SUMMED = (1 << SUM_BITS) - 1
"""Longest row whose exponentials surely add up in an int32; TFLM overflows beyond."""

MAX_SQUARED = INT32_MAX // 255**2
"""Longest row whose squares surely add up in an int32; TFLM overflows beyond."""

_DIFFERENCES = 256
_INT16_TOLERANCE = 0.001
"""Of the scale of a softmax's int16 output."""


@dataclass(frozen=True)
class Softmax(Operator):
    """exp(beta x) over its sum along a row.

    The output has scale 1/256 and zero point -128, or is int16 with scale 1/65536 and zero point
    -32768.
    """

    input: Operand
    output: Result
    beta: float = 1.0


@dataclass(frozen=True)
class LogSoftmax(Operator):
    """The logarithm of a softmax; the output has scale 1/16 and zero point 127."""

    input: Operand
    output: Result


@dataclass(frozen=True)
class L2Normalization(Operator):
    """A row over the root of the sum of its squares; integers of scale 1/128 and zero point 0."""

    input: Operand
    output: Result


@dataclass(frozen=True, eq=False)
class SoftmaxParams:
    """What an element of a row is worth, by how far it lies below the largest, 0 to 255.

    Attributes
    ----------
    multiplier, left_shift : bring such a difference, times 2^`left_shift`, to Q5.26
    diff_min : the least (negative) difference that counts
    exp : (256,) int32 in Q0.31; 0 for what does not count
    summand : (256,) int32 in Q12.19: what is summed of it
    output_bits : the output's steps are 2^-`output_bits`, and that is how wide it is
    """

    multiplier: int
    left_shift: int
    diff_min: int
    exp: np.ndarray
    summand: np.ndarray
    output_bits: int


@dataclass(frozen=True, eq=False)
class LogSoftmaxParams:
    """As `SoftmaxParams`, with what its differences are.

    Attributes
    ----------
    scaled : (256,) int32 in Q5.26: minus the difference, scaled; 0 for what does not count
    back_multiplier, back_shift : bring Q5.26 to a difference
    """

    softmax: SoftmaxParams
    scaled: np.ndarray
    back_multiplier: int
    back_shift: int


@dataclass(frozen=True)
class L2Params:
    """The zero point that is subtracted from every element."""

    input_zero_point: int


def verify_softmax(graph: Graph, op: Softmax) -> None:
    """int8 in, int8 or int16 in steps that divide 1 out, for rows that can be summed."""
    wide = graph.tensors[op.output].dtype == "int16"
    _verify(graph, op, MAX_SUMMED, "int16" if wide else "int8")
    if wide:
        # TFLM lets its scale be that of 1/65535, and takes no notice.
        _fixed_output(graph.tensors[op.output], 1 << 16, -(1 << 15), _INT16_TOLERANCE)
    else:
        _fixed_output(graph.tensors[op.output], 256, -128)
    require(math.isfinite(op.beta), f"its beta must be finite, not {op.beta}")


def verify_log_softmax(graph: Graph, op: LogSoftmax) -> None:
    """int8 in, int8 in steps of 1/16 out, for rows that can be summed."""
    _verify(graph, op, MAX_SUMMED)
    _fixed_output(graph.tensors[op.output], 16, 127)


def verify_l2(graph: Graph, op: L2Normalization) -> None:
    """int8 of at most 4 dimensions, as in TFLM, which does not ask for the output's scale."""
    _verify(graph, op, MAX_SQUARED)
    rank = len(graph.tensors[op.input].shape)
    require(rank <= 4, f"its input must have at most 4 dimensions, not {rank}")


def _verify(
    graph: Graph,
    op: Softmax | LogSoftmax | L2Normalization,
    longest: int,
    output: str = "int8",
) -> None:
    same_shapes(
        activation(graph, op.input, "input"), activation(graph, op.output, "output", output)
    )
    shape = graph.tensors[op.input].shape
    require(len(shape) > 0, "its input must have a dimension")
    require(shape[-1] <= longest, f"its rows must have at most {longest} elements, not {shape[-1]}")


def _fixed_output(
    output: Tensor, denominator: int, zero_point: int, tolerance: float = 0.0
) -> None:
    found = quantization(output)
    off = abs(float(found.scale[0]) * denominator - 1)
    require(
        off <= tolerance and found.zero_point == zero_point,
        f"its output must have scale 1/{denominator} and zero point {zero_point}, "
        f"not {found.scale[0]} and {found.zero_point}",
    )


def softmax_params(graph: Graph, op: Softmax) -> SoftmaxParams:
    """Parameters of a SOFTMAX.

    Raises
    ------
    ModelError
        If a difference of one step is less than the smallest that can be expressed.
    """
    scale = float(quantization(graph.tensors[op.input]).scale[0])
    output_bits = 16 if graph.tensors[op.output].dtype == "int16" else 8
    return _exponentials(op.beta * scale, place(graph, op), output_bits)[0]


def log_softmax_params(graph: Graph, op: LogSoftmax) -> LogSoftmaxParams:
    """Parameters of a LOG_SOFTMAX. Raises ModelError as `softmax_params`."""
    where = place(graph, op)
    scale = float(quantization(graph.tensors[op.input]).scale[0])
    params, scaled = _exponentials(scale, where)
    real = (1 << (31 - params.left_shift)) / params.multiplier
    return LogSoftmaxParams(params, scaled, *multiplier_below_one(real, where))


def _exponentials(
    step: float, where: str, output_bits: int = 8
) -> tuple[SoftmaxParams, np.ndarray]:
    """Parameters for differences of `step` each, and the differences in Q5.26."""
    real = min(step * (1 << (31 - SCALED_BITS)), float(INT32_MAX))
    if not real > 1:
        raise ModelError(
            f"{where}: a step of its input must be more than 2^-{31 - SCALED_BITS}, not {step!r}"
        )
    fraction, left_shift = math.frexp(real)
    multiplier = round_half_away(fraction * (1 << 31))
    if multiplier == 1 << 31:
        multiplier >>= 1
        left_shift += 1
    radius = input_radius(SCALED_BITS, left_shift)
    scaled = np.zeros(_DIFFERENCES, np.int32)
    exp = np.zeros(_DIFFERENCES, np.int32)
    for difference in range(min(radius + 1, _DIFFERENCES)):
        scaled[difference] = high_mul(-difference << left_shift, multiplier)
        exp[difference] = exp_of_difference(int(scaled[difference]), SCALED_BITS)
    summand = np.array([divide_by_pot(int(e), SUM_BITS) for e in exp], np.int32)
    return SoftmaxParams(multiplier, left_shift, -radius, exp, summand, output_bits), scaled


def l2_params(graph: Graph, op: L2Normalization) -> L2Params:
    """Parameters of an L2_NORMALIZATION."""
    return L2Params(quantization(graph.tensors[op.input]).zero_point)


RULES = {Softmax: verify_softmax, LogSoftmax: verify_log_softmax, L2Normalization: verify_l2}
PARAMETERS = {
    Softmax: softmax_params,
    LogSoftmax: log_softmax_params,
    L2Normalization: l2_params,
}

"""Many elements become one: along some axes of an activation."""

import math
from dataclasses import dataclass

from npu.model import numerics
from npu.model.graph import DTYPE_RANGES, Graph, quantization
from npu.model.operators.rescale import RescaleParams
from npu.model.quantisation import no_parameters, place, ratio
from npu.model.references import Operand, Operator, Result
from npu.model.rules import activation, require, same_quantization


@dataclass(frozen=True)
class Mean(Operator):
    """The mean along `axes`, which may be none."""

    input: Operand
    output: Result
    axes: tuple[int, ...]


@dataclass(frozen=True)
class Sum(Operator):
    """The sum along `axes`."""

    input: Operand
    output: Result
    axes: tuple[int, ...]


@dataclass(frozen=True)
class ReduceMax(Operator):
    """The largest integer along `axes`; input and output share one quantisation."""

    input: Operand
    output: Result
    axes: tuple[int, ...]


@dataclass(frozen=True)
class ReduceMin(Operator):
    """The smallest integer along `axes`; input and output share one quantisation."""

    input: Operand
    output: Result
    axes: tuple[int, ...]


@dataclass(frozen=True)
class ArgMax(Operator):
    """Where along `axis` the largest integer is, as int32; the first of several."""

    input: Operand
    output: Result
    axis: int


@dataclass(frozen=True)
class ArgMin(Operator):
    """Where along `axis` the smallest integer is, as int32; the first of several."""

    input: Operand
    output: Result
    axis: int


Reduction = Mean | Sum | ReduceMax | ReduceMin
Search = ArgMax | ArgMin


def verify(graph: Graph, op: Reduction) -> None:
    """int8 in and out; axes are kept as ones, or left out."""
    shape = activation(graph, op.input, "input").shape
    output = activation(graph, op.output, "output")
    for axis in op.axes:
        require(0 <= axis < len(shape), f"an axis must be 0 to {len(shape) - 1}, not {axis}")
    require(len(set(op.axes)) == len(op.axes), f"its axes {list(op.axes)} must differ")
    _output_shape(shape, op.axes, output.shape)


def _output_shape(shape: tuple[int, ...], axes: tuple[int, ...], found: tuple[int, ...]) -> None:
    """Raise ModelError unless `found` is `shape` with the axes left out, or of size 1."""
    left_out = [size for axis, size in enumerate(shape) if axis not in axes]
    kept = [1 if axis in axes else size for axis, size in enumerate(shape)]
    require(
        list(found) in (left_out, kept),
        f"its output must be {left_out} or {kept}, not {list(found)}",
    )


def verify_extreme(graph: Graph, op: ReduceMax | ReduceMin) -> None:
    """As `verify`, under one quantisation."""
    verify(graph, op)
    tensors = graph.tensors
    same_quantization(tensors[op.input], tensors[op.output], "its input and its output")


def verify_search(graph: Graph, op: Search) -> None:
    """int8 in and int32 out, without the axis."""
    source, output = graph.tensors[op.input], graph.tensors[op.output]
    require(
        source.dtype == "int8" and output.dtype == "int32",
        f"it must make int32 of int8, not {output.dtype} of {source.dtype}",
    )
    rank = len(source.shape)
    require(0 <= op.axis < rank, f"its axis must be 0 to {rank - 1}, not {op.axis}")
    require(source.shape[op.axis] > 0, "there must be something along its axis")
    left_out = source.shape[: op.axis] + source.shape[op.axis + 1 :]
    require(
        output.shape == left_out,
        f"its output must be {list(left_out)}, not {list(output.shape)}",
    )


def reduced(graph: Graph, op: Reduction) -> int:
    """How many elements become one."""
    return math.prod(graph.tensors[op.input].shape[axis] for axis in op.axes)


def sum_params(graph: Graph, op: Sum) -> RescaleParams:
    """Parameters of a SUM: what becomes of sums of q - input_zero_point.

    Raises
    ------
    ModelError
        If the scales cannot be expressed.
    """
    source, output = (quantization(graph.tensors[i]) for i in (op.input, op.output))
    multiplier, shift = ratio(source, output, place(graph, op))
    lo, hi = DTYPE_RANGES["int8"]
    return RescaleParams(multiplier, shift, source.zero_point, output.zero_point, lo, hi)


def mean_params(graph: Graph, op: Mean) -> RescaleParams:
    """Parameters of a MEAN, as `sum_params`: the division is part of the factor."""
    source, output = (quantization(graph.tensors[i]) for i in (op.input, op.output))
    multiplier, shift = ratio(source, output, place(graph, op))
    if (count := reduced(graph, op)) > 0:
        # As many bits as the count has go from the shift into the multiplier before it is divided.
        bits = min(count.bit_length() - 1, 32, shift - numerics.MIN_SHIFT)
        multiplier, shift = (multiplier << bits) // count, shift - bits
    lo, hi = DTYPE_RANGES["int8"]
    return RescaleParams(multiplier, shift, source.zero_point, output.zero_point, lo, hi)


RULES = {
    Mean: verify,
    Sum: verify,
    ReduceMax: verify_extreme,
    ReduceMin: verify_extreme,
    ArgMax: verify_search,
    ArgMin: verify_search,
}
PARAMETERS = {
    Mean: mean_params,
    Sum: sum_params,
    **dict.fromkeys((ReduceMax, ReduceMin, ArgMax, ArgMin), no_parameters),
}

"""Two activations become one, element by element; either may be a constant, or be broadcast.

Operands keep their own shapes; `npu.model.broadcast` says how they are read in the output's.
"""

from dataclasses import dataclass
from typing import NamedTuple

from npu.model import quantisation
from npu.model.activation import Activation
from npu.model.broadcast import require_broadcast
from npu.model.graph import Graph, quantization
from npu.model.numerics import (
    ADD_LEFT_SHIFT,
    INT8_MAX,
    INT8_MIN,
    SQUARED_DIFFERENCE_LEFT_SHIFT,
    OperandScale,
    OutputScale,
)
from npu.model.quantisation import (
    activation_range,
    multiplier_below_one,
    no_parameters,
    place,
    scale,
)
from npu.model.references import Operand, Operator, Result
from npu.model.rules import activation


@dataclass(frozen=True)
class Add(Operator):
    """`output = activation(a + b)`, element by element."""

    a: Operand
    b: Operand
    output: Result
    activation: Activation = Activation.NONE


@dataclass(frozen=True)
class Sub(Operator):
    """`output = activation(a - b)`, element by element."""

    a: Operand
    b: Operand
    output: Result
    activation: Activation = Activation.NONE


@dataclass(frozen=True)
class Mul(Operator):
    """`output = activation(a * b)`, element by element."""

    a: Operand
    b: Operand
    output: Result
    activation: Activation = Activation.NONE


@dataclass(frozen=True)
class SquaredDifference(Operator):
    """`output = (a - b)^2`, element by element."""

    a: Operand
    b: Operand
    output: Result


@dataclass(frozen=True)
class Prelu(Operator):
    """`output = a` where `a` is not negative and `a * b` elsewhere; `b` are the slopes."""

    a: Operand
    b: Operand
    output: Result


@dataclass(frozen=True)
class Maximum(Operator):
    """The larger of two integers, element by element.

    Integers are compared as they are: converters give both inputs and the output one quantisation.
    """

    a: Operand
    b: Operand
    output: Result


@dataclass(frozen=True)
class Minimum(Operator):
    """The smaller of two integers, element by element; see `Maximum`."""

    a: Operand
    b: Operand
    output: Result


Binary = Add | Sub | Mul | SquaredDifference | Prelu | Maximum | Minimum
"""An operator of two operands that this room holds."""


class AddParams(NamedTuple):
    """Arguments of `numerics.add_affine`, in its order after the operands.

    Those of `sub_affine` and of `squared_difference_affine` as well.
    """

    a: OperandScale
    b: OperandScale
    output: OutputScale


class MulParams(NamedTuple):
    """Arguments of `numerics.mul_affine`, in its order after the operands."""

    a_zero_point: int
    b_zero_point: int
    multiplier: int
    shift: int
    output_zero_point: int
    lo: int
    hi: int


class PreluParams(NamedTuple):
    """Arguments of `numerics.prelu_affine`, in its order after the operands.

    (`multiplier`, `shift`) are the factor of what is not negative, (`slope_multiplier`,
    `slope_shift`) that of products with a slope.
    """

    a_zero_point: int
    b_zero_point: int
    multiplier: int
    shift: int
    slope_multiplier: int
    slope_shift: int
    output_zero_point: int


def verify(graph: Graph, op: Binary) -> None:
    """int8 activations or constants whose common shape is the output's."""
    require_broadcast(
        activation(graph, op.output, "output").shape,
        activation(graph, op.a, "first input").shape,
        activation(graph, op.b, "second input").shape,
    )


def add_params(graph: Graph, op: Add | Sub) -> AddParams:
    """Parameters of an ADD or a SUB.

    Raises
    ------
    ModelError
        If the scales cannot be expressed.
    """
    where = place(graph, op)
    of_a, of_b, twice_max = _operands(graph, op, where)
    output = graph.tensors[op.output]
    multiplier, shift = multiplier_below_one(
        twice_max / ((1 << ADD_LEFT_SHIFT) * float(scale(output))), where
    )
    lo, hi = activation_range(op.activation, output, where)
    own = quantization(output)
    return AddParams(of_a, of_b, OutputScale(multiplier, shift, own.zero_point, lo, hi))


def squared_difference_params(graph: Graph, op: SquaredDifference) -> AddParams:
    """Parameters of a SQUARED_DIFFERENCE. Raises ModelError as `add_params`."""
    where = place(graph, op)
    of_a, of_b, twice_max = _operands(graph, op, where)
    own = quantization(graph.tensors[op.output])
    steps = 1 << (2 * SQUARED_DIFFERENCE_LEFT_SHIFT)
    multiplier, shift = quantisation.multiplier(
        twice_max * twice_max / (steps * float(own.scale[0])), where
    )
    output = OutputScale(multiplier, shift, own.zero_point, INT8_MIN, INT8_MAX)
    return AddParams(of_a, of_b, output)


def _operands(
    graph: Graph, op: Add | Sub | SquaredDifference, where: str
) -> tuple[OperandScale, OperandScale, float]:
    """Both operands brought to one scale, and what that is: twice the larger of theirs."""
    a, b = (quantization(graph.tensors[i]) for i in (op.a, op.b))
    twice_max = 2.0 * max(float(a.scale[0]), float(b.scale[0]))
    of_a, of_b = (
        OperandScale(
            each.zero_point, *multiplier_below_one(float(each.scale[0]) / twice_max, where)
        )
        for each in (a, b)
    )
    return of_a, of_b, twice_max


def mul_params(graph: Graph, op: Mul) -> MulParams:
    """Parameters of a MUL.

    Raises
    ------
    ModelError
        If the scales cannot be expressed.
    """
    where = place(graph, op)
    a, b, output = (graph.tensors[i] for i in (op.a, op.b, op.output))
    multiplier, shift = quantisation.multiplier(
        float(scale(a)) * float(scale(b)) / float(scale(output)), where, graph.rounds_once
    )
    lo, hi = activation_range(op.activation, output, where)
    return MulParams(
        quantization(a).zero_point,
        quantization(b).zero_point,
        multiplier,
        shift,
        quantization(output).zero_point,
        lo,
        hi,
    )


def prelu_params(graph: Graph, op: Prelu) -> PreluParams:
    """Parameters of a PRELU. Raises ModelError as `mul_params`."""
    where = place(graph, op)
    a, b, output = (quantization(graph.tensors[i]) for i in (op.a, op.b, op.output))
    multiplier, shift = quantisation.ratio(a, output, where, graph.rounds_once)
    slope_multiplier, slope_shift = quantisation.multiplier(
        float(a.scale[0]) * float(b.scale[0]) / float(output.scale[0]), where, graph.rounds_once
    )
    return PreluParams(
        a.zero_point,
        b.zero_point,
        multiplier,
        shift,
        slope_multiplier,
        slope_shift,
        output.zero_point,
    )


RULES = dict.fromkeys((Add, Sub, Mul, SquaredDifference, Prelu, Maximum, Minimum), verify)
PARAMETERS = {
    Add: add_params,
    Sub: add_params,
    Mul: mul_params,
    SquaredDifference: squared_difference_params,
    Prelu: prelu_params,
    Maximum: no_parameters,
    Minimum: no_parameters,
}

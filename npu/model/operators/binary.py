"""Two activations become one, element by element."""

from dataclasses import dataclass
from typing import NamedTuple

from npu.model import quantisation
from npu.model.activation import Activation
from npu.model.graph import Graph, quantization
from npu.model.numerics import ADD_LEFT_SHIFT, OperandScale, OutputScale
from npu.model.quantisation import (
    activation_range,
    multiplier_below_one,
    no_parameters,
    place,
    scale,
)
from npu.model.references import Operand, Operator, Result
from npu.model.rules import activation, same_shapes


@dataclass(frozen=True)
class Add(Operator):
    """`output = activation(a + b)`, element by element, shapes equal."""

    a: Operand
    b: Operand
    output: Result
    activation: Activation = Activation.NONE


@dataclass(frozen=True)
class Mul(Operator):
    """`output = activation(a * b)`, element by element, shapes equal."""

    a: Operand
    b: Operand
    output: Result
    activation: Activation = Activation.NONE


@dataclass(frozen=True)
class Maximum(Operator):
    """The larger of two integers, element by element, shapes equal.

    Integers are compared as they are: converters give both inputs and the output one quantisation.
    """

    a: Operand
    b: Operand
    output: Result


class AddParams(NamedTuple):
    """Arguments of `numerics.add_affine`, in its order after the operands."""

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


def verify(graph: Graph, op: Add | Mul | Maximum) -> None:
    """int8 activations of one shape."""
    same_shapes(
        activation(graph, op.a, "first input"),
        activation(graph, op.b, "second input"),
        activation(graph, op.output, "output"),
    )


def add_params(graph: Graph, op: Add) -> AddParams:
    """Parameters of an ADD.

    Raises
    ------
    ModelError
        If the scales cannot be expressed.
    """
    where = place(graph, op)
    a, b, output = (graph.tensors[i] for i in (op.a, op.b, op.output))
    scale_a, scale_b = float(scale(a)), float(scale(b))
    twice_max = 2.0 * max(scale_a, scale_b)
    of_a = multiplier_below_one(scale_a / twice_max, where)
    of_b = multiplier_below_one(scale_b / twice_max, where)
    multiplier, shift = multiplier_below_one(
        twice_max / ((1 << ADD_LEFT_SHIFT) * float(scale(output))), where
    )
    lo, hi = activation_range(op.activation, output, where)
    return AddParams(
        OperandScale(quantization(a).zero_point, *of_a),
        OperandScale(quantization(b).zero_point, *of_b),
        OutputScale(multiplier, shift, quantization(output).zero_point, lo, hi),
    )


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
        float(scale(a)) * float(scale(b)) / float(scale(output)), where
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


RULES = {Add: verify, Mul: verify, Maximum: verify}
PARAMETERS = {Add: add_params, Mul: mul_params, Maximum: no_parameters}

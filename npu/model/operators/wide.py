"""Elements of int16: sums, products and functions of them, as between the parts of a cell.

All zero points are 0. TFLM's sum of int16 has the bits of a saturating addition where both operands
and the output have one scale, which the chip has: others are brought there by QUANTIZE first. TANH
and LOGISTIC are those within TFLM's LSTM, from one table.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from npu.errors import ModelError
from npu.model import numerics, quantisation
from npu.model.activation import Activation
from npu.model.broadcast import require_broadcast
from npu.model.graph import Graph, Tensor, quantization
from npu.model.operators.binary import MulParams
from npu.model.quantisation import activation_range, no_parameters, place, scale
from npu.model.references import Operand, Operator, Result
from npu.model.rules import activation, require, same_shapes

UNIT = np.float32(2.0**-15)
"""The one scale that TANH and LOGISTIC of int16 give."""


@dataclass(frozen=True)
class WideAdd(Operator):
    """`output = a + b`, limited to int16; all three have one scale."""

    a: Operand
    b: Operand
    output: Result


@dataclass(frozen=True)
class WideSub(Operator):
    """`output = a - b`, limited to int16; all three have one scale."""

    a: Operand
    b: Operand
    output: Result


@dataclass(frozen=True)
class WideMul(Operator):
    """`output = activation(a * b)`, requantised to the output's scale."""

    a: Operand
    b: Operand
    output: Result
    activation: Activation = Activation.NONE


@dataclass(frozen=True)
class WideTanh(Operator):
    """Hyperbolic tangent; the output has scale 2^-15."""

    input: Operand
    output: Result


@dataclass(frozen=True)
class WideLogistic(Operator):
    """1 / (1 + exp(-x)); the output has scale 2^-15."""

    input: Operand
    output: Result


WideBinary = WideAdd | WideSub | WideMul
"""Those of two operands."""


def _operand(graph: Graph, index: int, what: str) -> Tensor:
    """An int16 activation whose zero point is 0."""
    tensor = activation(graph, index, what, "int16")
    zero = quantization(tensor).zero_point
    require(zero == 0, f"the zero point of its {what} must be 0, not {zero}")
    return tensor


def verify_pair(graph: Graph, op: WideBinary) -> tuple[Tensor, Tensor, Tensor]:
    """int16 activations or constants whose common shape is the output's."""
    output = _operand(graph, op.output, "output")
    a, b = _operand(graph, op.a, "first input"), _operand(graph, op.b, "second input")
    require_broadcast(output.shape, a.shape, b.shape)
    return a, b, output


def verify_sum(graph: Graph, op: WideAdd | WideSub) -> None:
    """As `verify_pair`, of one scale."""
    found = [scale(tensor) for tensor in verify_pair(graph, op)]
    require(
        len(set(found)) == 1,
        "the scales of its int16 inputs and output must be equal, not "
        f"{', '.join(map(str, found))}; bring them to one with QUANTIZE",
    )


def verify_product(graph: Graph, op: WideMul) -> None:
    """As `verify_pair`."""
    verify_pair(graph, op)


def verify_function(graph: Graph, op: WideTanh | WideLogistic) -> None:
    """An int16 activation, and one of its shape with scale 2^-15."""
    source, output = _operand(graph, op.input, "input"), _operand(graph, op.output, "output")
    same_shapes(source, output)
    require(scale(output) == UNIT, f"its output must have scale 1/32768, not {scale(output)}")


def mul_params(graph: Graph, op: WideMul) -> MulParams:
    """Parameters of a product, rounded twice whatever a graph's `rounds_once`: its factors have
    more bits than a multiplier without a shift holds.

    Raises
    ------
    ModelError
        If the scales cannot be expressed.
    """
    where = place(graph, op)
    a, b, output = (graph.tensors[i] for i in (op.a, op.b, op.output))
    real = float(scale(a)) * float(scale(b)) / float(scale(output))
    multiplier, shift = quantisation.multiplier(real, where)
    lo, hi = activation_range(op.activation, output, where)
    return MulParams(0, 0, multiplier, shift, 0, lo, hi)


def table_params(
    graph: Graph, op: WideTanh | WideLogistic, exact: tuple[int, ...]
) -> tuple[int, int]:
    """What brings the input to the table: (multiplier, shift) of `numerics.scale_table_input`.

    Raises
    ------
    ModelError
        If its scale is beyond what `numerics.table_scaling_of` takes.
    """
    try:
        return numerics.table_scaling_of(float(scale(graph.tensors[op.input])), exact)
    except ValueError as error:
        raise ModelError(f"{place(graph, op)}: its input: {error}") from None


RULES: dict[type[Operator], Any] = {
    WideAdd: verify_sum,
    WideSub: verify_sum,
    WideMul: verify_product,
    WideTanh: verify_function,
    WideLogistic: verify_function,
}
PARAMETERS: dict[type[Operator], Any] = {
    WideAdd: no_parameters,
    WideSub: no_parameters,
    WideMul: mul_params,
    WideTanh: partial(table_params, exact=(-12, -11)),
    WideLogistic: partial(table_params, exact=(-12,)),
}

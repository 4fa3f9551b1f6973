"""The same real values in another type: integers of other widths, and real numbers at borders."""

from dataclasses import dataclass
from typing import NamedTuple

from npu.model.graph import Graph, Tensor, quantization
from npu.model.operators.rescale import RescaleParams, requantisation
from npu.model.quantisation import place
from npu.model.references import Operand, Operator, Result
from npu.model.rules import activation, require, same_shapes

REQUANTIZED = {
    "int8": ("uint8", "int16", "int32"),
    "uint8": ("int8",),
    "int16": ("int8", "int16", "int32"),
    "int32": ("int8", "int16"),
}
"""What TFLM's QUANTIZE makes of integers of a type; int8 to int8 is a `rescale.Quantize`."""

FROM_REAL = ("int8", "int16")
"""What it makes of real numbers."""

TO_REAL = ("int8", "int16", "uint8")
"""What its DEQUANTIZE takes."""


@dataclass(frozen=True)
class Requantize(Operator):
    """Integers of one type become integers of another, or int16 those of another scale."""

    input: Operand
    output: Result


@dataclass(frozen=True)
class FromReal(Operator):
    """float32 to integers: divided by the scale in float32, rounded half away from zero."""

    input: Operand
    output: Result


@dataclass(frozen=True)
class ToReal(Operator):
    """Integers to float32: multiplied by the scale in double, then rounded to float32."""

    input: Operand
    output: Result


class RealParams(NamedTuple):
    """`real = scale * (q - zero_point)`; `scale` is a float32."""

    scale: float
    zero_point: int


def verify_requantize(graph: Graph, op: Requantize) -> None:
    """A pair of types that TFLM knows, both quantised."""
    source, output = _pair(graph, op.input, op.output)
    require(
        output.dtype in REQUANTIZED.get(source.dtype, ()),
        f"it must not go from {source.dtype} to {output.dtype}",
    )
    activation(graph, op.input, "input", source.dtype)
    activation(graph, op.output, "output", output.dtype)


def verify_from_real(graph: Graph, op: FromReal) -> None:
    """float32, and quantised integers of the same shape."""
    source, output = _pair(graph, op.input, op.output)
    require(
        source.dtype == "float32" and output.dtype in FROM_REAL,
        f"it must not go from {source.dtype} to {output.dtype}",
    )
    activation(graph, op.output, "output", output.dtype)


def verify_to_real(graph: Graph, op: ToReal) -> None:
    """Quantised integers, and float32 of the same shape."""
    source, output = _pair(graph, op.input, op.output)
    require(
        source.dtype in TO_REAL and output.dtype == "float32",
        f"it must not go from {source.dtype} to {output.dtype}",
    )
    activation(graph, op.input, "input", source.dtype)


def _pair(graph: Graph, source: int, output: int) -> tuple[Tensor, Tensor]:
    pair = graph.tensors[source], graph.tensors[output]
    same_shapes(*pair)
    return pair


def requantize_params(graph: Graph, op: Requantize) -> RescaleParams:
    """As `rescale.requantisation`."""
    source, output = graph.tensors[op.input], graph.tensors[op.output]
    return requantisation(
        quantization(source),
        quantization(output),
        place(graph, op),
        output.dtype,
        graph.rounds_once,
    )


def from_real_params(graph: Graph, op: FromReal) -> RealParams:
    """The output's scale."""
    return _real(graph.tensors[op.output])


def to_real_params(graph: Graph, op: ToReal) -> RealParams:
    """The input's scale."""
    return _real(graph.tensors[op.input])


def _real(tensor: Tensor) -> RealParams:
    own = quantization(tensor)
    return RealParams(float(own.scale[0]), own.zero_point)


RULES = {Requantize: verify_requantize, FromReal: verify_from_real, ToReal: verify_to_real}
PARAMETERS = {Requantize: requantize_params, FromReal: from_real_params, ToReal: to_real_params}

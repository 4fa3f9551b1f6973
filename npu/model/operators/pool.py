"""Windows of images, each channel by itself, become one value."""

from dataclasses import dataclass
from typing import NamedTuple

from npu.model.activation import Activation
from npu.model.graph import Graph, quantization
from npu.model.quantisation import activation_range, place
from npu.model.references import Operand, Operator, Result
from npu.model.rules import activation, require
from npu.model.window import Window, legal

_SCALE_TOLERANCE = 1e-6


@dataclass(frozen=True)
class AveragePool2D(Operator):
    """The mean of what of a window lies inside of the image: to nearest, ties away from zero.

    All geometry is (down, across), padding (top, left, bottom, right).
    """

    input: Operand
    output: Result
    size: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    activation: Activation = Activation.NONE


@dataclass(frozen=True)
class MaxPool2D(Operator):
    """The largest of what of a window lies inside of the image; geometry as in `AveragePool2D`."""

    input: Operand
    output: Result
    size: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    activation: Activation = Activation.NONE


class PoolParams(NamedTuple):
    """The clamp of the result, as int8."""

    lo: int
    hi: int


def window(op: AveragePool2D | MaxPool2D) -> Window:
    """The windows of an operator."""
    return Window(op.size, op.stride, (1, 1), op.padding)


def verify(graph: Graph, op: AveragePool2D | MaxPool2D) -> None:
    """Images of one quantisation, the output as large as the windows make it."""
    source = activation(graph, op.input, "input")
    output = activation(graph, op.output, "output")
    legal(window(op))
    require(
        len(source.shape) == 4,
        f"its input must be [batch, height, width, channels], not {list(source.shape)}",
    )
    batch, height, width, channels = source.shape
    wanted = (batch, *window(op).positions((height, width)), channels)
    require(output.shape == wanted, f"its output must be {list(wanted)}, not {list(output.shape)}")
    one, other = quantization(source), quantization(output)
    require(
        abs(float(one.scale[0] - other.scale[0])) <= _SCALE_TOLERANCE
        and one.zero_point == other.zero_point,
        f"its input and its output must be quantised alike, not with {one.scale[0]} and "
        f"{other.scale[0]}, {one.zero_point} and {other.zero_point}",
    )


def pool_params(graph: Graph, op: AveragePool2D | MaxPool2D) -> PoolParams:
    """The clamp. Raises ModelError if its bounds cannot be expressed."""
    output = graph.tensors[op.output]
    return PoolParams(*activation_range(op.activation, output, place(graph, op)))


RULES = {AveragePool2D: verify, MaxPool2D: verify}
PARAMETERS = {AveragePool2D: pool_params, MaxPool2D: pool_params}

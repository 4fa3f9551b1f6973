"""Products of constant filters with windows of images."""

from dataclasses import dataclass

from npu.model.activation import Activation
from npu.model.graph import Graph, Tensor, quantization
from npu.model.operators.product import MatVecParams, matvec_params
from npu.model.quantisation import activation_range, place
from npu.model.references import Constant, Operand, Operator, Result
from npu.model.rules import activation, bias, require
from npu.model.window import Window, legal

FILTERS = 0
"""The dimension of a filter that counts what it makes of an image: output, height, width, input."""

DEPTHWISE_FILTERS = 3
"""The same of a depthwise one: 1, height, width, output."""


@dataclass(frozen=True)
class Conv2D(Operator):
    """Every window of (batch, height, width, channels) times filters of [O, height, width, I].

    The channels may be several groups of I: the filters are then dealt to the groups in order. All
    geometry is (down, across), padding (top, left, bottom, right); outside of the image is zero.
    """

    input: Operand
    weights: Constant
    bias: Constant | None
    output: Result
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    activation: Activation = Activation.NONE


@dataclass(frozen=True)
class DepthwiseConv2D(Operator):
    """As `Conv2D`, with filters of [1, height, width, O] of one channel each.

    Each channel has O / channels filters, one after the other.
    """

    input: Operand
    weights: Constant
    bias: Constant | None
    output: Result
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    activation: Activation = Activation.NONE


@dataclass(frozen=True)
class TransposeConv(Operator):
    """What of `Conv2D` leads from its output back to its input, with filters of [O, height, width,
    I]: an element at (y, x) is added, times the filters, to the window that begins at
    (y, x) * stride - (top, left). What lies outside of the output is dropped."""

    input: Operand
    weights: Constant
    bias: Constant | None
    output: Result
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    activation: Activation = Activation.NONE


def window(graph: Graph, op: Conv2D | DepthwiseConv2D | TransposeConv) -> Window:
    """The windows of an operator whose filters have four dimensions."""
    _, height, width, _ = graph.tensors[op.weights].shape
    dilation = (1, 1) if isinstance(op, TransposeConv) else op.dilation
    return Window((height, width), op.stride, dilation, op.padding)


def _images(graph: Graph, op: Conv2D | DepthwiseConv2D | TransposeConv) -> tuple[Tensor, Tensor]:
    """Input and output: as many images."""
    source = activation(graph, op.input, "input")
    output = activation(graph, op.output, "output")
    for what, tensor in (("input", source), ("output", output)):
        require(
            len(tensor.shape) == 4,
            f"its {what} must be [batch, height, width, channels], not {list(tensor.shape)}",
        )
    require(source.shape[3] > 0, "its input must have channels")
    require(
        source.shape[0] == output.shape[0],
        f"its output must have the batch of its input, {source.shape[0]}, not {output.shape[0]}",
    )
    return source, output


def _filters(graph: Graph, index: int, axis: int) -> Tensor:
    """Constant int8 filters with one scale, or one for each of what they make.

    TFLM takes no zero point from them, whatever the model says.
    """
    tensor = graph.tensors[index]
    require(
        tensor.is_constant
        and tensor.dtype == "int8"
        and len(tensor.shape) == 4
        and tensor.size > 0,
        f"its weights must be constant int8 of four dimensions, not {tensor.dtype} "
        f"{list(tensor.shape)}",
    )
    require(tensor.quantization is not None, "its weights must be quantised")
    scales = quantization(tensor)
    require(
        scales.per_tensor or scales.axis == axis,
        f"the scales of its weights must belong to axis {axis}, not to axis {scales.axis}",
    )
    return tensor


def _fits(windows: Window, image: Tensor, positions: Tensor, what: str) -> None:
    """As many positions as the windows have on the image."""
    legal(windows)
    _, height, width, _ = image.shape
    found, wanted = positions.shape[1:3], windows.positions((height, width))
    require(
        found == wanted,
        f"its {what} must have {list(wanted)} rows and columns, not {list(found)}",
    )


def _channels(output: Tensor, filters: int) -> None:
    require(
        output.shape[3] == filters,
        f"its output must have {filters} channels, one a filter, not {output.shape[3]}",
    )


def verify(graph: Graph, op: Conv2D) -> None:
    """Filters of a share of the channels each, and an output as large as the windows make it."""
    source, output = _images(graph, op)
    filters, _, _, depth = _filters(graph, op.weights, FILTERS).shape
    bias(graph, op.bias, filters)
    _channels(output, filters)
    channels = source.shape[3]
    require(
        channels % depth == 0 and filters % (channels // depth) == 0,
        f"its {channels} channels in groups of {depth} do not share {filters} filters",
    )
    _fits(window(graph, op), source, output, "output")


def verify_depthwise(graph: Graph, op: DepthwiseConv2D) -> None:
    """As many filters for each channel, and an output as large as the windows make it."""
    source, output = _images(graph, op)
    one, _, _, filters = _filters(graph, op.weights, DEPTHWISE_FILTERS).shape
    require(one == 1, f"the first dimension of its weights must be 1, not {one}")
    bias(graph, op.bias, filters)
    _channels(output, filters)
    channels = source.shape[3]
    require(
        filters % channels == 0, f"its {channels} channels do not have the same part of {filters}"
    )
    _fits(window(graph, op), source, output, "output")


def verify_transpose(graph: Graph, op: TransposeConv) -> None:
    """Filters of all channels, and an input as large as windows on the output make it."""
    source, output = _images(graph, op)
    filters, _, _, depth = _filters(graph, op.weights, FILTERS).shape
    bias(graph, op.bias, filters)
    _channels(output, filters)
    require(
        source.shape[3] == depth,
        f"its input must have {depth} channels, as its filters have, not {source.shape[3]}",
    )
    _fits(window(graph, op), output, source, "input")


def _parameters(graph: Graph, op: Conv2D | DepthwiseConv2D | TransposeConv) -> MatVecParams:
    """One multiplier a filter. Raises ModelError if the scales cannot be expressed."""
    where = place(graph, op)
    source, filters, output = (graph.tensors[i] for i in (op.input, op.weights, op.output))
    return matvec_params(
        quantization(source),
        filters,
        quantization(output),
        activation_range(op.activation, output, where),
        where,
        DEPTHWISE_FILTERS if isinstance(op, DepthwiseConv2D) else FILTERS,
        graph.rounds_once,
    )


RULES = {Conv2D: verify, DepthwiseConv2D: verify_depthwise, TransposeConv: verify_transpose}
PARAMETERS = {Conv2D: _parameters, DepthwiseConv2D: _parameters, TransposeConv: _parameters}

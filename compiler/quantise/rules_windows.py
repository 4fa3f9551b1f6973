"""Convolutions and pools: ONNX's images are NCHW, TFLite's NHWC.

A signal (N, C, W) is an image of one row. Padding in numbers becomes SAME or VALID where it is one
of them, else a PAD before the window.
"""

from collections.abc import Sequence
from math import prod

import numpy as np

from compiler.floats.graph import Array, Node
from compiler.floats.rewrite.pools import same_padding
from compiler.quantise.ranges import LOWEST, Grid
from compiler.quantise.rules import Rule, activation_behind
from compiler.quantise.rules_products import weights_and_bias
from compiler.quantise.writer import Options, Value, Writer

_SAME, _VALID = 0, 1
Pair = tuple[int, int]


class _Window:
    """Kernel, stride, dilation and padding of a node, in two dimensions."""

    def __init__(self, w: Writer, node: Node, kernel: Sequence[int]) -> None:
        rank = len(kernel)
        if rank not in (1, 2):
            raise w.graph.refuse(node, f"its window has {rank} dimensions; 1 or 2 run")
        self.rank = rank
        self.kernel = self._two(kernel, 1)
        self.stride = self._two(node.get("strides") or [1] * rank, 1)
        self.dilation = self._two(node.get("dilations") or [1] * rank, 1)
        shape = w.graph.shapes[node.inputs[0]]
        self.image = self._two(shape[2:], 1)
        self.begin, self.end = self._padding(w, node)

    def _two(self, values: Sequence[int], first: int) -> Pair:
        found = [int(v) for v in values]
        return (found[0], found[1]) if len(found) == 2 else (first, found[0])

    def _padding(self, w: Writer, node: Node) -> tuple[Pair, Pair]:
        auto = node.get("auto_pad", "NOTSET")
        if auto in ("SAME_UPPER", "SAME_LOWER"):
            pairs = [self._same(axis, auto == "SAME_LOWER") for axis in (0, 1)]
            return (pairs[0][0], pairs[1][0]), (pairs[0][1], pairs[1][1])
        pads = node.get("pads") or [0] * (2 * self.rank)
        if auto == "VALID":
            pads = [0] * (2 * self.rank)
        if min(pads) < 0:
            raise w.graph.refuse(node, f"its pads are {list(pads)}; they must be 0 or more")
        return self._two(pads[: self.rank], 0), self._two(pads[self.rank :], 0)

    def _same(self, axis: int, lower: bool = False) -> Pair:
        return same_padding(
            self.image[axis], self.kernel[axis], self.stride[axis], self.dilation[axis], lower
        )

    def reach(self, windows: Pair) -> None:
        """Pad behind, as far as so many windows go."""
        beyond = [
            (count - 1) * stride + (kernel - 1) * step + 1 - (begin + size + end)
            for count, stride, kernel, step, begin, size, end in zip(
                windows,
                self.stride,
                self.kernel,
                self.dilation,
                self.begin,
                self.image,
                self.end,
                strict=True,
            )
        ]
        self.end = (self.end[0] + max(0, beyond[0]), self.end[1] + max(0, beyond[1]))

    def word(self) -> int | None:
        """SAME or VALID where the padding is that, else None."""
        if not any((*self.begin, *self.end)):
            return _VALID
        same = [self._same(axis) for axis in (0, 1)]
        if list(zip(self.begin, self.end, strict=True)) == same:
            return _SAME
        return None

    def options(self, word: int) -> dict[str, int]:
        return {"Padding": word, "StrideH": self.stride[0], "StrideW": self.stride[1]}


def _image(w: Writer, name: str) -> Value:
    """A value (N, C, W) or (N, C, H, W) as an image in NHWC."""
    found = w.value(name)
    if len(found.shape) == 3:
        batch, channels, width = found.shape
        turned = _plain(w, w.turned(found, (0, 2, 1)), name)
        return w.reshaped(turned, (batch, 1, width, channels), f"{name}/image")
    return _plain(w, w.turned(found, (0, 2, 3, 1)), name)


def _plain(w: Writer, found: Value, name: str) -> Value:
    key = f"{name}/nhwc"
    if key not in w.values:
        w.values[key] = found
    return w.plain(key)


def _put(w: Writer, output: str, tensor: int, shape: Sequence[int], grid: Grid) -> None:
    """An image (N, H, W, C) as the value that ONNX has."""
    made = Value(tensor, tuple(shape), grid)
    if len(w.graph.shapes[output]) == 3:
        batch, _, width, channels = shape
        row = w.reshaped(made, (batch, width, channels), f"{output}/row")
        w.values[output] = w.turned(row, (0, 2, 1))
    else:
        w.values[output] = w.turned(made, (0, 3, 1, 2))


def _nhwc(w: Writer, output: str) -> tuple[int, ...]:
    shape = w.graph.shapes[output]
    batch, channels, *sizes = shape
    return (batch, *((1,) * (2 - len(sizes))), *sizes, channels)


def _padded(w: Writer, source: Value, window: _Window, name: str, lowest: bool = False) -> Value:
    """PAD with zeros around an image, or with the least integer, which no maximum takes."""
    borders = [(0, 0), *zip(window.begin, window.end, strict=True), (0, 0)]
    shape = tuple(n + sum(pair) for n, pair in zip(source.shape, borders, strict=True))
    tensor = w.activation(f"{name}/padded", shape, source.steps)
    operands = [source.tensor, w.integers(np.array(borders), f"{name}/borders")]
    if lowest:
        grid = source.steps
        least = w.constant(f"{name}/least", grid.real(np.array([LOWEST])), grid)
        w.m.operator("PADV2", [*operands, least.tensor], [tensor], ("PadV2Options", {}), version=2)
        return Value(tensor, shape, grid)
    w.m.operator("PAD", operands, [tensor], ("PadOptions", {}), version=2)
    return Value(tensor, shape, source.grid)


def _conv(w: Writer, node: Node) -> None:
    weights = w.graph.constant(node.inputs[1])
    bias = w.graph.constant(node.input(2)) if node.input(2) else None
    if weights is None or (node.input(2) and bias is None):
        raise w.graph.refuse(node, "its weights and bias must be constant")
    window = _Window(w, node, weights.shape[2:])
    if weights.ndim == 3:
        weights = weights[:, :, None]
    group, channels = int(node.get("group", 1)), w.graph.shapes[node.inputs[0]][1]
    output, activation = activation_behind(w, node.output)
    source, word = _image(w, node.inputs[0]), window.word()
    if word is None:
        source, word = _padded(w, source, window, node.name), _VALID
    grid = w.grid(output)
    rows = np.transpose(weights, (0, 2, 3, 1))
    options = window.options(word) | {
        "FusedActivationFunction": activation,
        "DilationHFactor": window.dilation[0],
        "DilationWFactor": window.dilation[1],
    }
    bias = np.zeros(len(weights), np.float32) if bias is None else bias
    shape = _nhwc(w, output)
    if group == channels and group > 1:
        options["DepthMultiplier"] = len(weights) // group
        operands = weights_and_bias(w, node, rows, bias, source.steps, depthwise=True)
        kind, made = "DEPTHWISE_CONV_2D", ("DepthwiseConv2DOptions", options)
    else:
        operands = weights_and_bias(w, node, _ungrouped(rows, group), bias, source.steps)
        kind, made = "CONV_2D", ("Conv2DOptions", options)
    tensor = w.activation(output, shape, grid)
    w.m.operator(kind, [source.tensor, *operands], [tensor], made, version=5)
    _put(w, output, tensor, shape, grid)


def _ungrouped(rows: Array, group: int) -> Array:
    """Filters (rows, height, width, channels of a group) over all channels, zero elsewhere.

    The chip spends nothing on a zero, and TFLM's grouped form is not among its int8 kernels
    everywhere.
    """
    if group == 1:
        return rows
    count, height, width, channels = rows.shape
    whole = np.zeros((count, height, width, channels * group), rows.dtype)
    per = count // group
    for number in range(group):
        of = slice(number * per, (number + 1) * per)
        whole[of, :, :, number * channels : (number + 1) * channels] = rows[of]
    return whole


def _conv_transpose(w: Writer, node: Node) -> None:
    weights = w.graph.constant(node.inputs[1])
    bias = w.graph.constant(node.input(2)) if node.input(2) else None
    if weights is None or (node.input(2) and bias is None):
        raise w.graph.refuse(node, "its weights and bias must be constant")
    if int(node.get("group", 1)) != 1 or any(d != 1 for d in node.get("dilations") or []):
        raise w.graph.refuse(node, "groups and dilations of a transposed convolution do not run")
    window = _Window(w, node, weights.shape[2:])
    if any(node.get("output_padding") or []) or node.get("output_shape"):
        raise w.graph.refuse(node, "output_padding and output_shape do not run; use pads")
    if weights.ndim == 3:
        weights = weights[:, :, None]
    source = _image(w, node.inputs[0])
    begin = _cropped(window, node)
    rows = np.transpose(weights, (1, 2, 3, 0))
    height, width = (
        (n - 1) * s + k
        for n, s, k in zip(source.shape[1:3], window.stride, window.kernel, strict=True)
    )
    whole = (source.shape[0], height, width, len(rows))
    grid = w.grid(node.output)
    of = weights_and_bias(
        w, node, rows, np.zeros(len(rows)) if bias is None else bias, source.steps
    )
    target = w.integers(whole, f"{node.name}/shape")
    tensor = w.activation(f"{node.output}/whole", whole, grid)
    options: Options = ("TransposeConvOptions", window.options(_VALID))
    operands = [target, of[0], source.tensor, of[1]]
    w.m.operator("TRANSPOSE_CONV", operands, [tensor], options, version=3)
    shape = _nhwc(w, node.output)
    if shape != whole:
        starts = [0, *begin, 0]
        ends = [a + n for a, n in zip(starts, shape, strict=True)]
        box = (starts, ends, [1] * 4)
        tensor = _slice(w, Value(tensor, whole, grid), box, node.output).tensor
    _put(w, node.output, tensor, shape, grid)


def _cropped(window: _Window, node: Node) -> Pair:
    """Where the output of a transposed convolution begins; SAME gives `stride` for each element."""
    auto = node.get("auto_pad", "NOTSET")
    if auto not in ("SAME_UPPER", "SAME_LOWER"):
        return window.begin
    over = [max(0, k - s) for k, s in zip(window.kernel, window.stride, strict=True)]
    first, second = (n // 2 if auto == "SAME_UPPER" else n - n // 2 for n in over)
    return first, second


def _pool(kind: str) -> Rule:
    def rule(w: Writer, node: Node) -> None:
        window, shape = _Window(w, node, node.get("kernel_shape")), _nhwc(w, node.output)
        if prod(shape) == 0:
            raise w.graph.refuse(node, "its output is empty")
        window.reach((shape[1], shape[2]))
        word, counted = window.word(), bool(node.get("count_include_pad", 0))
        apart = any(step != 1 for step in window.dilation)
        bordered = word is None or (word == _SAME and (counted or apart))
        kept = _SAME if word == _SAME and not bordered else _VALID
        if kind == "AVERAGE_POOL_2D" and (apart or (bordered and node.get("ceil_mode", 0))):
            raise w.graph.refuse(
                node,
                "windows that stand out of what is counted, and dilations, do not run; pad before "
                "the pool, or take a convolution",
            )
        source = _image(w, node.inputs[0])
        if bordered:
            source = _padded(w, source, window, node.name, lowest=kind == "MAX_POOL_2D")
        if apart:
            tensor = _largest(w, node, source, window, shape)
        else:
            sizes = {"FilterHeight": window.kernel[0], "FilterWidth": window.kernel[1]}
            options: Options = ("Pool2DOptions", window.options(kept) | sizes)
            tensor = w.activation(node.output, shape, source.steps)
            w.m.operator(kind, [source.tensor], [tensor], options, version=2)
        _put(w, node.output, tensor, shape, source.steps)

    return rule


def _largest(w: Writer, node: Node, source: Value, window: _Window, shape: tuple[int, ...]) -> int:
    """The maximum of elements that lie apart, along one axis and then along the other.

    Each is a slice that begins a dilation later; TFLM's pool has none.
    """
    here = source
    for axis in (1, 2):
        count, kernel = shape[axis], window.kernel[axis - 1]
        stride, apart = window.stride[axis - 1], window.dilation[axis - 1]
        taps = []
        for tap in range(kernel):
            starts, ends, steps = [0] * 4, list(here.shape), [1] * 4
            starts[axis], steps[axis] = tap * apart, stride
            ends[axis] = starts[axis] + (count - 1) * stride + 1
            taps.append(_slice(w, here, (starts, ends, steps), f"{node.output}/{axis}.{tap}"))
        here = taps[0]
        for number, other in enumerate(taps[1:]):
            name = f"{node.output}/{axis}.most{number}"
            tensor = w.activation(name, here.shape, source.steps)
            w.m.operator("MAXIMUM", [here.tensor, other.tensor], [tensor])
            here = Value(tensor, here.shape, source.grid)
    return here.tensor


def _slice(
    w: Writer, source: Value, box: tuple[list[int], list[int], list[int]], name: str
) -> Value:
    shape = tuple(len(range(*each)) for each in zip(*box, strict=True))
    if shape == source.shape:
        return source
    named = [w.integers(values, f"{name}/box") for values in box]
    tensor = w.activation(name, shape, source.steps)
    options: Options = ("StridedSliceOptions", {})
    w.m.operator("STRIDED_SLICE", [source.tensor, *named], [tensor], options)
    return Value(tensor, shape, source.grid)


def _resize(w: Writer, node: Node) -> None:
    """The nearest element, as TFLM counts it in its three ways."""
    how = node.get("coordinate_transformation_mode")
    source, shape = _image(w, node.inputs[0]), _nhwc(w, node.output)
    tensor = w.activation(node.output, shape, source.steps)
    size = w.integers(shape[1:3], f"{node.name}/size")
    told = {"AlignCorners": how == "align_corners", "HalfPixelCenters": how == "half_pixel"}
    options: Options = ("ResizeNearestNeighborOptions", told)
    w.m.operator("RESIZE_NEAREST_NEIGHBOR", [source.tensor, size], [tensor], options, version=3)
    _put(w, node.output, tensor, shape, source.steps)


def _blocks(kind: str, options: str) -> Rule:
    """Channels to places and back; a place's channels in the order of ONNX's mode DCR."""

    def rule(w: Writer, node: Node) -> None:
        if node.get("mode", "DCR") != "DCR":
            raise w.graph.refuse(node, f"its mode is {node.get('mode')!r}; TFLM has 'DCR'")
        source, shape = _image(w, node.inputs[0]), _nhwc(w, node.output)
        tensor = w.activation(node.output, shape, source.steps)
        told: Options = (options, {"BlockSize": node.get("blocksize")})
        w.m.operator(kind, [source.tensor], [tensor], told)
        _put(w, node.output, tensor, shape, source.steps)

    return rule


RULES: dict[str, Rule] = {
    "DepthToSpace": _blocks("DEPTH_TO_SPACE", "DepthToSpaceOptions"),
    "SpaceToDepth": _blocks("SPACE_TO_DEPTH", "SpaceToDepthOptions"),
    "Resize": _resize,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "MaxPool": _pool("MAX_POOL_2D"),
    "AveragePool": _pool("AVERAGE_POOL_2D"),
}

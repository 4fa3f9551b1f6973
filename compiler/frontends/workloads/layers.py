"""Layers of the published networks, each by its name in `workloads.json`.

A layer there is a list: its name, then its arguments. Where the arguments say how wide the input
is, it must be so wide: the file is read as it was published, and a slip shows.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from compiler.frontends.workloads.attention import conformer_block
from compiler.frontends.workloads.convolution import global_convolution, local_convolutions
from compiler.frontends.workloads.gated import gated_block
from compiler.frontends.workloads.graphs import GraphBuilder, Value
from compiler.frontends.workloads.recurrent import lstms, projected_lstm
from compiler.frontends.workloads.shapes import basic_norm, swish
from compiler.frontends.workloads.zipformer import (
    bias_norm,
    convnext,
    downsample,
    swoosh_l,
    swoosh_r,
    zipformer,
)
from npu.model.operators.convolution import Conv2D
from npu.model.operators.rescale import Relu

Layers = Sequence[Sequence[Any]]


def network(b: GraphBuilder, value: Value, layers: Layers) -> Value:
    """All layers, one after the other."""
    for name, *arguments in layers:
        value = LAYERS[name](b, value, *arguments)
    return value


def _require_width(value: Value, width: int, name: str) -> None:
    assert value.width == width, f"{name}: {value.width} wide, workloads.json says {width}"


def _linear(b: GraphBuilder, value: Value, columns: int, rows: int) -> Value:
    _require_width(value, columns, "linear")
    return b.linear(value, rows)


def _lstm(b: GraphBuilder, value: Value, columns: int, units: int) -> Value:
    _require_width(value, columns, "lstm")
    return b.lstm(value, units)


def _lstmp(b: GraphBuilder, value: Value, columns: int, units: int, projection: int) -> Value:
    _require_width(value, columns, "lstmp")
    return projected_lstm(b, value, units, projection)


def _stack(b: GraphBuilder, value: Value, steps: int) -> Value:
    return b.reshape(value, (1, value.steps // steps, steps * value.width))


def _relu(b: GraphBuilder, value: Value) -> Value:
    made = b.value(value.shape, b.scale(value), value.rms)
    b.append(Relu(b.named("relu"), value.index, made.index))
    return made


def _tanh(b: GraphBuilder, value: Value) -> Value:
    return b.tanh(value)


def _residual(b: GraphBuilder, value: Value, layers: Layers) -> Value:
    return b.add(value, network(b, value, layers), rms=1.2)


def _beside(b: GraphBuilder, value: Value, layers: Layers) -> Value:
    """What comes in, with what the layers make of it behind it."""
    made = network(b, value, layers)
    return b.joined([value, b.rescaled(made, b.scale(value))], len(value.shape) - 1)


def _repeat(b: GraphBuilder, value: Value, times: int, layers: Layers) -> Value:
    for _ in range(times):
        value = network(b, value, layers)
    return value


def _image(b: GraphBuilder, value: Value, rows: int, columns: int) -> Value:
    _require_width(value, rows * columns, "image")
    return b.reshape(value, (1, rows, columns, 1))


def _flat(b: GraphBuilder, value: Value) -> Value:
    return b.reshape(value, (1, value.steps, int(np.prod(value.shape[2:]))))


def _conv2d(
    b: GraphBuilder,
    value: Value,
    channels: int,
    filters: int,
    stride: int | Sequence[int],
    padding: int | Sequence[int],
) -> Value:
    """3 x 3 filters, each with so many rows and columns of zeros on every side.

    stride, padding : down and across, or one number for both.
    """
    _require_width(value, channels, "conv2d")
    size = 3
    weights = b.matrix((filters, size, size, channels), size * size * channels, value)
    bias = b.bias(filters, value, weights)
    _, rows, columns, _ = value.shape
    strides, borders = _both(stride), _both(padding)
    down, across = (
        (n + 2 * beside - size) // step + 1
        for n, beside, step in zip((rows, columns), borders, strides, strict=True)
    )
    made = b.value((1, down, across, filters))
    b.append(
        Conv2D(
            b.named("conv2d"),
            value.index,
            weights,
            bias,
            made.index,
            stride=strides,
            padding=(*borders, *borders),
        )
    )
    return made


def _both(sizes: int | Sequence[int]) -> tuple[int, int]:
    down, across = (sizes, sizes) if isinstance(sizes, int) else sizes
    return down, across


def _conv1d(b: GraphBuilder, value: Value, columns: int, rows: int, taps: int, group: int) -> Value:
    """Over the last `taps` steps, `group` inputs for as many outputs: a product of many zeros."""
    _require_width(value, columns, "conv1d")
    ring = b.reshape(b.ring(value, taps), (1, 1, taps * columns))
    data = np.zeros((rows, taps, columns), np.int8)
    own = b.weights.matrix((rows, taps, group))
    for row in range(rows):
        first = row // group * group
        data[row, :, first : first + group] = own[row]
    return b.product(ring, b.weighted(ring, rows, data=data.reshape(rows, -1)), name="conv1d")


def _local(b: GraphBuilder, value: Value, width: int, kernel: int, filters: Sequence[int]) -> Value:
    _require_width(value, width, "local")
    return local_convolutions(b, value, kernel, filters)


def _global(b: GraphBuilder, value: Value, width: int, *sizes: int) -> Value:
    _require_width(value, width, "global")
    return global_convolution(b, value, *sizes)


def _lstms(b: GraphBuilder, value: Value, width: int, *sizes: int) -> Value:
    _require_width(value, width, "lstms")
    return lstms(b, value, *sizes)


LAYERS: dict[str, Callable[..., Value]] = {
    "beside": _beside,
    "bias_norm": bias_norm,
    "conformer": conformer_block,
    "conv1d": _conv1d,
    "conv2d": _conv2d,
    "convnext": convnext,
    "downsample": downsample,
    "flat": _flat,
    "gated": gated_block,
    "global": _global,
    "image": _image,
    "linear": _linear,
    "local": _local,
    "lstm": _lstm,
    "lstmp": _lstmp,
    "lstms": _lstms,
    "norm": basic_norm,
    "relu": _relu,
    "repeat": _repeat,
    "residual": _residual,
    "stack": _stack,
    "swish": swish,
    "swoosh_l": swoosh_l,
    "swoosh_r": swoosh_r,
    "tanh": _tanh,
    "zipformer": zipformer,
}
"""What builds a layer, by name: of the graph, what comes in, and the layer's arguments."""

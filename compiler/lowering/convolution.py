"""Convolutions: products of filters with windows at many positions."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from compiler.lowering.ir import View
from compiler.lowering.site import GraphLowering
from compiler.lowering.windows import Filters, Image, channel_groups, products
from npu.model.operators.convolution import Conv2D, DepthwiseConv2D, TransposeConv
from npu.model.operators.product import MatVecParams


def lower(site: GraphLowering, op: Conv2D, params: MatVecParams) -> None:
    """A matrix for each group of channels."""
    weights, src, dst, image = _prepared(site, op)
    filters, _, _, depth = weights.shape
    groups = image.channels // depth
    each = filters // groups
    for group in range(groups):
        rows = np.arange(group * each, (group + 1) * each)
        products(
            site,
            src,
            dst,
            replace(image, first=group * depth, out_first=group * each),
            _filters(site, op, weights[rows], rows, params),
            f"group {group}" if groups > 1 else "",
        )


def lower_depthwise(site: GraphLowering, op: DepthwiseConv2D, params: MatVecParams) -> None:
    """A sparse matrix for as many channels at a time as the lanes' copies hold windows of."""
    weights, src, dst, image = _prepared(site, op)
    _, height, width, filters = weights.shape
    each = filters // image.channels
    parts = channel_groups(site.params, image.channels, height * width)
    for channels in parts:
        rows = np.arange(channels[0] * each, (channels[-1] + 1) * each)
        sparse = np.zeros((len(rows), height, width, len(channels)), np.int8)
        row = np.arange(len(rows))
        sparse[row, :, :, row // each] = weights[0, :, :, rows].reshape(len(rows), height, width)
        products(
            site,
            src,
            dst,
            replace(image, first=int(channels[0]), out_first=int(rows[0])),
            _filters(site, op, sparse, rows, params),
            f"channels {channels[0]}" if len(parts) > 1 else "",
        )


def lower_transpose(site: GraphLowering, op: TransposeConv, params: MatVecParams) -> None:
    """A product for each phase of the stride: filters of every stride-th row and column.

    Output y of phase r is s * t + r; kernel row k reaches it from input row (y + top - k) / s.
    """
    weights = site.constant(op.weights)
    src, dst = site.buffer(op.input).whole(), site.new(op.output).whole()
    batch, height, width, channels = site.graph.tensors[op.input].shape
    _, out_height, out_width, filters = site.graph.tensors[op.output].shape
    rows = np.arange(filters)
    for top, out_rows, r, down in _phases(
        weights.shape[1], op.stride[0], op.padding[0], out_height
    ):
        for left, out_columns, c, across in _phases(
            weights.shape[2], op.stride[1], op.padding[1], out_width
        ):
            taken = weights[:, down][:, :, across]
            if not taken.size:
                taken = np.zeros((filters, 1, 1, channels), np.int8)
            image = Image(
                height,
                width,
                channels,
                out_rows,
                out_columns,
                out_down=op.stride[0] * out_width * filters,
                out_across=op.stride[1] * filters,
                top=top,
                left=left,
                out_first=(r * out_width + c) * filters,
                batch=batch,
            )
            products(
                site,
                src,
                dst,
                image,
                _filters(site, op, taken, rows, params),
                f"phase {r}, {c}" if max(op.stride) > 1 else "",
            )


def _phases(
    kernel: int, stride: int, before: int, size: int
) -> Iterator[tuple[int, int, int, np.ndarray]]:
    """Of one dimension: padding, positions, the first output and the kernel's indices in order."""
    for r in range(min(stride, size)):
        first = (r + before) % stride
        taps = np.arange(first, kernel, stride)[::-1]
        # Of output r, the input row of the first tap; the window begins with the last one.
        row = (r + before - first) // stride
        yield max(len(taps), 1) - 1 - row, -(-(size - r) // stride), r, taps


def _prepared(
    site: GraphLowering, op: Conv2D | DepthwiseConv2D
) -> tuple[np.ndarray, View, View, Image]:
    weights = site.constant(op.weights)
    src, dst = site.buffer(op.input).whole(), site.new(op.output).whole()
    batch, height, width, channels = site.graph.tensors[op.input].shape
    _, out_height, out_width, out_channels = site.graph.tensors[op.output].shape
    image = Image(
        height,
        width,
        channels,
        out_height,
        out_width,
        out_down=out_width * out_channels,
        out_across=out_channels,
        stride=op.stride,
        dilation=op.dilation,
        top=op.padding[0],
        left=op.padding[1],
        batch=batch,
    )
    return weights, src, dst, image


def _filters(
    site: GraphLowering,
    op: Conv2D | DepthwiseConv2D | TransposeConv,
    weights: np.ndarray,
    rows: np.ndarray,
    params: MatVecParams,
) -> Filters:
    """Filters with bias and scales of some rows of the operator."""
    bias = None if op.bias is None else site.constant(op.bias)[rows]
    scales = replace(params, multipliers=params.multipliers[rows], shifts=params.shifts[rows])
    return Filters(weights, bias, scales)


LOWER = {Conv2D: lower, DepthwiseConv2D: lower_depthwise, TransposeConv: lower_transpose}

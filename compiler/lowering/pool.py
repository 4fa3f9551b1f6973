"""Pools: means are products with ones, maxima are a walk for every place of the window."""

from collections.abc import Iterator, Sequence
from itertools import groupby, product

import numpy as np

from compiler.lowering.division import division
from compiler.lowering.rescale import identity_fields
from compiler.lowering.site import GraphLowering
from compiler.lowering.walks import Operand, walk
from compiler.lowering.windows import Filters, Image, channel_groups, products
from npu.model.boxes import row_major
from npu.model.graph import DTYPE_RANGES
from npu.model.operators.pool import AveragePool2D, MaxPool2D, PoolParams
from npu.model.operators.product import MatVecParams


def lower_mean(site: GraphLowering, op: AveragePool2D, params: PoolParams) -> None:
    """A product with ones for each part of the output whose windows hold as many elements."""
    src, dst = site.buffer(op.input).whole(), site.new(op.output).whole()
    batch, height, width, channels = site.graph.tensors[op.input].shape
    _, out_height, out_width, _ = site.graph.tensors[op.output].shape
    downs = list(_parts(op.size[0], op.stride[0], op.padding[0], height, out_height))
    acrosses = list(_parts(op.size[1], op.stride[1], op.padding[1], width, out_width))
    for group in channel_groups(site.params, channels, op.size[0] * op.size[1]):
        n, first = len(group), int(group[0])
        ones = np.zeros((n, *op.size, n), np.int8)
        ones[np.arange(n), :, :, np.arange(n)] = 1
        for (y, rows, inside_y), (x, columns, inside_x) in product(downs, acrosses):
            image = Image(
                height,
                width,
                channels,
                rows,
                columns,
                out_down=out_width * channels,
                out_across=channels,
                stride=op.stride,
                top=op.padding[0] - y * op.stride[0],
                left=op.padding[1] - x * op.stride[1],
                first=first,
                out_first=(y * out_width + x) * channels + first,
                batch=batch,
            )
            scales = _division(site, inside_y * inside_x, n, params)
            filters = Filters(ones, None, scales)
            products(site, src, dst, image, filters, f"at {y}, {x}, {first}")


def _division(site: GraphLowering, divisor: int, channels: int, params: PoolParams) -> MatVecParams:
    """What makes of sums of so many elements their mean."""
    try:
        multiplier, shift = division(divisor)
    except ValueError as error:
        raise site.unsupported(str(error)) from None
    return MatVecParams(
        np.full(channels, multiplier, np.int32),
        np.full(channels, shift, np.int32),
        input_zero_point=0,
        output_zero_point=0,
        lo=params.lo,
        hi=params.hi,
    )


def _parts(
    size: int, stride: int, before: int, extent: int, positions: int
) -> Iterator[tuple[int, int, int]]:
    """Of one dimension: first position, positions, and how much of their windows lies inside."""

    def inside(position: int) -> int:
        first = position * stride - before
        return min(first + size, extent) - max(first, 0)

    for count, group in groupby(range(positions), inside):
        found = list(group)
        yield found[0], len(found), count


def lower_max(site: GraphLowering, op: MaxPool2D, params: PoolParams) -> None:
    """The smallest value everywhere, then the larger of it and each place of the window."""
    src, dst = site.buffer(op.input).whole(), site.new(op.output).whole()
    batch, height, width, channels = site.graph.tensors[op.input].shape
    _, out_height, out_width, _ = site.graph.tensors[op.output].shape
    lo, hi = DTYPE_RANGES["int8"]
    walk(site, "VFILL", [dst.n], {"dst": Operand(dst, (1,))}, {"imm": lo})
    strides = row_major((batch, height, width, channels))
    out_strides = row_major((batch, out_height, out_width, channels))
    step = (strides[0], op.stride[0] * strides[1], op.stride[1] * strides[2], strides[3])
    for i, j in product(range(op.size[0]), range(op.size[1])):
        y, rows = _reached(i - op.padding[0], op.stride[0], height, out_height)
        x, columns = _reached(j - op.padding[1], op.stride[1], width, out_width)
        sizes = [batch, rows, columns, channels]
        if 0 in sizes:
            continue
        at = (y * op.stride[0] + i - op.padding[0]) * strides[1]
        at += (x * op.stride[1] + j - op.padding[1]) * strides[2]
        out = Operand(dst.part(y * out_strides[1] + x * out_strides[2], dst.n), out_strides)
        a = Operand(src.part(at, src.n), step)
        walk(site, "VMAX", sizes, {"dst": out, "a": a, "b": out})
    if (params.lo, params.hi) != (lo, hi):
        whole = Operand(dst, (1,))
        fields = identity_fields(params.lo, params.hi)
        walk(site, "VRESCALE", [dst.n], {"dst": whole, "a": whole}, fields)


def _reached(offset: int, stride: int, extent: int, positions: int) -> Sequence[int]:
    """The first position and how many, whose element at position * stride + offset is inside."""
    first = max(0, -(offset // stride))
    last = min(positions - 1, (extent - 1 - offset) // stride)
    return first, max(0, last - first + 1)


LOWER = {AveragePool2D: lower_mean, MaxPool2D: lower_max}

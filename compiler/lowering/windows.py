"""Products at many positions of an image: one command walks over all of them.

Positions side by side along x are stacked as one matrix: so many that the lanes have more to do
than a restart takes (design record 0010). What of a stacked matrix lies outside of a position's
window is zero, and costs nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from compiler.lowering.ir import Matrix, MatVec, Positions, View, Window
from compiler.lowering.site import GraphLowering
from npu.chip import timing
from npu.chip.params import ChipParams
from npu.chip.weight_format import MAX_TILE_ROWS, ROW_DTYPE
from npu.model.operators.product import MatVecParams

MOST_STACKED = 256
"""Positions; more never paid."""

_WORTH = 0.98
_MAX_DESTINATION = int(np.iinfo(ROW_DTYPE["destination"]).max)


@dataclass(frozen=True)
class Image:
    """Where windows are taken, and where their rows go; both in elements of one byte.

    Attributes
    ----------
    height, width, channels : of the image.
    stride, dilation : (down, across).
    top, left : rows and columns of padding before the image.
    out_height, out_width : positions.
    out_down, out_across : from one position's rows to those of the one below, and beside it.
    first : channel of the image that is the filters' first one.
    out_first : where in the result the first position's rows go.
    batch : images, and results, one behind the other.
    """

    height: int
    width: int
    channels: int
    out_height: int
    out_width: int
    out_down: int
    out_across: int
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    top: int = 0
    left: int = 0
    first: int = 0
    out_first: int = 0
    batch: int = 1


@dataclass(frozen=True, eq=False)
class Filters:
    """What every window is multiplied by.

    Attributes
    ----------
    weights : (rows, kernel height, kernel width, channels) int8.
    bias : (rows,) int32 or None.
    params : the rows' multipliers and shifts, and the command's zero points and limits.
    """

    weights: np.ndarray
    bias: np.ndarray | None
    params: MatVecParams


@dataclass(frozen=True, eq=False)
class _Stack:
    """So many positions as one matrix.

    Attributes
    ----------
    window : of the first position.
    places : (positions, kernel height, kernel width, channels), columns of the weights.
    columns, used : of the matrix; those that hold an element of the image.
    cycles : that all positions take, roughly.
    """

    positions: int
    window: Window
    places: np.ndarray
    columns: int
    used: int
    cycles: float


def channel_groups(params: ChipParams, channels: int, taps: int) -> list[np.ndarray]:
    """Channels that are taken together where each is by itself: as few groups as can be.

    Windows of a group fit half a copy of the activations, so that they load ahead, or at least a
    copy, if a bus word of channels does.
    """
    most = -(-channels // params.bus_bytes)
    for limit in (params.ahead_columns, params.activation_entries):
        for count in range(1, most + 1):
            if taps * params.align(-(-channels // count)) <= limit:
                return np.array_split(np.arange(channels), count)
    return np.array_split(np.arange(channels), most)


def products(
    site: GraphLowering,
    src: View,
    dst: View,
    image: Image,
    filters: Filters,
    part: str = "",
) -> None:
    """Add the products of filters at all positions of images.

    src, dst : all images, all results.
    """
    image, filters = _flat(*_reaching(image, filters))
    stack = _best(site.params, image, filters.weights)
    whole, rest = divmod(image.out_width, stack.positions)
    matrix = _matrix(site, stack, image, filters, part)
    across = image.stride[1] * image.channels
    row = image.width * image.channels
    spots = [(0, whole)]
    if rest:
        # The last ones once more: what they write a second time is the same.
        spots.append((image.out_width - stack.positions, 1))
    params = filters.params
    each, out_each = src.n // image.batch, dst.n // image.batch
    for number, (first, count) in product(range(image.batch), spots):
        x = stack.window.x + first * across
        offset = number * each + x + image.first - image.top * row
        skipped = image.out_first + first * image.out_across
        site.add(
            MatVec(
                matrix,
                View(src.buffer, src.offset + offset, stack.columns),
                dst.part(number * out_each + skipped, out_each - skipped),
                src_zero=params.input_zero_point,
                dst_zero=params.output_zero_point,
                lo=params.lo,
                hi=params.hi,
                window=replace(stack.window, x=x),
                positions=_positions(image, stack.positions, count),
            )
        )


def _positions(image: Image, stacked: int, count: int) -> Positions:
    """So many stacks side by side, and the rows below; no steps where there is one alone."""
    down, across = image.stride[0], image.stride[1] * image.channels
    found = Positions(count_x=count, count_y=image.out_height)
    if count > 1:
        found = replace(found, a_x=stacked * across, dst_x=stacked * image.out_across)
    if image.out_height > 1:
        row = image.width * image.channels
        found = replace(found, a_y=down * row, y_step=down, dst_y=image.out_down)
    return found


def _reaching(image: Image, filters: Filters) -> tuple[Image, Filters]:
    """Without the outer taps that lie outside of the image at every position."""
    sizes = (image.height, image.width)
    counts = (image.out_height, image.out_width)
    before, dilation, weights = [image.top, image.left], list(image.dilation), filters.weights
    for axis in range(2):
        first = np.arange(weights.shape[1 + axis]) * dilation[axis] - before[axis]
        at = np.arange(counts[axis])[:, np.newaxis] * image.stride[axis] + first
        (kept,) = np.nonzero(((at >= 0) & (at < sizes[axis])).any(axis=0))
        taps = slice(kept[0], kept[-1] + 1) if len(kept) else slice(1)
        weights = weights[:, taps] if axis == 0 else weights[:, :, taps]
        before[axis] = -int(first[taps][0])
        dilation[axis] = dilation[axis] if weights.shape[1 + axis] > 1 else 1
    image = replace(image, top=before[0], left=before[1], dilation=(dilation[0], dilation[1]))
    return image, replace(filters, weights=weights)


def _flat(image: Image, filters: Filters) -> tuple[Image, Filters]:
    """The same with all positions in one row, where that can be."""
    rows, ny, nx, depth = filters.weights.shape
    all_across = (
        nx == image.width and image.out_width == 1 and image.left == 0 and image.dilation[1] == 1
    )
    if all_across and (depth == image.channels or image.width == 1):
        # Windows as wide as the image: rows of it become columns.
        image = replace(
            image,
            height=1,
            width=image.height,
            channels=image.width * image.channels,
            out_height=1,
            out_width=image.out_height,
            out_across=image.out_down,
            stride=(1, image.stride[0]),
            dilation=(1, image.dilation[0]),
            top=0,
            left=image.top,
        )
        return image, replace(filters, weights=filters.weights.reshape(rows, 1, ny, nx * depth))
    if (ny, nx) == (1, 1) and image.stride == (1, 1) and (image.top, image.left) == (0, 0):
        positions = image.height * image.width
        side_by_side = image.out_down == image.out_width * image.out_across
        if side_by_side and positions == image.out_height * image.out_width:
            image = replace(image, height=1, width=positions, out_height=1, out_width=positions)
    return image, filters


def _best(params: ChipParams, image: Image, weights: np.ndarray) -> _Stack:
    """The stack that takes the fewest cycles; of those that are nearly as good, the smallest."""
    stacks = list(_stacks(params, image, weights))
    least = min(stack.cycles for stack in stacks)
    return next(stack for stack in stacks if stack.cycles * _WORTH <= least)


def _stacks(params: ChipParams, image: Image, weights: np.ndarray) -> Iterator[_Stack]:
    """Those that the chip takes; that of one position in any case."""
    rows = len(weights)
    nonzeros = int(np.count_nonzero(weights))
    for positions in range(1, min(MOST_STACKED, image.out_width) + 1):
        stack = min(
            (
                made
                for make in (_in_spans, _in_taps)
                if (made := make(params, image, weights, positions)) is not None
            ),
            key=lambda made: made.columns,
        )
        cycles = _cycles(params, image, stack, rows, nonzeros)
        possible = (
            stack.columns <= params.activation_entries
            and positions * rows <= MAX_TILE_ROWS
            and (positions - 1) * image.out_across + rows <= _MAX_DESTINATION + 1
            # They share the banks with all others.
            and 8 * positions * nonzeros <= params.lanes * params.bank_bytes
        )
        if not possible and positions > 1:
            return
        yield replace(stack, cycles=cycles)


def _in_spans(params: ChipParams, image: Image, weights: np.ndarray, positions: int) -> _Stack:
    """A segment from the first column of a window's row to the last, or one for each column."""
    _, ny, nx, depth = weights.shape
    across = image.stride[1]
    span = (nx - 1) * image.dilation[1] + (positions - 1) * across + 1
    columns = (
        np.arange(positions)[:, np.newaxis] * across + np.arange(nx) * image.dilation[1]
    )  # (positions, nx)
    if depth == image.channels:
        pitch, step, segments = params.align(span * depth), depth, 1
    else:
        step = params.align(depth)
        pitch, segments = span * step, span
    window = _window(image, ny, segments, span * depth // segments, image.channels)
    places = (
        np.arange(ny)[:, np.newaxis, np.newaxis] * pitch
        + (columns * step)[:, np.newaxis, :, np.newaxis]
        + np.arange(depth)
    )
    return _Stack(positions, window, places, ny * pitch, ny * span * depth, 0)


def _in_taps(
    params: ChipParams, image: Image, weights: np.ndarray, positions: int
) -> _Stack | None:
    """A segment for each column of the kernel, for windows that are dilated far."""
    _, ny, nx, depth = weights.shape
    across = image.stride[1]
    if depth != image.channels:
        return None
    span = (positions - 1) * across + 1
    pitch = params.align(span * depth)
    window = _window(image, ny, nx, span * depth, image.dilation[1] * image.channels)
    tap = np.arange(ny * nx).reshape(ny, nx, 1) * pitch
    at = (np.arange(positions) * across * depth)[:, np.newaxis, np.newaxis, np.newaxis]
    places = tap + at + np.arange(depth)
    return _Stack(positions, window, places, ny * nx * pitch, ny * nx * span * depth, 0)


def _window(image: Image, ny: int, nx: int, length: int, dx: int) -> Window:
    row = image.width * image.channels
    return Window(
        ny=ny,
        nx=nx,
        length=length,
        width=row - image.first,
        height=image.height,
        x=-image.left * image.channels,
        y=-image.top,
        dx=dx,
        dy=image.dilation[0],
        pitch=image.dilation[0] * row,
    )


def _cycles(params: ChipParams, image: Image, stack: _Stack, rows: int, nonzeros: int) -> float:
    """Roughly: lanes, requantiser and loader work side by side, the lanes stop at every restart."""
    n, window = stack.positions, stack.window
    lanes = n * nonzeros / params.lanes + timing.prime(params.threads) + timing.LANE_PIPELINE
    words = stack.columns // params.bus_bytes
    aligned = all(
        step % params.bus_bytes == 0
        for step in (window.x, window.dx, window.pitch, image.channels * image.stride[1] * n)
    )
    load = words if aligned else words + window.ny * window.nx
    if stack.columns <= params.ahead_columns:
        each = max(lanes, load, n * rows)
    else:
        each = max(lanes, n * rows) + load
    return -(-image.out_width // n) * image.out_height * each


def _matrix(
    site: GraphLowering, stack: _Stack, image: Image, filters: Filters, part: str
) -> Matrix:
    """The filters once for each of the stacked positions."""
    weights, params, n = filters.weights, filters.params, stack.positions
    rows = len(weights)
    physical = np.zeros((n, rows, stack.columns), np.int8)
    flat = weights.reshape(rows, -1)
    for one, places in zip(physical, stack.places, strict=True):
        one[:, places.reshape(-1)] = flat
    bias = np.zeros(rows, np.int64) if filters.bias is None else filters.bias.astype(np.int64)
    destination = np.arange(n)[:, np.newaxis] * image.out_across + np.arange(rows)
    return Matrix(
        site.layer(part, rows=(n * rows,)),
        physical.reshape(n * rows, stack.columns),
        bias=np.tile(bias, n),
        destination=destination.reshape(-1),
        multipliers=np.tile(params.multipliers.astype(np.int64), n),
        shifts=np.tile(params.shifts.astype(np.int64), n),
        columns_used=stack.used,
    )

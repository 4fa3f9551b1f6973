"""Operators that only move elements, chosen for the tensor they read."""

from collections.abc import Callable

import numpy as np

from tests.networks.grow import MOST_ELEMENTS, Grower

FROM_END = 0.3


def reshape(g: Grower, x: int) -> bool:
    """Two dimensions become one, one becomes two, or a 1 comes or goes."""
    size = g.size(x)
    if size == 0:
        return False
    shape: list[int] = []
    while size > 1 and len(shape) < 3:
        shape.append(int(g.pick([n for n in range(1, size + 1) if size % n == 0])))
        size //= shape[-1]
    shape.append(size)
    shape = [int(n) for n in g.rng.permutation(shape)]
    y = g.like(x, tuple(shape))
    form = g.number(0, 2)
    if form == 0:
        g.operator("RESHAPE", [x], [y], ("ReshapeOptions", {"NewShape": shape}))
    else:
        told = [-1, *shape[1:]] if form == 1 else shape
        g.operator("RESHAPE", [x, g.numbers(told)], [y])
    return True


def transpose(g: Grower, x: int) -> bool:
    """Any order of the axes."""
    shape = g.shape(x)
    if not 1 <= len(shape) <= 5:
        return False
    order = [int(a) for a in g.rng.permutation(len(shape))]
    y = g.like(x, tuple(shape[a] for a in order))
    g.operator("TRANSPOSE", [x, g.numbers(order)], [y], ("TransposeOptions", {}))
    return True


def pad(g: Grower, x: int) -> bool:
    """On any sides, by zeros, or by what lies at the edge."""
    shape = g.shape(x)
    if not 1 <= len(shape) <= 4 or 0 in shape:
        return False
    mirror = g.chance(0.3)
    most = [min(2, n - 1) if mirror else 2 for n in shape]
    sides = [[g.number(0, m) if g.chance(0.6) else 0 for _ in range(2)] for m in most]
    output = tuple(n + sum(s) for n, s in zip(shape, sides, strict=True))
    if np.prod(output) > MOST_ELEMENTS:
        return False
    y = g.like(x, output)
    if mirror:
        options = ("MirrorPadOptions", {"Mode": 0})
        g.operator("MIRROR_PAD", [x, g.numbers(sides)], [y], options)
    else:
        g.operator("PAD", [x, g.numbers(sides)], [y], ("PadOptions", {}))
    return True


def strided_slice(g: Grower, x: int) -> bool:
    """Every so manieth of a range of each axis, backwards too."""
    shape = g.shape(x)
    if not 1 <= len(shape) <= 4 or 0 in shape:
        return False
    begin, end, stride, output = [], [], [], []
    for n in shape:
        step = int(g.pick([1, 1, 1, 2, 3, -1]))
        first, last = sorted(int(v) for v in g.rng.integers(0, n, 2))
        if step < 0:
            begin.append(last)
            end.append(first - 1 if first else -n - 1)
        else:
            begin.append(first)
            end.append(last + 1)
        stride.append(step)
        output.append(-(-(last - first + 1) // abs(step)))
    y = g.like(x, tuple(output))
    inputs = [x, *(g.numbers(each) for each in (begin, end, stride))]
    g.operator("STRIDED_SLICE", inputs, [y], ("StridedSliceOptions", {}))
    return True


def split(g: Grower, x: int) -> bool:
    """Into equal parts, all of which may be read."""
    shape = g.shape(x)
    axes = [a for a, n in enumerate(shape) if n > 1]
    if not axes or len(shape) > 4:
        return False
    axis = int(g.pick(axes))
    count = int(g.pick([n for n in range(2, shape[axis] + 1) if shape[axis] % n == 0]))
    if count > 6:
        return False
    part = (*shape[:axis], shape[axis] // count, *shape[axis + 1 :])
    parts = [g.like(x, part) for _ in range(count)]
    told = g.numbers([axis - len(shape) * int(g.chance(FROM_END))])
    g.operator("SPLIT", [told, x], parts, ("SplitOptions", {"NumSplits": count}))
    return True


def blocks(g: Grower, x: int) -> bool:
    """Places become channels, or channels places, or an image grows."""
    if len(g.shape(x)) != 4:
        return False
    batch, height, width, depth = g.shape(x)
    n = 2
    if height % n == width % n == 0:
        y = g.like(x, (batch, height // n, width // n, depth * n * n))
        g.operator("SPACE_TO_DEPTH", [x], [y], ("SpaceToDepthOptions", {"BlockSize": n}))
    elif depth % (n * n) == 0:
        y = g.like(x, (batch, height * n, width * n, depth // (n * n)))
        g.operator("DEPTH_TO_SPACE", [x], [y], ("DepthToSpaceOptions", {"BlockSize": n}))
    elif 4 * g.size(x) <= MOST_ELEMENTS:
        y = g.like(x, (batch, 2 * height, 2 * width, depth))
        size = g.numbers([2 * height, 2 * width])
        options = ("ResizeNearestNeighborOptions", {"HalfPixelCenters": g.chance(0.5)})
        g.operator("RESIZE_NEAREST_NEIGHBOR", [x, size], [y], options)
    else:
        return False
    return True


def gather(g: Grower, x: int) -> bool:
    """Some of an axis, in any order, one perhaps twice."""
    shape = g.shape(x)
    if not 1 <= len(shape) <= 4 or 0 in shape:
        return False
    axis = int(g.rng.integers(len(shape)))
    chosen = g.rng.integers(0, shape[axis], g.number(1, shape[axis]))
    y = g.like(x, (*shape[:axis], len(chosen), *shape[axis + 1 :]))
    g.operator("GATHER", [x, g.numbers(chosen)], [y], ("GatherOptions", {"Axis": axis}))
    return True


MOVES: list[tuple[Callable[[Grower, int], bool], int]] = [
    (reshape, 3),
    (transpose, 3),
    (pad, 3),
    (strided_slice, 2),
    (split, 2),
    (blocks, 2),
    (gather, 1),
]
"""With how often each is taken, beside the others."""

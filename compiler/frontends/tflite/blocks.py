"""Operators that move blocks of an image: between space, batch and depth, and to other sizes."""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from compiler.frontends.tflite.site import Site
from npu.model.boxes import Box, Piece, Run, mapped, runs_of

_MAX_BLOCK = 1 << 10
"""Largest block: beyond it there would be more boxes than elements of any image."""


def space_to_depth(site: Site) -> Iterator[Piece]:
    """Each block of an image becomes the channels of one place."""
    yield _with_depth(site, site.input(0).shape, site.output().shape, False)


def depth_to_space(site: Site) -> Iterator[Piece]:
    """The channels of each place become a block of an image."""
    yield _with_depth(site, site.output().shape, site.input(0).shape, True)


def _with_depth(site: Site, wide: Sequence[int], deep: Sequence[int], from_depth: bool) -> Piece:
    size = site.options.BlockSize() if site.options is not None else 0
    site.require(1 <= size <= _MAX_BLOCK, f"its block must be 1 to {_MAX_BLOCK} wide, not {size}")
    site.require(
        len(wide) == len(deep) == 4
        and tuple(wide) == (deep[0], deep[1] * size, deep[2] * size, deep[3] // size**2)
        and deep[3] % size**2 == 0,
        f"{list(wide)} is no image of blocks of {size} for {list(deep)}",
    )
    # Batch, row, row in the block, column, column in the block, channel.
    image = Box.whole(wide).split(1, size).split(3, size)
    # Batch, row, column, row in the block, column in the block, channel.
    places = (
        Box.whole(deep).split(3, size * wide[3]).split(4, wide[3]).transpose((0, 1, 3, 2, 4, 5))
    )
    return Piece(0, 0, places, image) if from_depth else Piece(0, 0, image, places)


def space_to_batch(site: Site) -> Iterator[Piece]:
    """Each place of a block becomes an image of its own, within a border."""
    yield from _with_batch(site, site.input(0).shape, site.output().shape, False)


def batch_to_space(site: Site) -> Iterator[Piece]:
    """Images become the places of blocks of one, without a border."""
    yield from _with_batch(site, site.output().shape, site.input(0).shape, True)


def batch_fill(site: Site) -> float:
    """What stands in the border.

    TFLM never sets it: its answer is what its memory held. On one that was cleared, as that of most
    programs is when they start, that is 0, whatever the zero point.
    """
    return 0


def _with_batch(
    site: Site, wide: Sequence[int], many: Sequence[int], from_batch: bool
) -> Iterator[Piece]:
    """Pieces between one large image and `many` small ones, one for each place of a block."""
    rank = len(wide)
    site.require(
        rank in (3, 4) and len(many) == rank, f"it must have 3 or 4 dimensions, not {rank}"
    )
    block, border = site.numbers(1, rank - 2), site.numbers(2, 2 * (rank - 2))
    site.require(
        all(1 <= n <= _MAX_BLOCK for n in block) and all(n >= 0 for n in border),
        f"it has no block of {block} within {border}",
    )
    spatial = [
        (n + before + after, size)
        for n, size, before, after in zip(wide[1:-1], block, border[::2], border[1::2], strict=True)
    ]
    site.require(
        all(n % size == 0 for n, size in spatial)
        and tuple(many)
        == (
            wide[0] * math.prod(block),
            *(n // size for n, size in spatial),
            wide[-1],
        ),
        f"{list(wide)} in blocks of {block} within {border} does not fit {list(many)}",
    )
    batch = wide[0]
    for number, place in enumerate(np.ndindex(*block)):
        small = Box.whole(many).cut(0, number * batch, batch)
        large = Box.whole(wide)
        for axis, (at, size, before) in enumerate(
            zip(place, block, border[::2], strict=True), start=1
        ):
            # Indices i of the small image whose place i * size + at - before lies in the large one.
            first = max(0, -((at - before) // size))
            last = min(many[axis], -((at - before - wide[axis]) // size))
            count = max(0, last - first)
            small = small.cut(axis, first, count)
            large = large.cut(axis, first * size + at - before, count, size)
        yield Piece(0, 0, small, large) if from_batch else Piece(0, 0, large, small)


def resize_nearest(site: Site) -> Iterator[Piece]:
    """Each place takes the nearest one of the input, as TFLM finds it in float32."""
    shape, output, size = site.input(0).shape, site.output().shape, site.numbers(1, 2)
    site.require(
        len(shape) == 4 and output == (shape[0], *size, shape[3]) and min(shape[1:3]) > 0,
        f"{list(shape)} cannot be resized to {size} as {list(output)}",
    )
    rows, columns = (_nearest(site, n, m) for n, m in zip(shape[1:3], size, strict=True))
    whole = [[Run(0, 1, n, 0, 1)] for n in (shape[0], shape[3])]
    piece = Piece(0, 0, Box.whole(shape), Box.whole(output))
    yield from mapped(piece, [whole[0], rows, columns, whole[1]])


def _nearest(site: Site, source: int, target: int) -> list[Run]:
    align = site.options is not None and site.options.AlignCorners()
    half = site.options is not None and site.options.HalfPixelCenters()
    one = np.float32(1)
    if align and target > 1:
        scale = np.float32(source - 1) / np.float32(target - 1)
    else:
        scale = np.float32(source) / np.float32(target) if target else one
    offset = np.float32(0.5 if half else 0.0)
    places = (np.arange(target, dtype=np.float32) + offset) * scale
    # Never negative, so that to round half away from zero is to round half up.
    nearest = np.floor(places.astype(np.float64) + 0.5) if align else np.floor(places)
    found = np.minimum(nearest.astype(np.int64), source - 1)
    return runs_of(found.tolist(), max(1, target // math.gcd(source, target)))

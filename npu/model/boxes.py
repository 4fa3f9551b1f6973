"""Boxes of elements in flat tensors, and how elements move from one to another.

Whatever only moves elements (slices, transpositions, padding, concatenations ...) is a few copies
of strided boxes: a stride may be negative (reversed) or zero (repeated).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

MAX_LOOPS = 5
"""Most dimensions of a box once neighbouring ones are merged."""


def row_major(shape: Sequence[int]) -> tuple[int, ...]:
    """Elements from one index to the next of each dimension, the last one's one apart."""
    return tuple(math.prod(shape[k + 1 :]) for k in range(len(shape)))


@dataclass(frozen=True)
class Box:
    """The elements `offset + sum(i[k] * strides[k])` of a flat tensor, 0 <= i[k] < sizes[k]."""

    offset: int
    sizes: tuple[int, ...]
    strides: tuple[int, ...]

    @staticmethod
    def whole(shape: Sequence[int]) -> "Box":
        """All elements of a tensor."""
        return Box(0, tuple(shape), row_major(shape))

    @property
    def n(self) -> int:
        """Number of elements, repeated ones as often as they are."""
        return math.prod(self.sizes)

    def limits(self) -> tuple[int, int]:
        """The smallest and the largest place of an element; of none, nowhere: (0, -1)."""
        if not self.n:
            return 0, -1
        ends = [(n - 1) * stride for n, stride in zip(self.sizes, self.strides, strict=True)]
        return self.offset + sum(min(e, 0) for e in ends), self.offset + sum(
            max(e, 0) for e in ends
        )

    def cut(self, axis: int, start: int, count: int, step: int = 1) -> "Box":
        """`count` indices of an axis: start, start + step, ..."""
        sizes, strides = list(self.sizes), list(self.strides)
        offset = self.offset + start * strides[axis] if count else self.offset
        sizes[axis] = count
        strides[axis] *= step
        return Box(offset, tuple(sizes), tuple(strides))

    def transpose(self, axes: Sequence[int]) -> "Box":
        """The axes in another order."""
        return Box(
            self.offset, tuple(self.sizes[a] for a in axes), tuple(self.strides[a] for a in axes)
        )

    def split(self, axis: int, inner: int) -> "Box":
        """An axis becomes two, the second of size `inner`, which divides it."""
        n, stride = self.sizes[axis], self.strides[axis]
        return Box(
            self.offset,
            (*self.sizes[:axis], n // inner if inner else 0, inner, *self.sizes[axis + 1 :]),
            (*self.strides[:axis], inner * stride, stride, *self.strides[axis + 1 :]),
        )

    def insert(self, axis: int) -> "Box":
        """A new axis of size 1."""
        return Box(
            self.offset,
            (*self.sizes[:axis], 1, *self.sizes[axis:]),
            (*self.strides[:axis], 0, *self.strides[axis:]),
        )


@dataclass(frozen=True)
class Piece:
    """The elements of box `read` of one tensor go to those of `written` of another, in order.

    `source` and `target` number inputs and outputs of an operator.
    """

    source: int
    target: int
    read: Box
    written: Box


@dataclass(frozen=True)
class Run:
    """Indices `target + k * step` of an axis come from `source + k * source_step`, k < count."""

    target: int
    step: int
    count: int
    source: int
    source_step: int


def mapped(piece: Piece, runs: Sequence[Sequence[Run]]) -> Iterator[Piece]:
    """Pieces in which each axis of the target comes from the indices that its runs say."""
    for each in product(*runs):
        read, written = piece.read, piece.written
        for axis, run in enumerate(each):
            read = read.cut(axis, run.source, run.count, run.source_step)
            written = written.cut(axis, run.target, run.count, run.step)
        yield replace(piece, read=read, written=written)


def runs_of(indices: Sequence[int], period: int = 1) -> list[Run]:
    """The runs of an axis whose index t comes from indices[t]: the fewest, by what is tried.

    Consecutive indices are tried, and those that lie `period` apart.
    """
    tried = [_arithmetic(indices, step) for step in {1, period}]
    return min(tried, key=len)


def _arithmetic(indices: Sequence[int], step: int) -> list[Run]:
    found = []
    for first in range(min(step, len(indices))):
        targets = range(first, len(indices), step)
        at = 0
        while at < len(targets):
            source, end = indices[targets[at]], at + 1
            by = indices[targets[end]] - source if end < len(targets) else 0
            while end < len(targets) and indices[targets[end]] == source + (end - at) * by:
                end += 1
            found.append(Run(targets[at], step, end - at, source, by))
            at = end
    return found


def simplified(piece: Piece) -> Iterator[Piece]:
    """The same piece with as few loops as can be, outer ones written out beyond `MAX_LOOPS`.

    Nothing is left of a piece without elements.
    """
    if not piece.read.n:
        return
    loops: list[tuple[int, int, int]] = []
    read, written = piece.read, piece.written
    for n, a, b in zip(read.sizes, read.strides, written.strides, strict=True):
        if n == 1:
            continue
        if loops and loops[-1][1:] == (n * a, n * b):
            loops[-1] = (loops[-1][0] * n, a, b)
        else:
            loops.append((n, a, b))
    outer, inner = loops[:-MAX_LOOPS], loops[-MAX_LOOPS:]
    sizes = tuple(n for n, _, _ in inner)
    for index in product(*(range(n) for n, _, _ in outer)):
        at = [sum(i * loop[side] for i, loop in zip(index, outer, strict=True)) for side in (1, 2)]
        yield replace(
            piece,
            read=Box(read.offset + at[0], sizes, tuple(a for _, a, _ in inner)),
            written=Box(written.offset + at[1], sizes, tuple(b for _, _, b in inner)),
        )

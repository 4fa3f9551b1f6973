"""Elements that are picked one by one, at known places: slices and reshapes where these are regular.

Attention by relative position turns scores by how far apart two frames are into scores by which
frames they are: row r of T begins T - 1 - r further on. Exporters write that as a GatherElements.
"""

from math import prod
from typing import NamedTuple

import numpy as np

from compiler.floats.graph import Array, Node
from compiler.floats.rewrite.builder import Builder, Rules, inputs
from compiler.floats.rewrite.moves import cut, reshape


class _Regular(NamedTuple):
    """Element (g, r, c) comes from `first + g * group + r * row + c * column` of the source."""

    first: int
    counts: tuple[int, int, int]
    group: int
    row: int
    column: int


def _gather_elements(b: Builder, node: Node) -> None:
    source, indices = inputs(b, node)
    shape, known = b.shape(source), b.constant(indices)
    if known is None:
        raise b.graph.refuse(
            node, "its indices depend on the data of a call; they must be fixed to become copies"
        )
    axis = node.get("axis", 0) % len(shape)
    places = np.arange(prod(shape)).reshape(shape)
    others = tuple(slice(0, n) for n in known.shape)
    within = places[tuple(s if a != axis else slice(None) for a, s in enumerate(others))]
    picked = np.take_along_axis(within, known % shape[axis], axis)
    found = _regular(picked)
    if found is None or not _fits(found, prod(shape)):
        raise b.graph.refuse(
            node,
            "the elements that it picks lie at no regular distance; pick whole slices, by Gather",
        )
    _copy(b, node, source, found)


def _regular(places: Array) -> _Regular | None:
    """The distances of places, (..., columns); None where there are several."""
    rows = places.reshape(-1, places.shape[-1])
    columns = set(np.diff(rows).reshape(-1).tolist()) or {1}
    starts = rows[:, 0]
    steps = np.diff(starts)
    row = int(steps[0]) if steps.size else prod(places.shape)
    breaks = np.flatnonzero(steps != row) + 1
    per = int(breaks[0]) if breaks.size else len(rows)
    if len(columns) != 1 or len(rows) % per:
        return None
    heads = starts.reshape(-1, per)
    groups = set(np.diff(heads[:, 0]).tolist()) or {0}
    if len(groups) != 1 or np.any(heads - heads[:, :1] != np.arange(per) * row):
        return None
    counts = (len(heads), per, rows.shape[1])
    return _Regular(int(starts[0]), counts, groups.pop(), row, columns.pop())


def _fits(found: _Regular, size: int) -> bool:
    """Whether groups are rows of the source, rows those of a piece of them, and columns of that."""
    groups, rows, columns = found.counts
    group = found.group or size
    return (
        size % group == 0
        and size // group == groups
        and found.column >= 1
        and (columns - 1) * found.column < found.row
        and found.first + rows * found.row <= group
    )


def _copy(b: Builder, node: Node, source: str, found: _Regular) -> None:
    groups, rows, columns = found.counts
    group = found.group or prod(b.shape(source))
    flat = reshape(b, node, source, (groups, group))
    box = [slice(0, groups, 1), slice(found.first, found.first + rows * found.row, 1)]
    wide = reshape(b, node, cut(b, node, flat, box), (groups, rows, found.row))
    every = slice(0, (columns - 1) * found.column + 1, found.column)
    picked = cut(b, node, wide, [slice(0, groups, 1), slice(0, rows, 1), every])
    reshape(b, node, picked, b.graph.shapes[node.output], node.output)


RULES: Rules = {"GatherElements": _gather_elements}

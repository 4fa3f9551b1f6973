"""Elements that are picked one by one, at known places: slices and reshapes where they are regular.

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
    begin = None if found is None else _begin(found, prod(shape))
    if found is None or begin is None:
        raise b.graph.refuse(
            node,
            "the elements that it picks lie at no regular distance; pick whole slices, by Gather",
        )
    _copy(b, node, source, found, begin)


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


def _begin(found: _Regular, size: int) -> int | None:
    """Where in a group its pieces of whole rows begin; None where there are none.

    Groups are rows of the source, rows pieces of a group, columns elements of a piece.
    """
    groups, rows, columns = found.counts
    group = found.group or size
    begin = min(found.first, group - rows * found.row)
    last = found.first - begin + (columns - 1) * found.column
    whole = group > 0 and groups * group == size and found.column >= 1
    return begin if whole and begin >= 0 and last < found.row else None


def _copy(b: Builder, node: Node, source: str, found: _Regular, begin: int) -> None:
    groups, rows, columns = found.counts
    group = found.group or prod(b.shape(source))
    flat = reshape(b, node, source, (groups, group))
    every, first = slice(0, groups, 1), found.first - begin
    pieces = cut(b, node, flat, [every, slice(begin, begin + rows * found.row, 1)])
    wide = reshape(b, node, pieces, (groups, rows, found.row))
    columns_of = slice(first, first + (columns - 1) * found.column + 1, found.column)
    picked = cut(b, node, wide, [every, slice(0, rows, 1), columns_of])
    reshape(b, node, picked, b.graph.shapes[node.output], node.output)


RULES: Rules = {"GatherElements": _gather_elements}

"""What a file says of integers itself: grids of its values, and weights that are whole already."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from compiler.floats.graph import Array, FloatGraph
from compiler.quantise.ranges import MOST, Grid
from compiler.quantise.weights import Stored, matrices

_NEAR = 1e-3
"""Of a step, how far a weight may be from a whole number: float32's rounding of the product."""


def grids_of_file(graph: FloatGraph) -> dict[str, Grid]:
    """The grid of every value that a FakeQuantize gives, and of what it takes."""
    found: dict[str, Grid] = {}
    for node in graph.nodes:
        if node.kind == "FakeQuantize":
            grid = Grid(np.float32(node.get("scale")), node.get("zero_point"))
            found[node.output] = grid
            found.setdefault(node.inputs[0], grid)
    for state in graph.states:
        if state.following in found:
            found.setdefault(state.current, found[state.following])
    return found


def weights_of_file(graph: FloatGraph) -> Mapping[tuple[str, int], Stored]:
    """Weights that are whole numbers of steps that the file has, with those steps."""
    found = {}
    for matrix in matrices(graph) if graph.steps else ():
        for steps in _rows(graph.steps, len(matrix.rows)):
            whole = _whole(matrix.rows, steps)
            alike = np.all(steps.reshape(-1, matrix.groups) == steps[:: matrix.groups, None])
            if whole is not None and alike:
                found[matrix.key] = Stored(whole, steps)
                break
    return found


def _rows(known: tuple[Array, ...], count: int) -> Iterator[NDArray[np.float32]]:
    """A step for each row: one of the file's for all, or as many as there are rows."""
    for steps in known:
        if steps.size in (1, count):
            yield np.ascontiguousarray(np.broadcast_to(steps, (count,)), np.float32)


def _whole(rows: NDArray[np.float64], steps: NDArray[np.float32]) -> NDArray[np.int8] | None:
    quotients = rows / steps.astype(np.float64)[:, None]
    nearest = np.rint(quotients)
    near = np.abs(quotients - nearest) <= np.maximum(_NEAR, np.abs(nearest) * 1e-5)
    if not np.all(near) or np.any(np.abs(nearest) > MOST):
        return None
    return nearest.astype(np.int8)

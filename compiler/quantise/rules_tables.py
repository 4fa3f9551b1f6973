"""A function of one value becomes a table of what it gives for every int8.

TFLM has no operator for that, but two that do it: QUANTIZE to int32 with a zero point 128 further
on makes of an int8 its index, GATHER picks by it. The reader of TFLite makes one of both.
"""

import numpy as np

from compiler.floats.graph import Node
from compiler.floats.rewrite.pointwise import POINTWISE
from compiler.floats.run import function_of
from compiler.quantise.rules import Rule
from compiler.quantise.writer import Writer

_COUNT, _BELOW = 256, 128
"""Entries of a table, and what brings an int8 to its index."""


def _pointwise(w: Writer, node: Node) -> None:
    source, grid = w.value(node.inputs[0]), w.grid(node.output)
    steps, shape = source.steps, w.stored_shape(source)
    every = np.arange(_COUNT) - _BELOW
    entries = grid.quantised(_finite(function_of(node, steps.real(every))))
    index = w.m.tensor(
        shape,
        "int32",
        steps.scale,
        steps.zero_point + _BELOW,
        name=f"{node.output}/index",
    )
    table = w.m.tensor(
        (_COUNT,),
        scale=grid.scale,
        zero_point=grid.zero_point,
        data=entries,
        name=f"{node.output}/table",
    )
    tensor = w.activation(node.output, shape, grid)
    w.m.operator("QUANTIZE", [source.tensor], [index])
    w.m.operator("GATHER", [table, index], [tensor], ("GatherOptions", {"Axis": 0}))
    w.put(node.output, tensor, grid, source.order)


def _finite(values: np.ndarray) -> np.ndarray:
    """Where a function has no value, as the logarithm below 0, what it gives at the nearest point.

    Calibration saw no such point; the grid of what it saw may begin before.
    """
    at = np.flatnonzero(~np.isnan(values))
    if not at.size:
        return np.zeros_like(values)
    nearest = at[np.abs(np.arange(len(values))[:, np.newaxis] - at).argmin(axis=1)]
    return np.asarray(values[nearest])


RULES: dict[str, Rule] = {POINTWISE: _pointwise}

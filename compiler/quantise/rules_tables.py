"""A function of one value becomes a table of what it gives for every int8.

TFLite has no operator for that, but three that do it, in TensorFlow Lite Micro as in LiteRT: CAST
to int32 and ADD of 128 make of an int8 its index, GATHER picks by it. QUANTIZE to int32 would do
for the first two, but LiteRT has none of int8. The reader of TFLite makes one operator of all three
(`compiler.frontends.tflite.lookups`).
"""

import numpy as np

from compiler.floats.graph import Node
from compiler.floats.rewrite.functions import FUNCTION
from compiler.floats.tables import function_of
from compiler.quantise.ranges import Floats, Grid
from compiler.quantise.rules import Rule
from compiler.quantise.writer import Writer
from compiler.tflite_writer import TYPES
from npu.model.operators.table import FIRST_ENTRY, TABLE_SIZE

_EVERY = FIRST_ENTRY + np.arange(TABLE_SIZE)


def _function(w: Writer, node: Node) -> None:
    source, grid = w.value(node.inputs[0]), w.grid(node.output)
    steps, shape = source.steps, w.stored_shape(source)
    # TFLM adds int32 only where they have no scale.
    wide = w.m.tensor(shape, "int32", name=f"{node.output}/wide")
    index = w.m.tensor(shape, "int32", name=f"{node.output}/index")
    offset = w.m.tensor(
        (), "int32", data=np.array(-FIRST_ENTRY, np.int32), name=f"{node.output}/offset"
    )
    table = w.m.tensor(
        _EVERY.shape,
        scale=grid.scale,
        zero_point=grid.zero_point,
        data=grid.quantised(_entries(w, node, steps)),
        name=f"{node.output}/table",
    )
    tensor = w.activation(node.output, shape, grid)
    types = {"InDataType": TYPES["int8"], "OutDataType": TYPES["int32"]}
    w.m.operator("CAST", [source.tensor], [wide], ("CastOptions", types))
    w.m.operator("ADD", [wide, offset], [index], ("AddOptions", {}))
    w.m.operator("GATHER", [table, index], [tensor], ("GatherOptions", {"Axis": 0}))
    w.put(node.output, tensor, grid, source.order)


def _entries(w: Writer, node: Node, source: Grid) -> Floats:
    """What a function gives of each of its source's steps, (256,).

    Beyond what was seen there may be no answer, as of a logarithm of 0: there it gives what it
    does at the nearest value that was seen.

    Raises UnsupportedError where it has none in between either, or a divisor passes 0.
    """
    divisors = [part.inputs[0] for part in node.get("parts") if part.kind == "Reciprocal"]
    x = source.real(_EVERY)
    found = function_of(node, x, divisors)
    passing = [name for name in divisors if _passes_zero(found[name])]
    if not passing and np.all(np.isfinite(found[node.output])):
        return found[node.output]
    seen = w.seen[node.inputs[0]]
    found = function_of(node, np.clip(x, seen.least, seen.most), divisors)
    for name in divisors:
        if _passes_zero(found[name]):
            least, most = np.min(found[name]), np.max(found[name])
            raise w.graph.refuse(
                node,
                f"its divisor was {least:g} to {most:g} and passes 0, where a quotient has no "
                "bounds; keep the divisor on one side, as by an epsilon",
            )
    values = found[node.output]
    if not np.all(np.isfinite(values)):
        raise w.graph.refuse(
            node,
            f"it is {values[~np.isfinite(values)][0]} somewhere between {seen.least:g} and "
            f"{seen.most:g}, which its input was; keep it from there, as with Clip",
        )
    return values


def _passes_zero(values: Floats) -> bool:
    return not (np.all(values > 0) or np.all(values < 0))


RULES: dict[str, Rule] = {FUNCTION: _function}

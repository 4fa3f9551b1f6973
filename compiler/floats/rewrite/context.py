"""A decoder of the last few symbols takes one: the rows of those before are a state."""

from dataclasses import replace

import numpy as np

from compiler.floats.graph import FloatGraph, Node, State, without_dead_nodes

SYMBOL = "symbol"


def of_one_symbol(graph: FloatGraph, masked: bool, start: int = 0) -> FloatGraph:
    """A normal graph whose input of symbols (1, n), n > 1, becomes one of (1, 1).

    masked : whether there is nothing before the first symbol, as for decoders that multiply rows
        of negative symbols with 0; else the symbol `start` stands there.

    Raises UnsupportedError where symbols are not looked up in one table.
    """
    (symbols,) = graph.inputs
    shape = graph.shapes[symbols]
    count = int(np.prod(shape))
    if count == 1:
        return graph
    takers = [node for node in graph.nodes if symbols in node.inputs]
    if len(takers) != 1 or takers[0].kind != "Gather" or shape != (1, count):
        raise graph.refuse(
            takers[0] if takers else graph.nodes[0],
            f"the decoder's {count} symbols {list(shape)} must be looked up in one table",
        )
    look = takers[0]
    table = graph.constants[look.inputs[0]]
    width = table.shape[1]
    before, last, kept = (f"{symbols}/{part}" for part in ("before", "row", "kept"))
    nodes = [
        Node("Gather", look.name, (look.inputs[0], SYMBOL), (last,)),
        Node("Concat", f"{look.name}/context", (before, last), (look.output,), {"axis": 1}),
        Node(
            "Slice",
            f"{look.name}/kept",
            (look.output,),
            (kept,),
            {"starts": [0, 1, 0], "ends": [1, count, width], "steps": [1, 1, 1]},
        ),
    ]
    rows = np.zeros((1, count - 1, width), np.float32)
    if not masked:
        rows[:] = table[start]
    at = graph.nodes.index(look)
    shapes = dict(graph.shapes) | {
        SYMBOL: (1, 1),
        last: (1, 1, width),
        before: rows.shape,
        kept: rows.shape,
    }
    return without_dead_nodes(
        replace(
            graph,
            nodes=(*graph.nodes[:at], *nodes, *graph.nodes[at + 1 :]),
            inputs=(SYMBOL,),
            states=(*graph.states, State(before, kept, rows)),
            shapes=shapes,
            integers=graph.integers | {SYMBOL},
        )
    )

"""Passes over float graphs: fewer kinds of node, the same answers.

builder     a graph while it is rewritten: rules by kind of node
gathers     elements that are picked at known places
moves       what moves elements: reshapes, slices and joins with everything settled
arithmetic  what computes element by element
products    matrices, and what is folded into their weights
statistics  normalisations and reductions, in their parts
magnitude   sqrt(a^2 + b^2), by turns
pointwise   functions of one value that need a table, as one node each
grids       values on grids that the file gives
states      states of many layers in one tensor, taken apart
wide        weights of more than 127 steps, in two parts
recurrent   LSTM, GRU and RNN: as a layer of TFLite, or in their parts
"""

from compiler.floats.graph import FloatGraph, without_dead_nodes
from compiler.floats.rewrite import (
    arithmetic,
    gathers,
    grids,
    magnitude,
    moves,
    pointwise,
    products,
    recurrent,
    states,
    statistics,
    wide,
)
from compiler.floats.rewrite.builder import Rules, rewritten

_PLAIN: Rules = {
    **moves.RULES,
    **gathers.RULES,
    **arithmetic.RULES,
    **products.RULES,
    **statistics.RULES,
    **grids.RULES,
    **magnitude.RULES,
}
RULES: Rules = {**_PLAIN, **recurrent.RULES}
"""By kind of node: how it is simplified."""


def normal(graph: FloatGraph) -> FloatGraph:
    """A graph of the kinds that `compiler.quantise` knows, or is refused there by.

    Raises UnsupportedError with the node and the reason.
    """
    graph = without_dead_nodes(pointwise.joined(graph))
    graph = without_dead_nodes(rewritten(graph, _PLAIN))
    graph = without_dead_nodes(states.taken_apart(graph))
    graph = without_dead_nodes(rewritten(recurrent.with_layers(graph), recurrent.RULES))
    return without_dead_nodes(wide.narrowed(rewritten(graph, _PLAIN)))


__all__ = ["RULES", "normal"]

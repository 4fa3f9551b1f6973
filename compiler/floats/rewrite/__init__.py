"""Passes over float graphs: fewer kinds of node, the same answers.

builder     a graph while it is rewritten: rules by kind of node
gathers     elements that are picked at known places
moves       what moves elements: reshapes, slices and joins with everything settled
arithmetic  what computes element by element
choices     bounds and conditions
products    matrices, and what is folded into their weights
einsum      sums over axes that letters name, running sums
transposed  transposed convolutions of one group, whose windows have no gaps
statistics  normalisations and reductions, in their parts
magnitude   sqrt(a^2 + b^2), by turns
grids       values on grids that the file gives
states      states of many layers in one tensor, taken apart
functions   what is a function of one value, as one node
sums        states that add ever less to themselves, in two digits
wide        weights of more than 127 steps, in two parts
pools       means of windows
resizes     images in another size
recurrent   LSTM, GRU and RNN: as a layer of TFLite, or in their parts
"""

from compiler.floats.graph import FloatGraph, without_dead_nodes
from compiler.floats.rewrite import (
    arithmetic,
    choices,
    einsum,
    gathers,
    grids,
    magnitude,
    moves,
    pools,
    products,
    recurrent,
    resizes,
    states,
    statistics,
    sums,
    transposed,
    wide,
)
from compiler.floats.rewrite.builder import Rules, rewritten
from compiler.floats.rewrite.functions import with_functions

_PLAIN: Rules = {
    **moves.RULES,
    **gathers.RULES,
    **arithmetic.RULES,
    **choices.RULES,
    **products.RULES,
    **einsum.RULES,
    **transposed.RULES,
    **statistics.RULES,
    **grids.RULES,
    **pools.RULES,
    **resizes.RULES,
    **magnitude.RULES,
}
RULES: Rules = {**_PLAIN, **recurrent.RULES}
"""By kind of node: how it is simplified."""


def normal(graph: FloatGraph) -> FloatGraph:
    """A graph of the kinds that `compiler.quantise` knows, or is refused there by.

    Raises UnsupportedError with the node and the reason.
    """
    graph = without_dead_nodes(rewritten(graph, _PLAIN))
    graph = without_dead_nodes(states.taken_apart(graph))
    graph = without_dead_nodes(rewritten(recurrent.with_layers(graph), recurrent.RULES))
    graph = without_dead_nodes(wide.narrowed(rewritten(graph, _PLAIN)))
    graph = without_dead_nodes(with_functions(graph))
    # What picks by the value that it picks from is a function now; what is left, a mask.
    graph = without_dead_nodes(with_functions(rewritten(graph, choices.MASKS)))
    return without_dead_nodes(sums.in_two_digits(graph))


__all__ = ["RULES", "normal"]

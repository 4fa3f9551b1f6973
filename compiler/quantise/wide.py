"""Which values are int16: those that operators give each other that compute element by element.

Between two products with matrices a cell adds, multiplies and bends its values; TFLM does all of
that in int16, too. A value is int16 if such an operator gives it and another one takes it, whatever
moves it in between, or if a state carries it there. What products take and give stays int8.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from compiler.floats.graph import FloatGraph, Node
from compiler.floats.rewrite.functions import FUNCTION
from compiler.floats.rewrite.sums import ACCUMULATE
from compiler.floats.seen import Seen
from compiler.floats.tables import function_of
from compiler.quantise.correct import added_row
from compiler.quantise.ranges import Grid
from compiler.quantise.wide_grids import SUMS, Groups, grids_of

COMPUTED = frozenset({"Add", "Sub", "Mul", "Sigmoid", "Tanh"})
MOVED = frozenset({"Reshape", "Slice", "Transpose"})
MOST_ELEMENTS = 1 << 14
"""Of a value: int16 takes twice the memory, which large ones have none to spare of."""

_POINTS = 4096
"""At which a function is asked for the ranges of its parts."""


@dataclass(frozen=True, eq=False)
class WidePlan:
    """What of a graph is int16.

    Attributes
    ----------
    nodes : `id` of each that computes or moves int16
    states : names of states' current values that are int16
    grids : of each int16 value, by the name of the value that it was before it was moved
    origins : that name, of values that were moved
    """

    nodes: frozenset[int] = frozenset()
    states: frozenset[str] = frozenset()
    grids: Mapping[str, Grid] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)

    def grid(self, name: str) -> Grid:
        """The grid that a value has as int16."""
        return self.grids[self.origins.get(name, name)]


class _Flow:
    """Who gives and who takes a value, moves aside."""

    def __init__(self, graph: FloatGraph) -> None:
        self.graph = graph
        self.producers = graph.producers()
        self.takers: dict[str, list[Node]] = {}
        for node in graph.nodes:
            for name in node.inputs:
                self.takers.setdefault(name, []).append(node)

    def origin(self, name: str) -> str:
        """What a value was before it was moved."""
        while (node := self.producers.get(name)) is not None and node.kind in MOVED:
            name = node.inputs[0]
        return name

    def computes(self, node: Node | None) -> bool:
        """Whether int16 has an operator for a node, and no product takes it into its own.

        What is added to a state in two digits has its grids from there.
        """
        if node is None or node.kind not in COMPUTED or node.output in self.graph.integers:
            return False
        if any(taker.kind == ACCUMULATE for taker in self.takers.get(node.output, [])):
            return False
        before = self.producers.get(node.inputs[0])
        if before is None or before.kind != "MatMul" or len(self.takers[node.inputs[0]]) != 1:
            return True
        return added_row(self.graph, before, node) is None

    def reached(self, name: str) -> Iterator[Node]:
        """Nodes that compute with a value, however it is moved before."""
        for node in self.takers.get(name, []):
            if node.kind in MOVED:
                yield from self.reached(node.output)
            elif self.computes(node):
                yield node

    def is_given(self, name: str) -> bool:
        """Whether a node that computes gives a value."""
        return self.computes(self.producers.get(self.origin(name)))


def without_functions(
    graph: FloatGraph, seen: Mapping[str, Seen]
) -> tuple[FloatGraph, Mapping[str, Seen]]:
    """The graph in which functions of what is computed are the nodes that they are made of.

    A table takes int8. Where int16 has all parts, and the value behind a sum or a product, nothing
    is rounded to int8 before the function. Others stay tables.
    """
    flow, known = _Flow(graph), dict(seen)
    nodes: dict[str, Node] = {}
    constants, shapes = dict(graph.constants), dict(graph.shapes)
    for node in graph.nodes:
        parts: tuple[Node, ...] = node.get("parts") if node.kind == FUNCTION else ()
        if not (
            parts
            and all(part.kind in COMPUTED for part in parts)
            and flow.is_given(node.inputs[0])
            and node.inputs[0] in seen
        ):
            nodes.setdefault(node.output, node)
            continue
        of = seen[node.inputs[0]]
        found = function_of(
            node,
            np.linspace(of.least, of.most, _POINTS, dtype=np.float32),
            [part.output for part in parts if part.output != node.output],
        )
        constants |= {
            name: np.asarray(value, np.float32) for name, value in node.get("constants").items()
        }
        for part in parts:
            nodes.setdefault(part.output, part)
            shapes[part.output] = shapes[node.output]
            if part.output not in known:
                known[part.output] = made = Seen()
                made.widen(found[part.output])
    found_graph = replace(graph, nodes=tuple(nodes.values()), constants=constants, shapes=shapes)
    return found_graph, known


def plan_of(graph: FloatGraph, seen: Mapping[str, Seen]) -> WidePlan:
    """What of a graph is int16; nothing where the file says itself on which grids values are."""
    if graph.on_grids:
        return WidePlan()
    flow = _Flow(graph)
    states = {
        state.current
        for state in graph.states
        if not state.holder and flow.is_given(state.following) and any(flow.reached(state.current))
    }
    carried = {flow.origin(s.following): s.current for s in graph.states if s.current in states}
    within = {
        node.output
        for node in graph.nodes
        if flow.computes(node) and (node.output in carried or any(flow.reached(node.output)))
    } | states
    nodes, within, states = _worth_it(flow, within, states, carried)
    wide = {id(node) for node in nodes}
    moves = [
        node
        for node in graph.nodes
        if node.kind in MOVED
        and flow.origin(node.output) in within
        and any(id(taker) in wide for taker in flow.reached(node.output))
    ]
    origins = {node.output: flow.origin(node.output) for node in graph.nodes if node.kind in MOVED}
    return WidePlan(
        frozenset(wide | {id(node) for node in moves}),
        frozenset(states),
        grids_of(graph, nodes, flow.origin, states, seen),
        origins,
    )


def _is_large(shape: Sequence[int]) -> bool:
    """Whether a value is an image, scores of many keys for many queries, or as large as these."""
    return int(np.prod(shape)) > MOST_ELEMENTS or (len(shape) == 4 and min(shape[2:]) > 1)


def _worth_it(
    flow: _Flow, within: set[str], states: set[str], carried: Mapping[str, str]
) -> tuple[list[Node], set[str], set[str]]:
    """Nodes, values and states of those chains that lose by int8.

    A sum or a difference in a chain does, and a state. What a sigmoid gives has more steps than
    the product behind it: of these two alone nothing is to be had. Large values stay int8.
    """
    groups = Groups()
    nodes = []
    for node in flow.graph.nodes:
        if flow.computes(node):
            touched = {flow.origin(name) for name in (*node.inputs, node.output)} & within
            nodes += [node] if touched else []
            for name in touched:
                groups.join(node.output, name)
    for following, current in carried.items():
        groups.join(following, current)
    too_large = {groups.leader(name) for name in within if _is_large(flow.graph.shapes[name])}
    worth = {
        groups.leader(name)
        for name in within
        if name in states or ((made := flow.producers.get(name)) is not None and made.kind in SUMS)
    }
    worth -= too_large
    return (
        [node for node in nodes if groups.leader(node.output) in worth],
        {name for name in within if groups.leader(name) in worth},
        {name for name in states if groups.leader(name) in worth},
    )

"""What is a function of one value, element by element, becomes one node.

int8 has 256 values, so any such function is a table of them: x times its sigmoid, a logarithm of
what was raised, GELU in its five parts. Nothing is rounded in between.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from compiler.floats.graph import FloatGraph, Node

FUNCTION = "Function"
"""Of a node with `parts`: nodes from its input to its output, and `constants` that they take."""

COMPARISONS = frozenset({"Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal"})
CONDITIONS = COMPARISONS | {"IsInf", "IsNaN"}
"""Kinds that say of real numbers whether something holds."""

_SIMPLE = frozenset(
    {"Add", "Sub", "Mul", "Max", "Min", "Relu", "LeakyRelu", "Clip", "Abs", "Rsqrt", "Cast", "Not"}
)
"""Parts of a function that alone are none."""
_NATIVE = frozenset({"Sigmoid", "Tanh", "Exp", "Elu", "HardSwish"})
"""What int8 has by itself."""
_OTHERS = frozenset(
    {
        "Acos",
        "Acosh",
        "And",
        "Asin",
        "Asinh",
        "Atan",
        "Atanh",
        "Ceil",
        "Celu",
        "Cos",
        "Cosh",
        "Erf",
        "Floor",
        "IsInf",
        "IsNaN",
        "Log",
        "Or",
        "Pow",
        "Reciprocal",
        "Round",
        "Selu",
        "Sign",
        "Sin",
        "Sinh",
        "Softplus",
        "Softsign",
        "Sqrt",
        "Tan",
        "ThresholdedRelu",
        "Where",
    }
)
PARTS = _SIMPLE | _NATIVE | _OTHERS | CONDITIONS
"""Kinds that compute element by element, of one value and single constants."""

_MOST_PARTS = 256
"""Longer ones are several tables: the search must end soon, whatever the file."""


@dataclass(frozen=True)
class _Way:
    """From a value to another one: positions of the nodes in between."""

    origin: str
    nodes: frozenset[int]


def with_functions(graph: FloatGraph) -> FloatGraph:
    """A graph in which nodes that compute of one value what int8 has no operator for are one.

    So are products of functions of one value. What else takes a value in between gets a function
    of its own, or the node as it was.
    """
    ways = _ways(graph)
    wanted = {*graph.outputs, *(state.following for state in graph.states)}
    nodes: list[Node] = []
    for node in reversed(graph.nodes):
        if not wanted & set(node.outputs):
            continue
        way = ways.get(node.output)
        made = node
        if way is not None and _is_function(graph, node, way):
            made = _function(graph, node, way)
        wanted.update(made.inputs)
        nodes.append(made)
    return replace(graph, nodes=tuple(reversed(nodes)))


def _ways(graph: FloatGraph) -> Mapping[str, _Way]:
    """Of each value that is a function of one other value the longest way."""
    found: dict[str, _Way] = {}
    for at, node in enumerate(graph.nodes):
        if node.kind not in PARTS or len(node.outputs) != 1:
            continue
        computed = [name for name in node.inputs if name not in graph.constants]
        if not computed or any(not _is_single(graph, name) for name in node.inputs):
            continue
        before = [found.get(name, _Way(name, frozenset())) for name in computed]
        if _narrows(node) and not before[0].nodes:
            # What it gives has finer steps than what it takes, and a product does it at once.
            continue
        way = _Way(before[0].origin, frozenset({at}).union(*(each.nodes for each in before)))
        if (
            all(each.origin == way.origin for each in before)
            and way.origin not in graph.integers
            and graph.shapes[way.origin] == graph.shapes[node.output]
            and len(way.nodes) <= _MOST_PARTS
        ):
            found[node.output] = way
    return found


def _narrows(node: Node) -> bool:
    """Whether it only keeps a value within bounds that int8 can have."""
    return node.kind == "Relu" or (node.kind == "Clip" and node.get("min") <= 0 <= node.get("max"))


def _is_single(graph: FloatGraph, name: str) -> bool:
    data = graph.constants.get(name)
    return data is None or (data.size > 0 and bool(np.all(data == data.reshape(-1)[0])))


def _is_function(graph: FloatGraph, node: Node, way: _Way) -> bool:
    """Whether int8 has no operator for it, or needs several."""
    if node.output in graph.integers:
        return False
    nodes = [graph.nodes[at] for at in way.nodes]
    if len(nodes) == 1:
        return node.kind in _OTHERS or (node.kind == "Clip" and not _narrows(node))
    bent = any(each.kind not in _SIMPLE for each in nodes)
    squared = any(
        each.kind == "Mul" and all(name not in graph.constants for name in each.inputs)
        for each in nodes
    )
    return bent or squared


def _function(graph: FloatGraph, node: Node, way: _Way) -> Node:
    parts = tuple(graph.nodes[at] for at in sorted(way.nodes))
    taken = {name for part in parts for name in part.inputs if name in graph.constants}
    constants = {name: graph.constants[name].reshape(-1)[0] for name in taken}
    told = {"parts": parts, "constants": constants}
    return Node(FUNCTION, node.name, (way.origin,), node.outputs, told)

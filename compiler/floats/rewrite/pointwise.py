"""Functions of one value, whatever their formula: all nodes from that value on become one.

int8 has a form of few functions, but any function of one int8 is a table. `log(1 + exp(x - 1)) -
0.08 x`, a comparison that picks between two such, `Softplus`: a `Pointwise` node holds the nodes of
ONNX that compute it, so that a float graph still runs anywhere.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from compiler.floats.graph import Array, FloatGraph, Node

POINTWISE, SOURCE = "Pointwise", "x"
"""The kind of such a node, and what its body calls its input."""

_PLAIN = frozenset(
    {
        "Abs",
        "Add",
        "Cast",
        "Clip",
        "Div",
        "Elu",
        "Exp",
        "HardSigmoid",
        "HardSwish",
        "Identity",
        "LeakyRelu",
        "Max",
        "Min",
        "Mul",
        "Neg",
        "Pow",
        "Relu",
        "Sigmoid",
        "Sub",
        "Sum",
        "Tanh",
    }
)
"""Element by element, and of a form that int8 has without a table."""

_BY_TABLE = frozenset(
    {
        "And",
        "Atan",
        "Ceil",
        "Celu",
        "Cos",
        "Equal",
        "Floor",
        "Greater",
        "GreaterOrEqual",
        "IsInf",
        "IsNaN",
        "Less",
        "LessOrEqual",
        "Log",
        "Not",
        "Or",
        "Round",
        "Selu",
        "Sign",
        "Sin",
        "Softplus",
        "Softsign",
        "ThresholdedRelu",
        "Where",
    }
)
"""Element by element; without a table there is no form."""


def joined(graph: FloatGraph) -> FloatGraph:
    """A graph in which a function that needs a table is one node, named after its last.

    What the function gives on the way, and others take, has a node of its own.
    """
    sources, chains = _sources(graph)
    given = {*graph.outputs, *(state.following for state in graph.states)}
    within = {id(node) for chain in chains.values() for node in chain}
    wanted = given | {i for node in graph.nodes if id(node) not in within for i in node.inputs}
    made: dict[int, Node] = {}
    for value in sorted(wanted & set(chains)):
        chain = chains[value]
        if value not in graph.integers and any(_needs_table(graph, node) for node in chain):
            made[id(chain[-1])] = _node(graph, chain, sources[value])
    if not made:
        return graph
    return replace(graph, nodes=tuple(made.get(id(node), node) for node in graph.nodes))


def _sources(graph: FloatGraph) -> tuple[dict[str, str], dict[str, list[Node]]]:
    """Of values that are functions of another one: that one, and the nodes between, in order."""
    sources: dict[str, str] = {}
    chains: dict[str, list[Node]] = {}
    for node in graph.nodes:
        if node.kind not in _PLAIN | _BY_TABLE or len(node.outputs) != 1:
            continue
        taken = [name for name in node.inputs if name]
        varying = [name for name in taken if graph.constant(name) is None]
        of = {sources.get(name, name) for name in varying}
        alike = all(_uniform(graph.constant(name)) for name in taken if name not in varying)
        if len(of) != 1 or not alike:
            continue
        (source,) = of
        if source in graph.integers or graph.shapes[source] != graph.shapes[node.output]:
            continue
        sources[node.output] = source
        ids = {id(each) for name in varying for each in chains.get(name, ())} | {id(node)}
        chains[node.output] = [each for each in graph.nodes if id(each) in ids]
    return sources, chains


def _needs_table(graph: FloatGraph, node: Node) -> bool:
    settled = node.kind == "Where" and graph.constant(node.inputs[0]) is not None
    return node.kind in _BY_TABLE and not settled


def _uniform(data: Array | None) -> bool:
    return data is not None and data.size > 0 and bool(np.all(data == data.reshape(-1)[0]))


def _node(graph: FloatGraph, chain: list[Node], source: str) -> Node:
    """The nodes of a chain as the body of one; constants become scalars."""
    last = chain[-1]
    constants: dict[str, Array] = {}
    names = {source: SOURCE}
    for number, node in enumerate(chain):
        names[node.output] = f"f{number}"
    body = []
    for node in chain:
        inputs = []
        for name in node.inputs:
            data = graph.constant(name) if name else None
            if data is not None:
                names.setdefault(name, f"c{len(constants)}")
                constants[names[name]] = data.reshape(-1)[0]
            inputs.append(names[name] if name else "")
        body.append(replace(node, inputs=tuple(inputs), outputs=(names[node.output],)))
    return Node(
        POINTWISE,
        last.name,
        (source,),
        (last.output,),
        {"body": tuple(body), "constants": constants},
    )


def expanded(node: Node) -> tuple[list[Node], Mapping[str, Array]]:
    """The nodes of a body under names of their own, and its constants by theirs."""
    constants: Mapping[str, Array] = node.get("constants")
    body: tuple[Node, ...] = node.get("body")
    names = {SOURCE: node.inputs[0], body[-1].output: node.output, "": ""}
    names |= {name: f"{node.output}/{name}" for name in constants}
    names |= {each.output: f"{node.output}/{each.output}" for each in body[:-1]}
    nodes = [
        replace(
            each,
            inputs=tuple(names[name] for name in each.inputs),
            outputs=(names[each.output],),
        )
        for each in body
    ]
    return nodes, {names[name]: data for name, data in constants.items()}

"""A graph while it is rewritten: rules by kind of node, values renamed on the way."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from compiler.floats.graph import Array, FloatGraph, Node


class Builder:
    """What a rule writes to; names are those of the new graph.

    Attributes
    ----------
    graph : as it was
    """

    def __init__(self, graph: FloatGraph) -> None:
        self.graph = graph
        self.nodes: list[Node] = []
        self.constants: dict[str, Array] = dict(graph.constants)
        self.shapes: dict[str, tuple[int, ...]] = dict(graph.shapes)
        self.integers = set(graph.integers)
        self.users = graph.users()
        self._same: dict[str, str] = {}
        self._producers: dict[str, Node] = {}
        self._count = 0

    def name(self, old: str) -> str:
        """What a value of the old graph is called now."""
        while old in self._same:
            old = self._same[old]
        return old

    def shape(self, name: str) -> tuple[int, ...]:
        return self.shapes[name]

    def constant(self, name: str) -> Array | None:
        return self.constants.get(name)

    def producer(self, name: str) -> Node | None:
        """The new node that gives a value."""
        return self._producers.get(name)

    def store(self, data: Any, hint: str = "constant") -> str:
        """A new constant: float32, or int64 of integers."""
        array = np.asarray(data)
        array = array.astype(np.int64 if array.dtype.kind in "iub" else np.float32)
        name = self._fresh(hint)
        self.constants[name] = array
        self.shapes[name] = array.shape
        return name

    def same(self, old: str, now: str) -> None:
        """The value `old` is the new value `now`."""
        if old != now:
            self._same[old] = now

    def emit(
        self,
        kind: str,
        inputs: Sequence[str],
        shape: Sequence[int],
        output: str | None = None,
        at: Node | None = None,
        **attributes: Any,
    ) -> str:
        """A new node with one output, of this shape. Returns the output's name.

        output : its name, where it stands for a value of the old graph
        at : the old node that it comes from, after which it is called
        """
        data = self.constants.get(inputs[0]) if inputs else None
        if kind == "Reshape" and data is not None:
            found = self.store(data.reshape(tuple(shape)))
            if output is not None:
                self.same(output, found)
            return found
        stem = at.name if at is not None else kind
        name = self._fresh(f"{stem}/{kind}") if output is None else output
        self._add(Node(kind, stem, tuple(inputs), (name,), attributes))
        self.shapes[name] = tuple(int(n) for n in shape)
        if inputs and inputs[0] in self.integers and kind in _KEEP_TYPE:
            self.integers.add(name)
        return name

    def keep(self, node: Node, **changes: Any) -> None:
        """The old node, on the new names of what it takes."""
        self._add(replace(node, inputs=tuple(self.name(i) for i in node.inputs), **changes))

    def _add(self, node: Node) -> None:
        self.nodes.append(node)
        for output in node.outputs:
            if output:
                self._producers[output] = node

    def _fresh(self, hint: str) -> str:
        self._count += 1
        while f"{hint}.{self._count}" in self.shapes:
            self._count += 1
        return f"{hint}.{self._count}"

    def finished(self) -> FloatGraph:
        """The new graph. An output that became another value's name keeps its own."""
        wanted = [*self.graph.outputs, *(state.following for state in self.graph.states)]
        for name in wanted:
            now = self.name(name)
            if now != name:
                self._same.pop(name)
                self.emit("Reshape", [now], self.shapes[now], output=name)
                if now in self.integers:
                    self.integers.add(name)
        return replace(
            self.graph,
            nodes=tuple(self.nodes),
            constants=self.constants,
            shapes=self.shapes,
            integers=frozenset(self.integers),
        )


_KEEP_TYPE = frozenset({"Reshape", "Transpose", "Slice", "Concat"})

Rule = Callable[[Builder, Node], None]
Rules = Mapping[str, Rule]


def rewritten(graph: FloatGraph, rules: Rules) -> FloatGraph:
    """A graph with each node as its kind's rule has it; others stay."""
    builder = Builder(graph)
    for node in graph.nodes:
        rule = rules.get(node.kind)
        if rule is None:
            builder.keep(node)
        else:
            rule(builder, node)
    return builder.finished()


def inputs(b: Builder, node: Node) -> list[str]:
    """The new names of what a node takes, absent ones empty."""
    return [b.name(each) for each in node.inputs]


def settled(b: Builder, node: Node, position: int, attribute: str) -> Array | None:
    """What older opsets have as an attribute and newer ones as a constant input.

    None where it is absent. Raises UnsupportedError where it depends on a call's data.
    """
    if node.get(attribute) is not None:
        return np.asarray(node.get(attribute))
    name = node.input(position)
    if not name:
        return None
    data = b.constant(b.name(name))
    if data is None:
        raise b.graph.refuse(
            node,
            f"its {attribute} depend on the data of a call; shapes and positions must be fixed "
            "when the model is exported",
        )
    return data

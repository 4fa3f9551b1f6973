"""Which channels may be scaled together, so that a float graph answers as before.

A positive factor of a channel passes through everything that is linear in it or bends at 0 alone:
ReLU and its leaky kin, maxima, means, sums of two values whose channels have the same factors. It
is taken into the weights before and out of those behind.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod

import numpy as np
from numpy.typing import NDArray

from compiler.floats.graph import FloatGraph, Node

Ids = NDArray[np.int64]

_ALIKE = frozenset({"Relu", "LeakyRelu", "PRelu", "MaxPool", "AveragePool", "Resize"})


@dataclass(frozen=True, eq=False)
class Channels:
    """Of a value: the axis along which its channels lie, and a number for each of them."""

    axis: int
    ids: Ids


@dataclass(eq=False)
class Linked:
    """Channels of a graph, numbered; those that are linked have the same factor.

    Attributes
    ----------
    of : by value; values that are not in it stay as they are
    producers, consumers : nodes whose weights take the factors of what they give, or take
    offsets : additions of a constant, which lies where the value before it does
    """

    of: dict[str, Channels] = field(default_factory=dict)
    producers: list[Node] = field(default_factory=list)
    consumers: list[Node] = field(default_factory=list)
    offsets: list[Node] = field(default_factory=list)
    _parents: list[int] = field(default_factory=list)
    _pinned: set[int] = field(default_factory=set)

    def fresh(self, name: str, axis: int, count: int) -> None:
        """New channels of a value."""
        first = len(self._parents)
        self._parents.extend(range(first, first + count))
        self.of[name] = Channels(axis, np.arange(first, first + count))

    def root(self, number: int) -> int:
        """The number that stands for all that a channel is linked to."""
        while self._parents[number] != number:
            self._parents[number] = self._parents[self._parents[number]]
            number = self._parents[number]
        return number

    def roots(self, name: str) -> Ids:
        return np.array([self.root(int(i)) for i in self.of[name].ids], np.int64)

    def link(self, left: Ids, right: Ids) -> None:
        for one, other in zip(left, right, strict=True):
            self._parents[self.root(int(one))] = self.root(int(other))

    def pin(self, name: str) -> None:
        """A value stays as it is."""
        if name in self.of:
            self._pinned.update(int(i) for i in self.of[name].ids)

    def pinned(self) -> set[int]:
        """Roots whose factor is 1."""
        return {self.root(number) for number in self._pinned}


def linked(graph: FloatGraph) -> Linked:
    """The channels of a normal graph."""
    found = Linked()
    for node in graph.nodes:
        if not _follow(found, graph, node):
            for name in node.inputs:
                found.pin(name)
    for name in (*graph.outputs, *(state.following for state in graph.states)):
        found.pin(name)
    return found


def _follow(found: Linked, graph: FloatGraph, node: Node) -> bool:
    """Whether a node passes factors on, or takes them into its weights."""
    match node.kind:
        case "Conv":
            return _conv(found, graph, node)
        case "MatMul":
            return _matmul(found, graph, node)
        case "Add" | "Sub":
            return _sum(found, graph, node)
        case "Mul":
            return _product(found, graph, node)
        case "Concat":
            return _concat(found, graph, node)
    known = found.of.get(node.inputs[0]) if node.inputs else None
    if known is None or any(graph.constant(name) is None for name in node.inputs[1:] if name):
        return False
    return _moved(found, graph, node, known)


def _conv(found: Linked, graph: FloatGraph, node: Node) -> bool:
    if any(graph.constant(name) is None for name in node.inputs[1:] if name):
        return False
    found.fresh(node.output, 1, graph.shapes[node.output][1])
    found.producers.append(node)
    return _taken(found, node, 1)


def _taken(found: Linked, node: Node, axis: int) -> bool:
    known = found.of.get(node.inputs[0])
    if known is None or known.axis != axis:
        return False
    found.consumers.append(node)
    return True


def _matmul(found: Linked, graph: FloatGraph, node: Node) -> bool:
    weights = graph.constant(node.inputs[1])
    if weights is None or weights.ndim != 2:
        return False
    known = found.of.get(node.inputs[0])
    last = len(graph.shapes[node.output]) - 1
    if known is not None and known.axis != last:
        # A sum over another axis, as of an image that is resized.
        found.of[node.output] = known
        return True
    found.fresh(node.output, last, weights.shape[1])
    found.producers.append(node)
    return _taken(found, node, last)


def _sum(found: Linked, graph: FloatGraph, node: Node) -> bool:
    left, right = (found.of.get(name) for name in node.inputs)
    shape = graph.shapes[node.output]
    if left is None or graph.shapes[node.inputs[0]] != shape:
        return False
    if graph.constant(node.inputs[1]) is not None:
        found.of[node.output] = left
        found.offsets.append(node)
        return True
    if right is None or right.axis != left.axis or graph.shapes[node.inputs[1]] != shape:
        return False
    found.link(left.ids, right.ids)
    found.of[node.output] = left
    return True


def _product(found: Linked, graph: FloatGraph, node: Node) -> bool:
    """A value times a constant, or times another value that has no factors."""
    known = found.of.get(node.inputs[0])
    if known is None or graph.shapes[node.inputs[0]] != graph.shapes[node.output]:
        return False
    if node.inputs[1] == node.inputs[0]:
        return False
    found.pin(node.inputs[1])
    found.of[node.output] = known
    return True


def _concat(found: Linked, graph: FloatGraph, node: Node) -> bool:
    parts = [found.of.get(name) for name in node.inputs]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts) or len({part.axis for part in known}) > 1:
        return False
    if node.get("axis") == known[0].axis:
        ids = np.concatenate([part.ids for part in known])
        found.of[node.output] = Channels(known[0].axis, ids)
        return True
    for part in known[1:]:
        found.link(known[0].ids, part.ids)
    found.of[node.output] = known[0]
    return True


def _moved(found: Linked, graph: FloatGraph, node: Node, known: Channels) -> bool:
    """What has one operand: the channels lie elsewhere, or are others."""
    axis, ids, shape = known.axis, known.ids, graph.shapes[node.output]
    if node.kind in _ALIKE:
        pass
    elif node.kind == "Transpose":
        axis = list(node.get("perm")).index(axis)
    elif node.kind == "Reshape":
        axis = _kept_axis(graph.shapes[node.inputs[0]], shape, axis)
    elif node.kind in ("ReduceMean", "ReduceMax") and axis not in node.get("axes"):
        if not node.get("keepdims"):
            axis -= sum(a < axis for a in node.get("axes"))
    elif node.kind == "Slice" and node.get("steps")[axis] > 0:
        ids = ids[node.get("starts")[axis] : node.get("ends")[axis] : node.get("steps")[axis]]
    elif node.kind == "Pad" and not node.get("value"):
        ids = _padded(found, node, known)
    else:
        return False
    if axis < 0 or len(ids) != shape[axis]:
        return False
    found.of[node.output] = Channels(axis, ids)
    return True


def _padded(found: Linked, node: Node, known: Channels) -> Ids:
    """Channels of nothing but zeros have numbers of their own."""
    sides = []
    for borders in (node.get("begins"), node.get("ends")):
        found.fresh(f"{node.output}/border", known.axis, int(borders[known.axis]))
        sides.append(found.of.pop(f"{node.output}/border").ids)
    return np.concatenate([sides[0], known.ids, sides[1]])


def _kept_axis(before: Sequence[int], behind: Sequence[int], axis: int) -> int:
    """Where an axis lies behind a reshape, -1 where it does not survive."""
    for place, size in enumerate(behind):
        if size == before[axis] and prod(behind[:place]) == prod(before[:axis]):
            return place
    return -1

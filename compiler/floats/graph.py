"""A float graph: nodes of ONNX on values by name, shapes fixed, states explicit.

Kinds, operands and attributes of nodes are those of ONNX's default domain at opset `OPSET`, so that
any runtime of ONNX runs a graph. What does not depend on the data of a call is a constant.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from numpy.typing import NDArray

from npu.errors import UnsupportedError

OPSET = 17
"""The opset whose semantics nodes have once they are read."""

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Node:
    """An operator. An input that is left out is an empty string."""

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def get(self, attribute: str, default: Any = None) -> Any:
        return self.attributes.get(attribute, default)

    def input(self, position: int) -> str:
        """An input's name, empty where it is absent."""
        return self.inputs[position] if position < len(self.inputs) else ""

    @property
    def output(self) -> str:
        """The first output."""
        return self.outputs[0]


@dataclass(frozen=True, eq=False)
class State:
    """A value that the next call finds where this one left it.

    Attributes
    ----------
    current, following : the input of a call, and what the next call gets there
    initial : what the first call gets
    holder : name of the node that keeps it for itself, empty where nobody does
    """

    current: str
    following: str
    initial: Array
    holder: str = ""


@dataclass(frozen=True, eq=False)
class FloatGraph:
    """A float model.

    Attributes
    ----------
    nodes : in an order in which they run
    constants : by name; float32, or int64 where they index
    inputs, outputs : names, in calling order, without states
    states : what is carried from call to call
    shapes : of every value that nodes take or give
    integers : names of values that are integers, such as symbols
    steps : of weights that a file holds as integers, (rows,) or (1,) float32 each
    settled : outputs of the file that are the same in every call, and are left out
    """

    name: str
    nodes: tuple[Node, ...]
    constants: Mapping[str, Array]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    states: tuple[State, ...]
    shapes: Mapping[str, tuple[int, ...]]
    integers: frozenset[str] = frozenset()
    steps: tuple[Array, ...] = ()
    settled: tuple[str, ...] = ()

    def constant(self, name: str) -> Array | None:
        """The contents of a constant; None of what a call computes, and of what is absent."""
        return self.constants.get(name)

    def users(self) -> Counter[str]:
        """How often nodes, outputs and states take each value."""
        taken = Counter(name for node in self.nodes for name in node.inputs if name)
        taken.update(self.outputs)
        taken.update(state.following for state in self.states)
        return taken

    @property
    def on_grids(self) -> bool:
        """Whether the file holds integers, and says on which grids its values are."""
        return any(node.kind == "FakeQuantize" for node in self.nodes)

    def producers(self) -> dict[str, Node]:
        """The node of each value."""
        return {name: node for node in self.nodes for name in node.outputs if name}

    def refuse(self, node: Node, reason: str) -> UnsupportedError:
        """What to raise for a node."""
        return UnsupportedError(f"{self.name}: node {node.name!r} ({node.kind}): {reason}")


def without_dead_nodes(graph: FloatGraph, held: bool = True) -> FloatGraph:
    """A graph without what nobody takes, constants among them.

    held : with what becomes of states that a node keeps for itself.
    """
    carried = (s.following for s in graph.states if held or not s.holder)
    wanted = {*graph.outputs, *carried}
    kept = []
    for node in reversed(graph.nodes):
        if wanted & set(node.outputs):
            kept.append(node)
            wanted.update(node.inputs)
    constants = {name: data for name, data in graph.constants.items() if name in wanted}
    return replace(graph, nodes=tuple(reversed(kept)), constants=constants)

"""LSTM, GRU and RNN: a layer of TFLite where it is one, else in their parts, step by step.

TFLM's LSTM keeps hidden and cell state itself, from call to call. That is the ONNX operator whose
initial states are inputs of the model and whose last states are the outputs that come back there.
All others are written as the formulas of ONNX's specification.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from compiler.floats.graph import Array, FloatGraph, Node, State
from compiler.floats.rewrite.builder import Builder, Rules
from compiler.floats.rewrite.moves import cut, reshape

MAX_STEPS = 256
"""Of a layer that is written step by step."""

_DEFAULTS = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"], "RNN": ["Tanh"]}
_GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def with_layers(graph: FloatGraph) -> FloatGraph:
    """A graph in which every LSTM that a layer of TFLite can be holds its states."""
    states = list(graph.states)
    for node in graph.nodes:
        if node.kind != "LSTM" or not _plain(graph, node):
            continue
        held = [_state(graph, states, node, at) for at in (1, 2)]
        if all(each is not None for each in held):
            for each in held:
                assert each is not None
                states[states.index(each)] = replace(each, holder=node.name)
    return replace(graph, states=tuple(states))


def is_layer(graph: FloatGraph, node: Node) -> bool:
    """Whether an LSTM holds its states."""
    return any(state.holder == node.name for state in graph.states)


def _plain(graph: FloatGraph, node: Node) -> bool:
    """Whether TFLite's LSTM has all that an operator asks for."""
    forward = node.get("direction", "forward") == "forward"
    gates = list(node.get("activations") or _DEFAULTS["LSTM"]) == _DEFAULTS["LSTM"]
    clipped = node.get("clip") is not None or node.get("input_forget", 0)
    batch = graph.shapes[node.inputs[0]][1] == 1
    settled = all(node.input(at) in graph.constants for at in (1, 2))
    return forward and gates and not clipped and batch and settled and not node.input(7)


def _state(graph: FloatGraph, states: list[State], node: Node, at: int) -> State | None:
    """The state that a node begins with at its output `at`, and ends with there."""
    users, producers = graph.users(), graph.producers()
    initial, last = node.input(4 + at), node.outputs[at] if len(node.outputs) > at else ""
    begun = _behind(producers, initial, users)
    state = next((s for s in states if s.current == begun and not s.holder), None)
    if state is None or not last or np.any(state.initial != 0) or users[state.current] != 1:
        return None
    if _behind(producers, state.following, None) != last:
        return None
    # Of a cell nothing else is known outside of the layer.
    return state if at == 1 or users[last] == 1 else None


def _behind(producers: dict[str, Node], name: str, users: "dict[str, int] | None") -> str:
    """What a value is a reshape of."""
    while (node := producers.get(name)) is not None and node.kind == "Reshape":
        if users is not None and users[name] != 1:
            return name
        name = node.inputs[0]
    return name


def _rule(b: Builder, node: Node) -> None:
    if node.kind == "LSTM" and is_layer(b.graph, node):
        b.keep(node)
        return
    _require(b, node)
    x = b.name(node.inputs[0])
    steps, _, width = b.shape(x)
    weights, recurrent = (b.constant(b.name(node.input(at))) for at in (1, 2))
    bias = b.constant(b.name(node.input(3))) if node.input(3) else None
    assert weights is not None and recurrent is not None
    units, sides = recurrent.shape[2], weights.shape[0]
    if bias is None:
        bias = np.zeros((sides, 2 * weights.shape[1]), np.float32)
    rows = reshape(b, node, x, (steps, width))
    outputs: list[list[str]] = []
    last: list[tuple[str, ...]] = []
    for side in range(sides):
        backward = node.get("direction") == "reverse" or side == 1
        cell = _Cell(b, node, weights[side], recurrent[side], bias[side])
        begin = tuple(_initial(b, node, at, side, units) for at in range(5, 5 + cell.states))
        order = range(steps)[::-1] if backward else range(steps)
        found: dict[int, str] = {}
        carried = begin
        projected = cell.of_inputs(rows)
        for step in order:
            piece = [slice(step, step + 1, 1), slice(0, projected[1], 1)]
            carried = cell.step(cut(b, node, projected[0], piece), carried)
            found[step] = carried[0]
        outputs.append([found[step] for step in range(steps)])
        last.append(carried)
    _finish(b, node, outputs, last, units)


def _require(b: Builder, node: Node) -> None:
    """Raise UnsupportedError for forms of a layer that are not written in parts."""
    asked = list(node.get("activations") or _DEFAULTS[node.kind])
    known = _DEFAULTS[node.kind]
    if asked[: len(known)] != known and not (node.kind == "RNN" and set(asked) <= {"Relu", "Tanh"}):
        raise b.graph.refuse(node, f"activations {asked}; {known} run")
    steps, batch, _ = b.shape(b.name(node.inputs[0]))
    if batch != 1 or node.get("layout", 0):
        raise b.graph.refuse(node, f"a batch of {batch}; the chip takes one sequence (layout 0)")
    if node.get("clip") is not None or node.get("input_forget", 0) or node.input(7):
        raise b.graph.refuse(node, "clipped gates, coupled gates and peepholes do not run")
    lengths = b.constant(b.name(node.input(4))) if node.input(4) else None
    if node.input(4) and (lengths is None or np.any(lengths != steps)):
        raise b.graph.refuse(node, f"sequence_lens must be the constant {steps}")
    if steps > MAX_STEPS:
        raise b.graph.refuse(
            node,
            f"{steps} steps a call without a state that is carried; make its states inputs and "
            f"outputs, or run at most {MAX_STEPS} steps a call",
        )
    if any(b.constant(b.name(node.input(at))) is None for at in (1, 2)):
        raise b.graph.refuse(node, "its weights must be constant")


def _initial(b: Builder, node: Node, at: int, side: int, units: int) -> str:
    """What a side begins with, (1, units), empty where that is zero."""
    name = b.name(node.input(at)) if node.input(at) else ""
    data = b.constant(name) if name else None
    if not name or (data is not None and not np.any(data)):
        return ""
    piece = [slice(side, side + 1, 1), slice(0, 1, 1), slice(0, units, 1)]
    return reshape(b, node, cut(b, node, name, piece), (1, units))


def _finish(
    b: Builder, node: Node, outputs: list[list[str]], last: list[tuple[str, ...]], units: int
) -> None:
    """Y (steps, sides, 1, units), Y_h and Y_c (sides, 1, units) from each side's vectors."""

    def joined(names: list[str]) -> str:
        if len(names) == 1:
            return names[0]
        return b.emit("Concat", names, (len(names), units), at=node, axis=0)

    steps = len(outputs[0])
    if node.outputs[0] and b.users[node.outputs[0]]:
        in_turn = [side[step] for step in range(steps) for side in outputs]
        reshape(b, node, joined(in_turn), (steps, len(outputs), 1, units), node.outputs[0])
    for at, output in enumerate(node.outputs[1:]):
        if output and b.users[output]:
            whole = joined([side[at] for side in last])
            reshape(b, node, whole, (len(last), 1, units), output)


class _Cell:
    """One side of a layer: (1, units) states from step to step."""

    def __init__(
        self, b: Builder, node: Node, weights: Array, recurrent: Array, bias: Array
    ) -> None:
        self.b, self.node, self.kind = b, node, node.kind
        self.units = recurrent.shape[1]
        self.weights, self.recurrent = weights, recurrent
        self.bias_x, self.bias_h = np.split(bias, 2)
        self.after = bool(node.get("linear_before_reset", 0))
        self.states = 2 if self.kind == "LSTM" else 1
        self._step: Callable[[str, tuple[str, ...]], tuple[str, ...]] = {
            "LSTM": self._lstm,
            "GRU": self._gru,
            "RNN": self._rnn,
        }[self.kind]

    def of_inputs(self, rows: str) -> tuple[str, int]:
        """What all steps' inputs give to the gates: (steps, gates * units), and that width."""
        bias = self.bias_x + self.bias_h
        if self.kind == "GRU":
            # The new gate's recurrent bias stands within the product with the reset gate.
            bias = self.bias_x.copy()
            bias[: 2 * self.units] += self.bias_h[: 2 * self.units]
        return self._linear(rows, self.weights, bias), len(bias)

    def step(self, given: str, carried: tuple[str, ...]) -> tuple[str, ...]:
        """The states behind a step."""
        return self._step(given, carried)

    def _linear(self, x: str, weights: Array, bias: Array | None) -> str:
        shape = (self.b.shape(x)[0], len(weights))
        product = self.b.emit("MatMul", [x, self.b.store(weights.T)], shape, at=self.node)
        if bias is None:
            return product
        return self.b.emit("Add", [product, self.b.store(bias)], shape, at=self.node)

    def _op(self, kind: str, *names: str) -> str:
        return self.b.emit(kind, names, self.b.shape(names[0]), at=self.node)

    def _gate(self, of: str, number: int, kind: str | None) -> str:
        piece = slice(number * self.units, (number + 1) * self.units, 1)
        found = cut(self.b, self.node, of, [slice(0, 1, 1), piece])
        return found if kind is None else self._op(kind, found)

    def _added(self, given: str, hidden: str, weights: Array, bias: Array | None = None) -> str:
        """What the inputs and the hidden state give."""
        if not hidden:
            if bias is None or not np.any(bias):
                return given
            return self._op("Add", given, self.b.store(bias))
        return self._op("Add", given, self._linear(hidden, weights, bias))

    def _lstm(self, given: str, carried: tuple[str, ...]) -> tuple[str, ...]:
        hidden, cell = carried
        gates = self._added(given, hidden, self.recurrent)
        i, o, f = (self._gate(gates, number, "Sigmoid") for number in (0, 1, 2))
        new = self._op("Mul", i, self._gate(gates, 3, "Tanh"))
        if cell:
            new = self._op("Add", self._op("Mul", f, cell), new)
        return self._op("Mul", o, self._op("Tanh", new)), new

    def _gru(self, given: str, carried: tuple[str, ...]) -> tuple[str, ...]:
        (hidden,) = carried
        units = self.units
        both, last = self.recurrent[: 2 * units], self.recurrent[2 * units :]
        bias = self.bias_h[2 * units :]
        pieces = [slice(0, 1, 1), slice(0, 2 * units, 1)]
        of_gates = cut(self.b, self.node, given, pieces)
        gates = self._added(of_gates, hidden, both)
        z, r = (self._gate(gates, number, "Sigmoid") for number in (0, 1))
        of_new = self._gate(given, 2, None)
        if not hidden:
            inner = self._op("Mul", r, self.b.store(bias)) if self.after else self.b.store(bias)
            bent = self._op("Tanh", self._op("Add", of_new, inner))
            return (self._op("Sub", bent, self._op("Mul", z, bent)),)
        if self.after:
            inner = self._op("Mul", r, self._linear(hidden, last, bias))
        else:
            inner = self._linear(self._op("Mul", r, hidden), last, bias)
        bent = self._op("Tanh", self._op("Add", of_new, inner))
        away = self._op("Mul", z, self._op("Sub", hidden, bent))
        return (self._op("Add", bent, away),)

    def _rnn(self, given: str, carried: tuple[str, ...]) -> tuple[str, ...]:
        kind = (self.node.get("activations") or ["Tanh"])[0]
        return (self._op(kind, self._added(given, carried[0], self.recurrent)),)


RULES: Rules = {"LSTM": _rule, "GRU": _rule, "RNN": _rule}

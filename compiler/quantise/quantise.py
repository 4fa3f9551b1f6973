"""A float graph with what was seen of it becomes an integer model in the form of TFLite."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from compiler.floats.graph import FloatGraph, Node, State, without_dead_nodes
from compiler.floats.seen import Seen
from compiler.quantise import (
    rules,
    rules_moves,
    rules_products,
    rules_sums,
    rules_tables,
    rules_wide,
    rules_windows,
)
from compiler.quantise.choose import DEFAULT
from compiler.quantise.known import grids_of_file
from compiler.quantise.ranges import Grid
from compiler.quantise.rules import Rule
from compiler.quantise.variables import First, assign, begin, handle
from compiler.quantise.weights import Stored
from compiler.quantise.wide import WidePlan, plan_of, without_functions
from compiler.quantise.writer import Writer
from compiler.tflite_writer import ModelSpec
from npu.errors import ModelError

RULES: dict[str, Rule] = {
    **rules.RULES,
    **rules_moves.RULES,
    **rules_products.RULES,
    **rules_sums.RULES,
    **rules_tables.RULES,
    **rules_windows.RULES,
}
_PASS_ON = ("Reshape", "Transpose", "Slice")
_FIXED = ("Sigmoid", "Tanh", "Softmax", "LogSoftmax")


def quantised(
    graph: FloatGraph,
    seen: Mapping[str, Seen],
    method: str = DEFAULT,
    told: Mapping[str, Grid] | None = None,
    stored: Mapping[tuple[str, int], Stored] | None = None,
    cell_clip: float = 0.0,
    wide: bool = True,
) -> ModelSpec:
    """The integer model of a normal float graph.

    Activations are int8 with a zero point, weights int8 with a step for each row (each gate of an
    LSTM), biases int32, the cell of an LSTM layer int16. States are variables.

    Parameters
    ----------
    graph : as `compiler.floats.rewrite.normal` gives it
    seen : of every real value, as `compiler.floats.run.observe` gives it
    method : of `compiler.quantise.choose`
    told : grids that values must have, as those of another model's end
    stored : weights that are rounded already, as `stored_weights` gives them
    cell_clip : as of a `WeightPlan`
    wide : whether what `compiler.quantise.wide` names is int16

    Raises
    ------
    UnsupportedError
        With the node and the reason, for what has no form in TFLM's int8 arithmetic.
    ModelError
        A range or a bias cannot be expressed.
    """
    graph = without_dead_nodes(graph, held=False)
    known = grids_of_file(graph) | dict(told or {})
    plan = WidePlan()
    if wide:
        graph, seen = without_functions(graph, seen)
        plan = plan_of(graph, seen)
    w = Writer(graph, seen, method, known, stored or {}, cell_clip, plan)
    rules_sums.settle_grids(w)
    _share_grids(w)
    inputs = {}
    for name in graph.inputs:
        with _within(graph, f"input {name!r}"):
            inputs[name] = _input(w, name)
    carried = [s for s in graph.states if not s.holder]
    handles = {s.current: _read(w, number, s) for number, s in enumerate(carried)}
    for node in graph.nodes:
        if id(node) not in w.done:
            with _within(graph, f"node {node.name!r} ({node.kind})"):
                _rule(w, node)(w, node)
    for state in carried:
        is_wide = state.current in plan.states
        grid = _state_grid(w, state)
        found = w.on(w.plain(state.following, is_wide), grid, state.following)
        assign(w.m, handles[state.current], found.tensor)
    begin(
        w.m,
        {_variable(k): First(s.initial, _state_grid(w, s)) for k, s in enumerate(carried)},
    )
    return w.finish(inputs, {name: _output(w, name) for name in graph.outputs})


@contextmanager
def _within(graph: FloatGraph, where: str) -> Iterator[None]:
    """Errors say where they belong, unless they do already."""
    try:
        yield
    except ModelError as error:
        if str(error).startswith(f"{graph.name}: "):
            raise
        raise ModelError(f"{graph.name}: {where}: {error}") from error


def _rule(w: Writer, node: Node) -> Rule:
    rule = rules_wide.RULES.get(node.kind) if w.is_wide(node) else None
    rule = rule or RULES.get(node.kind)
    if rule is None:
        raise w.graph.refuse(
            node,
            "it has no form in TFLM's int8 arithmetic here; write it in other operators, or leave "
            "it to the host",
        )
    return rule


def _share_grids(w: Writer) -> None:
    """Values that only move, or are joined or carried, take the grid of where they go."""
    producers = w.graph.producers()
    for state in w.graph.states:
        if not state.holder:
            _meet(w, producers.get(state.following), state.following, state.current)
    for node in reversed(w.graph.nodes):
        if node.kind == "Concat" or node.kind in _PASS_ON:
            for name in node.inputs:
                _meet(w, producers.get(name), name, node.output)


def _meet(w: Writer, node: Node | None, name: str, other: str) -> None:
    """What a node gives, if it has no grid of its own, and goes nowhere else."""
    alone = len(w.takers.get(name, [])) + (name in w.ends) == 1
    carried = name in w.ends and len(w.takers.get(name, [])) > 0
    if node is None or node.kind in _FIXED or not (alone or carried) or name == other:
        return
    w.meet(name, other)


def _input(w: Writer, name: str) -> int:
    shape = w.graph.shapes[name]
    if name in w.graph.integers:
        tensor = w.m.tensor(shape, "int32", (), name=name)
        w.put(name, tensor, None)
    else:
        grid = w.grid(name)
        tensor = w.activation(name, shape, grid)
        w.put(name, tensor, grid)
    return tensor


def _output(w: Writer, name: str) -> int:
    found = w.plain(name)
    if found.grid is None:
        raise ModelError(f"{w.graph.name}: output {name!r} is of integers; real numbers come out")
    if found.tensor in w.m.inputs or w.m.tensors[found.tensor].data is not None:
        found = w.reshaped(found, found.shape, name)
    return found.tensor


def _state_grid(w: Writer, state: State) -> Grid:
    wide = state.current in w.wide.states
    return w.wide.grid(state.current) if wide else w.grid(state.current)


def _read(w: Writer, number: int, state: State) -> int:
    """READ_VARIABLE of a state. Returns the variable's handle."""
    name = state.current
    variable = handle(w.m, _variable(number))
    grid = _state_grid(w, state)
    tensor = w.activation(name, w.graph.shapes[name], grid)
    w.m.operator("READ_VARIABLE", [variable], [tensor], ("ReadVariableOptions", {}))
    w.put(name, tensor, grid)
    return variable


def _variable(number: int) -> str:
    return f"state{number}"

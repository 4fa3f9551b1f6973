"""States of many layers in one tensor, taken apart: a state for each slice that is read.

PyTorch's modules of several layers, and models such as silero's, keep (layers, batch, units) or
(2, batch, units) in one input. Each part then has a range of its own.
"""

from dataclasses import replace

from compiler.floats.graph import FloatGraph, Node, State


def taken_apart(graph: FloatGraph) -> FloatGraph:
    """A graph whose states are read and written whole, as far as slices and joins allow it."""
    states: list[State] = []
    for state in graph.states:
        parts = _parts(graph, state)
        states += [state] if parts is None else parts
    now = {state.current for state in states}
    nodes = tuple(node for node in graph.nodes if not now & set(node.outputs))
    return replace(graph, nodes=nodes, states=tuple(states))


def _parts(graph: FloatGraph, state: State) -> list[State] | None:
    current, initial = state.current, state.initial
    takers = [node for node in graph.nodes if current in node.inputs]
    if len(takers) == 1 and takers[0].kind == "Reshape":
        # As where a batch of one changes places with the layers.
        current = takers[0].output
        initial = initial.reshape(graph.shapes[current])
        takers = [node for node in graph.nodes if current in node.inputs]
    users = graph.users()
    given = [*graph.outputs, *(s.following for s in graph.states if s is not state)]
    producers = graph.producers()
    join = producers.get(state.following)
    # What a settled branch gives has a name of its own, and stands behind a reshape to the same.
    while join is not None and join.kind == "Reshape" and users[join.inputs[0]] == 1:
        join = producers.get(join.inputs[0])
    joins = join is not None and join.kind == "Concat"
    if not takers or any(t.kind != "Slice" for t in takers) or not joins:
        return None
    assert join is not None
    if joins and graph.shapes[join.output] != initial.shape:
        return None
    if {state.current, current, state.following} & set(given) or users[state.following] != 1:
        return None
    axis, at, found = join.get("axis"), 0, []
    spans = {_span(graph, taker, axis): taker for taker in takers}
    if None in spans or len(spans) != len(takers):
        return None
    for part in join.inputs:
        size = graph.shapes[part][axis]
        taker = spans.pop((at, at + size), None)
        if taker is None or part in graph.constants:
            return None
        pieces = [slice(None)] * len(initial.shape)
        pieces[axis] = slice(at, at + size)
        found.append(State(taker.output, part, initial[tuple(pieces)]))
        at += size
    return found if not spans else None


def _span(graph: FloatGraph, node: Node, axis: int) -> tuple[int, int] | None:
    """What a slice takes of an axis, None if it is not whole on the others."""
    shape = graph.shapes[node.inputs[0]]
    starts, ends = node.get("starts"), node.get("ends")
    whole = all((starts[a], ends[a]) == (0, n) for a, n in enumerate(shape) if a != axis) and all(
        step == 1 for step in node.get("steps")
    )
    return (starts[axis], ends[axis]) if whole else None

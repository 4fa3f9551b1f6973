"""States that add little to themselves in every call, as a mean over the past does: in two digits.

An int8 whose next value is less than half a step away stays where it is for ever. So such a state
gets a second one, which holds what is below a step of the first. What is added is a product with a
share that is known call by call, less and less; it is taken apart by its size, so that large shares
do not leave an int8 of fine steps and small ones are not rounded to nothing.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from compiler.floats.graph import Array, FloatGraph, Node, State, without_dead_nodes

ACCUMULATE = "Accumulate"
"""Of a node that takes a state, what is below a step of it, and what is added, whose steps are the
state's by 2**`shifts`; it gives what becomes of both."""

BOUNDS, SHIFTS = (8, 128), (0, 3, 6)
"""Up to which call a share has which of the steps. What is added then stays within int8 where a
value is less than 143 steps of the state's 127 from its mean."""


def schedules(graph: FloatGraph) -> dict[str, Array]:
    """States of which only the first row is read, and every call drops it: their rows in the first
    call, (calls, n) each, by the name of what is read.
    """
    found = {}
    producers = graph.producers()
    for state in graph.states:
        takers = [node for node in graph.nodes if state.current in node.inputs]
        join = producers.get(state.following)
        if join is None or join.kind != "Concat" or len(takers) != 2 or state.initial.ndim != 2:
            continue
        kept, last = join.inputs[0], graph.constant(join.inputs[-1])
        now = [node for node in takers if node.output != kept]
        if last is None or len(now) != 1 or any(node.kind != "Slice" for node in takers):
            continue
        calls, count = state.initial.shape
        spans = [(0, 1) if node is now[0] else (1, calls) for node in takers]
        whole = all(
            (tuple(node.get("starts")), tuple(node.get("ends"))) == ((lo, 0), (hi, count))
            for node, (lo, hi) in zip(takers, spans, strict=True)
        )
        if whole and len(join.inputs) == 2 and np.array_equal(last, state.initial[-1:]):
            found[now[0].output] = state.initial
    return found


def in_two_digits(graph: FloatGraph) -> FloatGraph:
    """A normal graph in which states that grow by ever smaller shares have two digits."""
    known = {name: rows for name, rows in schedules(graph).items() if rows.shape[1] == 1}
    producers = graph.producers()

    def origin(name: str) -> str:
        node = producers.get(name)
        return origin(node.inputs[0]) if node is not None and node.kind == "Reshape" else name

    made = graph
    for state in graph.states:
        add = producers.get(origin(state.following))
        if not known or state.holder or add is None or add.kind != "Add":
            continue
        rest = [name for name in add.inputs if origin(name) != state.current]
        product = producers.get(origin(rest[0])) if len(rest) == 1 else None
        if product is None or product.kind != "Mul":
            continue
        share = next((name for name in product.inputs if name in known), None)
        sizes = {np.prod(graph.shapes[each]) for each in (state.current, *add.outputs)}
        if share is None or len(sizes) != 1 or graph.users()[state.following] != 1:
            continue
        (value,) = (name for name in product.inputs if name != share)
        made = _with_digits(made, state, value, share, known[share])
    made = without_dead_nodes(made)
    taken = {name for node in made.nodes for name in node.inputs}
    # A share that is taken apart is nobody's by itself.
    unread = {producers[name].inputs[0] for name in known if name not in taken}
    return replace(made, states=tuple(s for s in made.states if s.current not in unread))


def _with_digits(
    graph: FloatGraph, state: State, value: str, share: str, rows: Array
) -> FloatGraph:
    """A graph in which a state's next value is what `Accumulate` gives of value times share."""
    below, left = f"{state.current}/below", f"{state.current}/below/next"
    shape = tuple(state.initial.shape)
    nodes = [node for node in graph.nodes if state.following not in node.outputs]
    shapes = dict(graph.shapes) | {below: shape, left: shape}
    states = [*graph.states, State(below, left, np.zeros(shape, np.float32))]
    graph = replace(graph, nodes=tuple(nodes), states=tuple(states), shapes=shapes)
    known = graph.producers()
    steps, whole = [], f"{state.current}/beyond"
    written = [Node("Reshape", whole, (value,), (whole,))]
    for level in range(len(SHIFTS)):
        now = f"{share}/{level}"
        if now not in known:
            graph = _with_schedule(graph, now, _level(rows, level))
        step = f"{state.current}/step{level}"
        written.append(Node("Mul", step, (whole, now), (step,)))
        steps.append(step)
    outputs = (state.following, left)
    inputs = (state.current, below, *steps)
    written.append(Node(ACCUMULATE, state.following, inputs, outputs, {"shifts": SHIFTS}))
    shapes = dict(graph.shapes) | dict.fromkeys((whole, *steps), shape)
    return replace(graph, nodes=(*graph.nodes, *written), shapes=shapes)


def _level(rows: Array, level: int) -> Array:
    """The shares of the calls that are of one size, 0 in the others."""
    first, last = (0, *BOUNDS, len(rows))[level : level + 2]
    found = np.zeros_like(rows)
    found[first:last] = rows[first:last]
    return found


def _with_schedule(graph: FloatGraph, now: str, rows: Array) -> FloatGraph:
    """A graph with one value more, which is the rows in turn and then the last one for ever."""
    name, kept, moved, last = (f"{now}/{part}" for part in ("ahead", "kept", "next", "last"))
    calls, count = rows.shape
    cuts: Mapping[str, tuple[int, int]] = {now: (0, 1), kept: (1, calls)}
    nodes = [
        Node(
            "Slice",
            each,
            (name,),
            (each,),
            {"starts": [lo, 0], "ends": [hi, count], "steps": [1, 1]},
        )
        for each, (lo, hi) in cuts.items()
    ]
    nodes.append(Node("Concat", moved, (kept, last), (moved,), {"axis": 0}))
    shapes = {name: rows.shape, moved: rows.shape, last: (1, count)}
    shapes |= {each: (hi - lo, count) for each, (lo, hi) in cuts.items()}
    return replace(
        graph,
        nodes=(*nodes, *graph.nodes),
        constants={**graph.constants, last: rows[-1:]},
        states=(*graph.states, State(name, moved, rows)),
        shapes={**graph.shapes, **shapes},
    )

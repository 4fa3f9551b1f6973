"""Grids of int16: steps that are powers of two, few of them, so that little is rescaled.

A sum's operands are on its own grid, as TFLM's int16 ADD is exact there. What is added to one
another, or carried, has one grid from the start where its sizes are alike.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from math import log2

import numpy as np

from compiler.floats.graph import FloatGraph, Node
from compiler.floats.seen import Seen
from compiler.quantise.ranges import UNIT, Grid, wide_grid

SUMS = frozenset({"Add", "Sub"})
"""Kinds of nodes whose operands and answer must be on one grid."""
_BENT = frozenset({"Sigmoid", "Tanh"})

_ALIKE = frozenset({"Reshape", "Transpose"})
"""Kinds whose output has the values of their input."""

HEADROOM = 4.0
"""Of int16, whose steps are finer than those of what it is computed from by far."""

SPREAD = 3.0
"""Octaves between the sizes of what shares a grid: of the smallest ten bits are left."""

_LEAST = 1e-30


class Groups:
    """Names that belong together; each has a leader."""

    def __init__(self) -> None:
        self._leaders: dict[str, str] = {}

    def leader(self, name: str) -> str:
        while (other := self._leaders.setdefault(name, name)) != name:
            name = other
        return name

    def join(self, one: str, other: str) -> None:
        self._leaders[self.leader(other)] = self.leader(one)


def grids_of(
    graph: FloatGraph,
    nodes: Sequence[Node],
    origin: Callable[[str], str],
    states: Collection[str],
    seen: Mapping[str, Seen],
) -> dict[str, Grid]:
    """The grid of each value that int16 nodes take or give, by its origin.

    Parameters
    ----------
    nodes : those that compute int16, in their order
    origin : what a value was before it was moved
    states : names of current values that are int16
    seen : ranges of all values
    """

    def largest(name: str) -> float:
        if (data := graph.constants.get(name)) is not None:
            return float(np.max(np.abs(data), initial=0.0))
        if name in fixed:
            return 1.0
        size = max(abs(seen[name].least), abs(seen[name].most))
        if size == 0:
            # Of a state in a single call nothing was seen, but what the next one gets.
            while (node := producers.get(name)) is not None and node.kind in _ALIKE:
                name = node.inputs[0]
            following = seen.get(followings.get(name, name))
            size = max(abs(following.least), abs(following.most)) if following else 0.0
        return HEADROOM * size

    producers = graph.producers()
    followings = {s.current: s.following for s in graph.states if s.following in seen}
    fixed = {node.output for node in nodes if node.kind in _BENT}
    names = dict.fromkeys(origin(n) for node in nodes for n in (*node.inputs, node.output))
    most = {name: max(largest(name), _LEAST) for name in names}
    pairs = [(s.current, origin(s.following)) for s in graph.states if s.current in states]
    for node in nodes:
        if node.kind in SUMS:
            addends = [origin(name) for name in node.inputs]
            most[node.output] = max(most[node.output], *(largest(name) for name in addends))
            pairs += [(node.output, name) for name in addends]
    groups = _joined(most, [(a, b) for a, b in pairs if b not in fixed | set(graph.constants)])
    of_group: dict[str, float] = {}
    for name, value in most.items():
        leader = groups.leader(name)
        of_group[leader] = max(of_group.get(leader, 0.0), value)
    made = {leader: wide_grid(value) for leader, value in of_group.items()}
    return {name: UNIT if name in fixed else made[groups.leader(name)] for name in most}


def _joined(most: Mapping[str, float], pairs: Sequence[tuple[str, str]]) -> Groups:
    """Groups of what is of one size, pair by pair."""
    groups = Groups()
    sizes = {name: (log2(value), log2(value)) for name, value in most.items()}
    for one, other in pairs:
        first, second = groups.leader(one), groups.leader(other)
        low = min(sizes[first][0], sizes[second][0])
        high = max(sizes[first][1], sizes[second][1])
        if first != second and high - low <= SPREAD:
            groups.join(first, second)
            sizes[first] = low, high
    return groups

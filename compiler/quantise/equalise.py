"""Channels that differ in size are made alike, so that one grid suits them all.

A value of a call has one grid, weights have a step for each row. A channel that is small beside
another one would get few of the grid's steps; it is made larger by the weights before it and
smaller again by those behind, which changes no answer (Nagel et al., 2019, arXiv 1906.04721). What
the rows of the weights behind lose is to be minded, too: a share of the logarithm of a channel's
size is taken away, as SmoothQuant does (arXiv 2211.10438). Which share suits a model shows only in
its answers; the noise that is expected of single layers says little about them.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compiler.floats.graph import Array, FloatGraph, Node
from compiler.floats.run import largest
from compiler.floats.samples import Samples
from compiler.quantise.channels import Linked, linked
from compiler.quantise.ranges import kept_steps, steps_of_rows

Floats = NDArray[np.float64]

SHARES = (0.25, 0.5)
"""Of the logarithm of a channel's size, what may be taken away; more fits the calibration alone."""
_MOST_FACTOR = 256.0


def equalised(graph: FloatGraph, samples: Samples, share: float = 0.5) -> FloatGraph:
    """A graph that answers as before, whose channels are of like size wherever that is free.

    A graph with grids or integers of its file is returned as it is.

    graph : as `compiler.floats.rewrite.normal` gives it
    samples : of its inputs
    share : of the logarithm of a channel's size, what is taken away
    """
    if graph.steps or any(node.kind == "FakeQuantize" for node in graph.nodes):
        return graph
    links = linked(graph)
    for node in links.consumers:
        if not _alone(graph, node) and _has_integers(graph, node):
            links.pin(node.inputs[0])
    pinned = links.pinned()
    free = {name for name in links.of if not pinned.issuperset(links.roots(name).tolist())}
    if not any(node.inputs[0] in free for node in links.consumers):
        return graph
    known = largest(graph, samples, {name: links.of[name].axis for name in sorted(free)})
    factors = _factors(links, known, pinned, share)
    return _scaled(graph, links, factors) if factors else graph


def _alone(graph: FloatGraph, node: Node) -> bool:
    """Whether each row of weights is of one channel."""
    weights = graph.constants[node.inputs[1]]
    return node.kind == "Conv" and weights.shape[1] == 1 and int(node.get("group", 1)) > 1


def _has_integers(graph: FloatGraph, node: Node) -> bool:
    """Whether rows are integers of a step already, which factors of columns would spoil."""
    weights = graph.constants[node.inputs[1]]
    rows = weights.T if node.kind == "MatMul" else weights.reshape(len(weights), -1)
    steps = steps_of_rows(rows)
    return bool(np.any(kept_steps(rows, steps) != steps))


def _factors(
    links: Linked, known: Mapping[str, Array], pinned: set[int], share: float
) -> dict[int, float]:
    """By root: what its channels are divided by.

    known : by value, the largest magnitude of each channel
    """
    sizes: dict[int, float] = {}
    meets = Linked()
    numbers: dict[int, int] = {}
    roots = {name: links.roots(name) for name in known}
    for name, most in known.items():
        for root, size in zip(roots[name].tolist(), most.tolist(), strict=True):
            sizes[root] = max(sizes.get(root, 0.0), size)
            if root not in numbers:
                meets.fresh(f"{root}", 0, 1)
                numbers[root] = int(meets.of[f"{root}"].ids[0])
        ids = np.array([numbers[root] for root in roots[name].tolist()])
        meets.link(ids[1:], ids[:-1])
    together: dict[int, list[int]] = {}
    for root, number in numbers.items():
        together.setdefault(meets.root(number), []).append(root)
    found: dict[int, float] = {}
    for group in together.values():
        found |= _powers(sizes, [root for root in group if root not in pinned], share)
    return found


def _powers(sizes: Mapping[int, float], group: list[int], share: float) -> dict[int, float]:
    """A factor for each root: its size over the group's middle one, to the power of `share`."""
    own = np.array([sizes[root] for root in group])
    if own.size == 0 or not np.any(own > 0):
        return {}
    middle = float(np.median(own[own > 0]))
    factors = np.clip((own / middle) ** share, 1 / _MOST_FACTOR, _MOST_FACTOR)
    factors[own == 0] = 1.0
    return dict(zip(group, factors.tolist(), strict=True))


def _scaled(graph: FloatGraph, links: Linked, factors: Mapping[int, float]) -> FloatGraph:
    """The graph with its constants as the factors have them."""

    def of(name: str) -> Floats:
        return np.array([factors.get(root, 1.0) for root in links.roots(name).tolist()])

    made: dict[int, Node] = {}
    constants, shapes = dict(graph.constants), dict(graph.shapes)
    nodes = {id(node): node for node in graph.nodes}

    def store(node: Node, position: int, data: Array) -> None:
        now = made.get(id(node), node)
        name = f"{node.output}/equal{position}"
        constants[name] = np.asarray(data, np.float32)
        shapes[name] = constants[name].shape
        names = [*now.inputs]
        names[position] = name
        changes: dict[str, Any] = {"inputs": tuple(names)}
        made[id(node)] = replace(now, **changes)

    def weights(node: Node) -> Array:
        return constants[made.get(id(node), node).inputs[1]].astype(np.float64)

    for node in links.consumers:
        store(node, 1, _times(weights(node), node, of(node.inputs[0])))
    for node in links.producers:
        s = of(node.output)
        data = weights(node)
        if node.kind == "MatMul":
            store(node, 1, data / s)
            continue
        store(node, 1, data / s.reshape(-1, *[1] * (data.ndim - 1)))
        if node.input(2):
            store(node, 2, constants[node.inputs[2]] / s)
    for node in links.offsets:
        axis, shape = links.of[node.output].axis, graph.shapes[node.output]
        s = of(node.output).reshape([-1 if a == axis else 1 for a in range(len(shape))])
        data = constants[node.inputs[1]]
        wide = data.reshape([1] * (len(shape) - data.ndim) + list(data.shape))
        now = wide / s
        # A bias stays a row, as a product takes it up.
        store(node, 1, now.reshape(-1) if axis == len(shape) - 1 and now.size == s.size else now)
    changed = tuple(made.get(key, node) for key, node in nodes.items())
    used = {name for node in changed for name in node.inputs}
    kept = {name: data for name, data in constants.items() if name in used}
    return replace(graph, nodes=changed, constants=kept, shapes=shapes)


def _times(weights: Array, node: Node, s: Floats) -> Array:
    """Weights whose columns take channels that are smaller by `s`."""
    if node.kind == "MatMul":
        return weights * s[:, None]
    group, width = int(node.get("group", 1)), weights.shape[1]
    per = len(weights) // group
    columns = np.repeat(s.reshape(group, width), per, axis=0)
    return weights * columns.reshape(len(weights), width, *[1] * (weights.ndim - 2))

"""Biases give back what rounded weights take away on average.

A row of rounded weights is off by `e`, and its sums by `e . x`: noise, and the same in every call
wherever the inputs are not zero on average, as behind a ReLU. That mean is a constant, as a bias is
(Nagel et al., 2019, arXiv 1906.04721, section 4.2). It is taken over the calibration's calls in
floats, layer by layer, each on the inputs that it has there.
"""

from dataclasses import replace

import numpy as np

from compiler.floats.graph import Array, FloatGraph, Node
from compiler.floats.run import run
from compiler.floats.samples import Samples
from compiler.quantise.weights import Matrix, key_of, matrices

_POSITION = {"Conv": 2, "ConvTranspose": 2, "LSTM": 3}
"""Of the bias among a node's inputs; a product's is added behind it."""


def added_row(graph: FloatGraph, product: Node, add: Node) -> Array | None:
    """The row (width,) that `add` adds to a product with a matrix, None where it adds no row."""
    if add.kind != "Add" or add.inputs[0] != product.output:
        return None
    data, width = graph.constant(add.inputs[1]), graph.shapes[product.output][-1]
    if data is None or data.size not in (1, width) or data.shape[-1:] not in ((), (1,), (width,)):
        return None
    if graph.shapes[add.output] != graph.shapes[product.output]:
        return None
    return np.broadcast_to(data.reshape(-1), (width,))


def with_biases(graph: FloatGraph) -> FloatGraph:
    """The same, a row of zeros behind every product with a matrix that has no bias."""
    made: list[Node] = []
    constants, shapes = dict(graph.constants), dict(graph.shapes)
    of = {id(matrix.node) for matrix in matrices(graph) if matrix.node.kind == "MatMul"}
    for node in graph.nodes:
        if id(node) not in of or _bias_behind(graph, node) is not None:
            made.append(node)
            continue
        product, zeros = f"{node.output}/product", f"{node.output}/zeros"
        constants[zeros] = np.zeros(graph.shapes[node.output][-1], np.float32)
        shapes |= {product: graph.shapes[node.output], zeros: constants[zeros].shape}
        made.append(replace(node, outputs=(product,)))
        made.append(Node("Add", f"{node.name}/zeros", (product, zeros), node.outputs))
    return replace(graph, nodes=tuple(made), constants=constants, shapes=shapes)


def corrected(before: FloatGraph, after: FloatGraph, samples: Samples) -> FloatGraph:
    """`after` with other biases.

    Parameters
    ----------
    before : as `with_biases` gives it
    after : the same nodes with weights that were rounded, pruned or moved
    samples : of the inputs
    """
    means = _means(before, after, samples)
    constants, shapes = dict(after.constants), dict(after.shapes)
    changed: dict[int, Node] = {}
    for node in after.nodes:
        mean = means.get(key_of(node, 0)[0])
        if mean is None:
            continue
        at = _POSITION.get(node.kind, 1)
        holder = node if node.kind in _POSITION else _bias_behind(after, node)
        assert holder is not None, "a product has its bias by now"
        name = f"{key_of(node, 0)[0]}/corrected"
        constants[name] = _moved(after, node, holder, mean)
        shapes[name] = constants[name].shape
        inputs = [*holder.inputs, *[""] * (at + 1 - len(holder.inputs))]
        inputs[at] = name
        changed[id(holder)] = replace(holder, inputs=tuple(inputs))
    nodes = tuple(changed.get(id(node), node) for node in after.nodes)
    return replace(after, nodes=nodes, constants=constants, shapes=shapes)


def _bias_behind(graph: FloatGraph, product: Node) -> Node | None:
    """The addition that is a product's bias, None where it has none."""
    if graph.users()[product.output] != 1:
        return None
    taker = next((node for node in graph.nodes if product.output in node.inputs), None)
    return taker if taker is not None and added_row(graph, product, taker) is not None else None


def _moved(graph: FloatGraph, node: Node, holder: Node, mean: Array) -> Array:
    """The bias that `holder` has, the mean (rows,) added, in the form that it takes."""
    if node.kind == "MatMul":
        row = added_row(graph, node, holder)
        assert row is not None, "it was one when it was looked for"
        return (row + mean).astype(np.float32)
    known = graph.constant(node.input(_POSITION[node.kind]))
    if node.kind == "LSTM":
        both = np.zeros((1, 2 * len(mean)), np.float32) if known is None else known.copy()
        both[0, : len(mean)] += mean.astype(np.float32)
        return both
    return (mean if known is None else known + mean).astype(np.float32)


def _means(before: FloatGraph, after: FloatGraph, samples: Samples) -> dict[str, Array]:
    """By what a node gives: the mean of each row's product with what its weights lost."""
    nodes, constants = list(before.nodes), dict(before.constants)
    found: dict[str, str] = {}
    for old, new in zip(matrices(before), matrices(after), strict=True):
        lost = _weights(before, old) - _weights(after, new)
        if np.any(lost):
            name = f"{old.key[0]}/lost{old.position}"
            constants[name] = lost.astype(np.float32)
            nodes += _mean_of_product(before, old, name)
            found[f"{name}/mean"] = old.key[0]
    sums: dict[str, Array] = {}
    probe = replace(before, nodes=tuple(nodes), constants=constants)
    for values in run(probe, samples, list(found)) if found else ():
        for mean, output in found.items():
            share = values[mean].astype(np.float64) / len(samples)
            sums[output] = sums.get(output, 0.0) + share
    return sums


def _weights(graph: FloatGraph, matrix: Matrix) -> Array:
    """Weights as a probe takes them: as their node does, an LSTM's as a product does."""
    data = graph.constants[matrix.node.inputs[matrix.position]].astype(np.float64)
    return data[0].T if matrix.node.kind == "LSTM" else data


def _mean_of_product(graph: FloatGraph, matrix: Matrix, weights: str) -> list[Node]:
    """Nodes that give `{weights}/mean` (rows,): what `weights` make of the inputs of `matrix`."""
    of, product = matrix.node, f"{weights}/product"
    windows = of.kind in ("Conv", "ConvTranspose")
    source = of.inputs[0] if windows else matrix.source
    kind, told = (of.kind, of.attributes) if windows else ("MatMul", {})
    rank = len(graph.shapes[source])
    channels = 1 if windows else rank - 1
    over = {"axes": [axis for axis in range(rank) if axis != channels], "keepdims": 0}
    return [
        Node(kind, product, (source, weights), (product,), told),
        Node("ReduceMean", weights, (product,), (f"{weights}/mean",), over),
    ]

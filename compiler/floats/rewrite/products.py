"""Products with matrices and windows, and what is folded into their weights."""

from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from compiler.floats.graph import Array, Node
from compiler.floats.rewrite.builder import Builder, Rules, inputs
from compiler.floats.rewrite.moves import cut, reshape, transpose


def _gemm(b: Builder, node: Node) -> None:
    left, right, *rest = inputs(b, node)
    shape = b.graph.shapes[node.output]
    alpha, beta = float(node.get("alpha", 1.0)), float(node.get("beta", 1.0))
    if node.get("transA", 0):
        left = transpose(b, node, left, (1, 0))
    weights = b.constant(right)
    if weights is None:
        right = transpose(b, node, right, (1, 0)) if node.get("transB", 0) else right
    else:
        weights = weights.T if node.get("transB", 0) else weights
        right = b.store(alpha * weights, right)
    bias = b.constant(rest[0]) if rest and rest[0] else None
    if (weights is None and alpha != 1.0) or (rest and rest[0] and bias is None):
        raise b.graph.refuse(node, "factors and the added matrix must be constant")
    if bias is None:
        b.emit("MatMul", [left, right], shape, node.output, node)
        return
    product = b.emit("MatMul", [left, right], shape, at=node)
    b.emit("Add", [product, b.store(beta * bias)], shape, node.output, node)


def _matmul(b: Builder, node: Node) -> None:
    """A constant goes to the right: A x = (x' A')'."""
    left, right = inputs(b, node)
    data, shape = b.constant(left), b.graph.shapes[node.output]
    weights = b.constant(right)
    if weights is not None and data is None and weights.ndim > 2:
        _by_batch(b, node, left, weights, shape, node.output)
        return
    if data is None or weights is not None:
        b.keep(node)
        return
    if data.ndim < 2 or len(b.shape(right)) < 2:
        raise b.graph.refuse(
            node, f"its left side is a constant of {list(data.shape)}; it must be a matrix"
        )
    turned = transpose(b, node, right, _ends_swapped(len(b.shape(right))))
    order = _ends_swapped(len(shape))
    made = tuple(shape[axis] for axis in order)
    weights = np.swapaxes(data, -1, -2)
    if weights.ndim > 2:
        product = _by_batch(b, node, turned, weights, made)
    else:
        product = b.emit("MatMul", [turned, b.store(weights)], made, at=node)
    transpose(b, node, product, order, node.output)


def _ends_swapped(rank: int) -> tuple[int, ...]:
    return (*range(rank - 2), rank - 1, rank - 2)


def _by_batch(
    b: Builder,
    node: Node,
    left: str,
    weights: Array,
    shape: tuple[int, ...],
    output: str | None = None,
) -> str:
    """A matrix for each batch, as for each head of an attention: a product for each."""
    rows = b.shape(left)
    batches, (width, count) = shape[:-2], weights.shape[-2:]
    matrices = np.broadcast_to(weights, (*batches, width, count)).reshape(-1, width, count)
    if rows[:-2] == batches and all(np.array_equal(each, matrices[0]) for each in matrices[1:]):
        return b.emit("MatMul", [left, b.store(matrices[0])], shape, output, node)
    # Which rows a matrix is for; those of one batch may be for several.
    of = np.broadcast_to(np.arange(prod(rows[:-2])).reshape(rows[:-2]), batches).reshape(-1)
    flat = reshape(b, node, left, (prod(rows[:-2]), *rows[-2:]))
    made = []
    for number, matrix in zip(of, matrices, strict=True):
        first = int(number)
        pieces = [slice(first, first + 1, 1), *(slice(0, n, 1) for n in rows[-2:])]
        part = cut(b, node, flat, pieces)
        made.append(b.emit("MatMul", [part, b.store(matrix)], (1, rows[-2], count), at=node))
    joined = b.emit("Concat", made, (len(matrices), rows[-2], count), at=node, axis=0)
    return reshape(b, node, joined, shape, output)


def _batch_normalization(b: Builder, node: Node) -> None:
    """Into the weights of the product before it where it alone takes that, else times and plus."""
    source, *rest = inputs(b, node)
    data = [b.constant(name) for name in rest[:4]]
    if any(each is None for each in data):
        raise b.graph.refuse(node, "its parameters must be constant")
    gamma, beta, mean, variance = (np.asarray(each, np.float64) for each in data)
    factor = gamma / np.sqrt(variance + float(node.get("epsilon", 1e-5)))
    offset = beta - mean * factor
    before = b.producer(source)
    folds = before is not None and b.users[node.inputs[0]] == 1
    if folds and before.kind in ("Conv", "ConvTranspose"):  # type: ignore[union-attr]
        _fold(b, before, node, factor, offset)  # type: ignore[arg-type]
        return
    shape = b.graph.shapes[node.output]
    along = (-1, *[1] * (len(shape) - 2))
    times = b.emit("Mul", [source, b.store(factor.reshape(along))], shape, at=node)
    b.emit("Add", [times, b.store(offset.reshape(along))], shape, node.output, node)


def _fold(b: Builder, conv: Node, node: Node, factor: Array, offset: Array) -> None:
    weights = np.asarray(b.constant(conv.inputs[1]), np.float64)
    if conv.kind == "Conv":
        scaled = weights * factor.reshape(-1, *[1] * (weights.ndim - 1))
    else:
        group = int(conv.get("group", 1))
        per = factor.reshape(group, 1, -1)
        grouped = weights.reshape(group, -1, *weights.shape[1:])
        scaled = (grouped * per.reshape(*per.shape, *[1] * (weights.ndim - 2))).reshape(
            weights.shape
        )
    bias = b.constant(conv.input(2)) if conv.input(2) else 0.0
    moved = np.asarray(bias, np.float64) * factor + offset
    b.nodes.remove(conv)
    operands = (conv.inputs[0], b.store(scaled), b.store(moved))
    made: dict[str, Any] = {"inputs": operands, "outputs": (node.output,)}
    b.keep(replace(conv, **made))
    b.shapes[node.output] = b.graph.shapes[node.output]


RULES: Rules = {
    "Gemm": _gemm,
    "MatMul": _matmul,
    "BatchNormalization": _batch_normalization,
}

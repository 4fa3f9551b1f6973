"""Weights that a file holds as bytes with a zero point of their own: up to 255 steps, int8 has 127.

What is beyond 127 stands in rows of its own, on a copy of the input: x W = [x x] [W1 W2]. Sums are
the same to the bit, and the chip skips the zeros of W2.
"""

from dataclasses import replace

import numpy as np

from compiler.floats.graph import Array, FloatGraph, Node
from compiler.floats.rewrite.builder import Builder, Rules, rewritten

MOST = 127
_BYTE = 255
_NEAR = 1e-3


def narrowed(graph: FloatGraph) -> FloatGraph:
    """A normal graph in which weights on the file's steps have at most 127 of them."""
    return rewritten(graph, _RULES) if graph.steps else graph


def _rule(b: Builder, node: Node) -> None:
    weights = b.constant(b.name(node.inputs[1]))
    product = node.kind == "MatMul"
    plain = weights is not None and (weights.ndim == 2 if product else node.get("group", 1) == 1)
    parts = None
    if plain:
        assert weights is not None
        rows = weights.T if product else weights
        parts = _halves(rows, b.graph.steps)
    if parts is None:
        b.keep(node)
        return
    source = b.name(node.inputs[0])
    shape = list(b.shape(source))
    axis = len(shape) - 1 if product else 1
    shape[axis] *= 2
    both = b.emit("Concat", [source, source], shape, at=node, axis=axis)
    joined = np.concatenate(parts, axis=1)
    stored = b.store(joined.T if product else joined)
    operands = (both, stored, *(b.name(name) for name in node.inputs[2:]))
    b.keep(replace(node, inputs=operands))


def _halves(rows: Array, known: tuple[Array, ...]) -> tuple[Array, Array] | None:
    """Weights within 127 steps, and what is beyond; None where there is none, or no whole steps."""
    flat = rows.reshape(len(rows), -1).astype(np.float64)
    for steps in known:
        if steps.size not in (1, len(rows)):
            continue
        step = steps.astype(np.float64).reshape(-1, 1)
        whole = np.rint(flat / step)
        if np.any(np.abs(whole) > _BYTE) or np.any(np.abs(flat / step - whole) > _NEAR):
            continue
        inner = np.clip(whole, -MOST, MOST)
        if np.array_equal(inner, whole):
            return None
        one, other = inner * step, (whole - inner) * step
        return one.reshape(rows.shape), other.reshape(rows.shape)
    return None


_RULES: Rules = {"MatMul": _rule, "Conv": _rule}

"""Bounds and conditions: what is picked of several values."""

import numpy as np

from compiler.floats.graph import Array, Node
from compiler.floats.rewrite.builder import Builder, Rule, Rules, inputs, settled
from compiler.floats.rewrite.functions import CONDITIONS

LEAST = -1e4
"""Beyond it stands for minus infinity, as in a mask before a softmax."""
_MASKED = -24.0
"""What stands there instead: an int8 range that holds it has steps left for the rest, and its share
of a softmax, 4e-11, is less than half a step of 1/256."""
_ENDLESS = 1e38
"""A bound beyond it is none: exporters write the largest float for infinity."""
_REAL = 1
"""ONNX's element type of float32."""


def bounded(data: Array) -> Array:
    """A constant with what stands for minus infinity in int8's reach."""
    return np.where(data < LEAST, _MASKED, data)


def chain(kind: str) -> Rule:
    """Of many inputs two at a time, constants behind."""

    def rule(b: Builder, node: Node) -> None:
        names = inputs(b, node)
        here, *rest = sorted(names, key=lambda name: b.constant(name) is not None)
        shape = b.graph.shapes[node.output]
        rest = [name for name in rest if not _never(b, kind, name)]
        if not rest:
            if b.shape(here) == shape:
                b.same(node.output, here)
            else:
                b.emit("Expand", [here], shape, node.output, node)
        for number, other in enumerate(rest):
            last = number == len(rest) - 1
            both = np.broadcast_shapes(b.shape(here), b.shape(other))
            output = node.output if last else None
            here = b.emit(kind, [here, other], shape if last else both, output, node)

    return rule


def _never(b: Builder, kind: str, name: str) -> bool:
    """Whether a bound is none."""
    data = b.constant(name)
    if data is None or kind not in ("Max", "Min"):
        return False
    return bool(np.all(data <= -_ENDLESS) if kind == "Max" else np.all(data >= _ENDLESS))


def _clip(b: Builder, node: Node) -> None:
    source = b.name(node.inputs[0])
    if source in b.integers:
        # What is an index is in range here, or TFLM would read beyond its table.
        b.same(node.output, source)
        return
    bounds = [b.name(name) if name else "" for name in (node.input(1), node.input(2))]
    if any(name and b.constant(name) is None for name in bounds):
        _clip_to_computed(b, node, source, bounds)
        return
    least, most = settled(b, node, 1, "min"), settled(b, node, 2, "max")
    lo = -np.inf if least is None else float(least.reshape(-1)[0])
    hi = np.inf if most is None else float(most.reshape(-1)[0])
    lo, hi = (-np.inf if lo <= -_ENDLESS else lo), (np.inf if hi >= _ENDLESS else hi)
    shape = b.graph.shapes[node.output]
    if (lo, hi) == (0.0, np.inf):
        b.emit("Relu", [source], shape, node.output, node)
    elif lo == -np.inf and hi == np.inf:
        b.same(node.output, source)
    else:
        b.emit("Clip", [source], shape, node.output, node, min=lo, max=hi)


def _clip_to_computed(b: Builder, node: Node, source: str, bounds: list[str]) -> None:
    """The larger of a value and the least, the smaller of that and the most."""
    here, shape = source, b.graph.shapes[node.output]
    for kind, bound in zip(("Max", "Min"), bounds, strict=True):
        if bound and not _never(b, kind, bound):
            here = b.emit(kind, [here, bound], shape, at=node)
    b.same(node.output, here)


def _where(b: Builder, node: Node) -> None:
    """With a known condition: what is picked, times 1, and the other times 0."""
    condition, left, right = inputs(b, node)
    picks, shape = b.constant(condition), b.graph.shapes[node.output]
    if picks is None:
        _require_reals(b, node, condition, left, right)
        kept = [
            name if (data := b.constant(name)) is None else b.store(bounded(data))
            for name in (left, right)
        ]
        b.emit("Where", [condition, *kept], shape, node.output, node)
        return
    chosen = np.broadcast_to(picks.astype(bool), shape)
    for name, all_of in ((left, True), (right, False)):
        if np.all(chosen == all_of) and b.shape(name) == shape:
            b.same(node.output, name)
            return
    parts = [
        _masked(b, node, name, chosen == side, shape)
        for name, side in ((left, True), (right, False))
    ]
    if b.constant(parts[0]) is not None:
        parts.reverse()
    b.emit("Add", parts, shape, node.output, node)


def _masked(b: Builder, node: Node, name: str, where: Array, shape: tuple[int, ...]) -> str:
    data = b.constant(name)
    if data is not None:
        return b.store(np.where(where, bounded(data), 0.0))
    return b.emit("Mul", [name, b.store(where.astype(np.float32))], shape, at=node)


def _require_reals(b: Builder, node: Node, condition: str, left: str, right: str) -> None:
    if not _of_reals(b, condition):
        raise b.graph.refuse(
            node,
            "its condition is no comparison of real numbers; it must be one, or be fixed when the "
            "model is exported",
        )
    if not b.integers.isdisjoint((left, right)):
        raise b.graph.refuse(node, "it picks integers by a condition; only real numbers run")


def _mask(b: Builder, node: Node) -> None:
    """With a computed condition, which is 0 or 1: as with a known one."""
    condition, left, right = inputs(b, node)
    shape, size = b.graph.shapes[node.output], b.shape(condition)
    holds = b.emit("Cast", [condition], size, at=node, to=_REAL)
    other = b.emit("Sub", [b.store(np.float32(1.0)), holds], size, at=node)
    parts = []
    for name, mask in ((left, holds), (right, other)):
        data = b.constant(name)
        wide = np.broadcast_shapes(b.shape(name), size)
        # The constant behind, as everywhere.
        pair = [name, mask] if data is None else [mask, name]
        parts.append(b.emit("Mul", pair, wide, at=node))
    b.emit("Add", parts, shape, node.output, node)


def _of_reals(b: Builder, condition: str) -> bool:
    """Whether a condition is made of comparisons of real numbers alone."""
    before = b.producer(condition)
    if before is None:
        return False
    if before.kind in ("And", "Not", "Or"):
        return all(_of_reals(b, name) for name in before.inputs)
    return before.kind in CONDITIONS and b.integers.isdisjoint(before.inputs)


def _compare(holds: bool | None) -> Rule:
    """An index with 0 or less: symbols are never below it, whatever a mask says. Of two computed
    values their difference with 0."""

    def rule(b: Builder, node: Node) -> None:
        left, right = inputs(b, node)
        data, shape = b.constant(right), b.graph.shapes[node.output]
        if left in b.integers or right in b.integers:
            if holds is None or left not in b.integers or data is None or np.any(data > 0):
                b.keep(node)
            else:
                b.same(node.output, b.store(np.full(shape, holds, np.float32)))
        elif data is None and b.constant(left) is None and left != right:
            apart = b.emit("Sub", [left, right], shape, at=node)
            b.emit(node.kind, [apart, b.store(np.float32(0.0))], shape, node.output, node)
        else:
            b.keep(node)

    return rule


def _not(b: Builder, node: Node) -> None:
    """Of what is known by now: opset 11 has no GreaterOrEqual, so exporters turn a Less around."""
    data = b.constant(b.name(node.inputs[0]))
    if data is None:
        b.keep(node)
    else:
        b.same(node.output, b.store((data == 0).astype(np.float32)))


RULES: Rules = {
    "Clip": _clip,
    "Equal": _compare(None),
    "Greater": _compare(None),
    "GreaterOrEqual": _compare(True),
    "Less": _compare(False),
    "LessOrEqual": _compare(None),
    "Max": chain("Max"),
    "Min": chain("Min"),
    "Not": _not,
    "Where": _where,
}
MASKS: Rules = {"Where": _mask}
"""What becomes of a `Where` that picks by another value than those that it picks from."""

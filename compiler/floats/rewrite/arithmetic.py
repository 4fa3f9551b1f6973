"""What computes element by element, in few kinds."""

import numpy as np

from compiler.floats.graph import Array, Node
from compiler.floats.rewrite.builder import Builder, Rule, Rules, inputs, settled

_LEAST = -1e4
"""Beyond it stands for minus infinity, as in a mask before a softmax."""
_MASKED = -24.0
"""What stands there instead: an int8 range that holds it has steps left for the rest, and its share
of a softmax, 4e-11, is less than half a step of 1/256."""


def _chain(kind: str) -> Rule:
    """Of many inputs two at a time."""

    def rule(b: Builder, node: Node) -> None:
        here, *rest = inputs(b, node)
        shape = b.graph.shapes[node.output]
        if not rest:
            b.same(node.output, here)
        for number, other in enumerate(rest):
            last = number == len(rest) - 1
            both = np.broadcast_shapes(b.shape(here), b.shape(other))
            output = node.output if last else None
            here = b.emit(kind, [here, other], shape if last else both, output, node)

    return rule


def _add(b: Builder, node: Node) -> None:
    _symmetric(b, node, neutral=0.0)


def _mul(b: Builder, node: Node) -> None:
    _symmetric(b, node, neutral=1.0)


def _symmetric(b: Builder, node: Node, neutral: float) -> None:
    """The constant behind; without one that changes nothing."""
    left, right = inputs(b, node)
    if b.constant(left) is not None:
        left, right = right, left
    shape = b.graph.shapes[node.output]
    data = b.constant(right)
    if data is not None and neutral == 0.0 and np.any(data < _LEAST):
        right = b.store(np.where(data < _LEAST, _MASKED, data))
    if data is not None and np.all(data == neutral) and b.shape(left) == shape:
        b.same(node.output, left)
        return
    b.emit(node.kind, [left, right], shape, node.output, node)


def _sub(b: Builder, node: Node) -> None:
    left, right = inputs(b, node)
    data = b.constant(right)
    if data is None:
        b.keep(node)
    else:
        shape = b.graph.shapes[node.output]
        b.emit("Add", [left, b.store(-data)], shape, node.output, node)


_TINY = 1e-4
"""A divisor's least value below it is there against a division by 0."""


def _div(b: Builder, node: Node) -> None:
    """By a constant: times its reciprocal. By a root: times what RSQRT gives."""
    left, right = inputs(b, node)
    shape, data = b.graph.shapes[node.output], b.constant(right)
    if data is not None:
        if np.any(data == 0):
            raise b.graph.refuse(node, "it divides by a constant that is 0")
        factor = b.store(1.0 / data.astype(np.float64))
        b.emit("Mul", [left, factor], shape, node.output, node)
        return
    root = _root_behind(b, right)
    if root is None:
        raise b.graph.refuse(
            node,
            "a quotient of two computed values has no form in TFLM's int8 arithmetic; a divisor "
            "that is a constant, or the square root of something, has one",
        )
    inverse = b.emit("Rsqrt", [root.inputs[0]], b.shape(root.output), at=node)
    one = b.constant(left)
    if one is not None and np.all(one == 1) and shape == b.shape(inverse):
        b.same(node.output, inverse)
    else:
        b.emit("Mul", [left, inverse], shape, node.output, node)


def _root_behind(b: Builder, name: str) -> Node | None:
    """The square root that a value is, but for a least value near 0 and copies along axes."""
    node = b.producer(name)
    while node is not None and node.kind != "Sqrt":
        bounded = node.kind == "Clip" and node.get("max") == np.inf and node.get("min") < _TINY
        if node.kind == "Max":
            least = b.constant(node.inputs[1])
            bounded = least is not None and bool(np.all(np.abs(least) < _TINY))
        if node.kind != "Expand" and not bounded:
            return None
        node = b.producer(node.inputs[0])
    return node


def _reciprocal(b: Builder, node: Node) -> None:
    source = b.name(node.inputs[0])
    root = b.producer(source)
    if root is None or root.kind != "Sqrt":
        raise b.graph.refuse(node, "only the reciprocal of a square root has a form in int8")
    b.emit("Rsqrt", [root.inputs[0]], b.shape(source), node.output, node)


def _pow(b: Builder, node: Node) -> None:
    source, power = inputs(b, node)
    shape, data = b.graph.shapes[node.output], b.constant(power)
    exponent = float(data.reshape(-1)[0]) if data is not None and data.size == 1 else np.nan
    match exponent:
        case 1.0:
            b.same(node.output, source)
        case 2.0:
            b.emit("Mul", [source, source], shape, node.output, node)
        case 3.0:
            square = b.emit("Mul", [source, source], shape, at=node)
            b.emit("Mul", [square, source], shape, node.output, node)
        case 0.5:
            b.emit("Sqrt", [source], shape, node.output, node)
        case -0.5:
            b.emit("Rsqrt", [source], shape, node.output, node)
        case _:
            raise b.graph.refuse(node, "the exponent must be a constant of 2, 3, 1/2, -1/2 or 1")


def _neg(b: Builder, node: Node) -> None:
    b.emit(
        "Mul",
        [b.name(node.inputs[0]), b.store(np.float32(-1.0))],
        b.graph.shapes[node.output],
        node.output,
        node,
    )


def _clip(b: Builder, node: Node) -> None:
    source = b.name(node.inputs[0])
    least, most = settled(b, node, 1, "min"), settled(b, node, 2, "max")
    lo = -np.inf if least is None else float(least.reshape(-1)[0])
    hi = np.inf if most is None else float(most.reshape(-1)[0])
    shape = b.graph.shapes[node.output]
    if source in b.integers:
        # What is an index is in range here, or TFLM would read beyond its table.
        b.same(node.output, source)
    elif (lo, hi) == (0.0, np.inf):
        b.emit("Relu", [source], shape, node.output, node)
    elif lo == -np.inf and hi == np.inf:
        b.same(node.output, source)
    else:
        b.emit("Clip", [source], shape, node.output, node, min=lo, max=hi)


def _hard_sigmoid(b: Builder, node: Node) -> None:
    source, shape = b.name(node.inputs[0]), b.graph.shapes[node.output]
    alpha, beta = node.get("alpha", 0.2), node.get("beta", 0.5)
    scaled = b.emit("Mul", [source, b.store(np.float32(alpha))], shape, at=node)
    moved = b.emit("Add", [scaled, b.store(np.float32(beta))], shape, at=node)
    b.emit("Clip", [moved], shape, node.output, node, min=0.0, max=1.0)


_ERF = (2.0 / np.sqrt(np.pi), 0.0894)


def _erf(b: Builder, node: Node) -> None:
    """tanh(2/sqrt(pi) (z + 0.0894 z^3)), within 0.0008: less than an int8 step of 1/128."""
    z, shape = b.name(node.inputs[0]), b.graph.shapes[node.output]
    _tanh_of_cube(b, node, z, shape, *_ERF, node.output)


def _tanh_of_cube(
    b: Builder,
    node: Node,
    z: str,
    shape: tuple[int, ...],
    factor: float,
    cube: float,
    output: str | None,
) -> str:
    square = b.emit("Mul", [z, z], shape, at=node)
    scaled = b.emit("Mul", [square, b.store(np.float32(cube * factor))], shape, at=node)
    inner = b.emit("Add", [scaled, b.store(np.float32(factor))], shape, at=node)
    bent = b.emit("Mul", [z, inner], shape, at=node)
    return b.emit("Tanh", [bent], shape, output, node)


def _gelu(b: Builder, node: Node) -> None:
    """x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2, within 0.0005 of the one with erf."""
    x, shape = b.name(node.inputs[0]), b.graph.shapes[node.output]
    bent = _tanh_of_cube(b, node, x, shape, np.sqrt(2 / np.pi), 0.044715, None)
    raised = b.emit("Add", [bent, b.store(np.float32(1.0))], shape, at=node)
    half = b.emit("Mul", [raised, b.store(np.float32(0.5))], shape, at=node)
    b.emit("Mul", [x, half], shape, node.output, node)


def _elu(b: Builder, node: Node) -> None:
    """TFLite's has a factor of 1; another one weighs what is below 0."""
    x, shape, alpha = b.name(node.inputs[0]), b.graph.shapes[node.output], node.get("alpha", 1.0)
    if alpha == 1.0:
        b.emit("Elu", [x], shape, node.output, node)
        return
    below = b.emit("Clip", [x], shape, at=node, min=-np.inf, max=0.0)
    bent = b.emit("Elu", [below], shape, at=node)
    weighed = b.emit("Mul", [bent, b.store(np.float32(alpha))], shape, at=node)
    above = b.emit("Relu", [x], shape, at=node)
    b.emit("Add", [above, weighed], shape, node.output, node)


def _swish(b: Builder, node: Node) -> None:
    x, shape = b.name(node.inputs[0]), b.graph.shapes[node.output]
    alpha = float(node.get("alpha", 1.0))
    scaled = x
    if alpha != 1.0:
        scaled = b.emit("Mul", [x, b.store(np.float32(alpha))], shape, at=node)
    gate = b.emit("Sigmoid", [scaled], shape, at=node)
    b.emit("Mul", [x, gate], shape, node.output, node)


def _where(b: Builder, node: Node) -> None:
    """With a known condition: what is picked, times 1, and the other times 0."""
    condition, left, right = inputs(b, node)
    picks = b.constant(condition)
    if picks is None:
        raise b.graph.refuse(node, "its condition depends on the data of a call; it must be fixed")
    shape = b.graph.shapes[node.output]
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
        bounded = np.where(data < _LEAST, _MASKED, data)
        return b.store(np.where(where, bounded, 0.0))
    return b.emit("Mul", [name, b.store(where.astype(np.float32))], shape, at=node)


def _compare(holds: bool) -> Rule:
    """An index with 0 or less: symbols are never below it, whatever a mask says."""

    def rule(b: Builder, node: Node) -> None:
        left, right = inputs(b, node)
        data = b.constant(right)
        if left not in b.integers or data is None or np.any(data > 0):
            b.keep(node)
            return
        b.same(node.output, b.store(np.full(b.graph.shapes[node.output], holds, np.float32)))

    return rule


RULES: Rules = {
    "GreaterOrEqual": _compare(True),
    "Less": _compare(False),
    "Add": _add,
    "Mul": _mul,
    "Sub": _sub,
    "Div": _div,
    "Sum": _chain("Add"),
    "Max": _chain("Max"),
    "Min": _chain("Min"),
    "Pow": _pow,
    "Reciprocal": _reciprocal,
    "Neg": _neg,
    "Clip": _clip,
    "HardSigmoid": _hard_sigmoid,
    "Erf": _erf,
    "Gelu": _gelu,
    "Elu": _elu,
    "Swish": _swish,
    "Where": _where,
}

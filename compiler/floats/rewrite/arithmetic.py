"""What computes element by element, in few kinds."""

from math import prod

import numpy as np

from compiler.floats.graph import Node
from compiler.floats.rewrite.builder import Builder, Rules, inputs
from compiler.floats.rewrite.choices import LEAST, bounded, chain


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
    if data is not None and neutral == 0.0 and np.any(data < LEAST):
        right = b.store(bounded(data))
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
    """Times the reciprocal, which is constant, what RSQRT gives of a root, or a function."""
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
        inverse = b.emit("Reciprocal", [right], b.shape(right), at=node)
    else:
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
        b.keep(node)
        return
    b.emit("Rsqrt", [root.inputs[0]], b.shape(source), node.output, node)


def _pow(b: Builder, node: Node) -> None:
    """With a constant exponent: products, roots, or a function; with a constant base exp."""
    source, power = inputs(b, node)
    shape, base, data = b.graph.shapes[node.output], b.constant(source), b.constant(power)
    if base is not None and np.all(base > 0):
        rate = b.store(np.log(base.astype(np.float64)))
        scaled = b.emit("Mul", [power, rate], shape, at=node)
        b.emit("Exp", [scaled], shape, node.output, node)
        return
    whole = data is not None and bool(np.all(data == data.reshape(-1)[0]))
    if not whole or prod(b.shape(source)) != prod(shape):
        raise b.graph.refuse(node, "its exponents, or its base, must be one constant")
    assert data is not None
    exponent = float(data.reshape(-1)[0])
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
            one = b.store(np.float32(exponent))
            b.emit("Pow", [source, one], shape, node.output, node)


def _neg(b: Builder, node: Node) -> None:
    b.emit(
        "Mul",
        [b.name(node.inputs[0]), b.store(np.float32(-1.0))],
        b.graph.shapes[node.output],
        node.output,
        node,
    )


def _hard_sigmoid(b: Builder, node: Node) -> None:
    source, shape = b.name(node.inputs[0]), b.graph.shapes[node.output]
    alpha, beta = node.get("alpha", 0.2), node.get("beta", 0.5)
    scaled = b.emit("Mul", [source, b.store(np.float32(alpha))], shape, at=node)
    moved = b.emit("Add", [scaled, b.store(np.float32(beta))], shape, at=node)
    b.emit("Clip", [moved], shape, node.output, node, min=0.0, max=1.0)


def _gelu(b: Builder, node: Node) -> None:
    """x (1 + erf(x / sqrt 2)) / 2, or with tanh(sqrt(2/pi) (x + 0.044715 x^3)) for the erf."""
    x, shape = b.name(node.inputs[0]), b.graph.shapes[node.output]
    if node.get("approximate", "none") == "tanh":
        square = b.emit("Mul", [x, x], shape, at=node)
        scale = np.sqrt(2 / np.pi)
        scaled = b.emit("Mul", [square, b.store(np.float32(0.044715 * scale))], shape, at=node)
        inner = b.emit("Add", [scaled, b.store(np.float32(scale))], shape, at=node)
        bent = b.emit("Tanh", [b.emit("Mul", [x, inner], shape, at=node)], shape, at=node)
    else:
        inner = b.emit("Mul", [x, b.store(np.float32(np.sqrt(0.5)))], shape, at=node)
        bent = b.emit("Erf", [inner], shape, at=node)
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


def _mish(b: Builder, node: Node) -> None:
    x, shape = b.name(node.inputs[0]), b.graph.shapes[node.output]
    gate = b.emit("Tanh", [b.emit("Softplus", [x], shape, at=node)], shape, at=node)
    b.emit("Mul", [x, gate], shape, node.output, node)


RULES: Rules = {
    "Add": _add,
    "Mul": _mul,
    "Sub": _sub,
    "Div": _div,
    "Sum": chain("Add"),
    "Pow": _pow,
    "Reciprocal": _reciprocal,
    "Neg": _neg,
    "HardSigmoid": _hard_sigmoid,
    "Gelu": _gelu,
    "Elu": _elu,
    "Mish": _mish,
    "Swish": _swish,
}

"""Operators on integers, each as what it does to the reals that they stand for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from compiler.floats.files import library
from compiler.floats.integers.walk import INT8, UINT8, Integers, Walk

if TYPE_CHECKING:
    import onnx

_MOVERS = frozenset(
    {
        "Concat",
        "DepthToSpace",
        "Expand",
        "Flatten",
        "Gather",
        "Identity",
        "MaxPool",
        "Reshape",
        "Slice",
        "Split",
        "Squeeze",
        "Tile",
        "Transpose",
        "Unsqueeze",
    }
)
"""Kinds whose answers are among what they take, so that they take reals as well as integers."""

_PLAIN = {
    "QLinearAdd": "Add",
    "QLinearAveragePool": "AveragePool",
    "QLinearConv": "Conv",
    "QLinearGlobalAveragePool": "GlobalAveragePool",
    "QLinearLeakyRelu": "LeakyRelu",
    "QLinearMatMul": "MatMul",
    "QLinearMul": "Mul",
    "QLinearReduceMean": "ReduceMean",
    "QLinearSigmoid": "Sigmoid",
    "QLinearSoftmax": "Softmax",
    "QGemm": "Gemm",
}
_PAIRS = {"QLinearAdd", "QLinearConv", "QLinearMatMul", "QLinearMul", "QGemm"}
"""Of these, the ones with two operands."""
_OWN = {"opset", "channels_last"}
"""Attributes that only the quantised forms have."""


def in_floats(model: onnx.ModelProto, name: str) -> Integers:
    """Write a model in floats, in place.

    Raises UnsupportedError with the node and the reason, for integers whose scale is not known.
    """
    kinds = {node.op_type for node in model.graph.node}
    if not any("uant" in kind or "Integer" in kind or kind.startswith("Q") for kind in kinds):
        return Integers((), {}, {})
    walk = Walk(model, name)
    for node in model.graph.node:
        _node(walk, node)
    walk.finish()
    return Integers(tuple(walk.steps), walk.inputs, walk.whole)


def _node(walk: Walk, node: Any) -> None:
    rule = _RULES.get(node.op_type)
    if rule is not None and rule(walk, node):
        return
    if node.op_type in _PLAIN:
        _quantised(walk, node)
        return
    if pending := [each for each in node.input if each in walk.products]:
        raise walk.refuse(
            walk.products[pending[0]][0],
            f"its integers are taken by {node.op_type}; they must be scaled at once, by Cast "
            "and Mul as onnxruntime's quantize_dynamic writes it",
        )
    if node.op_type in _MOVERS and node.input[0] in walk.grids:
        for output in node.output:
            walk.grids[output] = walk.grids[node.input[0]]
    elif node.op_type in _MOVERS and _eight_bits(walk, node.input[0]) and len(node.output) == 1:
        walk.moved[node.output[0]] = node
    walk.copy(node)


def _eight_bits(walk: Walk, name: str) -> bool:
    """Whether a value is constant integers, or such that only moved."""
    data = walk.constant(name)
    return name in walk.moved or (data is not None and data.dtype in (np.int8, np.uint8))


def _attributes(walk: Walk, node: Any) -> dict[str, Any]:
    value = library().helper.get_attribute_value
    return {each.name: value(each) for each in node.attribute if each.name not in _OWN}


def _quantise(walk: Walk, node: Any) -> bool:
    source, scale, zero = (*node.input, "")[:3]
    known = walk.constant(scale)
    if known is None or known.size > 1:
        return False
    walk.pair(walk.alias.get(source, source), node.output[0], scale, zero, node)
    walk.grids[node.output[0]] = scale, zero
    return True


def _dequantise(walk: Walk, node: Any) -> bool:
    attributes = _attributes(walk, node)
    source = node.input[0]
    data = walk.constant(source)
    blocked = attributes.get("block_size", 0)
    plain = data is not None and data.dtype.kind in "iu" and data.dtype.name[:3] in ("int", "uin")
    known = source in walk.grids or source in walk.moved or (plain and not blocked)
    declared = walk.free.get(source)
    if not known and declared is not None:
        known = declared.type.tensor_type.elem_type in (INT8, UINT8)
    if not known:
        return False
    real = walk.real(node, list(node.input), attributes.get("axis", 1))
    walk.emit("Identity", [real], node.output[0], node)
    return True


def _quantised(walk: Walk, node: Any) -> None:
    """An operator with its operands' and its answer's scales beside them."""
    names, kind = list(node.input), _PLAIN[node.op_type]
    made = _attributes(walk, node)
    if any(a.name == "channels_last" and a.i for a in node.attribute):
        raise walk.refuse(node, "its channels come last; write the model with channels first")
    operands = [walk.real(node, names[:3])]
    names = names[3:]
    if node.op_type in _PAIRS:
        rows = 0 if kind == "Conv" or made.get("transB") else -1
        operands.append(walk.real(node, names[:3], rows))
        scale = [node.input[1], node.input[4]]
        names = names[3:]
        bias = names.pop(0) if kind == "Gemm" else "".join(names[2:3])
        if bias:
            steps = np.prod([walk.number(node, s, "scale").astype(np.float32) for s in scale[:1]])
            product = np.float32(steps) * walk.number(node, scale[1], "scale")
            data = walk.number(node, bias, "bias")
            operands.append(walk.store(np.float32(data * np.float64(product)), f"{bias}/real"))
    output = node.output[0]
    scale_of, zero_of = (*names, "", "")[:2]
    if not scale_of:
        walk.emit(kind, operands, output, node, **made)
        return
    walk.emit(kind, operands, f"{output}/product", node, **made)
    walk.pair(f"{output}/product", output, scale_of, zero_of, node)
    walk.grids[output] = scale_of, zero_of


def _join(walk: Walk, node: Any) -> bool:
    scale, zero, *names = node.input
    parts = [walk.real(node, names[at : at + 3]) for at in range(0, len(names), 3)]
    output = node.output[0]
    walk.emit("Concat", parts, f"{output}/product", node, **_attributes(walk, node))
    walk.pair(f"{output}/product", output, scale, zero, node)
    walk.grids[output] = scale, zero
    return True


def _dynamic(walk: Walk, node: Any) -> bool:
    """Its integers are what it took. What else takes its scale finds it, and is refused later."""
    source = walk.alias.get(node.input[0], node.input[0])
    integers, scale, zero = node.output
    walk.dynamic[integers], walk.scales[scale] = source, np.float32(1)
    walk.emit("Identity", [source], integers, node)
    kept = [f"{integers}/integers", scale, zero]
    walk.made.append(library().helper.make_node(node.op_type, [source], kept))
    if integers in walk.outputs:
        walk.grids[integers] = scale, zero
    return True


def _product(walk: Walk, node: Any) -> bool:
    """MatMulInteger and ConvInteger: of dynamic integers scaled later, else whole numbers."""
    if node.input[0] in walk.dynamic:
        walk.products[node.output[0]] = node, walk.dynamic[node.input[0]]
        return True
    left, right, of_left, of_right = (*node.input, "", "")[:4]
    factor = None
    if left in walk.grids:
        factor = 1 / walk.number(node, walk.grids[left][0], "scale")
        real = walk.alias.get(left, left)
    else:
        real = walk.real(node, [left, "", of_left])
    operands = [real, _weights(walk, node, np.float32(1), right, of_right)]
    output = node.output[0]
    kind = node.op_type.removesuffix("Integer")
    product = f"{output}/product"
    walk.emit(kind, operands, product, node, **_attributes(walk, node))
    if factor is not None:
        constant = walk.store(np.float32(factor), f"{output}/factor")
        product = walk.emit("Mul", [product, constant], f"{output}/whole", node)
    if output in walk.outputs:
        scale = walk.store(np.float32(1), f"{output}/scale")
        zero = walk.store(np.int8(0), f"{output}/zero")
        walk.pair(product, output, scale, zero, node)
        walk.grids[output] = scale, zero
        walk.whole[product] = f"{node.name or output!r} ({node.op_type})"
    else:
        walk.emit("Identity", [product], output, node)
    return True


def _weights(walk: Walk, node: Any, steps: Any, name: str, zero: str) -> str:
    data = walk.constant(name)
    if data is None:
        raise walk.refuse(node, f"its weights {name!r} must be constant")
    axis = -1 if node.op_type.startswith("MatMul") else 0
    offset = walk.number(node, zero, "zero point", 0)
    made = f"{node.output[0]}/weights"
    return walk.store(walk.scaled(data, steps, offset, axis), made)


def _cast(walk: Walk, node: Any) -> bool:
    if node.input[0] in walk.products:
        walk.products[node.output[0]] = walk.products.pop(node.input[0])
        return True
    return False


def _mul(walk: Walk, node: Any) -> bool:
    """Scales of dynamic integers with those of weights, and both with the products."""
    for name, other in (tuple(node.input), tuple(reversed(node.input))):
        if name in walk.products and other in walk.scales:
            product, source = walk.products.pop(name)
            right, zero = product.input[1], "".join(product.input[3:4])
            weights = _weights(walk, product, walk.scales[other], right, zero)
            kind = product.op_type.removesuffix("Integer")
            made = _attributes(walk, product)
            walk.emit(kind, [source, weights], node.output[0], product, **made)
            return True
        data = walk.constant(other)
        if name in walk.scales and data is not None and name not in walk.products:
            walk.scales[node.output[0]] = np.float32(walk.scales[name] * np.squeeze(data))
            walk.copy(node)
            return True
    return False


_RULES: dict[str, Callable[[Walk, Any], bool]] = {
    "QuantizeLinear": _quantise,
    "DequantizeLinear": _dequantise,
    "DynamicQuantizeLinear": _dynamic,
    "MatMulInteger": _product,
    "ConvInteger": _product,
    "QLinearConcat": _join,
    "Cast": _cast,
    "Mul": _mul,
}

KINDS = frozenset(_RULES) | frozenset(_PLAIN)
"""Kinds of which only floats are left."""

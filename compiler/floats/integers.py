"""Integer operators of ONNX written in floats: what stays of them is grids and weights.

A value that a file holds as integers becomes the real number that they stand for, under the same
name. Where it is made stands a pair of QuantizeLinear and DequantizeLinear, which `rewrite` turns
into a node of its own; between pairs everything is an operator on floats. DynamicQuantizeLinear
leaves nothing: ranges are calibrated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from compiler.floats.files import _library
from compiler.floats.graph import Array
from npu.errors import UnsupportedError

if TYPE_CHECKING:
    import onnx

_INT8, _UINT8, _FLOAT = 3, 2, 1
"""Of ONNX's element types."""

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


@dataclass(frozen=True, eq=False)
class Integers:
    """What a model said of integers.

    Attributes
    ----------
    steps : scales of constants, (rows,) or (1,) float32 each
    inputs : of inputs that were integers, scale and zero point
    whole : values that must lie within int8 as they are, by name, with the node that gives them
    """

    steps: tuple[Array, ...]
    inputs: Mapping[str, tuple[float, int]]
    whole: Mapping[str, str]


def in_floats(model: onnx.ModelProto, name: str) -> Integers:
    """Write a model in floats, in place.

    Raises UnsupportedError with the node and the reason, for integers whose scale is not known.
    """
    kinds = {node.op_type for node in model.graph.node}
    if not any("uant" in kind or "Integer" in kind or kind.startswith("Q") for kind in kinds):
        return Integers((), {}, {})
    walk = _Walk(model, name)
    for node in model.graph.node:
        walk.node(node)
    walk.finish()
    return Integers(tuple(walk.steps), walk.inputs, walk.whole)


class _Walk:
    """Nodes in order.

    Attributes
    ----------
    grids : of values that were integers, the names of scale and zero point
    dynamic : what DynamicQuantizeLinear took, by the names of its integers
    scales : of its scales, also times a constant: that constant
    products : integer products of such values that are still to be scaled
    """

    def __init__(self, model: onnx.ModelProto, name: str) -> None:
        self.model, self.name = model, name
        self.helper, self.numpy = _library().helper, _library().numpy_helper
        self.made: list[Any] = []
        self.called: set[str] = set()
        self.stored = {t.name: t for t in model.graph.initializer}
        self.constants = {
            n.output[0]: n.attribute[0].t
            for n in model.graph.node
            if n.op_type == "Constant" and n.attribute and n.attribute[0].name == "value"
        }
        self.free = {v.name: v for v in model.graph.input if v.name not in self.stored}
        self.outputs = {v.name for v in model.graph.output}
        self.grids: dict[str, tuple[str, str]] = {}
        self.alias: dict[str, str] = {}
        self.dynamic: dict[str, str] = {}
        self.scales: dict[str, Array] = {}
        self.products: dict[str, tuple[Any, str]] = {}
        self.steps: list[Array] = []
        self.inputs: dict[str, tuple[float, int]] = {}
        self.whole: dict[str, str] = {}

    def node(self, node: Any) -> None:
        rule = _RULES.get(node.op_type)
        if rule is not None and rule(self, node):
            return
        if node.op_type in _PLAIN:
            _quantised(self, node)
            return
        if pending := [each for each in node.input if each in self.products]:
            raise self.refuse(
                self.products[pending[0]][0],
                f"its integers are taken by {node.op_type}; they must be scaled at once, by Cast "
                "and Mul as onnxruntime's quantize_dynamic writes it",
            )
        if node.op_type in _MOVERS and node.input[0] in self.grids:
            for output in node.output:
                self.grids[output] = self.grids[node.input[0]]
        self.copy(node)

    def copy(self, node: Any) -> None:
        names = [self.alias.get(each, each) for each in node.input]
        node.input[:] = names
        self.made.append(node)

    def emit(self, kind: str, inputs: list[str], output: str, at: Any, **attributes: Any) -> str:
        """A node of ONNX, called as the one that it stands for."""
        called = at.name or at.output[0]
        while called in self.called:
            called += f"/{kind}"
        self.called.add(called)
        made = self.helper.make_node(kind, inputs, [output], name=called, **attributes)
        self.made.append(made)
        return output

    def refuse(self, node: Any, reason: str) -> UnsupportedError:
        called = node.name or node.output[0]
        return UnsupportedError(f"{self.name}: node {called!r} ({node.op_type}): {reason}")

    def constant(self, name: str) -> Array | None:
        tensor = self.stored.get(name) or self.constants.get(name)
        return None if tensor is None else np.asarray(self.numpy.to_array(tensor))

    def store(self, data: Array, name: str) -> str:
        if name not in self.stored:
            self.stored[name] = self.numpy.from_array(np.ascontiguousarray(data), name)
            self.model.graph.initializer.append(self.stored[name])
        return name

    def number(self, node: Any, name: str, what: str, default: float | None = None) -> Array:
        """A constant. Raises UnsupportedError for what a call computes."""
        if not name and default is not None:
            return np.asarray(default)
        data = self.constant(name)
        if data is None:
            raise self.refuse(node, f"its {what} {name!r} must be a constant")
        return data

    def real(self, node: Any, names: list[str], axis: int = 0) -> str:
        """The real value of integers; `names` of them, their scale and their zero point.

        axis : of the rows, where constants have a scale for each
        """
        integers, scale, zero = (*names, "", "")[:3]
        if integers in self.grids:
            if not self._alike(self.grids[integers], (scale, zero)):
                raise self.refuse(
                    node, f"it reads {integers!r} with another scale than it is written with"
                )
            return self.alias.get(integers, integers)
        data = self.constant(integers)
        if data is not None:
            return self._dequantised(node, integers, data, scale, zero, axis)
        if integers in self.free:
            return self._input(node, integers, scale, zero)
        raise self.refuse(node, f"nothing says what the integers {integers!r} stand for")

    def _alike(self, written: tuple[str, str], read: tuple[str, str]) -> bool:
        for one, other in zip(written, read, strict=True):
            first, second = self.constant(one), self.constant(other)
            if first is None or second is None:
                if one != other:
                    return False
            elif not np.array_equal(first.reshape(-1), second.reshape(-1)):
                return False
        return True

    def _dequantised(
        self, node: Any, name: str, data: Array, scale: str, zero: str, axis: int
    ) -> str:
        steps = np.float32(self.number(node, scale, "scale", 1.0))
        offset = self.number(node, zero, "zero point", 0)
        return self.store(self.scaled(data, steps, offset, axis), f"{name}/real")

    def scaled(self, data: Array, steps: Array, offset: Array, axis: int = 0) -> Array:
        """Constants (..., rows, ...) times their steps, which are remembered."""
        if data.dtype.itemsize == 1:
            self.steps.append(np.asarray(steps, np.float32).reshape(-1))
        factor, start = (_along(each, axis, data.ndim) for each in (np.float32(steps), offset))
        whole = data.astype(np.int64) - start.astype(np.int64)
        return np.asarray(whole.astype(np.float32) * factor, np.float32)

    def _input(self, node: Any, name: str, scale: str, zero: str) -> str:
        """An input becomes real; its samples are scaled as they are read."""
        kind = self.free[name].type.tensor_type
        if kind.elem_type not in (_INT8, _UINT8):
            raise self.refuse(node, f"input {name!r} is of ONNX's element type {kind.elem_type}")
        step = self.number(node, scale, "scale", 1.0)
        offset = self.number(node, zero, "zero point", 0)
        if step.size != 1 or offset.size != 1:
            raise self.refuse(node, f"input {name!r} has a scale for each of its channels; one runs")
        type_of = np.int8 if kind.elem_type == _INT8 else np.uint8
        scale = scale or self.store(np.float32(1), f"{name}/scale")
        zero = zero or self.store(type_of(0), f"{name}/zero")
        self.inputs[name] = (float(step.reshape(-1)[0]), int(offset.reshape(-1)[0]))
        kind.elem_type = _FLOAT
        self.pair(name, f"{name}/real", scale, zero, node)
        self.grids[name], self.alias[name] = (scale, zero), f"{name}/real"
        return f"{name}/real"

    def pair(self, source: str, output: str, scale: str, zero: str, at: Any) -> None:
        """QuantizeLinear and DequantizeLinear: a value on a grid."""
        step = self.constant(scale)
        if step is not None and step.dtype != np.float32:
            scale = self.store(step.astype(np.float32), f"{scale}/float32")
        names = [scale, zero] if zero else [scale]
        self.emit("QuantizeLinear", [source, *names], f"{output}/integers", at)
        self.emit("DequantizeLinear", [f"{output}/integers", *names], output, at)

    def finish(self) -> None:
        """The model with the nodes as they are now."""
        if self.products:
            node, _ = next(iter(self.products.values()))
            raise self.refuse(node, "its integers are an output; take what they stand for")
        graph = self.model.graph
        kept = [type(node).FromString(node.SerializeToString()) for node in self.made]
        del graph.node[:]
        graph.node.extend(kept)
        del graph.value_info[:]
        for output in graph.output:
            if output.name in self.grids:
                output.type.tensor_type.elem_type = _FLOAT


def _along(values: Array, axis: int, rank: int) -> Array:
    """One number, or one for each row along an axis of `rank`."""
    values = np.asarray(values)
    if values.size == 1:
        return values.reshape(())
    shape = [1] * rank
    shape[axis % rank] = values.size
    return values.reshape(shape)


def _attributes(walk: _Walk, node: Any) -> dict[str, Any]:
    value = _library().helper.get_attribute_value
    return {each.name: value(each) for each in node.attribute if each.name not in _OWN}


def _quantise(walk: _Walk, node: Any) -> bool:
    source, scale, zero = (*node.input, "")[:3]
    known = walk.constant(scale)
    if known is None or known.size > 1:
        return False
    walk.pair(walk.alias.get(source, source), node.output[0], scale, zero, node)
    walk.grids[node.output[0]] = scale, zero
    return True


def _dequantise(walk: _Walk, node: Any) -> bool:
    attributes = _attributes(walk, node)
    source = node.input[0]
    data = walk.constant(source)
    blocked = attributes.get("block_size", 0)
    plain = data is not None and data.dtype.kind in "iu" and data.dtype.name[:3] in ("int", "uin")
    known = source in walk.grids or (plain and not blocked)
    declared = walk.free.get(source)
    if not known and declared is not None:
        known = declared.type.tensor_type.elem_type in (_INT8, _UINT8)
    if not known:
        return False
    real = walk.real(node, list(node.input), attributes.get("axis", 1))
    walk.emit("Identity", [real], node.output[0], node)
    return True


def _quantised(walk: _Walk, node: Any) -> None:
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


def _join(walk: _Walk, node: Any) -> bool:
    scale, zero, *names = node.input
    parts = [walk.real(node, names[at : at + 3]) for at in range(0, len(names), 3)]
    output = node.output[0]
    walk.emit("Concat", parts, f"{output}/product", node, **_attributes(walk, node))
    walk.pair(f"{output}/product", output, scale, zero, node)
    walk.grids[output] = scale, zero
    return True


def _dynamic(walk: _Walk, node: Any) -> bool:
    """Its integers are what it took. What else takes its scale finds it, and is refused later."""
    source = walk.alias.get(node.input[0], node.input[0])
    integers, scale, zero = node.output
    walk.dynamic[integers], walk.scales[scale] = source, np.float32(1)
    walk.emit("Identity", [source], integers, node)
    kept = [f"{integers}/integers", scale, zero]
    walk.made.append(_library().helper.make_node(node.op_type, [source], kept))
    if integers in walk.outputs:
        walk.grids[integers] = scale, zero
    return True


def _product(walk: _Walk, node: Any) -> bool:
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


def _weights(walk: _Walk, node: Any, steps: Array, name: str, zero: str) -> str:
    data = walk.constant(name)
    if data is None:
        raise walk.refuse(node, f"its weights {name!r} must be constant")
    axis = -1 if node.op_type.startswith("MatMul") else 0
    offset = walk.number(node, zero, "zero point", 0)
    made = f"{node.output[0]}/weights"
    return walk.store(walk.scaled(data, steps, offset, axis), made)


def _cast(walk: _Walk, node: Any) -> bool:
    if node.input[0] in walk.products:
        walk.products[node.output[0]] = walk.products.pop(node.input[0])
        return True
    return False


def _mul(walk: _Walk, node: Any) -> bool:
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


_RULES: dict[str, Callable[[_Walk, Any], bool]] = {
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

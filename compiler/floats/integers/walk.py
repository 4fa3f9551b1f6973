"""A model of ONNX while its integers become floats: what is known of each value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from compiler.floats.files import free_inputs, library
from compiler.floats.graph import Array
from npu.errors import UnsupportedError

if TYPE_CHECKING:
    import onnx

INT8, UINT8, FLOAT = 3, 2, 1
"""Of ONNX's element types."""


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


class Walk:
    """Nodes in order.

    Attributes
    ----------
    grids : of values that were integers, the names of scale and zero point
    dynamic : what DynamicQuantizeLinear took, by the names of its integers
    scales : of its scales, also times a constant: that constant
    products : integer products of such values that are still to be scaled
    moved : nodes that move constant integers, by what they give; who takes that says its scale
    """

    def __init__(self, model: onnx.ModelProto, name: str) -> None:
        self.model, self.name = model, name
        self.helper, self.numpy = library().helper, library().numpy_helper
        self.made: list[Any] = []
        self.called: set[str] = set()
        self.stored = {t.name: t for t in model.graph.initializer}
        self.constants = {
            n.output[0]: n.attribute[0].t
            for n in model.graph.node
            if n.op_type == "Constant" and n.attribute and n.attribute[0].name == "value"
        }
        self.free = free_inputs(model)
        self.outputs = {v.name for v in model.graph.output}
        self.grids: dict[str, tuple[str, str]] = {}
        self.alias: dict[str, str] = {}
        self.dynamic: dict[str, str] = {}
        self.scales: dict[str, Any] = {}
        self.products: dict[str, tuple[Any, str]] = {}
        self.moved: dict[str, Any] = {}
        self.steps: list[Array] = []
        self.inputs: dict[str, tuple[float, int]] = {}
        self.whole: dict[str, str] = {}

    def copy(self, node: Any) -> None:
        names = [self.alias.get(each, each) for each in node.input]
        node.input[:] = names
        self.called.add(node.name)
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

    def store(self, data: Any, name: str) -> str:
        if name not in self.stored:
            self.stored[name] = self.numpy.from_array(np.asarray(data, order="C"), name)
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
        if integers in self.moved:
            return self._moved(node, integers, scale, zero)
        raise self.refuse(node, f"nothing says what the integers {integers!r} stand for")

    def _moved(self, node: Any, integers: str, scale: str, zero: str) -> str:
        """What moves constants moves their real values, as a table's rows in a Gather."""
        if self.number(node, scale, "scale", 1.0).size != 1:
            raise self.refuse(node, f"{integers!r} has a scale for each channel; one runs")
        mover = self.moved[integers]
        source = self.real(node, [mover.input[0], scale, zero])
        value = self.helper.get_attribute_value
        attributes = {each.name: value(each) for each in mover.attribute}
        name = f"{integers}/real"
        self.emit(mover.op_type, [source, *mover.input[1:]], name, mover, **attributes)
        self.grids[integers], self.alias[integers] = (scale, zero), name
        return name

    def _alike(self, written: tuple[str, str], read: tuple[str, str]) -> bool:
        for one, other in zip(written, read, strict=True):
            first, second = self.constant(one), self.constant(other)
            if first is None or second is None:
                if one != other:
                    return False
            elif not np.array_equal(first.reshape(-1), second.reshape(-1), equal_nan=True):
                return False
        return True

    def _dequantised(
        self, node: Any, name: str, data: Array, scale: str, zero: str, axis: int
    ) -> str:
        steps = np.float32(self.number(node, scale, "scale", 1.0))
        offset = self.number(node, zero, "zero point", 0)
        return self.store(self.scaled(data, steps, offset, axis), f"{name}/real")

    def scaled(self, data: Array, steps: Any, offset: Any, axis: int = 0) -> Array:
        """Constants (..., rows, ...) times their steps, which are remembered."""
        if data.dtype.itemsize == 1:
            self.steps.append(np.asarray(steps, np.float32).reshape(-1))
        factor, start = (_along(each, axis, data.ndim) for each in (np.float32(steps), offset))
        whole = data.astype(np.int64) - start.astype(np.int64)
        return np.asarray(whole.astype(np.float32) * factor, np.float32)

    def _input(self, node: Any, name: str, scale: str, zero: str) -> str:
        """An input becomes real; its samples are scaled as they are read."""
        kind = self.free[name].type.tensor_type
        if kind.elem_type not in (INT8, UINT8):
            raise self.refuse(node, f"input {name!r} is of ONNX's element type {kind.elem_type}")
        step = self.number(node, scale, "scale", 1.0)
        offset = self.number(node, zero, "zero point", 0)
        if step.size != 1 or offset.size != 1:
            raise self.refuse(
                node, f"input {name!r} has a scale for each of its channels; one runs"
            )
        type_of = np.int8 if kind.elem_type == INT8 else np.uint8
        scale = scale or self.store(np.float32(1), f"{name}/scale")
        zero = zero or self.store(type_of(0), f"{name}/zero")
        self.inputs[name] = (float(step.reshape(-1)[0]), int(offset.reshape(-1)[0]))
        kind.elem_type = FLOAT
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
                output.type.tensor_type.elem_type = FLOAT


def _along(values: Any, axis: int, rank: int) -> Array:
    """One number, or one for each row along an axis of `rank`."""
    values = np.asarray(values)
    if values.size == 1:
        return values.reshape(())
    shape = [1] * rank
    shape[axis % rank] = values.size
    return values.reshape(shape)

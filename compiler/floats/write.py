"""A float graph as a model of ONNX again: what onnxruntime runs to see ranges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from compiler.floats.files import library
from compiler.floats.graph import OPSET, FloatGraph, Node
from compiler.floats.rewrite.functions import FUNCTION

if TYPE_CHECKING:
    import onnx


_FLOAT32_ONLY = frozenset(
    {
        "Acos",
        "Acosh",
        "Asin",
        "Asinh",
        "Atan",
        "Atanh",
        "Celu",
        "Cosh",
        "Elu",
        "Erf",
        "HardSwish",
        "Selu",
        "Sinh",
        "Softplus",
        "Softsign",
        "Tan",
        "ThresholdedRelu",
    }
)
"""Kinds that compute element by element and that onnxruntime does not have in float64."""


def to_onnx(
    graph: FloatGraph, outputs: Sequence[str] = (), real: np.dtype[Any] | type = np.float32
) -> onnx.ModelProto:
    """The model, with the values `outputs` besides its own.

    real : float32, or float64 for parts of a function; what onnxruntime has in float32 only gets
        its operands rounded to that then
    """
    onnx = library()
    helper = onnx.helper
    writer = _Writer(onnx, np.dtype(real))

    def info(name: str) -> Any:
        kind = onnx.TensorProto.INT64 if name in graph.integers else writer.real_type
        return helper.make_tensor_value_info(name, kind, list(graph.shapes[name]))

    for node in graph.nodes:
        writer.node(graph, node)
    for name, data in graph.constants.items():
        writer.store(data, name)
    takes = [*graph.inputs, *(state.current for state in graph.states)]
    gives = dict.fromkeys([*graph.outputs, *(s.following for s in graph.states), *outputs])
    own = {name for name in gives if name not in takes and name not in graph.constants}
    made = helper.make_graph(
        writer.nodes,
        graph.name,
        [info(name) for name in takes],
        [helper.make_empty_tensor_value_info(name) for name in gives if name in own],
        writer.constants,
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)


class _Writer:
    """Nodes in the form that `OPSET` has: what we keep as attributes is a constant input there."""

    def __init__(self, onnx: Any, real: np.dtype[Any]) -> None:
        self._helper, self._numpy = onnx.helper, onnx.numpy_helper
        self._float32, self._float64 = onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE
        self._real = real
        self._is_wide = real == np.float64
        self.real_type = self._float64 if self._is_wide else self._float32
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def store(self, data: np.ndarray, name: str) -> None:
        """A constant; real numbers as wide as all others."""
        if data.dtype == np.float32:
            data = data.astype(self._real)
        self.constants.append(self._numpy.from_array(np.ascontiguousarray(data), name))

    def _store(self, values: Any, dtype: Any = np.int64) -> str:
        name = f"written.{len(self.constants)}"
        self.constants.append(self._numpy.from_array(np.asarray(values, dtype), name))
        return name

    def _cast(self, source: str, kind: int, name: str) -> str:
        self.nodes.append(self._helper.make_node("Cast", [source], [name], to=kind))
        return name

    def node(self, graph: FloatGraph, node: Node) -> None:
        if node.kind == FUNCTION:
            self._parts(graph, node)
            return
        inputs, extra, kind = list(node.inputs), dict(node.attributes), node.kind
        outputs = list(node.outputs)
        match kind:
            case "Reshape":
                inputs.append(self._store(graph.shapes[node.output]))
            case "Expand":
                inputs.append(self._store(graph.shapes[node.output]))
            case "Slice":
                starts, ends, steps = (extra.pop(k) for k in ("starts", "ends", "steps"))
                axes = list(range(len(starts)))
                inputs += [self._store(each) for each in (starts, ends, axes, steps)]
            case "Clip":
                bounds = (extra.pop("min"), extra.pop("max"))
                inputs += [self._store(each, self._real) for each in bounds]
            case "Cast" if self._is_wide and extra["to"] == self._float32:
                extra["to"] = self._float64
            case "Pad":
                pads = [*extra.pop("begins"), *extra.pop("ends")]
                inputs += [self._store(pads), self._store(extra.pop("value"), np.float32)]
            case "ReduceSum":
                inputs.append(self._store(extra.pop("axes")))
            case "FakeQuantize":
                grid = [
                    self._store(extra.pop("scale"), np.float32),
                    self._store(extra.pop("zero_point"), np.int8),
                ]
                whole = f"{node.output}/integers"
                made = self._helper.make_node("QuantizeLinear", [*inputs, *grid], [whole])
                self.nodes.append(made)
                inputs, kind = [whole, *grid], "DequantizeLinear"
            case "Accumulate":
                # What is below a step is nothing in real numbers.
                state, below, *steps = inputs
                self.nodes.append(self._helper.make_node("Identity", [below], node.outputs[1:]))
                inputs, outputs, kind, extra = [state, *steps], outputs[:1], "Sum", {}
            case "Rsqrt":
                root = f"{node.output}/root"
                self.nodes.append(self._helper.make_node("Sqrt", inputs, [root]))
                inputs, kind = [root], "Reciprocal"
        name = node.output
        narrow = self._is_wide and kind in _FLOAT32_ONLY
        if narrow:
            inputs = [
                self._cast(each, self._float32, f"{name}/narrow{k}")
                for k, each in enumerate(inputs)
            ]
            outputs = [f"{name}/narrow"]
        self.nodes.append(self._helper.make_node(kind, inputs, outputs, name=name, **extra))
        if narrow:
            self._cast(outputs[0], self._float64, name)

    def _parts(self, graph: FloatGraph, node: Node) -> None:
        """A function's own nodes; others may have the same ones."""
        names = {
            name: f"{node.output}/{name}"
            for part in node.get("parts")
            for name in part.outputs
            if name != node.output
        }
        names |= {name: self._store(v, v.dtype) for name, v in node.get("constants").items()}
        for part in node.get("parts"):
            inputs, outputs = (
                tuple(names.get(name, name) for name in of) for of in (part.inputs, part.outputs)
            )
            self.node(graph, replace(part, inputs=inputs, outputs=outputs))

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


def to_onnx(graph: FloatGraph, outputs: Sequence[str] = ()) -> onnx.ModelProto:
    """The model, with the values `outputs` besides its own."""
    onnx = library()
    helper, types = onnx.helper, onnx.TensorProto

    def info(name: str) -> Any:
        kind = types.INT64 if name in graph.integers else types.FLOAT
        return helper.make_tensor_value_info(name, kind, list(graph.shapes[name]))

    writer = _Writer(helper, onnx.numpy_helper)
    for node in graph.nodes:
        writer.node(graph, node)
    for name, data in graph.constants.items():
        writer.constants.append(onnx.numpy_helper.from_array(np.ascontiguousarray(data), name))
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

    def __init__(self, helper: Any, numpy_helper: Any) -> None:
        self._helper, self._numpy = helper, numpy_helper
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def _store(self, values: Any, dtype: Any = np.int64) -> str:
        name = f"written.{len(self.constants)}"
        self.constants.append(self._numpy.from_array(np.asarray(values, dtype), name))
        return name

    def node(self, graph: FloatGraph, node: Node) -> None:
        if node.kind == FUNCTION:
            self._parts(graph, node)
            return
        inputs, extra, kind = list(node.inputs), dict(node.attributes), node.kind
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
                inputs += [self._store(each, np.float32) for each in bounds]
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
            case "Rsqrt":
                root = f"{node.output}/root"
                self.nodes.append(self._helper.make_node("Sqrt", inputs, [root]))
                inputs, kind = [root], "Reciprocal"
        self.nodes.append(
            self._helper.make_node(kind, inputs, list(node.outputs), name=node.output, **extra)
        )

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

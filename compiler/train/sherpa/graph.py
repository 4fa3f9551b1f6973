"""Graphs of ONNX, written node by node, and a trained network's layers as nodes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from compiler.quantise.parts import TimeStack, TrainedDense, TrainedLstm
from npu import __version__

OPSET, IR = 17, 8
"""Old enough for the runtimes of some years back."""

Shape = Sequence[int | str]
TYPES = {
    "float32": TensorProto.FLOAT,
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
}


class Graph:
    """A graph that grows. Values are known by their names."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []

    def input(self, name: str, shape: Shape, dtype: str = "float32") -> str:
        """An input; a name in the shape is a size that is not known."""
        self._inputs.append(helper.make_tensor_value_info(name, TYPES[dtype], shape))
        return name

    def output(self, name: str, value: str, shape: Shape, dtype: str = "float32") -> None:
        """A value becomes an output."""
        self._nodes.append(helper.make_node("Identity", [value], [name]))
        self._outputs.append(helper.make_tensor_value_info(name, TYPES[dtype], shape))

    def constant(self, values: Any) -> str:
        """An array; floats are float32, integers int64."""
        array = np.asarray(values)
        array = array.astype(np.float32 if array.dtype.kind == "f" else np.int64)
        name = f"constant{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def node(self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any) -> list[str]:
        """An operator; the names of its outputs."""
        names = [f"value{len(self._nodes)}_{n}" for n in range(outputs)]
        self._nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names

    def one(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """An operator with one output; its name."""
        return self.node(kind, *inputs, **attributes)[0]

    def reshaped(self, value: str, *shape: int) -> str:
        """0 for a size as it is, -1 for what is left."""
        return self.one("Reshape", value, self.constant(shape))

    def split(self, value: str, sizes: Sequence[int], axis: int) -> list[str]:
        """A value in parts."""
        return self.node("Split", value, self.constant(sizes), outputs=len(sizes), axis=axis)

    def written(self, metadata: Mapping[str, Any]) -> bytes:
        """The model's file. Raises onnx.checker.ValidationError for what is no model."""
        graph = helper.make_graph(
            self._nodes, self._name, self._inputs, self._outputs, self._constants
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR
        )
        model.producer_name, model.producer_version = "zeroskip", __version__
        helper.set_model_props(model, {key: str(value) for key, value in metadata.items()})
        onnx.checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString())


# --- layers ---------------------------------------------------------------------------------------
def states_of(layers: Sequence[TrainedLstm | TrainedDense | TimeStack]) -> list[int]:
    """The units of each recurrent layer."""
    return [each.units for each in layers if isinstance(each, TrainedLstm)]


def run_layers(
    g: Graph,
    layers: Sequence[TrainedLstm | TrainedDense | TimeStack],
    here: str,
    hidden: str = "",
    cell: str = "",
) -> tuple[str, str, str]:
    """Layers on a value (frames, 1, width).

    Parameters
    ----------
    hidden, cell : states of all recurrent layers side by side, (1, 1, units of all).

    Returns
    -------
    What comes out, (frames, 1, width), and the states behind it; "" where there are none.
    """
    units = states_of(layers)
    states: list[tuple[str, str]] = []
    if units:
        parts = [g.split(each, units, 2) for each in (hidden, cell)]
        states = list(zip(*parts, strict=True))
    ended: list[tuple[str, str]] = []
    for layer in layers:
        match layer:
            case TimeStack():
                # (frames, 1, width): frames side by side, oldest first.
                here = g.one("Transpose", here, perm=[1, 0, 2])
                shape = g.one("Shape", here)
                width = g.one("Gather", shape, g.constant([2]))
                wide = g.one("Mul", width, g.constant([layer.frames]))
                wanted = g.one("Concat", g.constant([1, -1]), wide, axis=0)
                here = g.one("Reshape", here, wanted)
                here = g.one("Transpose", here, perm=[1, 0, 2])
            case TrainedDense():
                here = dense(g, layer, here)
            case TrainedLstm():
                here, *then = _lstm(g, layer, here, *states[len(ended)])
                ended.append((then[0], then[1]))
    if not ended:
        return here, "", ""
    hidden, cell = (g.one("Concat", *each, axis=2) for each in zip(*ended, strict=True))
    return here, hidden, cell


def dense(g: Graph, layer: TrainedDense, here: str) -> str:
    """A matrix, a bias and a ReLU where it has them, on a value (..., inputs)."""
    here = g.one("MatMul", here, g.constant(layer.weights.T))
    if layer.bias is not None:
        here = g.one("Add", here, g.constant(layer.bias))
    return g.one("Relu", here) if layer.relu else here


def _lstm(g: Graph, layer: TrainedLstm, here: str, hidden: str, cell: str) -> tuple[str, ...]:
    inputs, recurrent = _gates(layer.input_weights), _gates(layer.recurrent_weights)
    bias = _gates(layer.bias[..., np.newaxis])[:, :, 0]
    out, *ended = g.node(
        "LSTM",
        here,
        g.constant(inputs),
        g.constant(recurrent),
        g.constant(np.concatenate([bias, np.zeros_like(bias)], 1)),
        "",
        hidden,
        cell,
        outputs=3,
        hidden_size=layer.units,
    )
    return (g.one("Squeeze", out, g.constant([1])), *ended)


def _gates(weights: np.ndarray) -> np.ndarray:
    """(4, units, n) of i, f, g, o to ONNX's (1, 4 * units, n) of i, o, f, c."""
    return weights[[0, 3, 1, 2]].reshape(1, -1, weights.shape[-1])

"""Chains of FULLY_CONNECTED as ONNX, with the same int8 weights, int32 biases and scales.

Activations are bytes of `x` + 128, with zero points to match: with int8 ones onnxruntime takes 50
times as long on a processor with AVX2. Its `QGemm` is the same product, rounded as its own
specification says, once and half to even, so an output may be a step apart. Where a processor has
no VNNI, it sums two products in int16, which saturates for bytes above 128 and large weights: its
time stands for the product, its outputs then do not.

What is no such chain has no int8 form in which onnxruntime would compute the same: its LSTM has
other activations between the products.
"""

from typing import Any

import numpy as np

from npu.errors import NpuError
from npu.model.graph import Graph
from npu.model.operators.move import Reshape
from npu.model.operators.product import FullyConnected
from npu.model.quantisation import integer_parameters

OPSET, MICROSOFT = 17, 1


def onnx_form(graph: Graph) -> bytes:
    """A model of ONNX. Raises NpuError, with the reason, where the graph has none."""
    for op in graph.operators:
        if not isinstance(op, FullyConnected | Reshape):
            kind = type(op).__name__
            raise NpuError(f"no int8 ONNX form of the same arithmetic: it has {kind}")
    try:
        from onnx import TensorProto, checker, helper, numpy_helper
    except ImportError:
        raise NpuError(
            "onnx is not installed; install the extra: pip install 'zeroskip[peers]'"
        ) from None
    nodes: list[Any] = []
    constants: list[Any] = []
    for k, (op, params) in enumerate(zip(graph.operators, integer_parameters(graph), strict=True)):
        if isinstance(op, Reshape):
            shape = np.array(_as_matrix(graph.tensors[op.output].shape))
            constants.append(numpy_helper.from_array(shape, f"shape{k}"))
            nodes.append(
                helper.make_node("Reshape", [f"t{op.input}", f"shape{k}"], [f"t{op.output}"])
            )
            continue
        assert isinstance(op, FullyConnected)
        made = _layer(helper, graph, op, params, k)
        nodes += made[0]
        constants += made[1]
    ends: list[Any] = []
    for indices in (graph.inputs, graph.outputs):
        shapes = {f"t{i}": _as_matrix(graph.tensors[i].shape) for i in indices}
        ends.append(
            [helper.make_tensor_value_info(t, TensorProto.UINT8, s) for t, s in shapes.items()]
        )
    made_graph = helper.make_graph(nodes, "products", ends[0], ends[1], constants)
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", MICROSOFT)]
    model = helper.make_model(made_graph, opset_imports=opsets, ir_version=9)
    checker.check_model(model)
    return bytes(model.SerializeToString())


def as_byte(activations: int | np.ndarray) -> np.ndarray:
    """int8 activations as the form takes them, `x` + 128 in uint8."""
    return (np.asarray(activations, np.int16) + 128).astype(np.uint8)


def _as_matrix(shape: tuple[int, ...]) -> list[int]:
    """Vectors one below the other, as `QGemm` takes them."""
    return [int(np.prod(shape[:-1])), shape[-1]]


def _layer(
    helper: Any, graph: Graph, op: FullyConnected, params: Any, number: int
) -> tuple[list[Any], list[Any]]:
    """Nodes and constants of a product, with the clamp that a fused activation is."""
    weights, source, output = (graph.tensors[i] for i in (op.weights, op.input, op.output))
    assert weights.data is not None and source.quantization and output.quantization
    assert weights.quantization is not None
    rows = len(weights.data)
    bias = None if op.bias is None else graph.tensors[op.bias].data
    scales = weights.quantization.scale.astype(np.float32)
    own = scales[0] if weights.quantization.per_tensor else scales
    values = {
        "x_scale": np.float32(source.quantization.scale[0]),
        "x_zero": as_byte(source.quantization.zero_point),
        "w": np.ascontiguousarray(weights.data.T),
        "w_scale": own,
        "w_zero": np.full(np.shape(own), params.weights_zero_point, np.int8),
        "bias": np.zeros(rows, np.int32) if bias is None else bias,
        "y_scale": np.float32(output.quantization.scale[0]),
        "y_zero": as_byte(output.quantization.zero_point),
        "lo": as_byte(params.lo),
        "hi": as_byte(params.hi),
    }
    names = {key: f"{key}{number}" for key in values}
    clamped = (params.lo, params.hi) != (-128, 127)
    product = f"product{number}" if clamped else f"t{op.output}"
    given = ["x_scale", "x_zero", "w", "w_scale", "w_zero", "bias", "y_scale", "y_zero"]
    nodes = [
        helper.make_node(
            "QGemm",
            [f"t{op.input}", *(names[key] for key in given)],
            [product],
            domain="com.microsoft",
        )
    ]
    if clamped:
        ends = [names["lo"], names["hi"]]
        nodes.append(helper.make_node("Clip", [product, *ends], [f"t{op.output}"]))
    from onnx import numpy_helper

    constants = [
        numpy_helper.from_array(np.asarray(value), names[key])
        for key, value in values.items()
        if clamped or key not in ("lo", "hi")
    ]
    return nodes, constants

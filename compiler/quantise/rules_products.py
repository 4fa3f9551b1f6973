"""Products with matrices and windows, LSTM layers: weights in int8, biases in int32."""

import numpy as np

from compiler.floats.graph import Array, Node
from compiler.quantise import layers
from compiler.quantise.correct import added_row
from compiler.quantise.parts import TrainedLstm
from compiler.quantise.ranges import (
    Grid,
    bias_integers,
    bias_steps,
    cell_exponent,
    integers_of,
    kept_steps,
    step_of,
    steps_of_rows,
)
from compiler.quantise.rules import Rule, activation_behind
from compiler.quantise.weights import key_of
from compiler.quantise.writer import Options, Value, Writer
from npu.errors import ModelError

_CELL_MARGIN = 1.0
_GATE_ORDER = (0, 2, 3, 1)
"""Of i, f, g, o among ONNX's i, o, f, c."""


def _matmul(w: Writer, node: Node) -> None:
    weights = w.graph.constant(node.inputs[1])
    if weights is None:
        _batch_matmul(w, node)
        return
    if weights.ndim != 2:
        raise w.graph.refuse(
            node, f"its constant is {list(weights.shape)}; a matrix of two dimensions is needed"
        )
    source = w.plain(node.inputs[0])
    output, bias = _bias_behind(w, node)
    output, activation = activation_behind(w, output)
    grid = w.grid(output)
    operands = [source.tensor, *weights_and_bias(w, node, weights.T, bias, source.steps)]
    tensor = w.activation(output, w.graph.shapes[output], grid)
    options = {"FusedActivationFunction": activation, "KeepNumDims": len(source.shape) > 1}
    w.m.operator(
        "FULLY_CONNECTED",
        operands,
        [tensor],
        ("FullyConnectedOptions", options),
        version=layers.FULLY_CONNECTED_VERSION,
    )
    w.put(output, tensor, grid)


def _bias_behind(w: Writer, node: Node) -> tuple[str, Array | None]:
    """A constant row that alone is added to a product, and what that gives."""
    add = w.alone(node.output)
    row = None if add is None else added_row(w.graph, node, add)
    if add is None or row is None:
        return node.output, None
    w.take(add)
    return add.output, row


def weights_and_bias(
    w: Writer,
    node: Node,
    rows: Array,
    bias: Array | None,
    source: Grid,
    depthwise: bool = False,
) -> tuple[int, int]:
    """Tensors of weights (rows, ...), a step for each row, and of their bias, -1 without one.

    depthwise : whether the rows are written last, as (1, height, width, rows)
    """
    matrix = rows.reshape(len(rows), -1)
    known = w.stored.get(key_of(node, 1))
    natural = kept_steps(matrix, steps_of_rows(matrix)) if known is None else known.steps
    steps = _bounded(natural, bias, source)
    # Weights that are rounded already lie on their steps: they are found again.
    data = integers_of(matrix, steps).reshape(rows.shape)
    if depthwise:
        data = np.ascontiguousarray(np.moveaxis(data[..., 0], 0, -1)[None])
    axis = 3 if depthwise else 0
    weights = w.m.tensor(data.shape, scale=steps, data=data, axis=axis, name=f"{node.name}/weights")
    if bias is None:
        return weights, -1
    steps_of_bias = bias_steps(source.scale, steps)
    integers = bias_integers(bias, steps_of_bias, f"{w.graph.name}: node {node.name!r}")
    name = f"{node.name}/bias"
    return weights, w.m.tensor((len(bias),), "int32", steps_of_bias, data=integers, name=name)


def _bounded(steps: Array, bias: Array | None, source: Grid) -> Array:
    """Steps of rows, larger where a bias would not fit into int32 beside tiny weights."""
    if bias is None:
        return steps
    least = np.abs(bias) / (float(source.scale) * (1 << 30))
    return np.maximum(steps, least.astype(np.float32))


def _batch_matmul(w: Writer, node: Node) -> None:
    left, right = (w.plain(name) for name in node.inputs)
    rank = max(len(left.shape), len(right.shape))
    left, right = (
        each if len(each.shape) == rank else w.reshaped(each, _wide(each, rank), node.name)
        for each in (left, right)
    )
    grid = w.grid(node.output)
    tensor = w.activation(node.output, w.graph.shapes[node.output], grid)
    options = ("BatchMatMulOptions", {"AdjX": False, "AdjY": False})
    w.m.operator("BATCH_MATMUL", [left.tensor, right.tensor], [tensor], options, version=2)
    w.put(node.output, tensor, grid)


def _wide(value: Value, rank: int) -> tuple[int, ...]:
    return (*[1] * (rank - len(value.shape)), *value.shape)


def _lstm(w: Writer, node: Node) -> None:
    """UNIDIRECTIONAL_SEQUENCE_LSTM, which keeps its states itself."""
    source = w.plain(node.inputs[0])
    steps, _, width = source.shape
    held = [s for s in w.graph.states if s.holder == node.name]
    if len(held) != 2:
        raise w.graph.refuse(node, "a layer of TFLite keeps both states; this one does not")
    weights, recurrent, bias = (w.graph.constant(node.input(at)) for at in (1, 2, 3))
    assert weights is not None and recurrent is not None
    units = recurrent.shape[2]
    both = np.zeros(8 * units) if bias is None else bias[0]
    gates = np.sum(both.reshape(2, 4, units), axis=0)[list(_GATE_ORDER)]
    of_inputs = weights[0].reshape(4, units, width)[list(_GATE_ORDER)]
    of_hidden = recurrent[0].reshape(4, units, units)[list(_GATE_ORDER)]
    cell = w.seen[held[1].current], w.seen[held[1].following]
    most = max(abs(v) for each in cell for v in (each.least, each.most)) * _CELL_MARGIN
    try:
        exponent = cell_exponent(min(most, w.cell_clip) if w.cell_clip else most)
    except ModelError as error:
        raise w.graph.refuse(node, str(error)) from error
    hidden = w.grid(node.outputs[0] or held[0].following)
    layer = TrainedLstm(
        of_inputs,
        of_hidden,
        gates,
        _steps_of_gates(w, node, 1, of_inputs),
        _steps_of_gates(w, node, 2, of_hidden),
        hidden,
        exponent,
        cell_clip=w.cell_clip,
    )
    if steps > 1 or len(source.shape) != 3:
        source = w.reshaped(source, (1, steps, width), f"{node.name}/in")
    given = layers.Value(source.tensor, steps, width, source.steps)
    made = layers.lstm(w.m, node.name, given, layer)
    _outputs(w, node, Value(made.tensor, (1, steps, units), hidden))


def _steps_of_gates(w: Writer, node: Node, position: int, gates: Array) -> Array:
    known = w.stored.get(key_of(node, position))
    if known is None:
        rows = np.array([each.reshape(-1) for each in gates])
        return kept_steps(rows, np.array([step_of(each) for each in gates]))
    return known.steps.reshape(4, -1)[list(_GATE_ORDER), 0]


def _outputs(w: Writer, node: Node, all_steps: Value) -> None:
    steps, units = all_steps.shape[1:]
    for output in node.outputs[:2]:
        if not output or (not w.takers.get(output) and output not in w.graph.outputs):
            continue
        shape = w.graph.shapes[output]
        here = all_steps
        if output != node.outputs[0] and steps > 1:
            named = [
                w.integers(v, f"{node.name}/last") for v in ([0, steps - 1, 0], [1, steps, units])
            ]
            tensor = w.activation(f"{node.name}/last", (1, 1, units), all_steps.steps)
            stride = w.integers([1, 1, 1], f"{node.name}/stride")
            options: Options = ("StridedSliceOptions", {})
            operands = [all_steps.tensor, *named, stride]
            w.m.operator("STRIDED_SLICE", operands, [tensor], options)
            here = Value(tensor, (1, 1, units), all_steps.grid)
        w.values[output] = w.reshaped(here, shape, output)


RULES: dict[str, Rule] = {"MatMul": _matmul, "LSTM": _lstm}

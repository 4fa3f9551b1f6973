"""What each kind of node becomes: operators that compute element by element, or along rows."""

from collections.abc import Callable
from typing import Any

import numpy as np

from compiler.floats.graph import Node
from compiler.quantise.ranges import TANH, Grid
from compiler.quantise.writer import Options, Value, Writer

Rule = Callable[[Writer, Node], None]

PROBABILITY = Grid(np.float32(1 / 256), -128)
"""What TFLM's int8 LOGISTIC and SOFTMAX give."""
LOG_PROBABILITY = Grid(np.float32(16 / 256), 127)
"""What its LOG_SOFTMAX gives."""

RELU, RELU6 = 1, 3
"""The schema's numbers of activations."""


def activation_behind(w: Writer, name: str) -> tuple[str, int]:
    """Whether a RELU alone takes a value: what it gives then, and its number."""
    node = w.alone(name)
    if node is None or node.kind not in ("Relu", "Clip"):
        return name, 0
    if node.kind == "Clip" and (node.get("min"), node.get("max")) != (0.0, 6.0):
        return name, 0
    w.take(node)
    return node.output, RELU if node.kind == "Relu" else RELU6


def unary(kind: str, fixed: Grid | None = None, options: Any = None, gentle: bool = False) -> Rule:
    """An operator of one value, whatever the order of its axes.

    gentle : whether the output moves no faster than the input, so that a finer grid than the
        input's says nothing more.
    """

    def rule(w: Writer, node: Node) -> None:
        source = w.value(node.inputs[0])
        grid = w.grid(node.output) if fixed is None else fixed
        if gentle and node.output not in w.told:
            grid = no_finer(grid, source.steps)
        tensor = w.activation(node.output, w.stored_shape(source), grid)
        told = options(node) if options is not None else None
        w.m.operator(kind, [source.tensor], [tensor], told)
        w.put(node.output, tensor, grid, source.order)

    return rule


def no_finer(grid: Grid, source: Grid) -> Grid:
    """A grid with the same least value whose steps are at least the source's."""
    if grid.scale >= source.scale:
        return grid
    least = float(grid.real(np.array([-128]))[0])
    return Grid(source.scale, int(np.clip(np.rint(-128 - least / float(source.scale)), -128, 127)))


def binary(kind: str, alike: bool = False) -> Rule:
    """An operator of two values; `alike` where both and the output must be on one grid."""

    def rule(w: Writer, node: Node) -> None:
        if kind == "ADD" and _changes_nothing(w, node):
            w.values[node.output] = w.value(node.inputs[0])
            return
        output, activation = (node.output, 0) if alike else activation_behind(w, node.output)
        grid = w.grid(output)
        left, right, order = operands_of(w, node)
        if alike:
            left, right = (w.on(each, grid, node.name) for each in (left, right))
        shape = w.graph.shapes[output]
        stored = Writer.stored_shape(Value(0, shape, grid, order))
        tensor = w.activation(output, stored, grid)
        told = {"FusedActivationFunction": activation} if activation else {}
        options: Options | None = None if alike else (f"{kind.capitalize()}Options", told)
        w.m.operator(kind, [left.tensor, right.tensor], [tensor], options, version=2)
        w.put(output, tensor, grid, order)

    return rule


def _changes_nothing(w: Writer, node: Node) -> bool:
    """Whether a constant is less than half a step of what it is added to, as an epsilon is."""
    data = w.graph.constant(node.inputs[1])
    if data is None or node.output in w.ends:
        return False
    left = w.value(node.inputs[0])
    same = left.shape == w.graph.shapes[node.output] and left.grid is not None
    return same and bool(np.max(np.abs(data)) < 0.5 * left.steps.scale)


def operands_of(
    w: Writer, node: Node, wide: bool = False
) -> tuple[Value, Value, tuple[int, ...] | None]:
    """Both values in one order of axes, and that order; `wide` as int16."""
    names = node.inputs
    left, right = (w.value(name, wide) for name in names)
    if left.order == right.order and len(left.shape) == len(right.shape):
        return left, right, left.order
    data = w.graph.constant(names[1])
    if left.order is not None and data is not None:
        # A constant is turned when the file is written.
        extended = data.reshape([1] * (len(left.shape) - data.ndim) + list(data.shape))
        turned = np.transpose(extended, np.argsort(left.order))
        grid = right.grid if wide else None
        return left, w.constant(f"{node.name}/turned", turned, grid), left.order
    return w.plain(names[0], wide), w.plain(names[1], wide), None


def fake_quantize(w: Writer, node: Node) -> None:
    """A value on the grid that the file gives it; nothing where it was computed on that."""
    grid = w.grid(node.output)
    w.values[node.output] = w.on(w.value(node.inputs[0]), grid, node.output)


def relu(w: Writer, node: Node) -> None:
    unary("RELU", gentle=True)(w, node)


def clip(w: Writer, node: Node) -> None:
    """The grid of what comes out ends where values are clipped, so that a rescaling clips."""
    lo, hi = node.get("min"), node.get("max")
    if lo > 0 or hi < 0:
        raise w.graph.refuse(node, f"its range {lo} to {hi} must hold 0")
    unary("QUANTIZE")(w, node)


def along_rows(kind: str, grid: Grid, options: Any) -> Rule:
    """SOFTMAX and its kin: along the last axis."""

    def rule(w: Writer, node: Node) -> None:
        source = w.value(node.inputs[0])
        axis, rank = node.get("axis"), len(source.shape)
        if axis != rank - 1:
            order = [*(a for a in range(rank) if a != axis), axis]
            w.values[f"{node.name}/turned"] = w.turned(source, order)
            source = w.plain(f"{node.name}/turned")
        else:
            source = w.plain(node.inputs[0])
        tensor = w.activation(node.output, source.shape, grid)
        w.m.operator(kind, [source.tensor], [tensor], options)
        made = Value(tensor, source.shape, grid)
        if axis != rank - 1:
            back = [*range(axis), rank - 1, *range(axis, rank - 1)]
            made = w.turned(made, back)
        w.values[node.output] = made

    return rule


def reduction(kind: str, keeps_grid: bool = False) -> Rule:
    def rule(w: Writer, node: Node) -> None:
        source = w.plain(node.inputs[0])
        grid = source.steps if keeps_grid else w.grid(node.output)
        shape = w.graph.shapes[node.output]
        tensor = w.activation(node.output, shape, grid)
        axes = w.integers(node.get("axes"), f"{node.name}/axes")
        options = ("ReducerOptions", {"KeepDims": bool(node.get("keepdims"))})
        w.m.operator(kind, [source.tensor, axes], [tensor], options, version=2)
        w.put(node.output, tensor, grid)

    return rule


def prelu(w: Writer, node: Node) -> None:
    if w.graph.constant(node.inputs[1]) is None:
        raise w.graph.refuse(node, "its slopes must be constant")
    grid = w.grid(node.output)
    left, right, order = operands_of(w, node)
    shape = w.graph.shapes[node.output]
    tensor = w.activation(node.output, Writer.stored_shape(Value(0, shape, grid, order)), grid)
    w.m.operator("PRELU", [left.tensor, right.tensor], [tensor])
    w.put(node.output, tensor, grid, order)


RULES: dict[str, Rule] = {
    "Add": binary("ADD"),
    "Sub": binary("SUB"),
    "Mul": binary("MUL"),
    "Max": binary("MAXIMUM", alike=True),
    "Min": binary("MINIMUM", alike=True),
    "FakeQuantize": fake_quantize,
    "PRelu": prelu,
    "Relu": relu,
    "Clip": clip,
    "Sigmoid": unary("LOGISTIC", PROBABILITY),
    "Tanh": unary("TANH", TANH),
    "Exp": unary("EXP"),
    "Abs": unary("ABS", gentle=True),
    "Rsqrt": unary("RSQRT"),
    "HardSwish": unary("HARD_SWISH"),
    "Elu": unary("ELU"),
    "LeakyRelu": unary(
        "LEAKY_RELU",
        gentle=True,
        options=lambda node: ("LeakyReluOptions", {"Alpha": float(node.get("alpha", 0.01))}),
    ),
    "Softmax": along_rows("SOFTMAX", PROBABILITY, ("SoftmaxOptions", {"Beta": 1.0})),
    "LogSoftmax": along_rows("LOG_SOFTMAX", LOG_PROBABILITY, None),
    "ReduceMean": reduction("MEAN"),
    "ReduceSum": reduction("SUM"),
    "ReduceMax": reduction("REDUCE_MAX", keeps_grid=True),
    "ReduceMin": reduction("REDUCE_MIN", keeps_grid=True),
}

"""What moves elements keeps its grid; a join brings its parts onto one."""

import numpy as np

from compiler.floats.graph import Node
from compiler.quantise.ranges import Grid
from compiler.quantise.rules import Rule
from compiler.quantise.writer import Options, Value, Writer

_MOST_PARTS = 10
"""That TFLM's CONCATENATION takes."""


def _reshape(w: Writer, node: Node) -> None:
    shape = w.graph.shapes[node.output]
    source = w.plain(node.inputs[0], w.is_wide(node))
    if w.is_wide(node) and node.output in w.takers and w.alone(node.inputs[0]) is None:
        # LiteRT lets a RESHAPE have its input's memory, and what computes behind it write there,
        # whoever else takes the input.
        source = w.copied(source, node.output)
    w.hold(node.output, w.reshaped(source, shape, node.output))


def _transpose(w: Writer, node: Node) -> None:
    source = w.value(node.inputs[0], w.is_wide(node))
    w.hold(node.output, w.turned(source, node.get("perm")))


def _slice(w: Writer, node: Node) -> None:
    source = w.plain(node.inputs[0], w.is_wide(node))
    shape = w.graph.shapes[node.output]
    named = [
        w.integers(node.get(what), f"{node.name}/{what}") for what in ("starts", "ends", "steps")
    ]
    options: Options = ("StridedSliceOptions", {})
    if source.grid is None:
        tensor = w.m.tensor(shape, "int32", (), name=node.output)
    else:
        tensor = w.activation(node.output, shape, source.grid)
    w.m.operator("STRIDED_SLICE", [source.tensor, *named], [tensor], options)
    w.put(node.output, tensor, source.grid)


def _concat(w: Writer, node: Node) -> None:
    grid, axis = w.grid(node.output), node.get("axis")
    parts = [w.on(_part(w, name, grid), grid, name) for name in node.inputs]
    while len(parts) > 1:
        group, parts = parts[:_MOST_PARTS], parts[_MOST_PARTS:]
        shape = list(group[0].shape)
        shape[axis] = sum(part.shape[axis] for part in group)
        name = node.output if not parts else f"{node.output}/joined"
        tensor = w.activation(name, shape, grid)
        options = ("ConcatenationOptions", {"Axis": axis, "FusedActivationFunction": 0})
        operands = [part.tensor for part in group]
        w.m.operator("CONCATENATION", operands, [tensor], options, version=2)
        parts.insert(0, Value(tensor, tuple(shape), grid))
    w.values[node.output] = parts[0]


def _part(w: Writer, name: str, grid: Grid) -> Value:
    data = w.graph.constant(name)
    return w.plain(name) if data is None else w.constant(f"{name}/joined", data, grid)


def _pad(w: Writer, node: Node) -> None:
    source = w.plain(node.inputs[0])
    grid = source.steps
    value = node.get("value")
    if value and not grid.real(np.array([-128])) <= value <= grid.real(np.array([127])):
        grid = w.grid(node.output)
        source = w.on(source, grid, node.inputs[0])
    shape = w.graph.shapes[node.output]
    borders = np.stack([node.get("begins"), node.get("ends")], axis=1)
    operands = [source.tensor, w.integers(borders, f"{node.name}/borders")]
    tensor = w.activation(node.output, shape, grid)
    if value:
        operands.append(
            w.constant(f"{node.name}/value", np.array([value], np.float32), grid).tensor
        )
        w.m.operator("PADV2", operands, [tensor], ("PadV2Options", {}), version=2)
    else:
        w.m.operator("PAD", operands, [tensor], ("PadOptions", {}), version=2)
    w.put(node.output, tensor, grid)


def _expand(w: Writer, node: Node) -> None:
    source = w.plain(node.inputs[0])
    shape = w.graph.shapes[node.output]
    tensor = w.activation(node.output, shape, source.steps)
    target = w.integers(shape, f"{node.name}/shape")
    options: Options = ("BroadcastToOptions", {})
    w.m.operator("BROADCAST_TO", [source.tensor, target], [tensor], options, version=2)
    w.put(node.output, tensor, source.grid)


def _gather(w: Writer, node: Node) -> None:
    """Rows of a constant table, whose grid is that of what comes out."""
    table = w.graph.constant(node.inputs[0])
    assert table is not None, "only rows of constants are left"
    grid = w.grid(node.output)
    known = w.constant(f"{node.name}/table", table, grid)
    indices = w.plain(node.inputs[1])
    tensor = w.activation(node.output, w.graph.shapes[node.output], grid)
    operands = [known.tensor, indices.tensor]
    w.m.operator("GATHER", operands, [tensor], ("GatherOptions", {"Axis": 0}), version=2)
    w.put(node.output, tensor, grid)


RULES: dict[str, Rule] = {
    "Reshape": _reshape,
    "Transpose": _transpose,
    "Slice": _slice,
    "Concat": _concat,
    "Pad": _pad,
    "Expand": _expand,
    "Gather": _gather,
}

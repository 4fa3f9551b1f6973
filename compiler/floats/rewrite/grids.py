"""QuantizeLinear with DequantizeLinear behind it: a value on a grid of its own, in int8."""

import numpy as np

from compiler.floats.graph import Node
from compiler.floats.rewrite.builder import Builder, Rules

_SHIFT = {"int8": 0, "uint8": 128}
"""From a zero point to int8's."""
_LEAST = float(np.finfo(np.float32).tiny)
"""Of a scale: less has no full precision."""


def _dequantize(b: Builder, node: Node) -> None:
    """FakeQuantize(x; scale, zero_point): what x is on that grid.

    Raises UnsupportedError for integers that nothing quantised, scales that differ or are many, and
    what is not eight bits.
    """
    before = b.producer(b.name(node.inputs[0]))
    if before is not None and before.kind == "Gather" and _dequantized_rows(b, node, before):
        return
    if before is None or before.kind != "QuantizeLinear":
        raise b.graph.refuse(node, f"nothing says what the integers {node.inputs[0]!r} stand for")
    read = [b.constant(b.name(name)) for name in node.inputs[1:]]
    written = [b.constant(name) for name in before.inputs[1:]]
    if any(each is None for each in (*read, *written)):
        raise b.graph.refuse(node, "its scale and zero point must be constant")
    scale, zero = (*written, np.uint8(0))[:2]
    scale, zero = np.asarray(scale), np.asarray(zero)
    pairs = ((np.asarray(one), np.asarray(o)) for one, o in zip(read, written, strict=True))
    if not all(np.array_equal(one, other, equal_nan=True) for one, other in pairs):
        raise b.graph.refuse(node, "it reads with another scale than its integers are written with")
    if scale.size != 1 or zero.size != 1:
        raise b.graph.refuse(
            node, f"{scale.size} scales along an axis; a value of a call has one scale"
        )
    if zero.dtype.name not in _SHIFT:
        raise b.graph.refuse(
            node, "its integers are not int8 or uint8; quantise activations to eight bits"
        )
    step = float(scale.reshape(-1)[0])
    if not _LEAST <= step < np.inf:
        raise b.graph.refuse(
            node, f"its scale is {step:g}; it must be {_LEAST:.3g} or more, and finite"
        )
    at = int(zero.reshape(-1)[0]) - _SHIFT[zero.dtype.name]
    shape = b.graph.shapes[node.output]
    source = before.inputs[0]
    b.emit("FakeQuantize", [source], shape, node.output, node, scale=step, zero_point=at)


def _dequantized_rows(b: Builder, node: Node, gather: Node) -> bool:
    """Rows of a table of integers, as onnxruntime's dynamic quantisation leaves an embedding: those
    of the reals that it stands for. Whether that is what they are.
    """
    table, *grid = (b.constant(name) for name in (gather.inputs[0], *map(b.name, node.inputs[1:])))
    if table is None or any(each is None or each.size != 1 for each in grid):
        return False
    step, zero = (np.asarray(each).reshape(-1)[0] for each in (*grid, np.int64(0))[:2])
    real = (table.astype(np.float64) - float(zero)) * float(step)
    operands = [b.store(real), gather.inputs[1]]
    shape, axis = b.graph.shapes[node.output], gather.get("axis", 0)
    b.emit("Gather", operands, shape, node.output, node, axis=axis)
    return True


RULES: Rules = {"DequantizeLinear": _dequantize}

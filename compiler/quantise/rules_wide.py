"""What is computed element by element in int16, where `compiler.quantise.wide` says so."""

import numpy as np

from compiler.floats.graph import Node
from compiler.quantise.ranges import Grid
from compiler.quantise.rules import Rule, operands_of
from compiler.quantise.writer import Options, Value, Writer

_VERSIONS = {"ADD": 3, "SUB": 5, "MUL": 4, "LOGISTIC": 3, "TANH": 3}
"""Of operators that take int16."""

_STEPS = 2.0**-14, 2.0
"""Powers of two that TFLM's TANH and LOGISTIC of int16 take, from the least to the largest."""


def _pair(kind: str, alike: bool) -> Rule:
    """An operator of two values; `alike` where both and the output must be on one grid."""

    def rule(w: Writer, node: Node) -> None:
        grid = w.wide.grid(node.output)
        left, right, order = operands_of(w, node, wide=True)
        if alike:
            left, right = (w.on(each, grid, node.name) for each in (left, right))
        shape = w.graph.shapes[node.output]
        stored = Writer.stored_shape(Value(0, shape, grid, order))
        tensor = w.activation(node.output, stored, grid)
        # LiteRT's other way takes no broadcasts. All scales are one, so that bits are the same.
        told = {"PotScaleInt16": False} if alike else {}
        options: Options = (f"{kind.capitalize()}Options", told)
        w.m.operator(kind, [left.tensor, right.tensor], [tensor], options, version=_VERSIONS[kind])
        w.put(node.output, tensor, grid, order)

    return rule


def _sigmoid(kind: str) -> Rule:
    def rule(w: Writer, node: Node) -> None:
        source, grid = w.value(node.inputs[0], wide=True), w.wide.grid(node.output)
        scale = np.clip(source.steps.scale, *_STEPS)
        source = w.on(source, Grid(scale, 0, "int16"), node.name)
        tensor = w.activation(node.output, w.stored_shape(source), grid)
        w.m.operator(kind, [source.tensor], [tensor], version=_VERSIONS[kind])
        w.put(node.output, tensor, grid, source.order)

    return rule


RULES: dict[str, Rule] = {
    "Add": _pair("ADD", alike=True),
    "Sub": _pair("SUB", alike=True),
    "Mul": _pair("MUL", alike=False),
    "Sigmoid": _sigmoid("LOGISTIC"),
    "Tanh": _sigmoid("TANH"),
}

"""A gate: operators that run in a call only if a number that was computed before says so.

TFLite has the form IF for it, with a graph for each way; here both ends of the one way stand among
the operators of one graph. Gates do not stand inside of gates.
"""

from dataclasses import dataclass

from npu.model.graph import Graph
from npu.model.numerics import INT8_MAX, INT8_MIN
from npu.model.quantisation import no_parameters
from npu.model.references import Operand, Operator, Result, operator_inputs, operator_outputs
from npu.model.rules import activation, require, same_quantization, same_shapes


@dataclass(frozen=True)
class Gate(Operator):
    """What follows it, up to the next `GateEnd`, runs if `condition` is `threshold` or more.

    The condition is one int8 as it stands, whatever its scale; a threshold of -128 opens the gate
    always, one of 128 never. States that the operators behind it update stay what they were in a
    call in which it is closed.
    """

    condition: Operand
    threshold: int = 0


@dataclass(frozen=True)
class GateEnd(Operator):
    """`output` is `value` behind an open gate, and `otherwise` behind a closed one."""

    value: Operand
    otherwise: Operand
    output: Result


def between(graph: Graph, gate: Gate) -> tuple[tuple[Operator, ...], GateEnd]:
    """The operators behind a gate, and its end.

    Raises ModelError where it has none, or another gate begins before that.
    """
    found: list[Operator] = []
    for op in graph.operators[_place(graph, gate) + 1 :]:
        if isinstance(op, GateEnd):
            return tuple(found), op
        require(not isinstance(op, Gate), f"{op.name!r} must not stand inside of it")
        found.append(op)
    require(False, "it must have an end")
    raise AssertionError("has raised")


def verify(graph: Graph, op: Gate) -> None:
    """A single int8, an end, and nothing behind that which only an open gate computes."""
    condition = activation(graph, op.condition, "condition")
    require(condition.size == 1, f"its condition must be one number, not {list(condition.shape)}")
    require(
        INT8_MIN <= op.threshold <= INT8_MAX + 1,
        f"its threshold must be {INT8_MIN} to {INT8_MAX + 1}, not {op.threshold}",
    )
    inside, end = between(graph, op)
    own = {index for each in inside for index in operator_outputs(each)}
    require(end.otherwise not in own, f"{end.name!r} must have something else where it is closed")
    used = set(graph.outputs)
    for each in graph.operators[_place(graph, end) + 1 :]:
        used.update(operator_inputs(each))
    for index in sorted(own & used):
        require(False, f"{graph.tensors[index].name!r} must not be used behind its end")


def verify_end(graph: Graph, op: GateEnd) -> None:
    """Behind a gate: three activations of one shape that mean the same."""
    before = graph.operators[: _place(graph, op)]
    open_gates = [isinstance(each, Gate) for each in before if isinstance(each, Gate | GateEnd)]
    require(bool(open_gates) and open_gates[-1], "it must stand behind a gate")
    value, otherwise, output = (
        activation(graph, index, what)
        for index, what in (
            (op.value, "value"),
            (op.otherwise, "value of a closed gate"),
            (op.output, "output"),
        )
    )
    same_shapes(value, otherwise, output)
    for each in (value, otherwise):
        same_quantization(output, each, "both its values and its output")


def _place(graph: Graph, op: Operator) -> int:
    return next(place for place, each in enumerate(graph.operators) if each is op)


RULES = {Gate: verify, GateEnd: verify_end}
PARAMETERS = {Gate: no_parameters, GateEnd: no_parameters}

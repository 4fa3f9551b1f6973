"""A gate: operators that run in a call only if a number that was computed before says so.

TFLite has the form IF for it, with a graph for each way; here both ways stand among the operators
of one graph, the open one first. Gates may stand inside of gates.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from npu.model.graph import Graph, Tensor
from npu.model.numerics import INT8_MAX, INT8_MIN
from npu.model.quantisation import no_parameters
from npu.model.references import Operand, Operator, Result, operator_inputs, operator_outputs
from npu.model.rules import activation, require, same_shapes


@dataclass(frozen=True)
class Gate(Operator):
    """What follows it, up to its `GateElse` or `GateEnd`, runs if `condition` is `threshold` or
    more.

    The condition is one int8 as it stands, whatever its scale; a threshold of -128 opens the gate
    always, one of 128 never. States that the operators behind it update stay what they were in a
    call in which it is closed.
    """

    condition: Operand
    threshold: int = 0


@dataclass(frozen=True)
class GateElse(Operator):
    """What follows it, up to the `GateEnd` of its gate, runs if that is closed."""


@dataclass(frozen=True)
class GateEnd(Operator):
    """`outputs` are `values` behind an open gate, and `otherwise` behind a closed one."""

    values: tuple[Operand, ...]
    otherwise: tuple[Operand, ...]
    outputs: tuple[Result, ...]


@dataclass(frozen=True)
class Ways:
    """A gate's operators of both ways, those of gates inside too, and its end."""

    open: tuple[Operator, ...]
    closed: tuple[Operator, ...]
    end: GateEnd


def ways(graph: Graph, gate: Gate) -> Ways:
    """What belongs to a gate. Raises ModelError where it has no end, or two other ways."""
    found: tuple[list[Operator], list[Operator]] = ([], [])
    way = depth = 0
    for op in graph.operators[_place(graph, gate) + 1 :]:
        if not depth and isinstance(op, GateEnd):
            return Ways(tuple(found[0]), tuple(found[1]), op)
        if not depth and isinstance(op, GateElse):
            require(not way, f"{op.name!r} must not be another way where it is closed")
            way = 1
            continue
        depth += isinstance(op, Gate) - isinstance(op, GateEnd)
        found[way].append(op)
    require(False, "it must have an end")
    raise AssertionError("has raised")


def end_of(graph: Graph, op: GateElse) -> GateEnd:
    """The end of the gate that this way belongs to."""
    depth = 0
    for each in graph.operators[_place(graph, op) + 1 :]:
        if not depth and isinstance(each, GateEnd):
            return each
        depth += isinstance(each, Gate) - isinstance(each, GateEnd)
    raise AssertionError("its gate has been verified")


def verify(graph: Graph, op: Gate) -> None:
    """A single int8, an end, and nothing used elsewhere that only one way computes.

    The last is told of all gates by the first of them, as it takes one walk through the graph.
    """
    condition = activation(graph, op.condition, "condition")
    require(condition.size == 1, f"its condition must be one number, not {list(condition.shape)}")
    require(
        INT8_MIN <= op.threshold <= INT8_MAX + 1,
        f"its threshold must be {INT8_MIN} to {INT8_MAX + 1}, not {op.threshold}",
    )
    ways(graph, op)
    if next(each for each in graph.operators if isinstance(each, Gate)) is op:
        _verify_scopes(graph)


def verify_else(graph: Graph, op: GateElse) -> None:
    """Behind a gate."""
    _require_inside(graph, op)


def verify_end(graph: Graph, op: GateEnd) -> None:
    """Behind a gate: as many values either way as outputs, that mean the same."""
    _require_inside(graph, op)
    counts = len(op.values), len(op.otherwise), len(op.outputs)
    require(len(set(counts)) == 1, f"it must have as many values as outputs, not {counts}")
    for indices in zip(op.values, op.otherwise, op.outputs, strict=True):
        value, otherwise, output = (graph.tensors[index] for index in indices)
        same_shapes(value, otherwise, output)
        for each in (value, otherwise):
            require(
                each.dtype == output.dtype and each.dtype != "float32",
                f"its values must be integers of its outputs' types, not {each.dtype} for "
                f"{output.dtype}",
            )
            require(_alike(each, output), "both its values and its output must be quantised alike")


def _alike(one: Tensor, other: Tensor) -> bool:
    if one.quantization is None:
        return other.quantization is None
    return one.quantization.same_as(other.quantization)


def _require_inside(graph: Graph, op: Operator) -> None:
    ended = 0
    for each in reversed(graph.operators[: _place(graph, op)]):
        if isinstance(each, Gate) and not ended:
            return
        ended += isinstance(each, GateEnd) - isinstance(each, Gate)
    require(False, "it must stand behind a gate")


_Scope = tuple[tuple[int, bool], ...]
"""The gates around an operator, from the outside in: the place of each, and whether it is open."""


def _verify_scopes(graph: Graph) -> None:
    """What is computed in a way of a gate is used there, or handed on by the gate's end."""
    made: dict[int, _Scope] = {}
    scope: _Scope = ()
    for place, op in enumerate(graph.operators):
        match op:
            case GateElse() if scope:
                scope = (*scope[:-1], (scope[-1][0], False))
            case GateEnd() if scope:
                outer, (gate, _) = scope[:-1], scope[-1]
                _require_seen(graph, made, op.values, (*outer, (gate, True)))
                _require_seen(graph, made, op.otherwise, (*outer, (gate, False)))
                scope = outer
            case _:
                _require_seen(graph, made, operator_inputs(op), scope)
        if scope:
            made.update(dict.fromkeys(operator_outputs(op), scope))
        if isinstance(op, Gate):
            scope = (*scope, (place, True))
    _require_seen(graph, made, graph.outputs, ())


def _require_seen(
    graph: Graph, made: Mapping[int, _Scope], indices: Sequence[int], scope: _Scope
) -> None:
    for index in indices:
        own = made.get(index, ())
        if scope[: len(own)] == own:
            continue
        level = next(k for k, each in enumerate(own) if scope[k : k + 1] != (each,))
        place, is_open = own[level]
        name, gate = graph.tensors[index].name, graph.operators[place].name
        way = "closed" if is_open else "open"
        if len(scope) > level and scope[level][0] == place:
            where = f"where {gate!r} is {way}, as it is not computed there"
        else:
            where = f"behind the end of {gate!r}"
        require(False, f"{name!r} must not be used {where}")


def _place(graph: Graph, op: Operator) -> int:
    return next(place for place, each in enumerate(graph.operators) if each is op)


RULES = {Gate: verify, GateElse: verify_else, GateEnd: verify_end}
PARAMETERS = dict.fromkeys((Gate, GateElse, GateEnd), no_parameters)

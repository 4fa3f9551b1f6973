"""Variables: states that several operators of a graph read and write, in their order."""

from dataclasses import dataclass

from npu.model.graph import Graph
from npu.model.quantisation import no_parameters
from npu.model.references import Operand, Operator, Result, Variable
from npu.model.rules import require


@dataclass(frozen=True)
class ReadVariable(Operator):
    """What a variable holds, at this place of a call."""

    variable: Variable
    output: Result


@dataclass(frozen=True)
class AssignVariable(Operator):
    """A variable holds `value` from this place on, in the calls to come too."""

    variable: Variable
    value: Operand


def verify_read(graph: Graph, op: ReadVariable) -> None:
    """As many elements of one type."""
    _verify_pair(graph, op.variable, op.output)


def verify_assign(graph: Graph, op: AssignVariable) -> None:
    """As many elements of one type."""
    _verify_pair(graph, op.variable, op.value)


def _verify_pair(graph: Graph, variable: int, other: int) -> None:
    held, given = graph.tensors[variable], graph.tensors[other]
    require(
        (held.dtype, held.size) == (given.dtype, given.size),
        f"its variable holds {held.dtype} {list(held.shape)}, "
        f"not {given.dtype} {list(given.shape)}",
    )


RULES = {ReadVariable: verify_read, AssignVariable: verify_assign}
PARAMETERS = {ReadVariable: no_parameters, AssignVariable: no_parameters}

"""Rows of a constant table, picked by index."""

from dataclasses import dataclass

from npu.model.graph import Graph
from npu.model.quantisation import no_parameters
from npu.model.references import Constant, Operand, Operator, Result
from npu.model.rules import activation, require, same_quantization


@dataclass(frozen=True)
class Gather(Operator):
    """`output[...] = table[indices[...]]`: whole rows of a constant table."""

    table: Constant
    indices: Operand
    output: Result


def verify(graph: Graph, op: Gather) -> None:
    """int32 indices of an int8 matrix, and a row out for each."""
    table = activation(graph, op.table, "table")
    indices = graph.tensors[op.indices]
    output = activation(graph, op.output, "output")
    require(
        table.is_constant and len(table.shape) == 2,
        f"its table must be a constant matrix, not {list(table.shape)}",
    )
    require(indices.dtype == "int32", f"its indices must be int32, not {indices.dtype}")
    wanted = indices.shape + table.shape[1:]
    require(
        output.shape == wanted,
        f"its output must be {list(wanted)}, not {list(output.shape)}",
    )
    same_quantization(output, table, "its output and its table")


RULES = {Gather: verify}
PARAMETERS = {Gather: no_parameters}

"""Slices of a tensor, picked by index."""

from dataclasses import dataclass

from npu.model.graph import Graph
from npu.model.quantisation import no_parameters
from npu.model.references import Operand, Operator, Result
from npu.model.rules import require

TYPES = ("float32", "int8")


@dataclass(frozen=True)
class Gather(Operator):
    """`output[b, o, c, i] = table[b, o, indices[b, c], i]`, each letter for several axes.

    `axis` of the table is the one that indices are of; the first `batch_dims` axes are common to
    table and indices.
    """

    table: Operand
    indices: Operand
    output: Result
    axis: int = 0
    batch_dims: int = 0


def verify(graph: Graph, op: Gather) -> None:
    """int32 indices along an axis, and a slice out for each."""
    table, indices, output = (graph.tensors[i] for i in (op.table, op.indices, op.output))
    require(
        table.dtype in TYPES and output.dtype == table.dtype,
        f"its table and its output must both be {' or '.join(TYPES)}, "
        f"not {table.dtype} and {output.dtype}",
    )
    require(indices.dtype == "int32", f"its indices must be int32, not {indices.dtype}")
    require(
        0 <= op.batch_dims <= op.axis < len(table.shape) and op.batch_dims <= len(indices.shape),
        f"it has no axis {op.axis} behind {op.batch_dims} common ones in {list(table.shape)}",
    )
    common = table.shape[: op.batch_dims], indices.shape[: op.batch_dims]
    require(common[0] == common[1], f"its first axes must be {common[0]}, not {common[1]}")
    wanted = (
        *table.shape[: op.axis],
        *indices.shape[op.batch_dims :],
        *table.shape[op.axis + 1 :],
    )
    require(
        output.shape == wanted,
        f"its output must be {list(wanted)}, not {list(output.shape)}",
    )


RULES = {Gather: verify}
PARAMETERS = {Gather: no_parameters}

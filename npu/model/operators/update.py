"""A part of a tensor replaced, at a place that is only known when it runs."""

from dataclasses import dataclass

from npu.model.graph import Graph
from npu.model.quantisation import no_parameters
from npu.model.references import Operand, Operator, Result
from npu.model.rules import require, same_shapes

TYPES = ("float32", "int8", "int16", "int32")


@dataclass(frozen=True)
class UpdateSlice(Operator):
    """`input` with a box at `start` replaced by `update`.

    A start from which the box would leave the tensor is moved inside.
    """

    input: Operand
    update: Operand
    start: Operand
    output: Result


def verify(graph: Graph, op: UpdateSlice) -> None:
    """Tensors of one type and rank; a start for each axis."""
    source, update, start, output = (
        graph.tensors[i] for i in (op.input, op.update, op.start, op.output)
    )
    require(
        source.dtype in TYPES and source.dtype == update.dtype == output.dtype,
        f"what it moves must be of one type, {', '.join(TYPES)}, "
        f"not {source.dtype}, {update.dtype} and {output.dtype}",
    )
    same_shapes(source, output)
    require(
        len(update.shape) == len(source.shape)
        and all(n <= m for n, m in zip(update.shape, source.shape, strict=True)),
        f"{list(update.shape)} must fit into {list(source.shape)}",
    )
    require(
        start.dtype in ("int32", "int64") and start.shape == (len(source.shape),),
        f"its start must be int32 or int64 [{len(source.shape)}], "
        f"not {start.dtype} {list(start.shape)}",
    )


RULES = {UpdateSlice: verify}
PARAMETERS = {UpdateSlice: no_parameters}

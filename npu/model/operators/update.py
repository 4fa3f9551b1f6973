"""A part of a tensor read or replaced, at a place that is only known when it runs."""

from dataclasses import dataclass

from npu.model.graph import Graph, Tensor
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


@dataclass(frozen=True)
class ReadSlice(Operator):
    """The box of `input` at `start` that has the output's shape. It must lie inside."""

    input: Operand
    start: Operand
    output: Result


def verify_read(graph: Graph, op: ReadSlice) -> None:
    """Tensors of one type and rank; a start for each axis."""
    source, start, output = (graph.tensors[i] for i in (op.input, op.start, op.output))
    require(
        source.dtype == output.dtype,
        f"its types must be equal, not {source.dtype} and {output.dtype}",
    )
    _verify_box(source, output, start)


def _verify_box(whole: Tensor, part: Tensor, start: Tensor) -> None:
    require(
        len(part.shape) == len(whole.shape)
        and all(n <= m for n, m in zip(part.shape, whole.shape, strict=True)),
        f"{list(part.shape)} must fit into {list(whole.shape)}",
    )
    require(
        start.dtype in ("int32", "int64") and start.shape == (len(whole.shape),),
        f"its start must be int32 or int64 [{len(whole.shape)}], "
        f"not {start.dtype} {list(start.shape)}",
    )


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
    _verify_box(source, update, start)


RULES = {UpdateSlice: verify, ReadSlice: verify_read}
PARAMETERS = {UpdateSlice: no_parameters, ReadSlice: no_parameters}

"""Elements that stay what they are, elsewhere or under another shape."""

from dataclasses import dataclass

from npu.model.boxes import Box, Piece
from npu.model.graph import Graph, Tensor
from npu.model.quantisation import no_parameters
from npu.model.references import Operand, Operator, Result
from npu.model.rules import require


@dataclass(frozen=True)
class Reshape(Operator):
    """The same elements in the same order under another shape."""

    input: Operand
    output: Result


@dataclass(frozen=True)
class Copy(Operator):
    """Boxes of elements from inputs to outputs, one piece after the other, over `fill`.

    Everything that only moves elements is one of these: what was a slice, a transposition or a
    padding is worked out when a model is read. `fill` is what outputs hold where no piece writes;
    None where pieces write everything.
    """

    inputs: tuple[Operand, ...]
    outputs: tuple[Result, ...]
    pieces: tuple[Piece, ...]
    fill: float | None = None


def verify_reshape(graph: Graph, op: Reshape) -> None:
    """As many elements of one type. Who wrote the model sees to it that they mean the same."""
    source, output = graph.tensors[op.input], graph.tensors[op.output]
    require(
        source.dtype == output.dtype,
        f"its types must be equal, not {source.dtype} and {output.dtype}",
    )
    require(
        source.size == output.size,
        f"its shapes must hold equally many elements, not {list(source.shape)} and "
        f"{list(output.shape)}",
    )


def verify_copy(graph: Graph, op: Copy) -> None:
    """Tensors of one type, boxes within them, and nothing left unwritten."""
    inputs = [graph.tensors[i] for i in op.inputs]
    outputs = [graph.tensors[i] for i in op.outputs]
    kinds = sorted({tensor.dtype for tensor in (*inputs, *outputs)})
    require(len(kinds) == 1, f"its types must be equal, not {', '.join(kinds)}")
    written = [0] * len(outputs)
    for piece in op.pieces:
        require(
            0 <= piece.source < len(inputs) and 0 <= piece.target < len(outputs),
            f"it has no input {piece.source} or no output {piece.target}",
        )
        require(piece.read.sizes == piece.written.sizes, "its boxes must be of equal sizes")
        _verify_box(inputs[piece.source], piece.read)
        _verify_box(outputs[piece.target], piece.written)
        written[piece.target] += piece.written.n
    require(
        op.fill is not None or all(n >= t.size for n, t in zip(written, outputs, strict=True)),
        "its pieces must write its whole outputs",
    )


def _verify_box(tensor: Tensor, box: Box) -> None:
    first, last = box.limits()
    require(
        len(box.sizes) == len(box.strides) and first >= 0 and last < tensor.size,
        f"elements {first} to {last} are not all in {list(tensor.shape)}",
    )


RULES = {Reshape: verify_reshape, Copy: verify_copy}
PARAMETERS = {Reshape: no_parameters, Copy: no_parameters}

"""Products of two activations that are matrices."""

from dataclasses import dataclass, replace

from npu.model.graph import DTYPE_RANGES, Graph, Tensor, quantization
from npu.model.operators.product import MatVecParams, matvec_params
from npu.model.quantisation import place
from npu.model.references import Operand, Operator, Result
from npu.model.rules import activation, require

_RANKS = range(2, 6)


@dataclass(frozen=True)
class BatchMatMul(Operator):
    """`output[..., m, n] = a[..., m, :] . b[..., :, n]`; what stands before is broadcast.

    `transpose_a` says that a is [..., k, m] in memory, `transpose_b` that b is [..., n, k].
    """

    a: Operand
    b: Operand
    output: Result
    transpose_a: bool = False
    transpose_b: bool = False


def axes(op: BatchMatMul) -> tuple[int, int]:
    """The dimensions of a and of b, counted from the end, that the output has, too."""
    return -1 if op.transpose_a else -2, -2 if op.transpose_b else -1


def _other(axis: int) -> int:
    return -3 - axis


def verify(graph: Graph, op: BatchMatMul) -> None:
    """Matrices that fit each other, of two to five dimensions."""
    a = activation(graph, op.a, "first input")
    b = activation(graph, op.b, "second input")
    output = activation(graph, op.output, "output")
    for what, tensor in (("first", a), ("second", b)):
        require(
            len(tensor.shape) in _RANKS and tensor.size > 0,
            f"its {what} input must have two to five dimensions and elements, not "
            f"{list(tensor.shape)}",
        )
    along_a, along_b = axes(op)
    common = a.shape[_other(along_a)], b.shape[_other(along_b)]
    require(common[0] == common[1], f"its inputs have {common[0]} and {common[1]} to sum over")
    wanted = (*_batches(a, b), a.shape[along_a], b.shape[along_b])
    require(output.shape == wanted, f"its output must be {list(wanted)}, not {list(output.shape)}")


def _batches(a: Tensor, b: Tensor) -> tuple[int, ...]:
    """The dimensions before the matrices, broadcast."""
    rank = max(len(a.shape), len(b.shape))
    padded = [(1,) * (rank - len(t.shape)) + t.shape[:-2] for t in (a, b)]
    pairs = list(zip(*padded, strict=True))
    require(
        all(1 in pair or pair[0] == pair[1] for pair in pairs),
        f"its inputs {list(a.shape)} and {list(b.shape)} cannot be broadcast",
    )
    return tuple(max(pair) for pair in pairs)


def matmul_params(graph: Graph, op: BatchMatMul) -> MatVecParams:
    """Those of products with the columns of b as rows of weights.

    Raises
    ------
    ModelError
        If the scales cannot be expressed.
    """
    a, b, output = (graph.tensors[i] for i in (op.a, op.b, op.output))
    params = matvec_params(
        quantization(a),
        b,
        quantization(output),
        DTYPE_RANGES["int8"],
        place(graph, op),
        axes(op)[1],
        graph.rounds_once,
    )
    return replace(params, weights_zero_point=quantization(b).zero_point)


RULES = {BatchMatMul: verify}
PARAMETERS = {BatchMatMul: matmul_params}

"""Products of two activations: dot products of the vector unit."""

from compiler.lowering.dots import dot_fields
from compiler.lowering.site import GraphLowering
from compiler.lowering.walks import Operand, walk
from npu.model.broadcast import broadcast_strides
from npu.model.operators.matmul import BatchMatMul
from npu.model.operators.product import MatVecParams


def lower(site: GraphLowering, op: BatchMatMul, params: MatVecParams) -> None:
    """A walk over batches, rows and columns of the output; the innermost loop is the sum."""
    tensors = site.graph.tensors
    shape = tensors[op.output].shape
    a, b = (_matrices(tensors[index].shape, shape[:-2]) for index in (op.a, op.b))
    if op.transpose_a:
        a = (*a[:-2], a[-1], a[-2])
    if op.transpose_b:
        b = (*b[:-2], b[-1], b[-2])
    k = tensors[op.a].shape[-2 if op.transpose_a else -1]
    out = broadcast_strides(shape, shape)
    operands = {
        "dst": Operand(site.new(op.output).whole(), (*out, 0)),
        "a": Operand(site.buffer(op.a).whole(), (*a[:-2], a[-2], 0, a[-1])),
        "b": Operand(site.buffer(op.b).whole(), (*b[:-2], 0, b[-1], b[-2])),
    }
    walk(site, "VDOT", [*shape, k], operands, dot_fields(params), fixed=1)


def _matrices(own: tuple[int, ...], batches: tuple[int, ...]) -> tuple[int, ...]:
    """Strides of a tensor of matrices whose first dimensions are broadcast to those of batches."""
    return broadcast_strides(own, (*batches, *own[-2:]))


LOWER = {BatchMatMul: lower}

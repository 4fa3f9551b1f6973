"""Products of a constant matrix with vectors: one MATVEC for all vectors of a tensor."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from compiler.lowering.ir import Matrix, MatVec, View, Window
from compiler.lowering.site import GraphLowering
from compiler.lowering.windows import Filters, Image, products
from npu.model.layer import Layer
from npu.model.operators.product import FullyConnected, MatVecParams


def lower(site: GraphLowering, op: FullyConnected, params: MatVecParams) -> None:
    """A product with the one vector, or with all of them, which are an image of one row."""
    weights = site.constant(op.weights)
    if params.weights_zero_point:
        raise site.unsupported(
            f"the zero point of its weights is {params.weights_zero_point}; the chip takes 0 there"
        )
    bias = None if op.bias is None else site.constant(op.bias)
    src, dst = site.buffer(op.input), site.new(op.output)
    rows, columns = weights.shape
    vectors = src.n // columns
    if vectors == 1:
        matrix = stacked(site.layer(rows=(rows,)), [Gate(weights, bias, params)], np.arange(rows))
        site.add(matvec(site, matrix, src.whole(), dst.whole(), params))
        return
    image = Image(1, vectors, columns, 1, vectors, out_down=vectors * rows, out_across=rows)
    filters = Filters(weights.reshape(rows, 1, 1, columns), bias, params)
    products(site, [(src.whole(), dst.whole())], image, filters)


@dataclass(frozen=True, eq=False)
class Gate:
    """One of the matrices that are stacked: (rows, columns) int8, (rows,) int32 or None, scales."""

    weights: np.ndarray
    bias: np.ndarray | None
    params: MatVecParams


def stacked(
    layer: Layer, gates: Sequence[Gate], destination: np.ndarray, columns: int | None = None
) -> Matrix:
    """Stack matrices that read the same input; as many `columns`, the last ones without weights."""
    weights = np.concatenate([gate.weights for gate in gates])
    used = weights.shape[1]
    weights = np.pad(weights, ((0, 0), (0, (columns or used) - used)))
    bias = [np.zeros(len(g.weights)) if g.bias is None else g.bias for g in gates]
    return Matrix(
        layer,
        weights,
        bias=np.concatenate(bias).astype(np.int64),
        destination=destination.astype(np.int64),
        multipliers=np.concatenate([g.params.multipliers for g in gates]).astype(np.int64),
        shifts=np.concatenate([g.params.shifts for g in gates]).astype(np.int64),
        columns_used=used,
        operands=tuple(gate.weights for gate in gates),
    )


def matvec(
    site: GraphLowering, matrix: Matrix, src: View, dst: View, params: MatVecParams
) -> MatVec:
    """The product of a matrix with a vector in SRAM.

    One that begins on no bus word is a window, and its matrix has columns for whole bus words.
    """
    window = None if site.aligned(src) else Window(length=src.n, width=src.n)
    return MatVec(
        matrix,
        View(src.buffer, src.offset, matrix.weights.shape[1]),
        dst,
        src_zero=params.input_zero_point,
        dst_zero=params.output_zero_point,
        lo=params.lo,
        hi=params.hi,
        window=window,
    )


LOWER = {FullyConnected: lower}

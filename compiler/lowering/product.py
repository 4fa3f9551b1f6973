"""Products of a constant matrix with vectors: a MATVEC for each vector."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from compiler.lowering.ir import Matrix, MatVec, View
from compiler.lowering.site import GraphLowering
from npu.model.layer import Layer
from npu.model.operators.product import FullyConnected, MatVecParams


def lower(site: GraphLowering, op: FullyConnected, params: MatVecParams) -> None:
    """A product per row of the output; input rows that lie differently need a matrix each."""
    weights = site.constant(op.weights)
    if params.weights_zero_point:
        raise site.unsupported(
            f"the zero point of its weights is {params.weights_zero_point}; the chip takes 0 there"
        )
    bias = None if op.bias is None else site.constant(op.bias)
    src, dst = site.buffer(op.input), site.new(op.output)
    n_rows, n_columns = weights.shape
    matrices: dict[bytes, Matrix] = {}
    for index in range(dst.rows):
        view, places = site.row(src, n_columns, index)
        key = places.tobytes()
        if key not in matrices:
            layer = site.layer(layout=len(matrices), rows=(n_rows,))
            gate = Gate(weights, bias, params)
            matrices[key] = stacked(layer, [gate], np.arange(n_rows), places, view.n)
        site.add(matvec(matrices[key], view, dst.row(index), params))


@dataclass(frozen=True, eq=False)
class Gate:
    """One of the matrices that are stacked: (rows, columns) int8, (rows,) int32 or None, scales."""

    weights: np.ndarray
    bias: np.ndarray | None
    params: MatVecParams


def stacked(
    layer: Layer, gates: Sequence[Gate], destination: np.ndarray, places: np.ndarray, columns: int
) -> Matrix:
    """Stack matrices that read the same input; column j of the input lies at places[j]."""
    rows = np.concatenate([gate.weights for gate in gates])
    physical = np.zeros((len(rows), columns), np.int8)
    physical[:, places] = rows
    bias = [np.zeros(len(g.weights)) if g.bias is None else g.bias for g in gates]
    return Matrix(
        layer,
        physical,
        bias=np.concatenate(bias).astype(np.int64),
        destination=destination.astype(np.int64),
        multipliers=np.concatenate([g.params.multipliers for g in gates]).astype(np.int64),
        shifts=np.concatenate([g.params.shifts for g in gates]).astype(np.int64),
        columns_used=len(places),
        operands=tuple(gate.weights for gate in gates),
    )


def matvec(matrix: Matrix, src: View, dst: View, params: MatVecParams) -> MatVec:
    """The product of a matrix with a vector in SRAM."""
    return MatVec(
        matrix,
        src,
        dst,
        src_zero=params.input_zero_point,
        dst_zero=params.output_zero_point,
        lo=params.lo,
        hi=params.hi,
    )


LOWER = {FullyConnected: lower}

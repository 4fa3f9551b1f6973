"""Products of a constant matrix with vectors: one MATVEC for all vectors of a tensor."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from compiler.lowering.ir import Matrix, MatVec, Positions, View, Window
from compiler.lowering.site import GraphLowering
from compiler.lowering.walks import Operand, walk
from compiler.lowering.windows import Filters, Image, products
from npu.model.layer import Layer
from npu.model.numerics import INT8_MAX, INT8_MIN
from npu.model.operators.product import FullyConnected, MatVecParams


@dataclass(frozen=True, eq=False)
class Gate:
    """One of the matrices that are stacked: (rows, columns) int8, (rows,) int32 or None, scales."""

    weights: np.ndarray
    bias: np.ndarray | None
    params: MatVecParams


def lower(site: GraphLowering, op: FullyConnected, params: MatVecParams) -> None:
    """A product with the one vector, or with all of them, which are an image of one row."""
    if site.graph.tensors[op.weights].data is None:
        _computed(site, op, params)
        return
    weights = site.constant(op.weights)
    bias = None if op.bias is None else site.constant(op.bias)
    src, dst = site.buffer(op.input).whole(), site.new(op.output).whole()
    rows, columns = weights.shape
    vectors = src.n // columns
    if params.weights_zero_point:
        site.add(_shifted(site, Gate(weights, bias, params), src, dst))
        return
    if vectors == 1:
        matrix = stacked(site.layer(rows=(rows,)), [Gate(weights, bias, params)], np.arange(rows))
        site.add(matvec(site, matrix, src, dst, params))
        return
    image = Image(1, vectors, columns, 1, vectors, out_down=vectors * rows, out_across=rows)
    filters = Filters(weights.reshape(rows, 1, 1, columns), bias, params)
    products(site, src, dst, image, filters)


def _shifted(site: GraphLowering, gate: Gate, src: View, dst: View) -> MatVec:
    """Weights minus their zero point take nine bits: as the sum of two int8, of three for a 255.

    The vector is gathered as often, a part of every weight for each.
    """
    rows, columns = gate.weights.shape
    left = gate.weights.astype(np.int16) - gate.params.weights_zero_point
    apart = site.params.align(columns)
    copies = 3 if left.max() > 2 * INT8_MAX else 2
    parts = np.zeros((rows, copies, apart), np.int8)
    for copy in range(copies):
        parts[:, copy, :columns] = np.clip(left, INT8_MIN, INT8_MAX)
        left -= parts[:, copy, :columns]
    whole = parts.reshape(rows, copies * apart)
    matrix = stacked(
        site.layer(rows=(rows,)), [replace(gate, weights=whole)], np.arange(rows), used=columns
    )
    vectors = src.n // columns
    return replace(
        matvec(site, matrix, src, dst, gate.params),
        window=Window(length=columns, width=src.n, nx=copies),
        positions=Positions(count_x=vectors, a_x=columns, dst_x=rows),
    )


def _computed(site: GraphLowering, op: FullyConnected, params: MatVecParams) -> None:
    """Dot products of vectors with weights that are an activation."""
    if op.bias is not None:
        raise site.unsupported("its weights are computed, and it has a bias; use an ADD instead")
    src, weights, dst = site.buffer(op.input), site.buffer(op.weights), site.new(op.output)
    rows, columns = site.graph.tensors[op.weights].shape
    scales = np.stack([params.multipliers, params.shifts])
    each = 1 if (scales != scales[:, :1]).any() else rows
    for row in range(0, rows, each):
        operands = {
            "dst": Operand(dst.part(row, dst.n - row), (rows, 1, 0)),
            "a": Operand(src.whole(), (columns, 0, 1)),
            "b": Operand(weights.part(row * columns, each * columns), (0, columns, 1)),
        }
        sizes = [src.n // columns, each, columns]
        walk(site, "VDOT", sizes, operands, dot_fields(params, row), fixed=1)


def dot_fields(params: MatVecParams, row: int = 0) -> dict[str, int]:
    """The fields of a VDOT whose operand b are weights with the scale of a row."""
    return {
        "a_zero": params.input_zero_point,
        "b_zero": params.weights_zero_point,
        "dst_zero": params.output_zero_point,
        "multiplier": int(params.multipliers[row]),
        "shift": int(params.shifts[row]),
        "lo": params.lo,
        "hi": params.hi,
    }


def stacked(
    layer: Layer,
    gates: Sequence[Gate],
    destination: np.ndarray,
    columns: int | None = None,
    used: int | None = None,
) -> Matrix:
    """Stack matrices that read the same input; as many `columns`, the last ones without weights.

    used : columns that stand for an element of the input, if not those that the matrices have.
    """
    weights = np.concatenate([gate.weights for gate in gates])
    found = weights.shape[1]
    weights = np.pad(weights, ((0, 0), (0, (columns or found) - found)))
    bias = [np.zeros(len(g.weights)) if g.bias is None else g.bias for g in gates]
    return Matrix(
        layer,
        weights,
        bias=np.concatenate(bias).astype(np.int64),
        destination=destination.astype(np.int64),
        multipliers=np.concatenate([g.params.multipliers for g in gates]).astype(np.int64),
        shifts=np.concatenate([g.params.shifts for g in gates]).astype(np.int64),
        columns_used=used or found,
        operands=tuple(gate.weights for gate in gates),
    )


def matvec(
    site: GraphLowering,
    matrix: Matrix,
    src: View,
    dst: View,
    params: MatVecParams,
    moves: int = 0,
) -> MatVec:
    """The product of a matrix with a vector in SRAM, which `moves` so many bytes in a Repeat.

    One that begins on no bus word is a window, and its matrix has columns for whole bus words.
    """
    aligned = site.aligned(src) and site.aligned(src.moved(moves))
    window = None if aligned else Window(length=src.n, width=src.n)
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

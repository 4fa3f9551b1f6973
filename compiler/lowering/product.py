"""Products of a constant matrix with vectors: one MATVEC for all vectors of a tensor."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from compiler.lowering.dots import lower_computed
from compiler.lowering.ir import Matrix, MatVec, Positions, View, Window
from compiler.lowering.site import GraphLowering
from compiler.lowering.windows import Filters, Image, products
from npu.model.layer import Layer
from npu.model.operators.product import FullyConnected, MatVecParams, in_int8_parts


@dataclass(frozen=True, eq=False)
class Gate:
    """One of the matrices that are stacked: (rows, columns) int8, (rows,) int32 or None, scales."""

    weights: np.ndarray
    bias: np.ndarray | None
    params: MatVecParams


def lower(site: GraphLowering, op: FullyConnected, params: MatVecParams) -> None:
    """A product with the one vector, or with all of them, which are an image of one row."""
    tensors = site.graph.tensors
    if any(tensors[i].data is None for i in (op.weights, op.bias) if i is not None):
        lower_computed(site, op, params)
        return
    weights = site.constant(op.weights)
    bias = None if op.bias is None else site.constant(op.bias)
    src, dst = site.buffer(op.input).whole(), site.new(op.output).whole()
    rows, columns = weights.shape
    vectors = src.n // columns
    gate = Gate(weights, bias, params)
    if params.weights_zero_point:
        site.add(_shifted(site, gate, src, dst))
        return
    if vectors == 1:
        site.add(matvec(site, _shared(site, op, gate), src, dst, params))
        return
    image = Image(1, vectors, columns, 1, vectors, out_down=vectors * rows, out_across=rows)
    filters = Filters(weights.reshape(rows, 1, 1, columns), bias, params)
    products(site, src, dst, image, filters)


def _shared(site: GraphLowering, op: FullyConnected, gate: Gate) -> Matrix:
    """The matrix of a product with one vector: the same for all that have its weights and scales.

    So the steps of a recurrent network that are written out hold their weights once.
    """
    scales = gate.params.multipliers.tobytes(), gate.params.shifts.tobytes()
    key = op.weights, op.bias, *scales
    if key not in site.matrices:
        rows = len(gate.weights)
        site.matrices[key] = stacked(site.layer(rows=(rows,)), [gate], np.arange(rows))
    return site.matrices[key]


def _shifted(site: GraphLowering, gate: Gate, src: View, dst: View) -> MatVec:
    """Weights less their zero point: the vector is gathered for each of their parts."""
    rows, columns = gate.weights.shape
    (gate,), parts = in_parts(site, [gate])
    matrix = stacked(site.layer(rows=(rows,)), [gate], np.arange(rows), used=columns)
    vectors = src.n // columns
    return replace(
        matvec(site, matrix, src.part(0, columns), dst, gate.params, parts=parts),
        window=Window(length=columns, width=src.n, nx=parts),
        positions=Positions(count_x=vectors, a_x=columns, dst_x=rows),
    )


def in_parts(site: GraphLowering, gates: Sequence[Gate]) -> tuple[list[Gate], int]:
    """Gates whose weights, less their zero points, are sums of int8 ones, and of how many.

    The matrices of the parts lie one behind the other, on bus words.
    """
    zeros = [gate.params.weights_zero_point for gate in gates]
    parts = in_int8_parts([gate.weights for gate in gates], zeros)
    columns = gates[0].weights.shape[1]
    padding = (0, 0), (0, site.params.align(columns) - columns)
    whole = [np.concatenate([np.pad(part, padding) for part in of], axis=1) for of in parts]
    found = [replace(g, weights=weights) for g, weights in zip(gates, whole, strict=True)]
    return found, len(parts[0])


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
    step: int = 0,
    parts: int = 1,
) -> MatVec:
    """The product of a matrix with a vector in SRAM, which may move in steps of bytes.

    One that begins on no bus word is a window, and its matrix has columns for whole bus words; so
    is one that is gathered for all `parts` of weights.
    """
    aligned = site.aligned(src) and step % site.params.bus_bytes == 0
    whole = aligned and parts == 1
    window = None if whole else Window(length=src.n, width=src.n, nx=parts)
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

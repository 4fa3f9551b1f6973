"""Dot products of vectors with rows that are in SRAM: weights that are computed, and biases.

A bias is the sum of a few more products, modulo 2^32, in which the chip adds.
"""

import numpy as np

from compiler.lowering.digits import FACTORS, digits
from compiler.lowering.ir import LoadConstant, View
from compiler.lowering.rescale import identity_fields
from compiler.lowering.routine import RoutineWriter
from compiler.lowering.site import GraphLowering
from compiler.lowering.walks import Operand, copy, walk
from npu.chip.isa import ElementType
from npu.model.numerics import INT16_MAX, INT16_MIN
from npu.model.operators.product import FullyConnected, MatVecParams

_WIDE = int(ElementType.INT16)
_HALF = 16


def bias_terms(bias: np.ndarray) -> tuple[tuple[int, ...], np.ndarray]:
    """As many of the FACTORS as it takes, and (rows, factors) int16: the biases are the sums of
    their products."""
    terms = digits(bias)
    used = np.flatnonzero(terms.any(axis=0))
    count = int(used[-1]) + 1 if len(used) else 0
    return FACTORS[:count], terms[:, :count]


def lower_computed(site: GraphLowering, op: FullyConnected, params: MatVecParams) -> None:
    """Dot products of vectors with weights that are an activation, or whose bias is."""
    src, weights = site.buffer(op.input).whole(), site.buffer(op.weights).whole()
    rows, columns = site.graph.tensors[op.weights].shape
    dst, vectors = site.new(op.output), src.n // columns
    fields = {"a_zero": params.input_zero_point, "b_zero": params.weights_zero_point}
    if op.bias is not None:
        src, weights = _with_bias(site, op, (src, weights), (vectors, rows, columns), fields)
        fields = {"a_type": _WIDE, "b_type": _WIDE, "a_zero": 0, "b_zero": 0}
        columns += len(FACTORS)
    scales = np.stack([params.multipliers, params.shifts])
    each = 1 if (scales != scales[:, :1]).any() else rows
    for row in range(0, rows, each):
        operands = {
            "dst": Operand(dst.part(row, dst.n - row), (rows, 1, 0)),
            "a": Operand(src, (columns, 0, 1)),
            "b": Operand(weights.part(row * columns, each * columns), (0, columns, 1)),
        }
        sizes = [vectors, each, columns]
        walk(site, "VDOT", sizes, operands, dot_fields(params, row) | fields, fixed=1)


def _with_bias(
    site: GraphLowering,
    op: FullyConnected,
    views: tuple[View, View],
    sizes: tuple[int, int, int],
    zeros: dict[str, int],
) -> tuple[View, View]:
    """Vectors and rows of weights as int16 less their zero points, and behind each what makes the
    bias."""
    assert op.bias is not None
    vectors, rows, columns = sizes
    length = columns + len(FACTORS)
    wide = []
    for name, view, zero, n in zip(
        ("vectors", "weights"), views, zeros.values(), (vectors, rows), strict=True
    ):
        found = site.new_buffer(f"{name} and bias", n * length, ElementType.INT16).whole()
        each = {"dst": Operand(found, (length, 1)), "a": Operand(view, (columns, 1))}
        fields = identity_fields(INT16_MIN, INT16_MAX) | {"a_zero": zero, "dst_type": _WIDE}
        walk(site, "VRESCALE", [n, columns], each, fields)
        wide.append(found)
    data, terms = wide
    for k, factor in enumerate(FACTORS):
        each = {"dst": Operand(data.part(columns + k, data.n - columns - k), (length,))}
        walk(site, "VFILL", [vectors], each, {"imm": factor, "dst_type": _WIDE})
    behind = terms.part(columns, terms.n - columns)
    if (bias := site.graph.tensors[op.bias].data) is None:
        _halves(site, site.buffer(op.bias).whole(), behind, length)
        return data, terms
    known = site.new_buffer("bias", rows * len(FACTORS), ElementType.INT16)
    site.add(LoadConstant(digits(bias), known))
    from_known = Operand(known.whole(), (len(FACTORS), 1))
    copy(site, [rows, len(FACTORS)], Operand(behind, (length, 1)), from_known)
    return data, terms


def _halves(site: GraphLowering, bias: View, dst: View, length: int) -> None:
    """What `bias_terms` makes of a bias, for one that is computed."""
    r = RoutineWriter()
    item, word = ElementType.INT16.n_bytes, ElementType.INT32.n_bytes
    with r.registers(4) as (at, out, x, high):
        r.set(at, view=bias)
        r.set(out, view=dst)

        def row(k: int) -> None:
            r.load(x, at, ElementType.INT32, k * word)
            # The low half counts from -2^15: what it lacks belongs to the high one.
            r.do("ADD", high, x, 1 << (_HALF - 1))
            r.do("SRA", high, high, _HALF)
            r.negate(high, high)
            for place, half in enumerate((x, high, high)):
                r.store(half, out, ElementType.INT16, (k * length + place) * item)

        r.each(bias.n, {at: word, out: length * item}, row)
    r.add_to(site, (bias.buffer, dst.buffer), (dst.buffer,))


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

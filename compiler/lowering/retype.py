"""The same real values in another type; the host does it for real numbers at a model's borders."""

import numpy as np

from compiler.lowering import fixed
from compiler.lowering.ir import Vector, View
from compiler.lowering.rescale import rescale_fields
from compiler.lowering.routine import RoutineWriter
from compiler.lowering.site import GraphLowering
from npu.chip.isa import OPCODES, ElementType
from npu.model.numerics import INT8_MAX, INT8_MIN, requantize
from npu.model.operators.rescale import RescaleParams
from npu.model.operators.retype import FromReal, Requantize, ToReal


def lower(site: GraphLowering, op: Requantize, params: RescaleParams) -> None:
    """A VLUT between bytes; a VRESCALE of int16 whose zero points it can hold; else a routine."""
    source, output = (site.graph.tensors[index].dtype for index in (op.input, op.output))
    src, dst = site.buffer(op.input).whole(), site.new(op.output).whole()
    if not dst.n:
        return
    if {source, output} <= {"int8", "uint8"}:
        site.add(Vector("VLUT", dst.n, dst, src, table=_table(params, source)))
    elif ElementType.INT32 in (src.element, dst.element) or not _fits(params):
        _routine(site, src, dst, params)
    else:
        types = {"a_type": int(src.element), "dst_type": int(dst.element)}
        site.add(Vector("VRESCALE", dst.n, dst, src, fields=rescale_fields(params) | types))


def _table(params: RescaleParams, source: str) -> np.ndarray:
    """What becomes of every byte, by its bits as an int8."""
    bits = np.arange(INT8_MIN, INT8_MAX + 1, dtype=np.int8)
    numbers = bits.view(source).astype(np.int64) - params.input_zero_point
    p = params
    scaled = [
        requantize(int(x), 0, p.multiplier, p.shift, p.output_zero_point, p.lo, p.hi)
        for x in numbers
    ]
    return np.array(scaled, np.int64).astype(np.int8)


def _fits(params: RescaleParams) -> bool:
    """Whether a VRESCALE has room for the numbers."""
    opcode = OPCODES["VRESCALE"]
    return all(
        opcode.field(name).range[0] <= value <= opcode.field(name).range[1]
        for name, value in rescale_fields(params).items()
    )


def _routine(site: GraphLowering, src: View, dst: View, params: RescaleParams) -> None:
    """One element after the other."""
    r = RoutineWriter()
    with r.registers(3) as (at, out, x):
        r.set(at, view=src)
        r.set(out, view=dst)
        steps = src.element.n_bytes, dst.element.n_bytes

        def element(k: int) -> None:
            r.load(x, at, src.element, k * steps[0])
            if params.input_zero_point:
                r.do("SUB", x, x, params.input_zero_point)
            fixed.scale(r, x, params.multiplier, params.shift)
            if params.output_zero_point:
                r.do("ADD", x, x, params.output_zero_point)
            fixed.limit(r, x, params.lo, params.hi)
            r.store(x, out, dst.element, k * steps[1])

        r.each(dst.n, {at: steps[0], out: steps[1]}, element)
    r.add_to(site, (src.buffer,), (dst.buffer,))


LOWER = {Requantize: lower}
REFUSED = dict.fromkeys(
    (FromReal, ToReal), "the host does it at the borders of a model; the chip has no real numbers"
)

"""The same real values in another type.

Real numbers are the host's, who has integers for them in external memory.
"""

import numpy as np

from compiler.lowering import fixed
from compiler.lowering.host import host_input
from compiler.lowering.ir import LoadInput, Vector, View
from compiler.lowering.rescale import rescale_fields
from compiler.lowering.routine import RoutineWriter
from compiler.lowering.site import GraphLowering
from npu.chip.isa import OPCODES, ElementType
from npu.model.numerics import INT8_MAX, INT8_MIN, requantize
from npu.model.operators.rescale import RescaleParams
from npu.model.operators.retype import FromReal, RealParams, Requantize, ToReal
from npu.model.references import operator_inputs


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


def lower_from_real(site: GraphLowering, op: FromReal, params: RealParams) -> None:
    """The host writes what this makes of an input."""
    if op.input not in site.graph.inputs or _readers(site, op.input) != 1:
        raise site.unsupported("it must be all that reads a real input of the model")
    buffer = site.new(op.output)
    site.reals[op.input] = op.output
    site.add(LoadInput(host_input(site.segment.name, op.input), buffer))


def lower_to_real(site: GraphLowering, op: ToReal, params: RealParams) -> None:
    """The host makes this of what it reads."""
    if _readers(site, op.output):
        raise site.unsupported("the chip has no real numbers; they must be an output of the model")
    site.reals[op.output] = op.input
    site.place(op.output, site.buffer(op.input))


def _readers(site: GraphLowering, index: int) -> int:
    """Operators that read a tensor; the graph's outputs are one more."""
    readers = sum(index in operator_inputs(op) for op in site.graph.operators)
    is_both = index in site.graph.inputs and index in site.graph.outputs
    return readers + is_both


LOWER = {Requantize: lower, FromReal: lower_from_real, ToReal: lower_to_real}

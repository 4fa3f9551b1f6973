"""A part of a tensor read or replaced, at a place that is only known when it runs."""

import numpy as np

from compiler.lowering.ir import View
from compiler.lowering.routine import ZERO, Register, RoutineWriter
from compiler.lowering.site import GraphLowering
from compiler.lowering.walks import Operand, copy, copy_all
from npu.chip.isa import BASES, ElementType
from npu.model.boxes import row_major
from npu.model.numerics import INT32_MAX, INT32_MIN
from npu.model.operators.update import ReadSlice, UpdateSlice


def lower(site: GraphLowering, op: UpdateSlice, params: None) -> None:
    """A copy of the whole, and one of the part: a base says where it begins."""
    src, update = (site.buffer(index).whole() for index in (op.input, op.update))
    dst = site.new(op.output).whole()
    shape, sizes = (site.graph.tensors[index].shape for index in (op.input, op.update))
    copy_all(site, dst, src)
    if not update.n:
        return
    strides = row_major(shape)
    last = [whole - part for whole, part in zip(shape, sizes, strict=True)]
    a = Operand(update, row_major(sizes))
    start = site.graph.tensors[op.start]
    if start.data is not None:
        first = np.clip(start.data, 0, last) @ np.array(strides, np.int64) if strides else 0
        copy(site, sizes or [1], Operand(dst.part(int(first), dst.n), strides or (1,)), a)
        return
    steps = [stride * dst.element.n_bytes for stride in strides]
    _place(site, op.start, "dst", last, steps)
    copy(site, sizes, Operand(dst, strides), a, dst_rel=1)


def lower_read(site: GraphLowering, op: ReadSlice, params: None) -> None:
    """A copy of the part. One that would begin outside, which kernels refuse, is moved inside."""
    src, dst = site.buffer(op.input).whole(), site.new(op.output).whole()
    shape, sizes = (site.graph.tensors[index].shape for index in (op.input, op.output))
    if not dst.n:
        return
    strides = row_major(shape)
    if shape:
        last = [whole - part for whole, part in zip(shape, sizes, strict=True)]
        _place(site, op.start, "a", last, [stride * src.element.n_bytes for stride in strides])
    out = Operand(dst, row_major(sizes))
    copy(site, sizes, out, Operand(src, strides), a_rel=1)


def _place(
    site: GraphLowering, start: int, operand: str, last: list[int], steps: list[int]
) -> None:
    """The base of an operand becomes the byte at which the part begins."""
    source = site.buffer(start).whole()
    words = source.n // len(last)
    r = RoutineWriter()
    with r.register(BASES[operand]) as base, r.registers(1) as (x,):
        r.set(base)
        for axis, (most, step) in enumerate(zip(last, steps, strict=True)):
            first = axis * words * ElementType.INT32.n_bytes
            r.load(x, ZERO, ElementType.INT32, first, source)
            if words == 2:
                _saturate(r, x, source, first + ElementType.INT32.n_bytes)
            r.do("MAX", x, x)
            r.do("MIN", x, x, most)
            r.do("MUL", x, x, step)
            r.do("ADD", base, base, x)
    r.add_to(site, (source.buffer,), ())


def _saturate(r: RoutineWriter, x: Register, source: View, at: int) -> None:
    """x, the low word of an int64, as the int32 that is nearest to it."""
    with r.registers(2) as (high, sign):
        r.load(high, ZERO, ElementType.INT32, at, source)
        r.do("SRA", sign, x, 31)
        with r.unless("BEQ", high, sign):
            r.set(x, INT32_MIN)
            with r.unless("BLT", high, 0):
                r.set(x, INT32_MAX)


LOWER = {UpdateSlice: lower, ReadSlice: lower_read}

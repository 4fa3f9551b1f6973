"""Many elements become one: maxima and sums by walks in halves, the rest by a routine."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from compiler.lowering.fixed import limit, scale
from compiler.lowering.ir import Vector, View
from compiler.lowering.rescale import identity_fields, rescale_fields
from compiler.lowering.routine import RoutineWriter
from compiler.lowering.site import GraphLowering
from compiler.lowering.walks import Operand, copy, fill, walk
from npu.chip.isa import BASES, ElementType
from npu.model.boxes import row_major
from npu.model.numerics import INT8_MAX, INT8_MIN, INT16_MAX, INT16_MIN
from npu.model.operators.reduce import (
    ArgMax,
    ArgMin,
    Mean,
    ReduceMax,
    ReduceMin,
    Search,
    Sum,
)
from npu.model.operators.rescale import RescaleParams

MOST_SUMMED = INT16_MAX
"""Elements that a VDOT sums, or steps over."""

MOST_SEARCHED = INT16_MAX - INT16_MIN
"""Elements that a VARGMAX tells apart."""


class Box(NamedTuple):
    """(outer, along, inner) elements, those along the second axis to become one.

    `apart`: from one along `outer` to the next.
    """

    view: View
    outer: int
    along: int
    inner: int
    apart: int

    def operand(self, first: int = 0) -> Operand:
        """A walk's, from so many elements along the axis on."""
        view = self.view.part(first * self.inner, self.view.n - first * self.inner)
        return Operand(view, (self.apart, self.inner, 1))


def box(site: GraphLowering, index: int, axes: Sequence[int]) -> Box:
    """A tensor with some axes as one, behind one another: copied if they are not."""
    view, shape = site.buffer(index).whole(), site.graph.tensors[index].shape
    long = [axis for axis, size in enumerate(shape) if size != 1]
    taken = [axis for axis in long if axis in axes]
    kept = [axis for axis in long if axis not in axes]
    count = math.prod(shape[axis] for axis in axes)
    before = [axis for axis in kept if not taken or axis < taken[0]]
    behind = [axis for axis in kept if axis not in before]
    if any(axis < taken[-1] for axis in behind):
        order = [*before, *taken, *behind]
        strides = row_major(shape)
        sizes = [shape[axis] for axis in order]
        moved = site.new_buffer("in order", view.n, view.element)
        a = Operand(view, tuple(strides[axis] for axis in order))
        copy(site, sizes, Operand(moved.whole(), row_major(sizes)), a)
        view = moved.whole()
    outer, inner = (math.prod(shape[axis] for axis in part) for part in (before, behind))
    return Box(view, outer, count, inner, count * inner)


def halved(
    site: GraphLowering, opcode: str, source: Box, dst: View, turns: int | None = None
) -> Box:
    """Join elements of one half with those of the other, and the results again, in `dst`.

    dst : for half the box at least; or the box itself.
    turns : how often, at most; by default until a single element is left.
    """
    found = source
    while found.along > 1 and turns != 0:
        half = -(-found.along // 2)
        joined = found.along - half
        in_place = dst.buffer is found.view.buffer
        apart = found.apart if in_place else half * found.inner
        target = Box(dst, found.outer, half, found.inner, apart)
        operands = {"dst": target.operand(), "a": found.operand(), "b": found.operand(half)}
        walk(site, opcode, [found.outer, joined, found.inner], operands)
        if half > joined and not in_place:
            sizes = [found.outer, 1, found.inner]
            copy(site, sizes, target.operand(joined), found.operand(joined))
        found = target
        turns = None if turns is None else turns - 1
    return found


def extremes(site: GraphLowering, opcode: str, source: Box, dst: View) -> None:
    """The largest or the smallest of the elements, into dst."""
    half = source.outer * -(-source.along // 2) * source.inner
    scratch = site.new_buffer("halves", half, source.view.element).whole()
    found = halved(site, opcode, source, scratch)
    target = Box(dst, source.outer, 1, source.inner, source.inner)
    copy(site, [source.outer, 1, source.inner], target.operand(), found.operand())


def lower_extreme(site: GraphLowering, op: ReduceMax | ReduceMin, params: None) -> None:
    """VMAX or VMIN of halves; of nothing, the other end of the range."""
    source, dst = box(site, op.input, op.axes), site.new(op.output).whole()
    opcode, least = ("VMAX", INT8_MIN) if isinstance(op, ReduceMax) else ("VMIN", INT8_MAX)
    if source.along == 0:
        fill(site, dst, least)
    elif dst.n:
        extremes(site, opcode, source, dst)


def lower_sum(site: GraphLowering, op: Mean | Sum, params: RescaleParams) -> None:
    """Dot products with ones; where there is too much to sum, as `_sum_long`."""
    source, dst = box(site, op.input, op.axes), site.new(op.output).whole()
    if source.view.n == 0:
        # As the kernels.
        fill(site, dst, 0)
        return
    if max(source.along, source.inner) > MOST_SUMMED:
        _sum_long(site, source, dst, params)
        return
    one = site.new_buffer("one", 1, ElementType.INT8).whole()
    fill(site, one, 1)
    operands = {
        "dst": Operand(dst, (source.inner, 1, 0)),
        "a": Operand(source.view, (source.apart, 1, source.inner)),
        "b": Operand(one, (0, 0, 0)),
    }
    sizes = [source.outer, source.inner, source.along]
    walk(site, "VDOT", sizes, operands, rescale_fields(params), fixed=1)


def _sum_long(site: GraphLowering, source: Box, dst: View, params: RescaleParams) -> None:
    """Sums in int16 of as many elements as fit; what is left, a routine adds up."""
    zero = params.input_zero_point
    wide = centred(site, source.view, zero)
    turns = int(math.log2(INT16_MAX // max(zero - INT8_MIN, INT8_MAX - zero)))
    _total(site, halved(site, "VADDS", source._replace(view=wide), wide, turns), dst, params)


def centred(site: GraphLowering, view: View, zero: int) -> View:
    """int8 less their zero point, as int16."""
    wide = site.new_buffer("centred", view.n, ElementType.INT16).whole()
    fields = identity_fields(INT16_MIN, INT16_MAX) | {
        "a_zero": zero,
        "dst_type": int(ElementType.INT16),
    }
    site.add(Vector("VRESCALE", view.n, wide, view, fields=fields))
    return wide


def _total(site: GraphLowering, source: Box, dst: View, params: RescaleParams) -> None:
    """Sums of int16, requantised, one after the other."""
    r = RoutineWriter()
    item = ElementType.INT16.n_bytes
    with r.registers(4) as (first, at, out, total):
        r.set(first, view=source.view)
        r.set(out, view=dst)
        with r.times(source.outer):
            with r.times(source.inner):
                r.set(total)
                r.do("ADD", at, first)
                with r.registers(1) as (x,):

                    def add(k: int) -> None:
                        r.load(x, at, ElementType.INT16, k * source.inner * item)
                        r.do("ADD", total, total, x)

                    r.each(source.along, {at: source.inner * item}, add)
                scale(r, total, params.multiplier, params.shift)
                if params.output_zero_point:
                    r.do("ADD", total, total, params.output_zero_point)
                limit(r, total, params.lo, params.hi)
                r.store(total, out, ElementType.INT8)
                r.do("ADD", out, out, 1)
                r.do("ADD", first, first, item)
            if source.apart != source.inner:
                r.do("ADD", first, first, (source.apart - source.inner) * item)
    r.add_to(site, (source.view.buffer,), (dst.buffer,))


def lower_search(site: GraphLowering, op: Search, params: None) -> None:
    """A VARGMAX for each result, in a loop; the smallest is the largest of the complements."""
    source, dst = box(site, op.input, (op.axis,)), site.new(op.output).whole()
    if source.along > MOST_SEARCHED:
        raise site.unsupported(
            f"the largest of {source.along} elements; the chip counts to {MOST_SEARCHED}"
        )
    if dst.n == 0:
        return
    if source.along == 1:
        fill(site, dst, 0)
        return
    view = source.view
    if isinstance(op, ArgMin):
        view = site.new_buffer("complements", view.n, view.element).whole()
        table = np.arange(INT8_MAX, INT8_MIN - 1, -1, dtype=np.int8)
        site.add(Vector("VLUT", view.n, view, source.view, table=table))
    r = RoutineWriter()
    with r.register(BASES["a"]) as first, r.registers(2) as (out, found):
        r.set(first)
        r.set(out, view=dst)
        # The middle loop has the longest strides.
        r.command("VLOOP", count_1=source.along, count_2=1, a_1=source.inner)
        with r.times(source.outer):
            with r.times(source.inner):
                r.command("VARGMAX", {"a": view}, rd=found.number, n=1, looped=1, a_rel=1)
                r.store(found, out, ElementType.INT32)
                r.do("ADD", out, out, ElementType.INT32.n_bytes)
                r.do("ADD", first, first, 1)
            if source.apart != source.inner:
                r.do("ADD", first, first, source.apart - source.inner)
    r.add_to(site, (view.buffer,), (dst.buffer,))


LOWER = {
    Mean: lower_sum,
    Sum: lower_sum,
    ReduceMax: lower_extreme,
    ReduceMin: lower_extreme,
    ArgMax: lower_search,
    ArgMin: lower_search,
}

"""Whole rows become rows: what relates elements to their row by vector commands, then a routine.

The routine goes through the rows: a sum over a row's elements, what follows from it once, and the
elements again. It keeps `at`, a row's int16 elements, and `out`, where its int8 go.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from compiler.lowering import fixed
from compiler.lowering.ir import Buffer, LoadConstant, Vector, View
from compiler.lowering.reduce import Box, centred, extremes
from compiler.lowering.rescale import identity_fields
from compiler.lowering.routine import Register, RoutineWriter
from compiler.lowering.site import GraphLowering
from compiler.lowering.walks import Operand, fill, walk
from npu.chip.isa import ElementType
from npu.model.fixed_point import LOG_INPUT_BITS
from npu.model.numerics import INT8_MAX, INT8_MIN, INT16_MAX, INT16_MIN, INT32_MIN
from npu.model.operators.normalise import (
    SUM_BITS,
    L2Normalization,
    L2Params,
    LogSoftmax,
    LogSoftmaxParams,
    Softmax,
    SoftmaxParams,
)

_ITEM = ElementType.INT16.n_bytes
_WORD = ElementType.INT32.n_bytes
_LOG_SHIFT = 22
"""From Q5.26 to steps of 1/16."""
_WIDE = identity_fields(INT16_MIN, INT16_MAX) | {"dst_type": int(ElementType.INT16)}


def lower_softmax(site: GraphLowering, op: Softmax, params: SoftmaxParams) -> None:
    """The exponential of every element in a table, and their sum's reciprocal as their factor."""
    below, dst, rows = _below(site, op)
    if not rows:
        return
    exp = _table(site, "exponentials", params.exp)
    half, item = 1 << (params.output_bits - 1), dst.element.n_bytes
    r = RoutineWriter()
    with r.registers(4) as (at, out, factor, shift), _each_row(r, at, below, out, dst):
        length = dst.n // rows
        _sum_of_exponentials(r, at, factor, length, exp)
        fixed.reciprocal(r, factor, shift)
        # From the sum's leading zeros to steps of the output.
        r.negate(shift, shift, 31 - params.output_bits + LOG_INPUT_BITS)
        with r.unless("BLT", shift, 32):
            r.set(factor)
        with r.registers(1) as (x,):

            def element(k: int) -> None:
                r.load(x, at, ElementType.INT16, k * _ITEM)
                r.load(x, x, ElementType.INT32, view=exp.whole())
                r.do("MULH", x, x, factor)
                r.do("RSRA", x, x, shift)
                r.do("ADD", x, x, -half)
                r.do("MIN", x, x, half - 1)
                r.store(x, out, dst.element, k * item)

            r.each(length, {at: _ITEM, out: item}, element)
    r.add_to(site, (below.buffer, exp), (dst.buffer,))


def lower_log_softmax(site: GraphLowering, op: LogSoftmax, params: LogSoftmaxParams) -> None:
    """Every element's difference less the logarithm of the sum of exponentials."""
    below, dst, rows = _below(site, op)
    if not rows:
        return
    exp = _table(site, "exponentials", params.softmax.exp)
    scaled = _table(site, "differences", params.scaled)
    r = RoutineWriter()
    with r.registers(3) as (at, out, log), _each_row(r, at, below, out, dst):
        length = dst.n // rows
        _sum_of_exponentials(r, at, log, length, exp)
        fixed.log_of_at_least_one(r, log)
        with r.registers(2) as (most, x):
            r.do("ADD", most, log, INT32_MIN)
            fixed.scale(r, most, params.back_multiplier, params.back_shift)
            # Elements from so far below the largest on are the least; none is 256 below.
            fixed.limit(r, most, max(params.softmax.diff_min - 1, -256), 1)
            r.do("MUL", most, most, -_WORD)

            def element(k: int) -> None:
                least = r.new_label()
                r.load(x, at, ElementType.INT16, k * _ITEM)
                r.branch("BGE", x, most, least)
                r.load(x, x, ElementType.INT32, view=scaled.whole())
                r.do("SUB", x, x, log)
                r.do("RSRA", x, x, _LOG_SHIFT)
                r.do("ADD", x, x, INT8_MAX)
                fixed.limit(r, x, INT8_MIN, INT8_MAX)
                r.store(x, out, ElementType.INT8, k)
                r.label(least)

            r.each(length, {at: _ITEM, out: 1}, element)
    fill(site, dst, INT8_MIN)
    r.add_to(site, (below.buffer, exp, scaled, dst.buffer), (dst.buffer,))


def lower_l2(site: GraphLowering, op: L2Normalization, params: L2Params) -> None:
    """Every element times the reciprocal root of the sum of squares."""
    source, dst = site.buffer(op.input).whole(), site.new(op.output).whole()
    if not dst.n:
        return
    values = centred(site, source, params.input_zero_point)
    length = site.graph.tensors[op.input].shape[-1]
    r = RoutineWriter()
    with r.registers(4) as (at, out, factor, right), _each_row(r, at, values, out, dst):
        r.set(factor)
        with r.registers(1) as (x,):

            def square(k: int) -> None:
                r.load(x, at, ElementType.INT16, k * _ITEM)
                r.do("MUL", x, x, x)
                r.do("ADD", factor, factor, x)

            r.each(length, {at: _ITEM}, square)
        r.do("ADD", at, at, -length * _ITEM)
        fixed.inverse_square_root(r, factor, right)
        with r.registers(2) as (x, left):
            # To steps of 1/128.
            r.do("ADD", right, right, 7)
            r.do("MAX", left, right)
            r.negate(right, right)
            r.do("MAX", right, right)

            def element(k: int) -> None:
                r.load(x, at, ElementType.INT16, k * _ITEM)
                r.do("SLL", x, x, left)
                r.do("MULH", x, x, factor)
                r.do("RSRA", x, x, right)
                fixed.limit(r, x, INT8_MIN, INT8_MAX)
                r.store(x, out, ElementType.INT8, k)

            r.each(length, {at: _ITEM, out: 1}, element)
    r.add_to(site, (values.buffer,), (dst.buffer,))


def _below(site: GraphLowering, op: Softmax | LogSoftmax) -> tuple[View, View, int]:
    """How far each element lies below the largest of its row: as int16, in bytes of a table.

    Returns that, the output, and how many rows there are that have elements.
    """
    source, dst = site.buffer(op.input).whole(), site.new(op.output).whole()
    if not dst.n:
        return source, dst, 0
    length = site.graph.tensors[op.input].shape[-1]
    rows = dst.n // length
    largest = site.new_buffer("largest", rows, ElementType.INT8).whole()
    extremes(site, "VMAX", Box(source, rows, length, 1, length), largest)
    high = site.new_buffer("largest, wide", rows, ElementType.INT16).whole()
    below = site.new_buffer("below the largest", dst.n, ElementType.INT16).whole()
    times = site.new_buffer("minus a word", 1, ElementType.INT8).whole()
    fill(site, times, -_WORD)
    flat = {"dst": Operand(below, (1,)), "a": Operand(source, (1,)), "b": Operand(times, (0,))}
    walk(site, "VMUL", [dst.n], flat, _WIDE)
    shift = _WIDE["shift"] + _WORD.bit_length() - 1
    site.add(Vector("VRESCALE", rows, high, largest, fields=_WIDE | {"shift": shift}))
    each = {
        "dst": Operand(below, (length, 1)),
        "a": Operand(below, (length, 1)),
        "b": Operand(high, (1, 0)),
    }
    walk(site, "VADDS", [rows, length], each)
    return below, dst, rows


def _table(site: GraphLowering, name: str, values: np.ndarray) -> Buffer:
    """int32 in SRAM."""
    buffer = site.new_buffer(name, len(values), ElementType.INT32)
    site.add(LoadConstant(values, buffer))
    return buffer


@contextmanager
def _each_row(
    r: RoutineWriter, at: Register, source: View, out: Register, dst: View
) -> Iterator[None]:
    """A loop in which both go through their rows, until `out` is behind the last one."""
    again = r.new_label()
    r.set(at, view=source)
    r.set(out, view=dst)
    r.label(again)
    yield
    r.branch("BLT", out, dst.n * dst.element.n_bytes, again, view=dst)


def _sum_of_exponentials(
    r: RoutineWriter, at: Register, total: Register, length: int, exp: Buffer
) -> None:
    """total = the sum of a row's exponentials in Q12.19; `at` stays; takes two registers."""
    r.set(total)
    with r.registers(1) as (x,):

        def add(k: int) -> None:
            r.load(x, at, ElementType.INT16, k * _ITEM)
            r.load(x, x, ElementType.INT32, view=exp.whole())
            r.do("RSRA", x, x, SUM_BITS)
            r.do("ADD", total, total, x)

        r.each(length, {at: _ITEM}, add)
    r.do("ADD", at, at, -length * _ITEM)


LOWER = {
    Softmax: lower_softmax,
    LogSoftmax: lower_log_softmax,
    L2Normalization: lower_l2,
}

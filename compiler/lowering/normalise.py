"""Whole rows become rows: what relates elements to their row by vector commands, then a routine.

The routine goes through the rows: what follows once from a sum over a row's elements, and a command
that takes it as the elements' scale; of a log-softmax the elements again, one by one.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from compiler.lowering import fixed
from compiler.lowering.digits import FACTORS
from compiler.lowering.exponential import (
    DIGITS,
    REST_BITS,
    exponentials,
    sums_of_exponentials,
)
from compiler.lowering.ir import Buffer, LoadConstant, Vector, View
from compiler.lowering.reduce import Box, extremes
from compiler.lowering.rescale import exact_sum_fields, identity_fields
from compiler.lowering.routine import Register, RoutineWriter
from compiler.lowering.rows import ITEM, each_sum, load_sum, sums
from compiler.lowering.site import GraphLowering
from compiler.lowering.walks import Operand, fill, walk
from npu.chip.isa import BASES, SCALES, ElementType
from npu.model.fixed_point import LOG_INPUT_BITS
from npu.model.numerics import (
    INT8_MAX,
    INT8_MIN,
    INT16_MAX,
    INT16_MIN,
    INT32_MIN,
    MIN_SHIFT,
)
from npu.model.operators.normalise import (
    SUM_BITS,
    L2Normalization,
    L2Params,
    LogSoftmax,
    LogSoftmaxParams,
    Softmax,
    SoftmaxParams,
)

_WORD = ElementType.INT32.n_bytes
_MOST_PARTS = 4
"""Of the rows of a softmax: each is a program of its own."""
_SCRATCH = 4096
"""Bytes that the elements of a part may take for as long as it runs, each so many:"""
_SCRATCH_AN_ELEMENT = 8
_LOG_SHIFT = 22
"""From Q5.26 to steps of 1/16."""
_WIDE = identity_fields(INT16_MIN, INT16_MAX) | {"dst_type": int(ElementType.INT16)}


def lower_softmax(site: GraphLowering, op: Softmax, params: SoftmaxParams) -> None:
    """Exponentials by tables, and their sum's reciprocal as their scale, some rows at a time."""
    source, dst = site.buffer(op.input).whole(), site.new(op.output).whole()
    if not dst.n:
        return
    if dst.element is not ElementType.INT8:
        # A command has no room for its zero point.
        _softmax_by_elements(site, op, dst, params)
        return
    length = site.graph.tensors[op.input].shape[-1]
    rows = dst.n // length
    weights = site.new_buffer("weights of digits", DIGITS, ElementType.INT16)
    fill(site, weights.whole(), FACTORS[-1])
    fill(site, weights.part(0, 1), FACTORS[0])
    most = max(-(-rows // _MOST_PARTS), _SCRATCH // (_SCRATCH_AN_ELEMENT * length), 1)
    for first in range(0, rows, most):
        part = min(most, rows - first)
        of, out = (view.part(first * length, part * length) for view in (source, dst))
        _softmax(site, Box(of, part, length, 1, length), out, weights, params)


def _softmax(
    site: GraphLowering, source: Box, dst: View, weights: Buffer, params: SoftmaxParams
) -> None:
    """The softmax of some rows."""
    rows, length = source.outer, source.along
    exp = exponentials(site, _from_largest(site, source), params)
    totals = sums_of_exponentials(site, exp, (rows, length), weights.part(0, 1))
    r = RoutineWriter()
    with (
        r.register(BASES["a"]) as at,
        r.register(BASES["dst"]) as out,
        r.register(SCALES["multiplier"]) as factor,
        r.register(SCALES["shift"]) as shift,
        r.registers(1) as (place,),
    ):
        r.set(at)
        r.set(out)
        step = DIGITS * ITEM
        strides = {"a_0": ITEM, "b_0": ITEM, "a_1": step, "dst_1": 1}
        r.command("VLOOP", None, count_1=length, count_2=1, **strides)
        with each_sum(r, place, totals.part(0, rows)):
            load_sum(r, factor, place, rows, REST_BITS)
            r.load(shift, place, ElementType.INT16, 2 * rows * ITEM)
            r.do("SUB", factor, shift, factor)
            fixed.reciprocal(r, factor, shift)
            # From the sum's leading zeros to steps of 1/256.
            r.do("ADD", shift, shift, 8 - 31 - LOG_INPUT_BITS)
            with r.unless("BGE", shift, MIN_SHIFT):
                r.set(factor)
            views = {"a": exp.whole(), "b": weights.whole(), "dst": dst}
            types = {"a_type": int(ElementType.INT16), "b_type": int(ElementType.INT16)}
            limits = {"dst_zero": INT8_MIN, "lo": INT8_MIN, "hi": INT8_MAX}
            flags = {"looped": 1, "scaled": 1, "a_rel": 1, "dst_rel": 1}
            r.command("VDOT", views, n=DIGITS, **types, **limits, **flags)
            r.do("ADD", at, at, length * step)
            r.do("ADD", out, out, length)
    r.add_to(site, (exp, weights, totals), (dst.buffer,))


def _softmax_by_elements(
    site: GraphLowering, op: Softmax, dst: View, params: SoftmaxParams
) -> None:
    """The exponential of every element in a table, and their sum's reciprocal as their factor."""
    source = site.buffer(op.input).whole()
    length = site.graph.tensors[op.input].shape[-1]
    below = _below(site, source, length)
    exp = _table(site, "exponentials", params.exp)
    half, item = 1 << (params.output_bits - 1), dst.element.n_bytes
    r = RoutineWriter()
    with r.registers(4) as (at, out, factor, shift), _each_row(r, at, below, out, dst):
        _sum_of_exponentials(r, at, factor, length, exp)
        fixed.reciprocal(r, factor, shift)
        # From the sum's leading zeros to steps of the output.
        r.negate(shift, shift, 31 - params.output_bits + LOG_INPUT_BITS)
        with r.unless("BLT", shift, 32):
            r.set(factor)
        with r.registers(1) as (x,):

            def element(k: int) -> None:
                r.load(x, at, ElementType.INT16, k * ITEM)
                r.load(x, x, ElementType.INT32, view=exp.whole())
                r.do("MULH", x, x, factor)
                r.do("RSRA", x, x, shift)
                r.do("ADD", x, x, -half)
                r.do("MIN", x, x, half - 1)
                r.store(x, out, dst.element, k * item)

            r.each(length, {at: ITEM, out: item}, element)
    r.add_to(site, (below.buffer, exp), (dst.buffer,))


def lower_log_softmax(site: GraphLowering, op: LogSoftmax, params: LogSoftmaxParams) -> None:
    """Every element's difference less the logarithm of the sum of exponentials."""
    source, dst = site.buffer(op.input).whole(), site.new(op.output).whole()
    if not dst.n:
        return
    length = site.graph.tensors[op.input].shape[-1]
    below = _below(site, source, length)
    exp = _table(site, "exponentials", params.softmax.exp)
    scaled = _table(site, "differences", params.scaled)
    r = RoutineWriter()
    with r.registers(3) as (at, out, log), _each_row(r, at, below, out, dst):
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
                r.load(x, at, ElementType.INT16, k * ITEM)
                r.branch("BGE", x, most, least)
                r.load(x, x, ElementType.INT32, view=scaled.whole())
                r.do("SUB", x, x, log)
                r.do("RSRA", x, x, _LOG_SHIFT)
                r.do("ADD", x, x, INT8_MAX)
                fixed.limit(r, x, INT8_MIN, INT8_MAX)
                r.store(x, out, ElementType.INT8, k)
                r.label(least)

            r.each(length, {at: ITEM, out: 1}, element)
    fill(site, dst, INT8_MIN)
    r.add_to(site, (below.buffer, exp, scaled, dst.buffer), (dst.buffer,))


def lower_l2(site: GraphLowering, op: L2Normalization, params: L2Params) -> None:
    """Every element times the reciprocal root of its row's sum of squares."""
    source, dst = site.buffer(op.input).whole(), site.new(op.output).whole()
    if not dst.n:
        return
    length = site.graph.tensors[op.input].shape[-1]
    rows = dst.n // length
    squares = site.new_buffer("squares", 2 * rows, ElementType.INT16)
    each = Operand(source, (length, 1))
    sums(site, squares.whole(), (rows, length), each, each, params.input_zero_point)
    r = RoutineWriter()
    with (
        r.register(BASES["a"]) as at,
        r.register(SCALES["multiplier"]) as factor,
        r.register(SCALES["shift"]) as shift,
        r.registers(1) as (place,),
    ):
        r.set(at)
        # Rows of whole groups are as aligned as the tensor.
        looped = int(length % site.params.vector_elements != 0)
        if looped:
            r.command("VLOOP", count_1=1, count_2=1, a_0=1, dst_0=1)
        with each_sum(r, place, squares.part(0, rows)):
            load_sum(r, factor, place, rows)
            fixed.inverse_square_root(r, factor, shift)
            # To steps of 1/128.
            r.do("ADD", shift, shift, 7)
            with r.register(BASES["dst"]) as out:
                r.do("ADD", out, at)
                fields = {"a_zero": params.input_zero_point, "lo": INT8_MIN, "hi": INT8_MAX}
                flags = {"looped": looped, "scaled": 1, "a_rel": 1, "dst_rel": 1}
                r.command("VRESCALE", {"a": source, "dst": dst}, n=length, **fields, **flags)
            r.do("ADD", at, at, length)
    r.add_to(site, (source.buffer, squares), (dst.buffer,))


def _from_largest(site: GraphLowering, source: Box) -> View:
    """INT8_MAX less how far each element lies below the largest of its row."""
    rows, length = source.outer, source.along
    largest = site.new_buffer("largest", rows, ElementType.INT8).whole()
    extremes(site, "VMAX", source, largest)
    found = site.new_buffer("from the largest", rows * length, ElementType.INT8).whole()
    fields = exact_sum_fields(INT8_MIN, INT8_MAX) | {"dst_zero": INT8_MAX}
    operands = {
        "dst": Operand(found, (length, 1)),
        "a": Operand(source.view, (length, 1)),
        "b": Operand(largest, (1, 0)),
    }
    walk(site, "VSUB", [rows, length], operands, fields)
    return found


def _below(site: GraphLowering, source: View, length: int) -> View:
    """How far each element lies below the largest of its row: as int16, in bytes of a table."""
    rows = source.n // length
    largest = site.new_buffer("largest", rows, ElementType.INT8).whole()
    extremes(site, "VMAX", Box(source, rows, length, 1, length), largest)
    high = site.new_buffer("largest, wide", rows, ElementType.INT16).whole()
    below = site.new_buffer("below the largest", source.n, ElementType.INT16).whole()
    times = site.new_buffer("minus a word", 1, ElementType.INT8).whole()
    fill(site, times, -_WORD)
    flat = {"dst": Operand(below, (1,)), "a": Operand(source, (1,)), "b": Operand(times, (0,))}
    walk(site, "VMUL", [source.n], flat, _WIDE)
    shift = _WIDE["shift"] + _WORD.bit_length() - 1
    site.add(Vector("VRESCALE", rows, high, largest, fields=_WIDE | {"shift": shift}))
    each = {
        "dst": Operand(below, (length, 1)),
        "a": Operand(below, (length, 1)),
        "b": Operand(high, (1, 0)),
    }
    walk(site, "VADDS", [rows, length], each)
    return below


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
            r.load(x, at, ElementType.INT16, k * ITEM)
            r.load(x, x, ElementType.INT32, view=exp.whole())
            r.do("RSRA", x, x, SUM_BITS)
            r.do("ADD", total, total, x)

        r.each(length, {at: ITEM}, add)
    r.do("ADD", at, at, -length * ITEM)


LOWER = {
    Softmax: lower_softmax,
    LogSoftmax: lower_log_softmax,
    L2Normalization: lower_l2,
}

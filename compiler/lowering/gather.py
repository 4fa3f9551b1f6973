"""Slices of a tensor, picked by index.

Where they are whole rows of a constant, and its place in SRAM would be dear or there is a single
index, each is loaded from external memory, by an index in a register. Else they are copied in SRAM.
"""

from collections.abc import Iterator
from math import prod
from typing import NamedTuple

import numpy as np

from compiler.lowering.host import host_input
from compiler.lowering.ir import GatherRow, LoadInput, Vector, View
from compiler.lowering.registers import INDEX
from compiler.lowering.routine import ZERO, RoutineWriter
from compiler.lowering.site import GraphLowering, picks_rows
from compiler.lowering.walks import Operand, copy
from npu.chip.isa import BASES, OPCODES, ElementType
from npu.model.operators.gather import Gather

FEW = 4
"""Runs of constant indices that are worth a command each."""


class _Slices(NamedTuple):
    """`output[b, o, c, i] = table[b, o, indices[b, c], i]`: sizes of these, `size` of the axis."""

    batch: int
    outer: int
    size: int
    picked: int
    inner: int


class _Run(NamedTuple):
    """`picked` indices from `start` in steps, from place `first` of a batch on."""

    batch: int
    first: int
    start: int
    step: int
    picked: int


def lower(site: GraphLowering, op: Gather, params: None) -> None:
    """A load for each index, a copy for each run of constants, or a routine."""
    graph = site.graph
    if site.index_register is not None or picks_rows(graph, op, site.params):
        _rows(site, op)
        return
    shape = graph.tensors[op.table].shape
    batch = prod(shape[: op.batch_dims])
    slices = _Slices(
        batch,
        prod(shape[op.batch_dims : op.axis]),
        shape[op.axis],
        graph.tensors[op.indices].size // max(batch, 1),
        prod(shape[op.axis + 1 :]),
    )
    table, dst = site.buffer(op.table).whole(), site.new(op.output).whole()
    if not dst.n:
        return
    indices = graph.tensors[op.indices].data
    if indices is not None and indices.min() >= 0 and indices.max() < slices.size:
        runs = list(_runs(indices.reshape(batch, slices.picked)))
        if len(runs) <= FEW:
            for run in runs:
                _copy_run(site, slices, table, dst, run)
            return
    _routine(site, slices, table, dst, site.buffer(op.indices).whole())


def _rows(site: GraphLowering, op: Gather) -> None:
    """Rows from external memory. The chip's own index serves one, others come from the host."""
    table = site.constant(op.table)
    if op.axis or op.batch_dims or table.dtype != np.int8:
        raise site.unsupported("the chip's own index picks whole rows of a constant int8 matrix")
    table = table.reshape(len(table), -1)
    dst = site.new(op.output)
    width = table.shape[1]
    count = site.graph.tensors[op.indices].size
    if not dst.n:
        return
    if site.index_register is not None and count == 1:
        site.add(GatherRow(table, site.index_register, dst.whole()))
        return
    key = host_input(site.segment.name, op.indices)
    by_host = site.only_indices(op.indices)
    # What is loaded begins on a bus word, and is whole bus words.
    scratch = None
    if count > 1 and width % site.params.bus_bytes:
        scratch = site.new_buffer("gathered row", width, dst.element)
    for index in range(count):
        row = dst.part(index * width, width)
        if by_host:
            site.add(LoadInput(key, rd=INDEX, element=index))
        else:
            _load_index(site, site.buffer(op.indices).part(index, 1), len(table))
        if scratch is None:
            site.add(GatherRow(table, INDEX, row))
            continue
        site.add(GatherRow(table, INDEX, scratch.whole()))
        site.add(Vector("VCOPY", width, row, scratch.whole()))


def _load_index(site: GraphLowering, index: View, size: int) -> None:
    r = RoutineWriter()
    with r.register(INDEX) as x:
        r.load(x, ZERO, ElementType.INT32, view=index)
        r.require_inside(x, size)
    r.add_to(site, (index.buffer,), ())


def _runs(indices: np.ndarray) -> Iterator[_Run]:
    """Of constant indices, (batch, count)."""
    for b, row in enumerate(indices.tolist()):
        first = 0
        while first < len(row):
            end = first + 1
            step = row[end] - row[first] if end < len(row) else 0
            while end < len(row) and row[end] - row[end - 1] == step:
                end += 1
            yield _Run(b, first, row[first], step, end - first)
            first = end


def _copy_run(site: GraphLowering, slices: _Slices, table: View, dst: View, run: _Run) -> None:
    """A walk over what a run picks."""
    _, outer, size, count, inner = slices
    src = table.part((run.batch * outer * size + run.start) * inner, table.n)
    out = dst.part((run.batch * outer * count + run.first) * inner, dst.n)
    sizes = [outer, run.picked, inner]
    strides = size * inner, run.step * inner, 1
    copy(site, sizes, Operand(out, (count * inner, inner, 1)), Operand(src, strides))


def _routine(site: GraphLowering, slices: _Slices, table: View, dst: View, indices: View) -> None:
    """A looped copy for each index, whose bases are in registers."""
    batch, outer, size, count, inner = slices
    item = dst.element.n_bytes
    words = 2 if dst.element is ElementType.INT32 else 1
    most = OPCODES["VCOPY"].field("n").range[1] // 2
    kind = ElementType.INT16 if words == 2 else dst.element
    r = RoutineWriter()
    with (
        r.register(BASES["a"]) as a,
        r.register(BASES["dst"]) as out,
        r.registers(2) as (at, part),
    ):
        r.set(at, view=indices)
        r.set(part)
        r.set(out)
        r.command(
            "VLOOP",
            count_1=outer,
            count_2=1,
            a_0=item // words,
            dst_0=item // words,
            a_1=size * inner * item,
            dst_1=count * inner * item,
        )
        with r.times(batch):
            with r.times(count):
                r.load(a, at, ElementType.INT32)
                r.require_inside(a, size)
                r.do("MUL", a, a, inner * item)
                r.do("ADD", a, a, part)
                for first in range(0, inner * words, most):
                    views = {
                        "a": table.part(first // words, 1),
                        "dst": dst.part(first // words, 1),
                    }
                    n = min(most, inner * words - first)
                    r.command("VCOPY", views, n=n, looped=1, a_rel=1, dst_rel=1, a_type=int(kind))
                r.do("ADD", out, out, inner * item)
                r.do("ADD", at, at, ElementType.INT32.n_bytes)
            r.do("ADD", part, part, outer * size * inner * item)
            r.do("ADD", out, out, (outer - 1) * count * inner * item)
    r.add_to(site, (table.buffer, indices.buffer), (dst.buffer,))


LOWER = {Gather: lower}

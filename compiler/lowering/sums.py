"""Products with more columns than a lane's copy of the vector holds: several commands.

The first ones leave the int32 sums of their columns in SRAM, each adds those of the one before, and
the last makes elements of them (design record 0010).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from compiler.lowering.ir import Buffer, Matrix, MatVec, View
from compiler.lowering.reach import written
from npu.chip.isa import OPCODES, ElementType
from npu.chip.opcode import SUM_BYTES
from npu.chip.params import ChipParams

_SHARE = 4
"""Of SRAM that sums take at most, where fewer positions at a time make them fewer."""


@dataclass(frozen=True)
class _Cut:
    """Columns of a matrix, and what of a window fills them.

    Attributes
    ----------
    first, end : columns.
    i, j, k : the first row of segments, segment of a row, and byte of a segment.
    ny, nx, length : of the window that is left; of a plain vector, of one segment.
    """

    first: int
    end: int
    i: int
    j: int
    k: int
    ny: int
    nx: int
    length: int


class Splitter:
    """Splits products; those of the same matrix alike.

    Parameters
    ----------
    new_buffer : of a name, elements and their type.
    """

    def __init__(
        self, params: ChipParams, new_buffer: Callable[[str, int, ElementType], Buffer]
    ) -> None:
        self._params, self._new_buffer = params, new_buffer
        self._parts: dict[Matrix, list[tuple[_Cut, Matrix]]] = {}

    def split(self, op: MatVec) -> Iterator[MatVec]:
        """The commands for a product: itself, if its columns fit."""
        most = self._params.activation_entries
        most = min(most, OPCODES["MATVEC"].field("columns").range[1])
        most -= most % self._params.bus_bytes
        if op.matrix.weights.shape[1] <= most:
            yield op
            return
        if op.matrix not in self._parts:
            cuts = _cuts(op, most, self._params.bus_bytes)
            made = [(cut, _part(op.matrix, cut, n)) for n, cut in enumerate(cuts)]
            self._parts[op.matrix] = made
        parts = self._parts[op.matrix]
        groups = list(_groups(op, self._params.sram_bytes // _SHARE))
        size = max(goes.end - goes.first for goes in map(written, groups))
        buffer = self._new_buffer("sums", size, ElementType.INT32)
        for group in groups:
            # Where the sum of an element at the destination would lie.
            sums = View(buffer, -SUM_BYTES * written(group).first, size)
            for number, (cut, matrix) in enumerate(parts):
                yield replace(
                    _narrowed(group, cut),
                    matrix=matrix,
                    sums=sums,
                    add=number > 0,
                    raw=number < len(parts) - 1,
                )


def _cuts(op: MatVec, most: int, bus: int) -> list[_Cut]:
    """As few parts as can be, of nearly the same size, that take `most` columns each."""
    columns = op.matrix.weights.shape[1]
    if op.window is None:
        return [
            _Cut(first, end, 0, 0, first, 1, 1, end - first)
            for first, end in _even(columns, bus, most)
        ]
    w = op.window
    segment = -(-w.length // bus) * bus
    row = w.nx * segment
    if row <= most:
        return [
            _Cut(first, end, first // row, 0, 0, (end - first) // row, w.nx, w.length)
            for first, end in _even(columns, row, most)
        ]
    cuts = []
    for i in range(w.ny):
        if segment <= most:
            for first, end in _even(row, segment, most):
                n = (end - first) // segment
                cuts.append(
                    _Cut(i * row + first, i * row + end, i, first // segment, 0, 1, n, w.length)
                )
            continue
        for j in range(w.nx):
            at = i * row + j * segment
            for first, end in _even(segment, bus, most):
                length = min(end, w.length) - first
                cuts.append(_Cut(at + first, at + end, i, j, first, 1, 1, length))
    return cuts


def _even(total: int, unit: int, most: int) -> Sequence[tuple[int, int]]:
    """(first, end) of as few parts of whole units as take `most` each, but for the last unit."""
    units = -(-total // unit)
    parts = -(-units // (most // unit))
    bounds = [number * units // parts * unit for number in range(parts)]
    return list(zip(bounds, [*bounds[1:], total], strict=True))


def _part(matrix: Matrix, cut: _Cut, number: int) -> Matrix:
    """Some columns of a matrix; the bias belongs to the first of its parts."""
    layer = matrix.layer
    name = f"{layer.part}, sum {number + 1}" if layer.part else f"sum {number + 1}"
    return replace(
        matrix,
        layer=replace(layer, part=name),
        weights=np.ascontiguousarray(matrix.weights[:, cut.first : cut.end]),
        bias=matrix.bias if number == 0 else np.zeros_like(matrix.bias),
        columns_used=cut.ny * cut.nx * cut.length,
        operands=(),
    )


def _narrowed(op: MatVec, cut: _Cut) -> MatVec:
    """A product with a part of its window."""
    n = cut.end - cut.first
    if op.window is None:
        return replace(op, src=op.src.part(cut.first, n))
    w = op.window
    along = cut.j * w.dx + cut.k
    window = replace(
        w,
        ny=cut.ny,
        nx=cut.nx,
        length=cut.length,
        x=w.x + along,
        y=w.y + cut.i * w.dy,
    )
    return replace(op, src=_moved(op.src, cut.i * w.pitch + along, n), window=window)


def _groups(op: MatVec, most: int) -> Iterator[MatVec]:
    """The same at fewer positions at a time, so that sums take `most` bytes, or a position's."""
    p = op.positions
    goes = written(op)
    if SUM_BYTES * (goes.end - goes.first) <= most or (p.count_x, p.count_y) == (1, 1):
        yield op
        return
    if p.count_y > 1:
        halves = [(n, 0) for n in (0, p.count_y // 2, p.count_y)]
    else:
        halves = [(0, n) for n in (0, p.count_x // 2, p.count_x)]
    for (y, x), (to_y, to_x) in pairwise(halves):
        count = {"count_y": to_y - y} if to_y > y else {"count_x": to_x - x}
        yield from _groups(_from(replace(op, positions=replace(p, **count)), y, x), most)


def _from(op: MatVec, y: int, x: int) -> MatVec:
    """A product that begins so many positions later."""
    p = op.positions
    window = op.window
    assert window is not None, "there are several positions"
    return replace(
        op,
        src=_moved(op.src, y * p.a_y + x * p.a_x, op.src.n),
        dst=replace(op.dst, offset=op.dst.offset + y * p.dst_y + x * p.dst_x),
        window=replace(window, x=window.x + x * p.a_x, y=window.y + y * p.y_step),
    )


def _moved(view: View, n_bytes: int, n: int) -> View:
    return View(view.buffer, view.offset + n_bytes, n)

"""What of SRAM an operator of the chip touches."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from compiler.lowering.ir import ChipOperator, MatVec, Positions, Travel, Vector, View, Window
from npu.chip.isa import OPERANDS


class Reach(NamedTuple):
    """Bytes from `first` up to `end`, counted from where the view begins."""

    view: View
    first: int
    end: int


def reached(op: ChipOperator) -> Iterator[Reach]:
    """What a product or a vector command reads and writes; that of others is whole buffers."""
    match op:
        case MatVec():
            yield _moved(_read(op), op.travel.get("a"))
            if len(op.matrix.destination):
                goes = written(op)
                yield goes
                if op.sums is not None:
                    yield _summed(op.sums, goes, op.dst.element.n_bytes)
        case Vector():
            for name in OPERANDS:
                view = getattr(op, name)
                if view is not None:
                    yield _moved(_walked(op, name, view), op.travel.get(name))


def _moved(reach: Reach, travel: Travel | None) -> Reach:
    """In all turns of a loop."""
    low, high = (0, 0) if travel is None else _span(travel.turns, travel.step)
    return Reach(reach.view, reach.first + low, reach.end + high)


def _read(op: MatVec) -> Reach:
    if op.window is None:
        return Reach(op.src, 0, op.src.n)
    return _gathered(op.src, op.window, op.positions)


def _gathered(src: View, window: Window, positions: Positions) -> Reach:
    """What of the windows lies inside of the tensor; nothing, if none of them does."""
    rows = [
        y * positions.a_y + i * window.pitch
        for y in range(positions.count_y)
        for i in range(window.ny)
        if 0 <= window.y + y * positions.y_step + i * window.dy < window.height
    ]
    low = [_span(positions.count_x, positions.a_x), _span(window.nx, window.dx)]
    first = max(window.x + sum(span[0] for span in low), 0)
    end = min(window.x + sum(span[1] for span in low) + window.length, window.width)
    if not rows or first >= end:
        return Reach(src, -src.offset, -src.offset)
    # In a row, bytes and addresses move together.
    return Reach(src, min(rows) + first - window.x, max(rows) + end - window.x)


def written(op: MatVec) -> Reach:
    """A product's elements; of one that stores sums, what its elements would be."""
    item, positions = op.dst.element.n_bytes, op.positions
    spans = [
        _span(positions.count_x, positions.dst_x),
        _span(positions.count_y, positions.dst_y),
    ]
    places = op.matrix.destination * item
    first = int(places.min()) + sum(span[0] for span in spans)
    end = int(places.max()) + sum(span[1] for span in spans) + item
    return _moved(Reach(op.dst, first, end), op.travel.get("dst"))


def _summed(sums: View, goes: Reach, item: int) -> Reach:
    """The sums of elements of `item` bytes."""
    n_bytes = sums.element.n_bytes
    return Reach(sums, n_bytes * goes.first, n_bytes * (goes.end - item + 1))


def _walked(op: Vector, name: str, view: View) -> Reach:
    item = view.element.n_bytes
    if op.loops is None:
        return Reach(view, 0, op.n * item)
    counts, strides = (op.n, *op.loops.counts), getattr(op.loops, name)
    spans = [_span(count, stride) for count, stride in zip(counts, strides, strict=True)]
    return Reach(view, sum(s[0] for s in spans), sum(s[1] for s in spans) + item)


def _span(count: int, stride: int) -> tuple[int, int]:
    """The lowest and the highest offset of a loop."""
    last = (count - 1) * stride
    return min(0, last), max(0, last)


def writes_behind(op: ChipOperator) -> bool:
    """Whether an operator, its buffers placed, writes no byte that it reads later.

    A plain command, which goes through its elements by groups, may only write what it reads just
    then. Only vector commands that make an element of one are known to.
    """
    if not isinstance(op, Vector) or op.dst is None or op.opcode in ("VDOT", "VARGMAX"):
        return False
    written = _addresses(op, "dst", op.dst)
    for name in ("a", "b"):
        view = getattr(op, name)
        if view is None:
            continue
        read = _addresses(op, name, view)
        if not read.size:
            continue
        low = min(int(written.min()), int(read.min()))
        size = max(int(written.max()), int(read.max())) + 1 - low
        last_read, first_written = np.full(size, -1), np.full(size, len(read))
        order = np.arange(len(read))[:, np.newaxis]
        # Of equal addresses numpy keeps what is assigned last.
        last_read[read - low] = order
        first_written[written[::-1] - low] = order[::-1]
        touched = (last_read >= 0) & (first_written < len(read))
        plain = op.loops is None
        if ((first_written != last_read) if plain else (first_written < last_read))[touched].any():
            return False
    return True


def _addresses(op: Vector, name: str, view: View) -> np.ndarray:
    """(elements, bytes of one) int64: addresses in the order in which the command comes to them."""
    item = view.element.n_bytes
    counts = (op.n, *op.loops.counts) if op.loops is not None else (op.n, 1, 1)
    strides = getattr(op.loops, name) if op.loops is not None else (item, 0, 0)
    inner, middle, outer = (np.arange(n) * step for n, step in zip(counts, strides, strict=True))
    starts = (outer[:, np.newaxis, np.newaxis] + middle[:, np.newaxis] + inner).reshape(-1, 1)
    return view.address + starts + np.arange(item)

"""Checks after every pass: what one pass promises, the next may rely on.

A failure here is a fault of the compiler, not of the user: it raises AssertionError with the place.
"""

import numpy as np

from compiler.lowering.ir import ChipModule, MatVec, operands
from compiler.lowering.reach import reached, writes_behind
from compiler.passes.lifetimes import in_order, lifetimes
from compiler.passes.weights import WeightPlan
from npu.chip.isa import decode_program
from npu.chip.params import ChipParams
from npu.model.layer import Layer
from npu.runtime.image import Image


def _require(condition: bool, where: Layer | str, what: str) -> None:
    if not condition:
        raise AssertionError(f"compiler: {where}: {what}")


def module(lowered: ChipModule) -> None:
    """Every operand is a buffer of the module, inside its bounds, written before it is read."""
    known = set(lowered.buffers)
    written = {b for b in known if b.persistent}
    for segment in lowered.segments.values():
        for op, layer in zip(segment.operators, segment.layers, strict=True):
            reads, writes = operands(op)
            for buffer in (*reads, *writes):
                _require(buffer in known, layer, f"{buffer.name} is no buffer of the module")
            for buffer in reads:
                _require(
                    buffer in written or not buffer.n,
                    layer,
                    f"{buffer.name} is read before it is written",
                )
            written.update(writes)
            for view, first, end in reached(op):
                inside = view.offset + first >= 0 and view.offset + end <= view.buffer.n_bytes
                _require(inside, layer, f"a view leaves {view.buffer.name}")
            if isinstance(op, MatVec):
                _matvec(op, layer)


def _matvec(op: MatVec, layer: Layer) -> None:
    matrix = op.matrix
    rows, columns = matrix.weights.shape
    _require(columns == op.src.n, layer, f"{columns} columns, {op.src.n} inputs")
    for name in ("bias", "destination", "multipliers", "shifts"):
        _require(len(getattr(matrix, name)) == rows, layer, f"{name} is not one per row")
    destination = matrix.destination
    unique = len(np.unique(destination)) == rows
    _require(unique, layer, "two rows have the same destination")
    apart = op.src.buffer is not op.dst.buffer or (
        op.window is None and op.src.offset != op.dst.offset
    )
    _require(apart, layer, "in place")
    _require((op.sums is not None) == (op.raw or op.add), layer, "sums of no use, or none")
    if op.sums is not None:
        own = op.sums.buffer is not op.src.buffer and op.sums.buffer is not op.dst.buffer
        _require(own, layer, "sums where a vector lies")
        whole = op.sums.offset % op.sums.element.n_bytes == 0
        _require(whole, layer, f"sums at byte {op.sums.offset}")


def weights(plan: WeightPlan, params: ChipParams) -> None:
    """Every tile decodes to its weights, and no two places overlap."""
    for matrix, placed in plan.matrices.items():
        rows = 0
        for tile in placed.tiles:
            packed = tile.tile.packed
            n = packed.shape[0]
            same = np.array_equal(packed.decode(), matrix.weights[rows : rows + n])
            _require(same, matrix.layer, f"rows {rows} to {rows + n} do not survive the codec")
            rows += n
        _require(rows == len(matrix.weights), matrix.layer, f"tiles hold {rows} rows")
    spans = [
        (tile.bank, tile.bank + tile.tile.bank_words, str(matrix.layer))
        for matrix, placed in plan.matrices.items()
        for tile in placed.tiles
        if tile.stays
    ]
    low, high = plan.stream_banks
    if high:
        size = high - low
        spans += [(low, high, "stream"), (high, high + size, "stream")]
        for matrix, placed in plan.matrices.items():
            for tile in placed.tiles:
                fits = tile.stays or tile.tile.bank_words <= size
                _require(fits, matrix.layer, "a tile leaves its window")
    _disjoint(spans, params.bank_bus_words, "weight bank")


def allocation(lowered: ChipModule, params: ChipParams) -> None:
    """Buffers lie on bus words, inside SRAM, and those alive together do not overlap.

    One may begin where another ends with an operator that writes nothing that it reads later.
    """
    spans, ops = lifetimes(lowered), list(in_order(lowered))
    for a, (first, last) in spans.items():
        _require(a.address % params.bus_bytes == 0, a.name, f"address {a.address} is not aligned")
        _require(0 <= a.address <= params.sram_bytes - a.n_bytes, a.name, "lies outside SRAM")
        for b, (other_first, other_last) in spans.items():
            if a is b or first > other_last or other_first > last:
                continue
            if a.address + a.n_bytes <= b.address or b.address + b.n_bytes <= a.address:
                continue
            # The pair comes both ways round; who begins later may end at once, if nobody reads it.
            handed_on = not (a.persistent or b.persistent) and first != other_first
            handed_on &= last == other_first or other_last == first
            _require(handed_on, a.name, f"overlaps {b.name}")
            op = ops[max(first, other_first)]
            _require(writes_behind(op), a.name, f"is overwritten by {b.name} too early")


def image(emitted: Image) -> None:
    """The image passes its own reader's checks and its program decodes."""
    again = Image.from_bytes(emitted.to_bytes())
    _require(again.header == emitted.header, "image", "the header does not survive writing")
    decode_program(emitted.program)


def _disjoint(spans: list[tuple[int, int, str]], limit: int, where: str) -> None:
    end = 0
    for start, stop, name in sorted(spans):
        _require(start >= end, where, f"{name} overlaps its neighbour")
        end = stop
    _require(end <= limit, where, f"{end} bus words, {limit} exist")

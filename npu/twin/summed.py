"""The arithmetic of a matrix-vector command that stores int32 sums, or adds them to its own."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from npu.chip.isa import Command, ElementType
from npu.chip.opcode import SUM_BYTES
from npu.chip.windows import Walk
from npu.errors import MachineError
from npu.jit import kernel
from npu.model.numerics import requantize, wrap_int32
from npu.twin.product import FIELDS, broadcast
from npu.twin.sums import Sums
from npu.twin.vector import NUMPY
from npu.twin.windows import gather, require_apart

if TYPE_CHECKING:
    from npu.twin.matvec import Plan


def bind_sums(
    cmd: Command, plan: "Plan", sram: np.ndarray, walk: Walk | None, sums: Sums
) -> tuple[np.ndarray, np.ndarray, Callable[[], int]]:
    """What a command writes to, which elements of it, and what does the work.

    All of it lies in SRAM. Raises MachineError where rows or positions race: the chip computes
    something then, but not what the command says.
    """
    element = ElementType(cmd.dst_type)
    n_bytes = element.n_bytes
    bases = np.array([cmd.dst]) if walk is None else walk.destinations()
    destinations = plan.rows["destination"]
    elements = bases[:, np.newaxis] // n_bytes + destinations
    places = sums.of(destinations)
    written, item = (places, SUM_BYTES) if sums.raw else (elements * n_bytes, n_bytes)
    if sums.add:
        _require_order(places, None if sums.raw else written[..., np.newaxis] + np.arange(n_bytes))
    if walk is not None:
        require_apart(walk, written, item, len(sram))
    fields = np.array([tuple(cmd.values[name] for name in FIELDS.names or ())], FIELDS)
    words = sram.view(np.int32)
    out = sram[: len(sram) // n_bytes * n_bytes].view(NUMPY[element])
    order = plan.order if walk is not None else np.arange(len(plan.rows))
    finish = partial(
        _finish, order, plan.rows, fields, places, (sums.raw, sums.add), words, out, elements
    )
    run = partial(_multiply, cmd, plan, sram.view(np.int8), walk, finish, places.shape)
    return words if sums.raw else out, np.unique(written // item), run


def _require_order(places: np.ndarray, written: np.ndarray | None) -> None:
    """Raise MachineError where it matters when a sum is read: while rows before it are on their
    way to SRAM. places : of all sums; written : bytes that are no sums."""
    # Before a position begins, all rows of the one before are written.
    twice = bool(np.any(np.diff(np.sort(places, axis=1), axis=1) == 0))
    if not twice and written is not None:
        under = places.reshape(-1, 1) + np.arange(SUM_BYTES)
        twice = np.intersect1d(under, written).size > 0
    if twice:
        raise MachineError("matvec: a row adds a sum that another one writes")


def _vectors(cmd: Command, sram: np.ndarray, walk: Walk | None) -> Iterator[np.ndarray]:
    """(columns,) int32 of each position. sram : int8."""
    if walk is None:
        yield broadcast(sram[cmd.a : cmd.a + cmd.columns], cmd.a_zero)
        return
    vector = np.empty(cmd.columns, np.int32)
    for position in range(walk.positions):
        gather(sram, cmd.a_zero, walk, position, vector)
        yield vector


def _multiply(
    cmd: Command,
    plan: "Plan",
    sram: np.ndarray,
    walk: Walk | None,
    finish: Callable[[np.ndarray], None],
    shape: tuple[int, int],
) -> int:
    """The sums of all rows at all positions, wrapped to int32, and what `finish` makes of them.

    Returns the MACs that zero activations gated.
    """
    gated, totals, weights = 0, np.empty(shape, np.int64), plan.weights.astype(np.int32)
    for total, vector in zip(totals, _vectors(cmd, sram, walk), strict=True):
        gated += int(plan.nonzeros[vector == 0].sum())
        total[:] = weights @ vector
    finish(totals)
    return gated


@kernel
def _finish(order, rows, fields, places, sums, words, out, elements, totals):
    """What the requantiser makes of rows whose sums are stored, or have others added.

    order : (positions * rows,) of LaneRun; rows : (rows,) ROW; fields : (1,) FIELDS.
    places, elements, totals : (positions, rows) int64: addresses of sums, indices of `out`, sums.
    sums : (raw, add). words : all of SRAM as int32, out : as elements.
    """
    raw, add = sums
    count = len(rows)
    for picked in order:
        position, i = picked // count, picked % count
        at = places[position, i] >> 2
        total = wrap_int32(totals[position, i] + rows[i].bias)
        if add:
            total = wrap_int32(total + np.int64(words[at]))
        if raw:
            words[at] = total
            continue
        out[elements[position, i]] = requantize(
            total,
            0,
            rows[i].multiplier,
            rows[i].shift,
            fields[0].dst_zero,
            fields[0].lo,
            fields[0].hi,
        )

"""The arithmetic of a windowed matrix-vector command: one matrix at many positions."""

import numpy as np

from npu.chip.windows import ROW_BITS, Walk
from npu.errors import MachineError
from npu.jit import inner_kernel, kernel
from npu.model.numerics import requantize
from npu.twin.product import wrap_activation

_ROW_MASK = (1 << ROW_BITS) - 1


@kernel
def multiply_at_positions(weights, nonzeros, sram, rows, fields, walk, bases, order, out):
    """out[bases[position] + row.destination] = requantise(weights @ window(position) + row.bias).

    Returns the MACs that zero activations gated.

    weights : (rows, columns) int8; nonzeros : (columns,) nonzero weights of every column.
    sram : (bytes,) int8, may overlap `out` where no later position reads it.
    rows : (rows,) ROW; fields : (1,) FIELDS; walk : Walk.
    bases : (positions,) int64 elements of `out`; order : (positions * rows,) of LaneRun.
    """
    count = len(rows)
    results = np.empty((len(bases), count), np.int64)
    vector = np.empty(weights.shape[1], np.int32)
    gated = np.int64(0)
    for position in range(len(bases)):
        gather(sram, fields[0].a_zero, walk, position, vector)
        for c in range(len(vector)):
            if vector[c] == 0:
                gated += nonzeros[c]
        for i in range(count):
            total = np.int32(0)
            for c in range(len(vector)):
                total = np.int32(total + np.int32(weights[i, c]) * vector[c])
            results[position, i] = requantize(
                np.int64(total),
                rows[i].bias,
                rows[i].multiplier,
                rows[i].shift,
                fields[0].dst_zero,
                fields[0].lo,
                fields[0].hi,
            )
    for picked in order:
        position, i = picked // count, picked % count
        out[bases[position] + rows[i].destination] = results[position, i]
    return gated


@kernel
def gather(sram, zero, walk, position, vector):
    """A window's bytes minus their zero point into `vector`, (columns,) int32; 0 where outside."""
    vector[:] = 0
    column = 0
    step = -(-walk.length // walk.bus_bytes) * walk.bus_bytes
    for segment in range(walk.ny * walk.nx):
        for k in range(walk.length):
            at = byte_at(walk, position, segment, k, len(sram))
            if at >= 0:
                vector[column + k] = wrap_activation(sram[at], zero)
        column += step


@inner_kernel
def byte_at(walk, position, segment, k, size):
    """Where byte `k` of a segment lies in SRAM of `size` bytes; -1 outside of it or the tensor."""
    py, px = position // walk.count_x, position % walk.count_x
    i, j = segment // walk.nx, segment % walk.nx
    mask = (1 << walk.address_bits) - 1
    row = (walk.y + py * walk.y_step + i * walk.dy) & _ROW_MASK
    along = px * walk.a_x + j * walk.dx + k
    at = (walk.a + py * walk.a_y + i * walk.pitch + along) & mask
    inside = row < walk.height and ((walk.x + along) & mask) < walk.width and at < size
    return at if inside else -1


@kernel
def overlaps(walk, places, n_bytes, size, low, written):
    """Whether a position reads a byte that one before it writes.

    places : (positions, n) int64, addresses of what each writes, of `n_bytes`.
    size : bytes of SRAM.
    written : (n,) int64, of the bytes from `low` on that hold all places; overwritten.
    """
    written[:] = len(places)
    for position in range(len(places)):
        for segment in range(walk.ny * walk.nx):
            for k in range(walk.length):
                at = byte_at(walk, position, segment, k, size) - low
                if 0 <= at < len(written) and written[at] < position:
                    return True
        for i in range(places.shape[1]):
            for byte in range(places[position, i] - low, places[position, i] - low + n_bytes):
                written[byte] = min(written[byte], position)
    return False


def require_apart(walk: Walk, places: np.ndarray, n_bytes: int, size: int) -> None:
    """Raise MachineError where `overlaps`: the chip computes something, but not what is asked."""
    if not places.size:
        return
    low = int(places.min())
    written = np.empty(int(places.max()) + n_bytes - low, np.int64)
    if overlaps(walk, places, n_bytes, size, low, written):
        raise MachineError("matvec: a position writes what one behind it reads")

"""Operators one after the other in one compiled call: each for itself, a call costs more than it.

A row of a program is one operator: its kind, then what it takes, all int64, arrays by address.
Rows are made by `Program`s, which keep the arrays; neighbours are joined by `fused`.
"""

from collections.abc import Callable, Sequence
from itertools import groupby

import numpy as np
from numba import carray

from kernels.engines.cell import lstm_cell
from kernels.engines.slots import SlotMatrix, biased, multiply_slots
from kernels.engines.vector import VECTORS, WINDOW, at_address
from npu.jit import inner_kernel, kernel
from npu.model.numerics import requantize_int32
from npu.model.window import Window

WORDS = 24
"""Of a row; what it does not take is zero."""
COPY, TABLE, SUM, GATHER, PRODUCTS, LSTM = range(6)
Word = int | np.ndarray | SlotMatrix
"""What a row may be given."""
PROGRAMS = VECTORS
"""Whether there are programs on this processor; else operators run one by one."""


@inner_kernel
def _bytes(address, count):
    return carray(at_address(address), (count,), np.int8)


# Of arrays that begin where they are read, and are indexed by a counter alone, numba knows that no
# index counts from the end; only then are these loops made of vectors.
@inner_kernel
def _copy_bytes(source_at, output_at, count):
    source, output = _bytes(source_at, count), _bytes(output_at, count)
    for k in range(count):
        output[k] = source[k]


@inner_kernel
def _bias(source_at, output_at, count):
    source = _bytes(source_at, count)
    output = carray(at_address(output_at), (count,), np.uint8)
    for k in range(count):
        output[k] = biased(source[k])


@inner_kernel
def _copy(row):
    """Bytes, as they are: count, source, output."""
    _copy_bytes(row[2], row[3], row[1])


@inner_kernel
def _table(row):
    """Each int8 through a table: count, table (256), source, output."""
    table, source, output = _bytes(row[2], 256), _bytes(row[3], row[1]), _bytes(row[4], row[1])
    for k in range(row[1]):
        output[k] = table[np.int64(source[k]) + 128]


@inner_kernel
def _sum(row):
    """Two int8 operands, each scaled by a table: count, tables, a, b, output, the sum's scale."""
    tables = carray(at_address(row[2]), (2, 256), np.int32)
    a, b, output = _bytes(row[3], row[1]), _bytes(row[4], row[1]), _bytes(row[5], row[1])
    multiplier, left, right = np.int32(row[6]), np.int32(row[7]), np.int32(row[8])
    zero_point, lo, hi = np.int32(row[9]), np.int32(row[10]), np.int32(row[11])
    for k in range(row[1]):
        total = np.int32(tables[0, np.int64(a[k]) + 128] + tables[1, np.int64(b[k]) + 128])
        output[k] = requantize_int32(total, multiplier, left, right, zero_point, lo, hi)


@inner_kernel
def _gather(row):
    """Slices by index: count, slices in the table, their bytes, table, indices, output.

    False where an index lies outside; then nothing is written.
    """
    count, size, width = row[1], row[2], row[3]
    indices = carray(at_address(row[5]), (count,), np.int32)
    for k in range(count):
        if indices[k] < 0 or indices[k] >= size:
            return False
    for k in range(count):
        _copy_bytes(row[4] + np.int64(indices[k]) * width, row[6] + k * width, width)
    return True


@inner_kernel
def _products(row):
    """A matrix by windows of images; see `product_row` for the words."""
    matrix = carray(at_address(row[1]), (11,), np.int64)
    batch, height, width, channels = row[2], row[3], row[4], row[5]
    top, left, padded_width = row[6], row[7], row[9]
    size_y, size_x, down, across = row[10], row[11], row[12], row[13]
    outputs_y, outputs_x = row[14], row[15]
    source, image, at, rows = row[16], row[17], row[19], matrix[0]
    across_image, pitch, span = width * channels, padded_width * channels, size_x * channels
    for n in range(batch):
        for y in range(height):
            line = image + (top + y) * pitch + left * channels
            _bias(source + (n * height + y) * across_image, line, across_image)
        for y in range(outputs_y):
            for x in range(outputs_x):
                vector = image + y * down * pitch + x * across * channels
                if size_y > 1:
                    for j in range(size_y):
                        _copy_bytes(vector + j * pitch, row[18] + j * span, span)
                    vector = row[18]
                if row[20] == 1:
                    multiply_slots(matrix, vector, _bytes(at, rows))
                else:
                    multiply_slots(matrix, vector, carray(at_address(at), (rows,), np.int16))
                at += rows * row[20]


@inner_kernel
def _lstm(row):
    """A sequence through a layer, after its input's products; `kernels.recurrent` has the words."""
    time, units = row[1], row[2]
    matrix = carray(at_address(row[5]), (11,), np.int64)
    from_inputs = carray(at_address(row[3]), (time, 4 * units), np.int16)
    from_hidden = carray(at_address(row[4]), (4 * units,), np.int16)
    hidden = _bytes(row[6], units)
    cell = carray(at_address(row[7]), (units,), np.int16)
    k = carray(at_address(row[10]), (14,), np.int64)
    room = carray(at_address(row[11]), (2, 4 * units), np.int32)
    for t in range(time):
        _bias(row[6], row[9], units)
        multiply_slots(matrix, row[9], from_hidden)
        lstm_cell(
            from_inputs[t],
            from_hidden,
            (k[0], k[1]),
            (k[2], k[3]),
            (k[4], k[5], k[6]),
            (k[7], k[8], k[9]),
            (k[10], k[11], k[12]),
            k[13],
            cell,
            hidden,
            room,
        )
        _copy_bytes(row[6], row[8] + t * units, units)


@kernel
def run_rows(rows, times):
    """All rows, several times over. The row that cannot run, or -1."""
    for _ in range(times):
        for k in range(rows.shape[0]):
            row = rows[k]
            kind = row[0]
            if kind == PRODUCTS:
                _products(row)
            elif kind == LSTM:
                _lstm(row)
            elif kind == TABLE:
                _table(row)
            elif kind == SUM:
                _sum(row)
            elif kind == COPY:
                _copy(row)
            elif not _gather(row):
                return k
    return -1


class Program:
    """Rows, and what they need.

    Parameters
    ----------
    rows : words of each, at most `WORDS`; arrays stand for their addresses, and are kept
    refuse : by row, what is called where it cannot run: it raises the user's error
    """

    def __init__(
        self,
        rows: Sequence[Sequence[Word]],
        refuse: Sequence[Callable[[], object] | None] = (),
    ) -> None:
        self._given = rows
        self._refuse = [*refuse, *[None] * (len(rows) - len(refuse))]
        self._rows = np.zeros((len(rows), WORDS), np.int64)
        for own, words in zip(self._rows, rows, strict=True):
            own[: len(words)] = [_word(each) for each in words]

    def __call__(self) -> None:
        self.repeat(1)

    def repeat(self, times: int) -> None:
        """Run it so many times on what its inputs hold."""
        stopped = run_rows(self._rows, times)
        if stopped >= 0:
            refuse = self._refuse[stopped]
            assert refuse is not None, "only rows that can be refused stop"
            refuse()

    @classmethod
    def of(cls, parts: Sequence["Program"]) -> "Program":
        """All of them, one after the other."""
        rows = [row for part in parts for row in part._given]
        return cls(rows, [each for part in parts for each in part._refuse])


def _word(value: Word) -> int:
    if isinstance(value, SlotMatrix):
        value = value.words
    if not isinstance(value, np.ndarray):
        return int(value)
    assert value.flags.c_contiguous, "rows read arrays as they lie"
    return value.ctypes.data


def fused(steps: Sequence[Callable[[], object]]) -> list[Callable[[], object]]:
    """The same steps, neighbouring programs as one."""
    joined: list[Callable[[], object]] = []
    for together, group in groupby(steps, lambda step: isinstance(step, Program)):
        found = list(group)
        programs = [step for step in found if isinstance(step, Program)]
        joined += [Program.of(programs)] if together else found
    return joined


def product_row(
    matrix: SlotMatrix,
    image: tuple[np.ndarray, int],
    window: Window,
    output: np.ndarray,
) -> list[Word]:
    """A matrix by every window of images.

    Parameters
    ----------
    image : (batch, height, width, channels) int8, and what stands outside of it
    window : without dilation
    output : (batch, down, across, rows) int8 or int16
    """
    inputs, outside = image
    (size_y, size_x), (top, left, bottom, right) = window.size, window.padding
    batch, height, width, channels = inputs.shape
    padded = (top + height + bottom, left + width + right)
    # A window of a step may reach behind the last pixel; it picks nothing there.
    copy = np.full(padded[0] * padded[1] * channels + WINDOW, (outside + 128) & 0xFF, np.uint8)
    gathered = np.zeros(size_y * size_x * channels + WINDOW, np.uint8)
    shape = [batch, height, width, channels, top, left, *padded, size_y, size_x]
    shape += [*window.stride, *output.shape[1:3]]
    arrays = [inputs, copy, gathered, output, output.itemsize]
    return [PRODUCTS, matrix, *shape, *arrays]

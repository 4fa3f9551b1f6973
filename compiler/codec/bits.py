"""The hot loops of the codec: a slot's rows to bits in a lane's section, and back.

Both are compiled and allocate nothing per symbol. The decoder takes any words and any directory: it
never reads outside the section, stops after at most rows * columns symbols, and says what is wrong
by a status and a bit position.
"""

from enum import IntEnum

import numpy as np

from npu.format import START_BITS, WORD_BITS
from npu.jit import kernel
from npu.twin.decoder import decode_run, decode_value


class Status(IntEnum):
    """How the decoding of a slot ended. The bit position points at what is wrong."""

    OK = 0
    START = 1  # the stream's directory entry leaves the section, or ends before it starts
    ROWS = 2  # the directory counts other rows than the compiler dealt to the slot
    OVERRUN = 3  # a symbol runs past the end of its stream
    COLUMN = 4  # a run leaves the matrix
    LEFTOVER = 5  # all rows are complete and bits remain


RUN, VALUE = 0, 1
STREAMS = ("run", "value")

# Compiled code sees plain numbers.
_OK, _START, _ROWS, _OVERRUN, _COLUMN, _LEFTOVER = (int(s) for s in Status)
_START_MASK = (1 << START_BITS) - 1


@kernel
def put(words: np.ndarray, bit: int, code: int, length: int) -> int:
    """OR the `length` <= WORD_BITS low bits of `code` in at `bit`; returns the position behind."""
    if length == 0:
        return bit
    index = bit // WORD_BITS
    space = WORD_BITS - bit % WORD_BITS
    if length <= space:
        words[index] |= np.uint32(code << (space - length))
    else:
        words[index] |= np.uint32(code >> (length - space))
        words[index + 1] |= np.uint32((code << (WORD_BITS + space - length)) & 0xFFFFFFFF)
    return bit + length


@kernel
def row_steps(row: np.ndarray, flagless: bool, gaps: np.ndarray, weights: np.ndarray) -> int:
    """Write the steps of one row to `gaps` and `weights` and return their number, at least 1.

    row : (columns,) int8, columns >= 1; gaps, weights : (columns,) int64, overwritten.
    """
    n = 0
    column = -1
    for i in range(len(row)):
        if row[i] != 0:
            gaps[n] = i - column - 1
            weights[n] = row[i]
            column = i
            n += 1
    if flagless and column < len(row) - 1:
        gaps[n] = len(row) - 2 - column
        weights[n] = 0
        n += 1
    if n == 0:
        gaps[0] = 0
        weights[0] = 0
        n = 1
    return n


@kernel
def count_steps(
    weights: np.ndarray, flagless: bool, gap_counts: np.ndarray, value_counts: np.ndarray
) -> None:
    """Add the steps of all rows to gap_counts (2, columns) int64, `[last, gap]`, and value_counts.

    value_counts : (256,) int64, by weight modulo 256.
    """
    rows, columns = weights.shape
    gaps = np.empty(columns, np.int64)
    values = np.empty(columns, np.int64)
    for row in range(rows):
        n = row_steps(weights[row], flagless, gaps, values)
        for i in range(n):
            gap_counts[1 if i == n - 1 and not flagless else 0, gaps[i]] += 1
            value_counts[values[i] & 0xFF] += 1


@kernel
def measure_rows(
    weights: np.ndarray,
    flagless: bool,
    bits: np.ndarray,
    zeros: np.ndarray,
    value_lengths: np.ndarray,
) -> np.ndarray:
    """(rows, 3) int64: symbols, run bits and value bits of each row. The arrays are a `Plan`'s."""
    rows, columns = weights.shape
    sizes = np.zeros((rows, 3), np.int64)
    gaps = np.empty(columns, np.int64)
    values = np.empty(columns, np.int64)
    for row in range(rows):
        n = row_steps(weights[row], flagless, gaps, values)
        for i in range(n):
            last = 1 if i == n - 1 and not flagless else 0
            explicit = zeros[last, gaps[i]]
            sizes[row, 0] += 1 + explicit
            sizes[row, 1] += bits[last, gaps[i]]
            sizes[row, 2] += value_lengths[values[i] & 0xFF]
            # Not multiplied blindly: without a code for zero this is 0 times NO_CODE.
            if explicit:
                sizes[row, 2] += explicit * value_lengths[0]
    return sizes


@kernel
def write_slot(
    weights: np.ndarray,
    rows: np.ndarray,
    flagless: bool,
    first: np.ndarray,
    run_codes: np.ndarray,
    run_lengths: np.ndarray,
    value_codes: np.ndarray,
    value_lengths: np.ndarray,
    words: np.ndarray,
    run_bit: int,
    value_bit: int,
) -> tuple[int, int]:
    """Write the two streams of the rows `rows` of `weights`, and return the position behind each.

    The arrays between are those of a `Plan` that can express every one of the rows; words :
    (n,) uint32, zero where the streams will be.
    """
    gaps = np.empty(weights.shape[1], np.int64)
    values = np.empty(weights.shape[1], np.int64)
    for row in rows:
        n = row_steps(weights[row], flagless, gaps, values)
        for i in range(n):
            last = 1 if i == n - 1 and not flagless else 0
            gap = gaps[i]
            while first[last, gap] != gap:
                run = first[last, gap]
                run_bit = put(words, run_bit, run_codes[0, run], run_lengths[0, run])
                value_bit = put(words, value_bit, value_codes[0], value_lengths[0])
                gap -= run + 1
            run_bit = put(words, run_bit, run_codes[last, gap], run_lengths[last, gap])
            value = values[i] & 0xFF
            value_bit = put(words, value_bit, value_codes[value], value_lengths[value])
    return run_bit, value_bit


@kernel
def read_directory(words: np.ndarray, threads: int, thread: int) -> tuple[int, int, int, int, int]:
    """(run start, value start, value end, rows, row base) of a slot; words holds a directory."""
    run = int(np.int64(words[2 * thread]))
    value = int(np.int64(words[2 * thread + 1]))
    end = int(np.int64(words[2 * thread + 2]))
    if thread < threads - 1:
        end &= _START_MASK
    rows = run >> START_BITS
    row_base = value >> START_BITS
    return run & _START_MASK, value & _START_MASK, end, rows, row_base


@kernel
def read_slot(
    words: np.ndarray,
    threads: int,
    thread: int,
    first_bit: int,
    rows: np.ndarray,
    columns: int,
    run_limits: np.ndarray,
    run_offsets: np.ndarray,
    run_entries: np.ndarray,
    run_raw_bits: int,
    value_limits: np.ndarray,
    value_offsets: np.ndarray,
    value_entries: np.ndarray,
    value_raw_bits: int,
    weights: np.ndarray,
) -> tuple[int, int, int]:
    """Decode a slot into the rows `rows` of `weights` (zeroed); returns (Status, stream, bit).

    words : (n,) uint32, at least the directory, which takes `first_bit` bits;
    columns >= 1; the tables' `problem()` is None.
    """
    run_bit, value_bit, value_end, n_rows, _ = read_directory(words, threads, thread)
    run_end = value_bit
    if run_bit < first_bit or run_bit > run_end:
        return _START, RUN, run_bit
    if value_bit > value_end or value_end > len(words) * WORD_BITS:
        return _START, VALUE, value_end
    if n_rows != len(rows):
        return _ROWS, RUN, 2 * thread * WORD_BITS
    for row in rows:
        column = -1
        last = 0
        # A row ends by flag, or at the last column without.
        while last == 0 and column < columns - 1:
            run, last, length = decode_run(
                words, run_bit, run_limits, run_offsets, run_entries, run_raw_bits
            )
            if run_bit + length > run_end:
                return _OVERRUN, RUN, run_bit
            column += run + 1
            if column >= columns:
                return _COLUMN, RUN, run_bit
            run_bit += length
            value, length = decode_value(
                words, value_bit, value_limits, value_offsets, value_entries, value_raw_bits
            )
            if value_bit + length > value_end:
                return _OVERRUN, VALUE, value_bit
            value_bit += length
            weights[row, column] = value
    if run_bit != run_end:
        return _LEFTOVER, RUN, run_bit
    if value_bit != value_end:
        return _LEFTOVER, VALUE, value_bit
    return _OK, RUN, run_bit

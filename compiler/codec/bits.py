"""The hot loops of the codec: a slot's rows to bits in a lane's section, and back.

Both are compiled and allocate nothing per symbol. The decoder takes any words and any directory: it
never reads outside the section, stops after at most rows * columns symbols, and says what is wrong
by a status and a bit position.
"""

from enum import IntEnum

import numpy as np
from numba.extending import register_jitable

from npu.format import (
    MAX_CODE_BITS,
    MAX_STREAM_BITS,
    MAX_SYMBOL_BITS,
    STREAM_BITS,
    WORD_BITS,
    CodeTable,
    directory_words,
    set_of_lane,
)
from npu.jit import kernel

register_jitable(directory_words)
register_jitable(set_of_lane)


class Status(IntEnum):
    """How the decoding of a slot ended. The bit position points at what is wrong."""

    OK = 0
    OUTSIDE = 1  # the slot's streams leave the section
    ROWS = 2  # the directory counts other rows than the compiler dealt to the slot
    BASE = 3  # the directory names other row records
    OVERRUN = 4  # a symbol runs past the end of its stream
    COLUMN = 5  # a run leads past the next row's last column
    LEFTOVER = 6  # all rows are complete and bits remain


RUN, VALUE = 0, 1
STREAMS = ("run", "value")

# Zeros behind a section, so that looking ahead needs no check.
PADDING_WORDS = 2
LENGTH_BITS = MAX_SYMBOL_BITS.bit_length()
_LENGTH_MASK = (1 << LENGTH_BITS) - 1
_BELOW_CODE = MAX_SYMBOL_BITS - MAX_CODE_BITS
_WORD_SHIFT = WORD_BITS.bit_length() - 1

# Compiled code sees plain numbers.
_OK, _OUTSIDE, _ROWS, _BASE, _OVERRUN, _COLUMN, _LEFTOVER = (int(s) for s in Status)


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
def row_steps(row: np.ndarray, gaps: np.ndarray, weights: np.ndarray) -> tuple[int, int]:
    """Write the steps of one row to `gaps` and `weights`; returns their number and the zeros left.

    A row without nonzeros is one explicit zero, in its last column. The first gap counts from the
    row's start.

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
    if n == 0:
        gaps[0] = len(row) - 1
        weights[0] = 0
        return 1, 0
    return n, len(row) - 1 - column


@kernel
def count_slot(
    weights: np.ndarray,
    rows: np.ndarray,
    gap_counts: np.ndarray,
    end_counts: np.ndarray,
    value_counts: np.ndarray,
) -> None:
    """Add the steps of a slot with the rows `rows` of `weights` to the counts.

    gap_counts : (2 * columns - 1,) int64, by gap; end_counts : (columns,) by the zeros behind the
    slot's last weight; value_counts : (256,) by weight modulo 256.
    """
    columns = weights.shape[1]
    gaps = np.empty(columns, np.int64)
    values = np.empty(columns, np.int64)
    carried = 0
    for row in rows:
        n, left = row_steps(weights[row], gaps, values)
        gaps[0] += carried
        carried = left
        for i in range(n):
            gap_counts[gaps[i]] += 1
            value_counts[values[i] & 0xFF] += 1
    if len(rows):
        end_counts[carried] += 1


@kernel
def measure_slot(
    weights: np.ndarray,
    rows: np.ndarray,
    bits: np.ndarray,
    zeros: np.ndarray,
    end_bits: np.ndarray,
    end_zeros: np.ndarray,
    value_lengths: np.ndarray,
) -> tuple[int, int, int]:
    """(values, run bits, value bits) of a slot with the rows `rows` of `weights`.

    The arrays are a `Plan`'s. The bits are NO_CODE or more where it has no code.
    """
    columns = weights.shape[1]
    gaps = np.empty(columns, np.int64)
    values = np.empty(columns, np.int64)
    symbols = run_bits = value_bits = explicit = carried = 0
    for row in rows:
        n, left = row_steps(weights[row], gaps, values)
        gaps[0] += carried
        carried = left
        symbols += n
        for i in range(n):
            explicit += zeros[gaps[i]]
            run_bits += bits[gaps[i]]
            value_bits += value_lengths[values[i] & 0xFF]
    if len(rows):
        explicit += end_zeros[carried]
        run_bits += end_bits[carried]
    # Not multiplied blindly: without a code for zero this is 0 times NO_CODE.
    if explicit:
        value_bits += explicit * value_lengths[0]
    return symbols + explicit, run_bits, value_bits


@kernel
def measure_rows(
    weights: np.ndarray, bits: np.ndarray, zeros: np.ndarray, value_lengths: np.ndarray
) -> np.ndarray:
    """(rows, 4) int64 of each row: zeros at its start and end; weights coded and bits between."""
    rows, columns = weights.shape
    sizes = np.zeros((rows, 4), np.int64)
    gaps = np.empty(columns, np.int64)
    values = np.empty(columns, np.int64)
    for row in range(rows):
        n, left = row_steps(weights[row], gaps, values)
        explicit = 0
        total = value_lengths[values[0] & 0xFF]
        for i in range(1, n):
            explicit += zeros[gaps[i]]
            total += bits[gaps[i]] + value_lengths[values[i] & 0xFF]
        if explicit:
            total += explicit * value_lengths[0]
        sizes[row, 0], sizes[row, 1], sizes[row, 2], sizes[row, 3] = gaps[0], left, n, total
        sizes[row, 2] += explicit
    return sizes


@kernel
def write_slot(
    weights: np.ndarray,
    rows: np.ndarray,
    first: np.ndarray,
    end_first: np.ndarray,
    run_codes: np.ndarray,
    run_lengths: np.ndarray,
    value_codes: np.ndarray,
    value_lengths: np.ndarray,
    words: np.ndarray,
    run_bit: int,
    value_bit: int,
) -> tuple[int, int]:
    """Write the two streams of the rows `rows` of `weights`, and return the position behind each.

    The arrays between are those of a `Plan` that can express the slot; words : (n,) uint32, zero
    where the streams will be.
    """
    columns = weights.shape[1]
    gaps = np.empty(columns, np.int64)
    values = np.empty(columns, np.int64)
    carried = 0
    for row in rows:
        n, left = row_steps(weights[row], gaps, values)
        gaps[0] += carried
        carried = left
        for i in range(n):
            gap = gaps[i]
            while first[gap] != gap:
                run = first[gap]
                run_bit = put(words, run_bit, run_codes[run], run_lengths[run])
                value_bit = put(words, value_bit, value_codes[0], value_lengths[0])
                gap -= run + 1
            run_bit = put(words, run_bit, run_codes[gap], run_lengths[gap])
            value = values[i] & 0xFF
            value_bit = put(words, value_bit, value_codes[value], value_lengths[value])
    if len(rows):
        while True:
            run = end_first[carried]
            run_bit = put(words, run_bit, run_codes[run], run_lengths[run])
            if run >= carried:
                break
            value_bit = put(words, value_bit, value_codes[0], value_lengths[0])
            carried -= run + 1
    return run_bit, value_bit


@kernel
def read_directory(words: np.ndarray, thread: int) -> tuple[int, int, int, int]:
    """(run bits, value bits, rows, row base) of a slot; words holds a directory."""
    run = int(np.int64(words[2 * thread]))
    value = int(np.int64(words[2 * thread + 1]))
    return (
        run & MAX_STREAM_BITS,
        value & MAX_STREAM_BITS,
        run >> STREAM_BITS,
        value >> STREAM_BITS,
    )


@kernel
def peek(words: np.ndarray, bit: int) -> int:
    """MAX_SYMBOL_BITS bits from position `bit`; words holds PADDING_WORDS behind it."""
    index = bit >> _WORD_SHIFT
    pair = (np.uint64(words[index]) << np.uint64(WORD_BITS)) | np.uint64(words[index + 1])
    top = pair << np.uint64(bit & (WORD_BITS - 1))
    return int(np.int64(top >> np.uint64(2 * WORD_BITS - MAX_SYMBOL_BITS)))


def window_table(table: CodeTable) -> np.ndarray:
    """(1 << MAX_CODE_BITS,) uint16: by the window's top bits, entry << LENGTH_BITS | symbol length.

    table : one whose `problem()` is None.
    """
    windows = np.arange(1 << MAX_CODE_BITS)
    lengths = (table.limits() <= windows[:, None]).sum(axis=1)
    places = table.offsets()[lengths] + (windows >> (MAX_CODE_BITS - lengths))
    entries = table.entries[places].astype(np.int64)
    return (entries << LENGTH_BITS | lengths + table.raw_bits).astype(np.uint16)


@kernel
def read_slot(
    words: np.ndarray,
    thread: int,
    run_bit: int,
    rows: np.ndarray,
    row_base: int,
    run_table: np.ndarray,
    run_raw_bits: int,
    value_table: np.ndarray,
    value_raw_bits: int,
    weights: np.ndarray,
) -> tuple[int, int, int]:
    """Decode a slot into the rows `rows` of `weights` (zeroed); returns (Status, stream, bit).

    words : (n,) uint32, at least the directory, and PADDING_WORDS of zeros behind the section;
    run_bit : where the slot's streams start; row_base : of its first record; tables of
    `window_table`; weights : C-contiguous.
    """
    columns = weights.shape[1]
    run_bits, value_bits, n_rows, found_base = read_directory(words, thread)
    run_end = run_bit + run_bits
    value_bit = run_end
    value_end = value_bit + value_bits
    section_bits = (len(words) - PADDING_WORDS) * WORD_BITS
    if value_end > section_bits:
        return _OUTSIDE, VALUE if run_end <= section_bits else RUN, run_bit
    if n_rows != len(rows):
        return _ROWS, RUN, 2 * thread * WORD_BITS
    if n_rows > 0 and found_base != row_base:
        return _BASE, VALUE, (2 * thread + 1) * WORD_BITS
    if n_rows == 0:
        return (_OK if run_bits + value_bits == 0 else _LEFTOVER), RUN, run_bit
    run_mask = (1 << run_raw_bits) - 1
    value_mask = (1 << value_raw_bits) - 1
    flat = weights.reshape(-1)
    column = -1
    row = 0
    start = rows[0] * columns
    while True:
        window = peek(words, run_bit)
        symbol = int(np.int64(run_table[window >> _BELOW_CODE]))
        length = symbol & _LENGTH_MASK
        raw = (window >> (MAX_SYMBOL_BITS - length)) & run_mask
        run_bit += length
        if run_bit > run_end:
            return _OVERRUN, RUN, run_bit - length
        column += ((symbol >> LENGTH_BITS) << run_raw_bits) + raw + 1
        if column >= columns:
            column -= columns
            if column >= columns:
                return _COLUMN, RUN, run_bit - length
            row += 1
            if row == n_rows:
                break
            start = rows[row] * columns
        window = peek(words, value_bit)
        symbol = int(np.int64(value_table[window >> _BELOW_CODE]))
        length = symbol & _LENGTH_MASK
        raw = (window >> (MAX_SYMBOL_BITS - length)) & value_mask
        value_bit += length
        if value_bit > value_end:
            return _OVERRUN, VALUE, value_bit - length
        # The sum modulo 256, as a signed byte.
        flat[start + column] = (((symbol >> LENGTH_BITS) + raw + 128) & 0xFF) - 128
    if run_bit != run_end:
        return _LEFTOVER, RUN, run_bit
    if value_bit != value_end:
        return _LEFTOVER, VALUE, value_bit
    return _OK, RUN, run_bit


@kernel
def read_sections(
    words: np.ndarray,
    starts: np.ndarray,
    threads: int,
    rows: np.ndarray,
    row_starts: np.ndarray,
    tables: np.ndarray,
    raw_bits: np.ndarray,
    weights: np.ndarray,
) -> tuple[int, int, int, int, int]:
    """Decode every lane; returns (Status, lane, thread, stream, bit) of the first fault.

    words : the sections one after the other, PADDING_WORDS behind each; starts : (lanes + 1,) where
    they start. rows : the rows of all slots; row_starts : (slots + 1,) where each slot's start.
    tables, raw_bits : of the run and the value code of set 0, then of set 1, ...
    """
    lanes = len(starts) - 1
    sets = len(tables) // 2
    for lane in range(lanes):
        section = words[starts[lane] : starts[lane + 1]]
        run = 2 * set_of_lane(lane, lanes, sets)
        bit = directory_words(threads) * WORD_BITS
        for thread in range(threads):
            slot = lane * threads + thread
            status, stream, at = read_slot(
                *(section, thread, bit, rows[row_starts[slot] : row_starts[slot + 1]]),
                *(row_starts[slot], tables[run], raw_bits[run], tables[run + 1], raw_bits[run + 1]),
                weights,
            )
            if status != _OK:
                return status, lane, thread, stream, at
            run_bits, value_bits, _, _ = read_directory(section, thread)
            bit += run_bits + value_bits
    return _OK, 0, 0, 0, 0

"""The hot loop of the decoder: a lane's section to the rows of its slots.

The decoder takes any words and any directory: it looks at most a symbol past the section and
counts nothing of that, stops after at most rows * columns symbols, and says what is wrong by a
status and a bit position.

One slot's symbols wait for one another, because a symbol's length says where the next one starts.
So two slots are decoded at a time, and the processor works on one while the other waits.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from compiler.codec.checks import STREAMS, as_slots, check_count, check_sections, check_sets
from compiler.codec.parallel import mapped, parts
from compiler.codec.symbols import Slots, joined
from npu.chip.compiled import directory_words, read_directory
from npu.chip.faults import StreamFault
from npu.chip.weight_format import MAX_CODE_BITS, MAX_SYMBOL_BITS, WORD_BITS, CodeSet, set_of_lane
from npu.errors import ImageError
from npu.jit import inner_kernel, kernel

RUN, VALUE = 0, 1

# Words behind the last section, so that looking ahead needs no check.
PADDING_WORDS = 2

# Compiled code sees plain numbers.
_OK, _OUTSIDE, _OVERRUN, _COLUMN, _LEFTOVER, _ROWS, _BASE = (int(f) for f in StreamFault)
_RUNNING = -1

# What `_symbol` looks up: the symbol but for its raw bits, and its length.
_LENGTH_BITS = np.uint64(MAX_SYMBOL_BITS.bit_length())
_LENGTH_MASK = np.uint64((1 << MAX_SYMBOL_BITS.bit_length()) - 1)
_WORD_SHIFT = np.uint64(WORD_BITS.bit_length() - 1)
_WORD_MASK = np.uint64(WORD_BITS - 1)
_CODE_SHIFT = np.uint64(2 * WORD_BITS - MAX_CODE_BITS)
_SYMBOL_SHIFT = np.uint64(2 * WORD_BITS - MAX_SYMBOL_BITS)
_SYMBOL_BITS = np.uint64(MAX_SYMBOL_BITS)
_ZERO, _ONE = np.uint64(0), np.uint64(1)


class Windows(NamedTuple):
    """Tables that decode a symbol at a look, of run and value codes in turn.

    Attributes
    ----------
    symbols : (2 * sets, 1 << MAX_CODE_BITS) uint32, by a stream's next bits: the symbol with raw
        bits of zero << _LENGTH_BITS | symbol length.
    raw_masks : (2 * sets,) uint64.
    """

    symbols: np.ndarray
    raw_masks: np.ndarray


def window_tables(sets: Sequence[CodeSet]) -> Windows:
    """The tables of sets whose tables' `problem()` is None."""
    tables = [table for code_set in sets for table in code_set]
    raw_bits = np.array([table.raw_bits for table in tables])
    windows = np.empty((len(tables), 1 << MAX_CODE_BITS), np.uint32)
    for number, table in enumerate(tables):
        # A run's raw bits follow those of its entry, a value's are added to it.
        shift = table.raw_bits if number % 2 == RUN else 0
        lengths = np.repeat(np.arange(len(table.counts)), table.counts)
        symbols = table.entries.astype(np.int64) << shift
        packed = symbols << int(_LENGTH_BITS) | (lengths + table.raw_bits)
        windows[number] = np.repeat(packed, 1 << (MAX_CODE_BITS - lengths))
    return Windows(windows, ((1 << raw_bits) - 1).astype(np.uint64))


@inner_kernel
def _symbol(
    pairs: np.ndarray, bit: np.uint64, windows: np.ndarray, table: np.uint64, raw_mask: np.uint64
) -> tuple[np.uint64, np.uint64]:
    """(symbol, position behind it) at position `bit`; pairs[i] : word i and the one behind it."""
    ahead = pairs[bit >> _WORD_SHIFT] << (bit & _WORD_MASK)
    found = np.uint64(windows[table, ahead >> _CODE_SHIFT])
    length = found & _LENGTH_MASK
    raw = ((ahead >> _SYMBOL_SHIFT) >> (_SYMBOL_BITS - length)) & raw_mask
    return (found >> _LENGTH_BITS) + raw, bit + length


# How a slot is coded: number of its run code (its value code is the next), both raw masks, where
# its rows end among those of all slots, and where its run and its value stream end.
Coded = tuple[np.uint64, np.uint64, np.uint64, int, np.uint64, np.uint64]
# StreamFault, stream and position in each stream; the row, and the column behind its last weight.
State = tuple[int, int, np.uint64, np.uint64, int, np.uint64]


@inner_kernel
def _step(
    pairs: np.ndarray,
    windows: np.ndarray,
    rows: np.ndarray,
    weights: np.ndarray,
    coded: Coded,
    state: State,
) -> State:
    """Decode one weight, or the terminator."""
    table, run_mask, value_mask, last_row, run_end, value_end = coded
    _, _, run_bit, value_bit, row, column = state
    columns = np.uint64(weights.shape[1])
    run, run_behind = _symbol(pairs, run_bit, windows, table, run_mask)
    if run_behind > run_end:
        return _OVERRUN, RUN, run_bit, value_bit, row, column
    column += run
    if column >= columns:
        column -= columns
        if column >= columns:
            return _COLUMN, RUN, run_bit, value_bit, row, column
        row += 1
        if row == last_row:
            stream = RUN if run_behind != run_end else VALUE
            status = _OK if run_behind == run_end and value_bit == value_end else _LEFTOVER
            return status, stream, run_behind, value_bit, row, column
    value, value_behind = _symbol(pairs, value_bit, windows, table + _ONE, value_mask)
    if value_behind > value_end:
        return _OVERRUN, VALUE, run_behind, value_bit, row, column
    # The sum modulo 256, as a signed byte.
    weights[np.uint64(rows[row]), column] = np.int8(value)
    return _RUNNING, VALUE, run_behind, value_behind, row, column + _ONE


@inner_kernel
def _locate(
    words: np.ndarray,
    starts: np.ndarray,
    threads: int,
    row_starts: np.ndarray,
    ends: np.ndarray,
) -> tuple[int, int, int, int]:
    """Read the directories: (StreamFault, slot, stream, bit in the section) of the first fault.

    ends : (slots, 3) uint64, filled up to that slot: start of the slot's streams in `words`, end of
    its run stream, and of its value stream. The other arguments are those of `read_sections`.
    """
    for lane in range(len(starts) - 1):
        section = words[starts[lane] : starts[lane + 1]]
        bits = len(section) * WORD_BITS
        origin = starts[lane] * WORD_BITS
        start = directory_words(threads) * WORD_BITS
        for thread in range(threads):
            slot = lane * threads + thread
            run_bits, value_bits, rows, row_base = read_directory(section, thread)
            run_end = start + run_bits
            value_end = run_end + value_bits
            if value_end > bits:
                return _OUTSIDE, slot, VALUE if run_end <= bits else RUN, start
            if rows != row_starts[slot + 1] - row_starts[slot]:
                return _ROWS, slot, RUN, 2 * thread * WORD_BITS
            if rows > 0 and row_base != row_starts[slot]:
                return _BASE, slot, VALUE, (2 * thread + 1) * WORD_BITS
            if rows == 0 and value_end > start:
                return _LEFTOVER, slot, RUN, start
            ends[slot, 0], ends[slot, 1], ends[slot, 2] = (
                origin + start,
                origin + run_end,
                origin + value_end,
            )
            start = value_end
    return _OK, (len(starts) - 1) * threads, RUN, 0


@inner_kernel
def _open(
    slot: int, code_set: int, masks: np.ndarray, row_starts: np.ndarray, ends: np.ndarray
) -> tuple[Coded, State]:
    """How a slot is coded, and the state before its first weight; ends : see `_locate`."""
    table = 2 * code_set
    last_row = row_starts[slot + 1]
    coded = np.uint64(table), masks[table], masks[table + 1], last_row, ends[slot, 1], ends[slot, 2]
    # Typed, not literal: `_step` would be compiled for literals as well.
    running, stream = int(np.int64(_RUNNING)), int(np.int64(RUN))
    return coded, (running, stream, ends[slot, 0], ends[slot, 1], row_starts[slot], _ZERO)


@kernel
def read_sections(
    words: np.ndarray,
    starts: np.ndarray,
    code_sets: np.ndarray,
    threads: int,
    dealt: Slots,
    tables: Windows,
    pairs: np.ndarray,
    ends: np.ndarray,
    weights: np.ndarray,
) -> tuple[int, int, int, int]:
    """Decode lanes; returns (StreamFault, slot, stream, bit in the section) of the first fault.

    words : (n,) uint32, the lanes' sections one after the other, and at least PADDING_WORDS more;
    starts : (lanes + 1,) where they start; code_sets : (lanes,) int64. dealt : the slots,
    whose starts are their row bases, too. tables : of all sets. pairs, ends : (starts[-1] + 1,) and
    (slots, 3) uint64, overwritten. weights : (rows, columns) int8, zeroed; columns >= 1.
    """
    rows, row_starts = dealt
    windows, masks = tables
    for i in range(starts[0], len(pairs)):
        pairs[i] = np.uint64(words[i]) << np.uint64(WORD_BITS) | np.uint64(words[i + 1])
    located = _locate(words, starts, threads, row_starts, ends)
    slots = np.empty(located[1], np.int64)
    filled = 0
    for slot in range(located[1]):
        if row_starts[slot + 1] > row_starts[slot]:
            slots[filled] = slot
            filled += 1
    for i in range(0, filled, 2):
        slot, slot2 = slots[i], slots[min(i + 1, filled - 1)]
        coded, state = _open(slot, code_sets[slot // threads], masks, row_starts, ends)
        coded2, state2 = _open(slot2, code_sets[slot2 // threads], masks, row_starts, ends)
        while state[0] == _RUNNING and state2[0] == _RUNNING and slot != slot2:
            state = _step(pairs, windows, rows, weights, coded, state)
            state2 = _step(pairs, windows, rows, weights, coded2, state2)
        while state[0] == _RUNNING:
            state = _step(pairs, windows, rows, weights, coded, state)
        while state2[0] == _RUNNING and slot != slot2:
            state2 = _step(pairs, windows, rows, weights, coded2, state2)
        for at, (status, stream, run_bit, value_bit, _, _) in ((slot, state), (slot2, state2)):
            if status > _OK:
                bit = np.int64(value_bit if stream == VALUE else run_bit)
                return status, at, stream, bit - starts[at // threads] * WORD_BITS
    return located


def _check_output(weights: np.ndarray) -> None:
    """Raise ValueError unless compiled code may write the matrix."""
    if not isinstance(weights, np.ndarray) or weights.dtype != np.int8 or weights.ndim != 2:
        raise ValueError("weights must be an int8 array (rows, columns)")
    if not weights.shape[1] or not weights.flags.c_contiguous or not weights.flags.writeable:
        raise ValueError(
            f"weights {weights.shape} must be C-contiguous and writeable, of a column or more"
        )


def decode_sections(
    sections: Sequence[np.ndarray],
    slot_rows: Sequence[np.ndarray],
    sets: Sequence[CodeSet],
    weights: np.ndarray,
    workers: int = 1,
) -> None:
    """Decode the sections of all lanes into `weights`, on `workers` threads.

    sections : per lane (n,) uint32. slot_rows : per slot the rows of `weights`, each of one slot.
    sets : the code sets. weights : (rows, columns) int8, C-contiguous, zeroed, columns >= 1.

    Raises ImageError naming lane, thread, stream and bit offset, or the table that no decoder
    takes; whatever the words are, no bit outside a section counts. Raises ValueError for arguments
    of other types and shapes, and for rows that are not there.
    """
    check_count("workers", workers)
    check_sets(sets, ImageError)
    _check_output(weights)
    slot_rows = as_slots(slot_rows, len(weights))
    if not sections or not slot_rows or len(slot_rows) % len(sections):
        raise ValueError(
            f"{len(slot_rows)} slots for {len(sections)} sections, must be as many for each"
        )
    check_sections(sections, len(sections))
    threads = len(slot_rows) // len(sections)
    head = directory_words(threads)
    for lane, section in enumerate(sections):
        if len(section) < head:
            raise ImageError(
                f"lane {lane}: a section of {len(section)} words ends inside its directory of "
                f"{head} words; compile the model again"
            )
    lanes = len(sections)
    words = np.concatenate([*sections, np.zeros(PADDING_WORDS, np.uint32)])
    words = words.astype(np.uint32, copy=False)
    starts = np.cumsum([0, *map(len, sections)])
    code_sets = np.array([set_of_lane(lane, lanes, len(sets)) for lane in range(lanes)])
    dealt = joined(slot_rows)
    tables = window_tables(sets)

    def read(first: int, end: int) -> tuple[int, int, int, int]:
        status, slot, stream, bit = read_sections(
            words,
            starts[first : end + 1],
            code_sets[first:end],
            threads,
            dealt.part(first * threads, end * threads),
            tables,
            np.empty(starts[end] + 1, np.uint64),
            np.empty(((end - first) * threads, 3), np.uint64),
            weights,
        )
        return status, first * threads + slot, stream, bit

    found = mapped(read, parts(lanes, workers), workers)
    status, slot, stream, bit = next((f for f in found if f[0] != StreamFault.NONE), found[-1])
    if status == StreamFault.NONE:
        return
    lane, thread = divmod(slot, threads)
    _, _, rows, base = read_directory(sections[lane], thread)
    bits = len(sections[lane]) * WORD_BITS
    what = {
        StreamFault.OUTSIDE: f"a stream leaves the section of {bits} bits",
        StreamFault.ROWS: f"the directory counts {rows} rows, must be {len(slot_rows[slot])}",
        StreamFault.BASE: (
            f"the directory says row base {base}, must be {sum(map(len, slot_rows[:slot]))}"
        ),
        StreamFault.OVERRUN: "a symbol runs past the end of the stream",
        StreamFault.COLUMN: f"a run skips a row of {weights.shape[1]} columns",
        StreamFault.LEFTOVER: "bits are left over behind the last row",
    }[StreamFault(status)]
    raise ImageError(
        f"lane {lane}, thread {thread}, {STREAMS[stream]} stream, bit {bit}: {what}; "
        "the image is damaged, compile the model again"
    )

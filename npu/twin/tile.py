"""Deals a tile to the weight banks: what the DMA's dealer makes of `npu.tile`."""

import numpy as np

from npu.compiled import directory_words
from npu.format import MAX_SLOT_ROWS, MAX_STREAM_BITS, MAX_TILE_ROWS, STREAM_BITS, WORD_BITS
from npu.jit import kernel
from npu.tile import (
    FRONT_BEATS,
    HEADER,
    HEADER_WORDS,
    MAX_WIDTHS,
    head_words,
    most_front,
    tail_bits,
)

# What `deal` finds wrong with a tile.
TILE_FAULTS = {
    1: "the tile is shorter than its front",
    2: "a front of {found} bus words, must be {least} to {most}",
    3: "a field of {found} bits, at most {most}",
    4: "only some bodies are empty",
    5: "the tile's front and bodies take {found} bus words, the transfer brings {most}",
    6: "the fields and loose words take {found} words, the front has {most}",
    7: "the section of lane {lane} ends at bus word {found}, outside the bank",
    8: "lane {lane}: a slot of more than {most} rows or bits",
}

_LENGTH, _ROWS, _RUN, _VALUE = MAX_WIDTHS.values()
_FIRST_BITS = tuple(HEADER[name][0] for name in HEADER)
_FIELD_BITS = tuple(HEADER[name][1] for name in HEADER)
_LOW_ROWS = MAX_TILE_ROWS - 1


@kernel
def read_bits(words, bit, width):
    """`width` <= WORD_BITS bits from bit `bit` on, the lowest first; zeros behind the end."""
    index, offset = bit // WORD_BITS, bit % WORD_BITS
    low = np.uint64(words[index]) if index < len(words) else np.uint64(0)
    high = np.uint64(words[index + 1]) if index + 1 < len(words) else np.uint64(0)
    pair = (high << np.uint64(WORD_BITS)) | low
    return np.int64((pair >> np.uint64(offset)) & np.uint64((1 << width) - 1))


@kernel
def _deal(tile, banks, first, threads, most, heads, tail_width):
    """See `deal`; most, heads, tail_width : `npu.tile`'s most_front, head_words and tail_bits."""
    lanes, words, bus_words = banks.shape
    beats = len(tile) // bus_words
    if beats < FRONT_BEATS:
        return 1, 0, 0, 0, 0, 0
    shortest = read_bits(tile, _FIRST_BITS[0], _FIELD_BITS[0])
    length_width = read_bits(tile, _FIRST_BITS[1], _FIELD_BITS[1])
    rows_width = read_bits(tile, _FIRST_BITS[2], _FIELD_BITS[2])
    least_rows = read_bits(tile, _FIRST_BITS[3], _FIELD_BITS[3])
    least_run = read_bits(tile, _FIRST_BITS[4], _FIELD_BITS[4])
    run_width = read_bits(tile, _FIRST_BITS[5], _FIELD_BITS[5])
    front = read_bits(tile, _FIRST_BITS[6], _FIELD_BITS[6])
    least_value = read_bits(tile, _FIRST_BITS[7], _FIELD_BITS[7])
    value_width = read_bits(tile, _FIRST_BITS[8], _FIELD_BITS[8])
    if not FRONT_BEATS <= front <= most:
        return 2, 0, front, FRONT_BEATS, most, 0
    if front > beats:
        return 1, 0, 0, 0, 0, 0
    for width, limit in (
        (length_width, _LENGTH),
        (rows_width, _ROWS),
        (run_width, _RUN),
        (value_width, _VALUE),
    ):
        if width > limit:
            return 3, 0, width, 0, limit, 0
    if shortest == 0 and length_width > 0:
        return 4, 0, 0, 0, 0, 0

    bits = HEADER_WORDS * WORD_BITS
    bodies = np.zeros(lanes, np.int64)
    for lane in range(lanes):
        bodies[lane] = shortest + read_bits(tile, bits, length_width)
        bits += length_width
    if front + bodies.sum() != beats:
        return 5, 0, front + bodies.sum(), 0, beats, 0
    opening = directory_words(threads) + heads
    section = np.zeros((lanes, opening + bus_words - 1), np.uint32)
    tails = np.zeros(lanes, np.int64)
    base, loose, longest = 0, 0, 0
    for lane in range(lanes):
        tails[lane] = read_bits(tile, bits, tail_width)
        bits += tail_width
        for thread in range(threads):
            rows = least_rows + read_bits(tile, bits, rows_width)
            bits += rows_width
            run = least_run + read_bits(tile, bits, run_width)
            bits += run_width
            value = least_value + read_bits(tile, bits, value_width)
            bits += value_width
            if rows == 0:
                run = value = 0
            if rows > MAX_SLOT_ROWS:
                return 8, lane, rows, 0, MAX_SLOT_ROWS, 0
            if max(run, value) > MAX_STREAM_BITS:
                return 8, lane, max(run, value), 0, MAX_STREAM_BITS, 0
            section[lane, 2 * thread] = rows << STREAM_BITS | run
            section[lane, 2 * thread + 1] = (base & _LOW_ROWS) << STREAM_BITS | value
            base += rows
        for word in range(heads + tails[lane]):
            loose += 1
            at = front * bus_words - loose
            section[lane, opening - heads + word] = tile[at] if at >= 0 else 0
        end = first + opening // bus_words + bodies[lane] + (tails[lane] > 0)
        longest = max(longest, end)
        if end > words:
            return 7, lane, end, 0, words, 0
    taken = -(-bits // WORD_BITS) + loose
    if taken > front * bus_words:
        return 6, 0, taken, 0, front * bus_words, 0

    beat = front
    for lane in range(lanes):
        at = first
        for word in range(opening):
            banks[lane, at, word % bus_words] = section[lane, word]
            at += (word + 1) % bus_words == 0
        for _ in range(bodies[lane]):
            for word in range(bus_words):
                banks[lane, at, word] = tile[beat * bus_words + word]
            beat += 1
            at += 1
        # Zeros behind a tail.
        for word in range(bus_words if tails[lane] else 0):
            banks[lane, at, word] = section[lane, opening + word] if word < tails[lane] else 0
    return 0, 0, longest, 0, 0, loose


def deal(
    tile: np.ndarray, banks: np.ndarray, first: int, threads: int
) -> tuple[int, int, int, int, int, int]:
    """Copy the sections of a tile into the banks.

    tile : (words,) uint32, whole bus words, the tile as it lies in external memory.
    banks : (lanes, bus words, words of one) uint32; the sections go to bus word `first` on.

    Returns (fault, lane, found, least, most, loose words): the first fault in words of TILE_FAULTS,
    0 if there is none. With a fault nothing is written; without one `found` is the end of the
    longest section in bus words.
    """
    lanes, _, bus_words = banks.shape
    return _deal(
        *(tile, banks, first, threads),
        *(most_front(lanes, threads, bus_words), head_words(threads, bus_words)),
        tail_bits(bus_words),
    )

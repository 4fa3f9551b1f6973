"""Deals a tile to the weight banks: what the DMA's dealer makes of `npu.chip.tile`."""

from typing import NamedTuple

import numpy as np

from npu.chip import timing
from npu.chip.compiled import directory_words
from npu.chip.tile import (
    HEADER,
    HEADER_WORDS,
    MAX_WIDTHS,
    head_words,
    least_front,
    most_front,
    tail_bits,
)
from npu.chip.weight_format import (
    MAX_SLOT_ROWS,
    MAX_STREAM_BITS,
    MAX_TILE_ROWS,
    STREAM_BITS,
    WORD_BITS,
)
from npu.jit import kernel

# What `deal` finds wrong with a tile.
TILE_FAULTS = {
    1: "the tile is shorter than its front",
    2: "a front of {found} bus words, must be {least} to {most}",
    3: "a field of {found} bits, at most {most}",
    4: "only some bodies are empty",
    5: "the tile's front and bodies take {found} bus words, the transfer brings {most}",
    6: "fields and loose words overlap in the tile's front",
    7: "the section of lane {lane} ends at bus word {found}, outside the bank",
    8: "lane {lane}: a slot of more than {most} rows or bits",
}

_LENGTH, _ROWS, _RUN, _VALUE = MAX_WIDTHS.values()
_FIRST_BITS = tuple(HEADER[name][0] for name in HEADER)
_FIELD_BITS = tuple(HEADER[name][1] for name in HEADER)
_LOW_ROWS = MAX_TILE_ROWS - 1
_END, _REFUSED = timing.DEAL_END, timing.DEAL_REFUSED


@kernel
def read_bits(words, bit, width):
    """`width` <= WORD_BITS bits from bit `bit` on, the lowest first; zeros behind the end."""
    index, offset = bit // WORD_BITS, bit % WORD_BITS
    low = np.uint64(words[index]) if index < len(words) else np.uint64(0)
    high = np.uint64(words[index + 1]) if index + 1 < len(words) else np.uint64(0)
    pair = (high << np.uint64(WORD_BITS)) | low
    return np.int64((pair >> np.uint64(offset)) & np.uint64((1 << width) - 1))


@kernel
def _deal(tile, banks, first, threads, fewest, most, heads, tail_width, ends):
    """See `deal`; fewest, most, heads, tail_width : `npu.chip.tile`'s least_front and so on.

    ends : (lanes,) int64, set to the ends of the sections. Returns (fault, lane, found, least,
    most, cycles).
    """
    lanes, words, bus_words = banks.shape
    beats = len(tile) // bus_words
    if beats < fewest:
        return 1, 0, 0, 0, 0, _REFUSED
    shortest = read_bits(tile, _FIRST_BITS[0], _FIELD_BITS[0])
    length_width = read_bits(tile, _FIRST_BITS[1], _FIELD_BITS[1])
    rows_width = read_bits(tile, _FIRST_BITS[2], _FIELD_BITS[2])
    least_rows = read_bits(tile, _FIRST_BITS[3], _FIELD_BITS[3])
    least_run = read_bits(tile, _FIRST_BITS[4], _FIELD_BITS[4])
    run_width = read_bits(tile, _FIRST_BITS[5], _FIELD_BITS[5])
    front = read_bits(tile, _FIRST_BITS[6], _FIELD_BITS[6])
    least_value = read_bits(tile, _FIRST_BITS[7], _FIELD_BITS[7])
    value_width = read_bits(tile, _FIRST_BITS[8], _FIELD_BITS[8])
    if not fewest <= front <= most:
        return 2, 0, front, fewest, most, _REFUSED
    if front > beats:
        return 1, 0, 0, 0, 0, _REFUSED
    for width, limit in (
        (length_width, _LENGTH),
        (rows_width, _ROWS),
        (run_width, _RUN),
        (value_width, _VALUE),
    ):
        if width > limit:
            return 3, 0, width, 0, limit, _REFUSED
    if shortest == 0 and length_width > 0:
        return 4, 0, 0, 0, 0, _REFUSED
    bits = HEADER_WORDS * WORD_BITS
    loose = front * bus_words  # words of the front below the next loose one
    bodies = np.zeros(lanes, np.int64)
    for lane in range(lanes):
        bodies[lane] = shortest + read_bits(tile, bits, length_width)
        bits += length_width
    if front + bodies.sum() != beats:
        return 5, 0, front + bodies.sum(), 0, beats, _REFUSED
    if -(-bits // WORD_BITS) > loose:
        return 6, 0, 0, 0, 0, _REFUSED
    opening = directory_words(threads) + heads
    behind = first + opening // bus_words  # where bodies start
    for lane in range(lanes):
        if bodies[lane] > 0 and behind + bodies[lane] > words:
            return 7, lane, behind + bodies[lane], 0, 0, _REFUSED

    # Behind the last beat: a number or a word in every cycle. What is wrong with a number shows a
    # cycle later than what is wrong with an address.
    cycle = _END
    section = np.zeros((lanes, opening + bus_words - 1), np.uint32)
    tails = np.zeros(lanes, np.int64)
    base = 0
    for lane in range(lanes):
        tails[lane] = read_bits(tile, bits, tail_width)
        bits += tail_width
        if -(-bits // WORD_BITS) > loose:
            return 6, lane, 0, 0, 0, cycle + 1
        cycle += 1
        rows = length = 0
        for number in range(3 * threads):
            thread, kind = number // 3, number % 3
            width = rows_width if kind == 0 else (run_width if kind == 1 else value_width)
            least = least_rows if kind == 0 else (least_run if kind == 1 else least_value)
            length = least + read_bits(tile, bits, width)
            bits += width
            if -(-bits // WORD_BITS) > loose:
                return 6, lane, 0, 0, 0, cycle + 1
            if kind == 0:
                rows = length
                if rows > MAX_SLOT_ROWS:
                    return 8, lane, rows, 0, MAX_SLOT_ROWS, cycle + 1
            else:
                if rows == 0:
                    length = 0
                if length > MAX_STREAM_BITS:
                    return 8, lane, length, 0, MAX_STREAM_BITS, cycle + 1
                word = 2 * thread + kind - 1
                high = rows if kind == 1 else base & _LOW_ROWS
                section[lane, word] = high << STREAM_BITS | length
                if (word + 1) % bus_words == 0 and first + word // bus_words >= words:
                    return 7, lane, first + word // bus_words + 1, 0, 0, cycle
                base += rows if kind == 2 else 0
            cycle += 1
        for word in range(heads + tails[lane]):
            if -(-bits // WORD_BITS) >= loose:
                return 6, lane, 0, 0, 0, cycle + 1
            loose -= 1
            at = opening - heads + word
            section[lane, at] = tile[loose]
            if at < opening and (at + 1) % bus_words == 0 and first + at // bus_words >= words:
                return 7, lane, first + at // bus_words + 1, 0, 0, cycle
            last = tails[lane] > 0 and word == heads + tails[lane] - 1
            if last and behind + bodies[lane] >= words:
                return 7, lane, behind + bodies[lane] + 1, 0, 0, cycle
            cycle += 1
        ends[lane] = behind + bodies[lane] + (tails[lane] > 0)

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
    return 0, 0, 0, 0, 0, cycle


class Dealt(NamedTuple):
    """What became of a tile.

    Attributes
    ----------
    fault : the first one in words of TILE_FAULTS, 0 if there is none; `problem` says it.
    ends : (lanes,) int64, the ends of the sections in bus words.
    cycles : that the dealer took behind the tile's last beat, also for a fault.
    """

    fault: int
    problem: str
    ends: np.ndarray
    cycles: int


def deal(tile: np.ndarray, banks: np.ndarray, first: int, threads: int) -> Dealt:
    """Copy the sections of a tile into the banks; with a fault nothing is written.

    tile : (words,) uint32, whole bus words, the tile as it lies in external memory.
    banks : (lanes, bus words, words of one) uint32; the sections go to bus word `first` on.
    """
    lanes, _, bus_words = banks.shape
    ends = np.zeros(lanes, np.int64)
    fault, lane, found, least, most, cycles = _deal(
        *(tile, banks, first, threads),
        *(least_front(bus_words), most_front(lanes, threads, bus_words)),
        *(head_words(threads, bus_words), tail_bits(bus_words), ends),
    )
    problem = ""
    if fault:
        problem = TILE_FAULTS[fault].format(lane=lane, found=found, least=least, most=most)
    return Dealt(fault, problem, ends, int(cycles))

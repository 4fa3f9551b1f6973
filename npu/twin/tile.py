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


class Header(NamedTuple):
    """A tile's header, see `npu.chip.tile.HEADER`, in its order."""

    shortest: int
    length_width: int
    rows_width: int
    least_rows: int
    least_run: int
    run_width: int
    front: int
    least_value: int
    value_width: int


assert Header._fields == tuple(HEADER)


class Site(NamedTuple):
    """Where a tile goes, and what its chip says of its front.

    Attributes
    ----------
    first, words : bus word of the banks where sections start, and bus words of a bank.
    lanes, threads, bus_words : of the chip.
    fewest, most, heads, tail_width : `npu.chip.tile`'s least_front, most_front, head_words and
        tail_bits.
    """

    first: int
    words: int
    lanes: int
    threads: int
    bus_words: int
    fewest: int
    most: int
    heads: int
    tail_width: int


class Verdict(NamedTuple):
    """A fault in words of TILE_FAULTS with its numbers, or 0; and the cycle that it shows in."""

    fault: int
    lane: int
    found: int
    least: int
    most: int
    cycles: int


@kernel
def read_bits(words, bit, width):
    """`width` <= WORD_BITS bits from bit `bit` on, the lowest first; zeros behind the end."""
    index, offset = bit // WORD_BITS, bit % WORD_BITS
    low = np.uint64(words[index]) if index < len(words) else np.uint64(0)
    high = np.uint64(words[index + 1]) if index + 1 < len(words) else np.uint64(0)
    pair = (high << np.uint64(WORD_BITS)) | low
    return np.int64((pair >> np.uint64(offset)) & np.uint64((1 << width) - 1))


@kernel
def _refused(fault, lane, found, least, most):
    return Verdict(fault, lane, found, least, most, _REFUSED)


@kernel
def _read_header(tile):
    return Header(
        read_bits(tile, _FIRST_BITS[0], _FIELD_BITS[0]),
        read_bits(tile, _FIRST_BITS[1], _FIELD_BITS[1]),
        read_bits(tile, _FIRST_BITS[2], _FIELD_BITS[2]),
        read_bits(tile, _FIRST_BITS[3], _FIELD_BITS[3]),
        read_bits(tile, _FIRST_BITS[4], _FIELD_BITS[4]),
        read_bits(tile, _FIRST_BITS[5], _FIELD_BITS[5]),
        read_bits(tile, _FIRST_BITS[6], _FIELD_BITS[6]),
        read_bits(tile, _FIRST_BITS[7], _FIELD_BITS[7]),
        read_bits(tile, _FIRST_BITS[8], _FIELD_BITS[8]),
    )


@kernel
def _judge_beats(tile, header, site, bodies):
    """What is wrong with a tile by the time of its last beat.

    bodies : (lanes,) int64, set to the bus words of every lane's body.
    """
    beats = len(tile) // site.bus_words
    if not site.fewest <= header.front <= site.most:
        return _refused(2, 0, header.front, site.fewest, site.most)
    if header.front > beats:
        return _refused(1, 0, 0, 0, 0)
    for width, limit in (
        (header.length_width, _LENGTH),
        (header.rows_width, _ROWS),
        (header.run_width, _RUN),
        (header.value_width, _VALUE),
    ):
        if width > limit:
            return _refused(3, 0, width, 0, limit)
    if header.shortest == 0 and header.length_width > 0:
        return _refused(4, 0, 0, 0, 0)
    bits = HEADER_WORDS * WORD_BITS
    for lane in range(site.lanes):
        bodies[lane] = header.shortest + read_bits(tile, bits, header.length_width)
        bits += header.length_width
    taken = header.front + bodies.sum()
    if taken != beats:
        return _refused(5, 0, taken, 0, beats)
    if -(-bits // WORD_BITS) > header.front * site.bus_words:
        return _refused(6, 0, 0, 0, 0)
    behind = _behind(site)
    for lane in range(site.lanes):
        if bodies[lane] > 0 and behind + bodies[lane] > site.words:
            return _refused(7, lane, behind + bodies[lane], 0, 0)
    return _refused(0, 0, 0, 0, 0)


@kernel
def _behind(site):
    """The bus word of the banks where bodies start."""
    return site.first + (directory_words(site.threads) + site.heads) // site.bus_words


@kernel
def _read_lane(tile, header, site, state, section):
    """Read a lane's numbers, to its directory: a number in every cycle.

    state : (4,) int64, moved on: bits read, loose words of the front that are left, rows of the
        lanes before, cycle. What is wrong with a number shows a cycle later than what is wrong with
        an address.

    Returns the fault, what was found, the most, the cycle, and the words of the lane's tail.
    """
    bits, loose, base, cycle = state
    tail = read_bits(tile, bits, site.tail_width)
    bits += site.tail_width
    if -(-bits // WORD_BITS) > loose:
        return 6, 0, 0, cycle + 1, tail
    cycle += 1
    rows = 0
    for number in range(3 * site.threads):
        thread, kind = number // 3, number % 3
        if kind == 0:
            width, least = header.rows_width, header.least_rows
        elif kind == 1:
            width, least = header.run_width, header.least_run
        else:
            width, least = header.value_width, header.least_value
        length = least + read_bits(tile, bits, width)
        bits += width
        if -(-bits // WORD_BITS) > loose:
            return 6, 0, 0, cycle + 1, tail
        if kind == 0:
            rows = length
            if rows > MAX_SLOT_ROWS:
                return 8, rows, MAX_SLOT_ROWS, cycle + 1, tail
        else:
            if rows == 0:
                length = 0
            if length > MAX_STREAM_BITS:
                return 8, length, MAX_STREAM_BITS, cycle + 1, tail
            word = 2 * thread + kind - 1
            section[word] = (rows if kind == 1 else base & _LOW_ROWS) << STREAM_BITS | length
            at = site.first + word // site.bus_words
            if (word + 1) % site.bus_words == 0 and at >= site.words:
                return 7, at + 1, 0, cycle, tail
            base += rows if kind == 2 else 0
        cycle += 1
    state[0], state[2], state[3] = bits, base, cycle
    return 0, 0, 0, cycle, tail


@kernel
def _read_loose(tile, site, body, state, section, tail):
    """Read a lane's loose words to its section, one in every cycle; (fault, found, cycle)."""
    bits, loose, cycle = state[0], state[1], state[3]
    opening = directory_words(site.threads) + site.heads
    behind = _behind(site)
    for word in range(site.heads + tail):
        if -(-bits // WORD_BITS) >= loose:
            return 6, 0, cycle + 1
        loose -= 1
        at = opening - site.heads + word
        section[at] = tile[loose]
        bank = site.first + at // site.bus_words
        if at < opening and (at + 1) % site.bus_words == 0 and bank >= site.words:
            return 7, bank + 1, cycle
        last = tail > 0 and word == site.heads + tail - 1
        if last and behind + body >= site.words:
            return 7, behind + body + 1, cycle
        cycle += 1
    state[1], state[3] = loose, cycle
    return 0, 0, cycle


@kernel
def _write_banks(tile, front, site, banks, bodies, sections, tails):
    """Put the sections into the banks: openings, bodies, and tails with zeros behind them."""
    opening = directory_words(site.threads) + site.heads
    bus_words = site.bus_words
    beat = front
    for lane in range(site.lanes):
        at = site.first
        for word in range(opening):
            banks[lane, at, word % bus_words] = sections[lane, word]
            at += (word + 1) % bus_words == 0
        for _ in range(bodies[lane]):
            for word in range(bus_words):
                banks[lane, at, word] = tile[beat * bus_words + word]
            beat += 1
            at += 1
        for word in range(bus_words if tails[lane] else 0):
            rest = sections[lane, opening + word] if word < tails[lane] else 0
            banks[lane, at, word] = rest


@kernel
def _deal(tile, banks, site, ends):
    """Verdict of `deal`. ends : (lanes,) int64, set to the ends of the sections."""
    if len(tile) // site.bus_words < site.fewest:
        return _refused(1, 0, 0, 0, 0)
    header = _read_header(tile)
    lanes = site.lanes
    bodies, tails = np.zeros(lanes, np.int64), np.zeros(lanes, np.int64)
    verdict = _judge_beats(tile, header, site, bodies)
    if verdict.fault:
        return verdict
    # Behind the last beat: a number or a word in every cycle.
    opening = directory_words(site.threads) + site.heads
    sections = np.zeros((lanes, opening + site.bus_words - 1), np.uint32)
    state = np.zeros(4, np.int64)
    state[0] = HEADER_WORDS * WORD_BITS + lanes * header.length_width
    state[1], state[3] = header.front * site.bus_words, _END
    for lane in range(lanes):
        fault, found, most, cycle, tails[lane] = _read_lane(
            tile, header, site, state, sections[lane]
        )
        if fault:
            return Verdict(fault, lane, found, 0, most, cycle)
        fault, found, cycle = _read_loose(
            tile, site, bodies[lane], state, sections[lane], tails[lane]
        )
        if fault:
            return Verdict(fault, lane, found, 0, 0, cycle)
        ends[lane] = _behind(site) + bodies[lane] + (tails[lane] > 0)
    _write_banks(tile, header.front, site, banks, bodies, sections, tails)
    return Verdict(0, 0, 0, 0, 0, state[3])


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
    lanes, words, bus_words = banks.shape
    site = Site(
        first=first,
        words=words,
        lanes=lanes,
        threads=threads,
        bus_words=bus_words,
        fewest=least_front(bus_words),
        most=most_front(lanes, threads, bus_words),
        heads=head_words(threads, bus_words),
        tail_width=tail_bits(bus_words),
    )
    ends = np.zeros(lanes, np.int64)
    verdict = _deal(tile, banks, site, ends)
    problem = TILE_FAULTS[verdict.fault].format(**verdict._asdict()) if verdict.fault else ""
    return Dealt(verdict.fault, problem, ends, int(verdict.cycles))

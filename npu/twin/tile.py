"""Deals a tile to the weight banks: what the DMA's dealer makes of `npu.chip.tile`."""

from typing import NamedTuple

import numpy as np

from npu.chip.compiled import directory_words
from npu.chip.tile import (
    HEADER_WORDS,
    LOOK_UP_BEATS,
    checksum,
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
from npu.jit import inner_kernel, kernel
from npu.twin.bus import NEVER, Dealing
from npu.twin.front import TILE_FAULTS, Site, Verdict, judge_header, read_bits, read_header

_LOW_ROWS = MAX_TILE_ROWS - 1

# Arrays of the kernels. What the dealer has done: bits of the fields, loose words that are left,
# rows of the lanes before, lane, cycle, and bus words.
_BITS, _LOOSE, _BASE, _AT, _NOW, _WRITES, _NUMBERS = range(7)
# What is wrong with its numbers: the fault, where, what was found, and the cycle that knows it.
_FAULT, _LANE, _SEEN, _MOST, _CYCLE, _WRONGS = range(6)
# `npu.twin.bus.Dealing`.
_BEHIND, _CYCLES, _WRITTEN, _WRONG, _CROSSED, _WRONG_CYCLE, _COURSE = range(7)


@inner_kernel
def _judge_beats(tile, header, site, bodies, course):
    """What else is wrong with a tile by the time of its last beat.

    bodies : (lanes,) int64, set to the bus words of every lane's body. course : the beats of
    `Dealing` are set.
    """
    bits = HEADER_WORDS * WORD_BITS
    # The beat with which the first length is looked up.
    look = site.fewest - LOOK_UP_BEATS + 2
    for lane in range(site.lanes):
        bodies[lane] = header.shortest + read_bits(tile, bits, header.length_width)
        bits += header.length_width
        if -(-bits // WORD_BITS) > header.front * site.bus_words:
            course[_CROSSED] = min(course[_CROSSED], look + lane)
    last_look = look + site.lanes - 1 if header.shortest > 0 else 0
    course[_BEHIND] = max(header.front - 1, last_look)
    room = max(0, site.words - _behind(site))
    beat = header.front
    for lane in range(site.lanes):
        if bodies[lane] > room:
            course[_WRONG] = min(course[_WRONG], beat + room)
        beat += bodies[lane]
    course[_WRONG] = min(course[_WRONG], beat)
    beats = len(tile) // site.bus_words
    if beat != beats:
        return Verdict(5, 0, beat, 0, beats)
    if course[_CROSSED] < NEVER:
        return Verdict(6, 0, 0, 0, 0)
    for lane in range(site.lanes):
        if bodies[lane] > room:
            return Verdict(7, lane, _behind(site) + bodies[lane], 0, 0)
    return Verdict(0, 0, 0, 0, 0)


@inner_kernel
def _behind(site):
    """The bus word of the banks where bodies start."""
    return site.first + (directory_words(site.threads) + site.heads) // site.bus_words


@inner_kernel
def _found(numbers, wrong, fault, found, most, cycle):
    """Note what is wrong: what is found first is told, what shows first stops the dealer."""
    if wrong[_FAULT] == 0:
        wrong[_FAULT], wrong[_LANE], wrong[_SEEN] = fault, numbers[_AT], found
        wrong[_MOST] = most
    wrong[_CYCLE] = min(wrong[_CYCLE], cycle)


@inner_kernel
def _goes(numbers, writes):
    """A bus word of what is dealt goes in this cycle."""
    writes[numbers[_WRITES]] = numbers[_NOW]
    numbers[_WRITES] += 1


@inner_kernel
def _take(tile, numbers, wrong, width):
    """A field; what is wrong with it, or its number, shows two cycles later."""
    number = read_bits(tile, numbers[_BITS], width)
    numbers[_BITS] += width
    if -(-numbers[_BITS] // WORD_BITS) > numbers[_LOOSE]:
        _found(numbers, wrong, 6, 0, 0, numbers[_NOW] + 2)
    return number


@inner_kernel
def _read_lane(tile, header, site, numbers, wrong, section, writes):
    """Read a lane's numbers, to its directory: a number in every cycle.

    Returns the words of the lane's tail.
    """
    tail = _take(tile, numbers, wrong, site.tail_width)
    numbers[_NOW] += 1
    rows = 0
    for number in range(3 * site.threads):
        thread, kind = number // 3, number % 3
        if numbers[_NOW] >= wrong[_CYCLE]:
            return tail
        if kind == 0:
            rows = header.least_rows + _take(tile, numbers, wrong, header.rows_width)
            if rows > MAX_SLOT_ROWS:
                _found(numbers, wrong, 8, rows, MAX_SLOT_ROWS, numbers[_NOW] + 2)
        else:
            if kind == 1:
                length = header.least_run + _take(tile, numbers, wrong, header.run_width)
            else:
                length = header.least_value + _take(tile, numbers, wrong, header.value_width)
            if rows == 0:
                length = 0
            if length > MAX_STREAM_BITS:
                _found(numbers, wrong, 8, length, MAX_STREAM_BITS, numbers[_NOW] + 2)
            word = 2 * thread + kind - 1
            first = rows if kind == 1 else numbers[_BASE] & _LOW_ROWS
            section[word] = first << STREAM_BITS | (length & MAX_STREAM_BITS)
            if (word + 1) % site.bus_words == 0:
                _goes(numbers, writes)
                at = site.first + word // site.bus_words
                if at >= site.words:
                    _found(numbers, wrong, 7, at + 1, 0, numbers[_NOW] + 1)
            numbers[_BASE] += rows if kind == 2 else 0
        numbers[_NOW] += 1
    return tail


@inner_kernel
def _read_loose(tile, site, body, numbers, wrong, section, writes, tail):
    """Read a lane's loose words to its section, one in every cycle."""
    opening = directory_words(site.threads) + site.heads
    behind = _behind(site)
    for word in range(site.heads + tail):
        if numbers[_NOW] >= wrong[_CYCLE]:
            return
        if -(-numbers[_BITS] // WORD_BITS) >= numbers[_LOOSE]:
            _found(numbers, wrong, 6, 0, 0, numbers[_NOW] + 2)
        numbers[_LOOSE] -= 1
        at = opening - site.heads + word
        section[at] = tile[max(0, numbers[_LOOSE])]
        if at < opening:
            if (at + 1) % site.bus_words == 0:
                _goes(numbers, writes)
                bank = site.first + at // site.bus_words
                if bank >= site.words:
                    _found(numbers, wrong, 7, bank + 1, 0, numbers[_NOW] + 1)
        elif word == site.heads + tail - 1:
            _goes(numbers, writes)
            if behind + body >= site.words:
                _found(numbers, wrong, 7, behind + body + 1, 0, numbers[_NOW] + 1)
        numbers[_NOW] += 1


@inner_kernel
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
def _deal(tile, total, banks, site, sections, ends, writes, course):
    """Verdict of `deal`.

    total : the checksum of the tile's bytes. That it is wrong is known behind the last beat, when
    the dealer is done: it costs no cycle and saves none.
    sections : (lanes, words of opening and tail) uint32, zeroed: the words that are put together.
    ends : (lanes,) int64, set to the ends of the sections. writes, course : set to what
    `npu.twin.bus.Dealing` says of the tile.
    """
    beats = len(tile) // site.bus_words
    if beats < site.fewest:
        return Verdict(1, 0, 0, 0, 0)
    header = read_header(tile)
    verdict = judge_header(header, site)
    if verdict.fault:
        course[_WRONG] = site.fewest - 1
        return verdict
    if header.front > beats:
        return Verdict(1, 0, 0, 0, 0)
    lanes = site.lanes
    bodies, tails = np.zeros(lanes, np.int64), np.zeros(lanes, np.int64)
    verdict = _judge_beats(tile, header, site, bodies, course)
    # Behind the front and the lengths: a number or a word in every cycle.
    numbers, wrong = np.zeros(_NUMBERS, np.int64), np.zeros(_WRONGS, np.int64)
    numbers[_BITS] = HEADER_WORDS * WORD_BITS + lanes * header.length_width
    numbers[_LOOSE] = header.front * site.bus_words
    wrong[_CYCLE] = NEVER
    for lane in range(lanes):
        numbers[_AT] = lane
        tails[lane] = _read_lane(tile, header, site, numbers, wrong, sections[lane], writes)
        _read_loose(tile, site, bodies[lane], numbers, wrong, sections[lane], writes, tails[lane])
        ends[lane] = _behind(site) + bodies[lane] + (tails[lane] > 0)
        if numbers[_NOW] >= wrong[_CYCLE]:
            break
    course[_CYCLES], course[_WRITTEN] = numbers[_NOW], numbers[_WRITES]
    course[_WRONG_CYCLE] = wrong[_CYCLE]
    if verdict.fault:
        return verdict
    if wrong[_FAULT]:
        return Verdict(wrong[_FAULT], wrong[_LANE], wrong[_SEEN], 0, wrong[_MOST])
    if header.checksum != total:
        return Verdict(9, 0, header.checksum, total, 0)
    _write_banks(tile, header.front, site, banks, bodies, sections, tails)
    return Verdict(0, 0, 0, 0, 0)


class Dealt(NamedTuple):
    """What became of a tile.

    Attributes
    ----------
    fault : the first one in words of TILE_FAULTS, 0 if there is none; `problem` says it.
    ends : (lanes,) int64, the ends of the sections in bus words.
    dealing : how the dealer works on it, also on one with a fault.
    """

    fault: int
    problem: str
    ends: np.ndarray
    dealing: Dealing


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
    opening = directory_words(threads) + site.heads
    writes = np.zeros(lanes * (opening // bus_words + 1), np.int64)
    sections = np.zeros((lanes, opening + bus_words - 1), np.uint32)
    course = np.zeros(_COURSE, np.int64)
    for place in (_BEHIND, _WRONG, _CROSSED, _WRONG_CYCLE):
        course[place] = NEVER
    # Compiled once, for tiles of writable memory too.
    tile = tile.view()
    tile.flags.writeable = False
    verdict = _deal(tile, checksum(tile), banks, site, sections, ends, writes, course)
    problem = TILE_FAULTS[verdict.fault].format(**verdict._asdict()) if verdict.fault else ""
    dealing = Dealing(
        behind=int(course[_BEHIND]),
        cycles=int(course[_CYCLES]),
        writes=writes[: course[_WRITTEN]],
        wrong_beat=int(course[_WRONG]),
        crossed_beat=int(course[_CROSSED]),
        wrong_cycle=int(course[_WRONG_CYCLE]),
    )
    return Dealt(verdict.fault, problem, ends, dealing)

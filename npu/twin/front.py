"""The front of a tile: its header, and whether a chip takes it (`npu.chip.tile`)."""

from typing import NamedTuple

import numpy as np

from npu.chip.tile import HEADER, MAX_WIDTHS
from npu.chip.weight_format import WORD_BITS
from npu.jit import inner_kernel

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
    9: "the tile's checksum is {found:#010x}, that of its bytes {least:#010x}",
}

_LENGTH, _ROWS, _RUN, _VALUE = MAX_WIDTHS.values()
_FIRST_BITS = tuple(HEADER[name][0] for name in HEADER)
_FIELD_BITS = tuple(HEADER[name][1] for name in HEADER)


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
    checksum: int


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
    """A fault in words of TILE_FAULTS with its numbers, or 0."""

    fault: int
    lane: int
    found: int
    least: int
    most: int


@inner_kernel
def read_bits(words, bit, width):
    """`width` <= WORD_BITS bits from bit `bit` on, the lowest first; zeros behind the end."""
    index, offset = bit // WORD_BITS, bit % WORD_BITS
    low = np.uint64(words[index]) if index < len(words) else np.uint64(0)
    high = np.uint64(words[index + 1]) if index + 1 < len(words) else np.uint64(0)
    pair = (high << np.uint64(WORD_BITS)) | low
    return np.int64((pair >> np.uint64(offset)) & np.uint64((1 << width) - 1))


@inner_kernel
def read_header(tile):
    # In a loop: `read_bits` would be compiled for each pair of literals.
    found = np.zeros(len(_FIRST_BITS), np.int64)
    for i in range(len(_FIRST_BITS)):
        found[i] = read_bits(tile, _FIRST_BITS[i], _FIELD_BITS[i])
    return Header(
        found[0],
        found[1],
        found[2],
        found[3],
        found[4],
        found[5],
        found[6],
        found[7],
        found[8],
        found[9],
    )


@inner_kernel
def judge_header(header, site):
    """What is wrong with the header, by the time of the shortest front's last beat."""
    if not site.fewest <= header.front <= site.most:
        return Verdict(2, 0, header.front, site.fewest, site.most)
    for width, limit in (
        (header.length_width, _LENGTH),
        (header.rows_width, _ROWS),
        (header.run_width, _RUN),
        (header.value_width, _VALUE),
    ):
        if width > limit:
            return Verdict(3, 0, width, 0, limit)
    if header.shortest == 0 and header.length_width > 0:
        return Verdict(4, 0, 0, 0, 0)
    return Verdict(0, 0, 0, 0, 0)

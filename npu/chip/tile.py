"""Layout of a tile in external memory: what the weight banks get, without padding and packed tight.

In the banks every lane has a *section* (`npu.chip.weight_format`): a directory of two words per
thread, then the bit streams. Outside, the directories are fields of no more bits than the matrix
needs, and sections need not end with a bus word. A tile is

    front     header, fields, zeros, loose words          whole bus words
    bodies    of all lanes, one after the other           whole bus words each

A section is `2 * threads` directory words, `head_words` words of its streams that fill up the last
bus word of the directory, its *body* of whole bus words, and fewer words than a bus word behind it,
its *tail*. Head and tail words are the loose ones: they stand in the front, the first at the
front's end and the others before it, word by word backwards, lane by lane.

The header is a number of HEADER_WORDS * 32 bits, see HEADER. The fields follow it, each from the
lowest bit on, without gaps: for every lane the bus words of its body less `shortest`; then for
every lane the words of its tail (`tail_bits`) and for every thread of it the rows less
`least_rows`, the run bits less `least_run`, and the value bits less `least_value`. A slot without
rows has no bits, whatever its fields say. `front` counts the front's bus words, `least_front` at
least. Bodies are either all empty or none is.

`checksum` is the CRC-32 of IEEE 802.3, as `zlib.crc32` gives it, over all bytes of the tile, front
and bodies, its own word taken as zero: bytes in the order of their addresses, of each the lowest
bit first. So the lowest bit of a bus word is its first, whatever the bus' width.
"""

import zlib

import numpy as np

from npu.chip.weight_format import ROWS_BITS, STREAM_BITS, WORD_BITS, directory_words

HEADER_WORDS = 4
# Time for whoever deals a tile as it comes to look up the first lengths, from the bus word with the
# first fields on: those words, two lengths, and ready.
LOOK_UP_BEATS = 4

HEADER: dict[str, tuple[int, int]] = {
    "shortest": (0, 16),
    "length_width": (16, 5),
    "rows_width": (21, 4),
    "least_rows": (25, 7),
    "least_run": (32, 20),
    "run_width": (52, 5),
    "front": (57, 14),
    "least_value": (71, 20),
    "value_width": (91, 5),
    "checksum": (96, 32),
}
"""First bit and width of the numbers of the header."""

MAX_WIDTHS = {
    "length_width": 16,
    "rows_width": ROWS_BITS,
    "run_width": STREAM_BITS,
    "value_width": STREAM_BITS,
}

# The word of the tile that is the checksum.
CHECKSUM_WORD, _rest = divmod(HEADER["checksum"][0], WORD_BITS)
assert HEADER["checksum"][1] == WORD_BITS and not _rest
assert sum(width for _, width in HEADER.values()) == HEADER_WORDS * WORD_BITS


def header_field(header: int, name: str) -> int:
    """A number of the header."""
    at, width = HEADER[name]
    return header >> at & ((1 << width) - 1)


def checksum(tile: np.ndarray) -> int:
    """What the header's checksum must be.

    tile : (words,) uint32, little-endian and without gaps, the tile as it lies in external memory.
    """
    before = zlib.crc32(tile[:CHECKSUM_WORD].data)
    return zlib.crc32(tile[CHECKSUM_WORD + 1 :].data, zlib.crc32(bytes(WORD_BITS // 8), before))


def tail_bits(bus_words: int) -> int:
    """Bits that count a tail's words; `bus_words`: 32-bit words of a bus word, a power of two."""
    return bus_words.bit_length() - 1


def head_words(threads: int, bus_words: int) -> int:
    """Words of a section's streams that fill up the last bus word of its directory."""
    return -directory_words(threads) % bus_words


def least_front(bus_words: int) -> int:
    """Bus words of the shortest front."""
    return (HEADER_WORDS + 1) // bus_words + 1 + LOOK_UP_BEATS


def most_loose(lanes: int, threads: int, bus_words: int) -> int:
    """Loose words of a tile at most: all tails full."""
    return lanes * (head_words(threads, bus_words) + bus_words - 1)


def most_front(lanes: int, threads: int, bus_words: int) -> int:
    """Bus words of the longest front that a chip takes: fields as wide as can be, all tails."""
    slot = ROWS_BITS + 2 * STREAM_BITS
    fields = lanes * (MAX_WIDTHS["length_width"] + tail_bits(bus_words) + threads * slot)
    words = HEADER_WORDS + -(-fields // WORD_BITS) + most_loose(lanes, threads, bus_words)
    return max(least_front(bus_words), -(-words // bus_words))

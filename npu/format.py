"""Bit layout of the compressed weight format: the one place where its fields are written down.

A matrix (or a tile of its rows) is three things:

- a **matrix block** in parameter memory: one to MAX_SETS sets of two codes (run and value), each
  for its share of the lanes, and the shared scales;
- **row records** in parameter memory, in the order of the slots: bias, destination, scale;
- one **section** per lane in that lane's weight bank: a directory, then the bit streams.

Every nonzero is two symbols, one in the slot's *run* stream and one in its *value* stream. A symbol
is a canonical Huffman code (0 to MAX_CODE_BITS bits, most significant bit first) that selects a
table entry, then `raw_bits` bits taken as they are:

    run   = (entry << raw_bits) + raw
    value = int8(entry + raw)                           (entry is the base, modulo 256)

In external memory a tile is packed tighter: `npu.tile`.

The rows of a slot follow one another like one long row. A run counts the zeros since the previous
nonzero, over the ends of rows: it leads to column `previous + 1 + run` (the previous column of a
slot's first symbol is -1), and a column past the last one of the matrix ends the open row and
counts on in the next. It never skips a row: a row without nonzeros is coded with an explicit
zero-valued weight, as is a run that is longer than the alphabet holds. Behind a slot's last row its
run stream holds one more symbol, the *terminator*: any run that ends the row. It has no value.
Dense matrices spend no bit on runs: their only run takes a code of no bits. Bits fill 32-bit words
from the most significant bit; words are little-endian in memory. All numbers in the structures
below are little-endian.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

VERSION = 3

WORD_BITS = 32
MAX_CODE_BITS = 10
MAX_SYMBOLS = 64
# A slot's stream gets one 32-bit bank word per two decode turns, so 16 bits a symbol can be
# sustained without a stall, whatever the bits are.
MAX_SYMBOL_BITS = 16
MAX_RAW_BITS = 8
ENTRY_BITS = 8
# What the lanes multiply by: an int8 minus a zero point, in two's complement.
ACTIVATION_BITS = 9

# --- section of one lane: directory, then bit streams -------------------------------------------
# Per thread two words: [run_bits : 20 | rows : 12], [value_bits : 20 | row_base : 12], the first
# field in the low bits: the lengths of the slot's streams, its rows and the first one's record. The
# streams follow without gaps in the order run 0, value 0, run 1, value 1, ... A slot without rows
# has streams of no bits.
STREAM_BITS = 20
ROWS_BITS = 12
MAX_STREAM_BITS = (1 << STREAM_BITS) - 1
MAX_SLOT_ROWS = (1 << ROWS_BITS) - 1
MAX_TILE_ROWS = 1 << ROWS_BITS


def directory_words(threads: int) -> int:
    """32-bit words of a section's directory."""
    return 2 * threads


def read_directory(words: np.ndarray, thread: int) -> tuple[int, int, int, int]:
    """(run bits, value bits, rows, row base) of a slot; words : uint32, holds a directory."""
    run = int(np.int64(words[2 * thread]))
    value = int(np.int64(words[2 * thread + 1]))
    return (
        run & MAX_STREAM_BITS,
        value & MAX_STREAM_BITS,
        run >> STREAM_BITS,
        value >> STREAM_BITS,
    )


# --- matrix block -------------------------------------------------------------------------------
# Per set a header, then its run entries and its value entries in canonical order, each padded to
# PARAM_WORD; behind the last set the scales. Bytes of a header: 0..3: run raw bits, run entries,
# value raw bits, value entries; 4..14: run codes of each length 0..10; 15..25: value codes of each
# length; in the first header 26: scales; 27: VERSION; 28: sets; 29..31: reserved, must be zero
# (a zero point of the weights, rows without a code, wider row records). In the other headers 26..31
# are not looked at. Lane l of n decodes with set l * sets // n.
PARAM_WORD = 8
BLOCK_HEADER_BYTES = 32
LENGTHS = MAX_CODE_BITS + 1
RUN_COUNTS_AT = 4
VALUE_COUNTS_AT = RUN_COUNTS_AT + LENGTHS
SCALES_AT = VALUE_COUNTS_AT + LENGTHS
VERSION_AT = SCALES_AT + 1
SETS_AT = VERSION_AT + 1
RESERVED_AT = SETS_AT + 1
MAX_SCALES = 16
MAX_SETS = 4
SETS = (1, 2, 4)

# A scale: int32 multiplier (Q31), int8 shift, three zero bytes.
SCALE_DTYPE = np.dtype({"names": ["multiplier", "shift"], "formats": ["<i4", "i1"], "itemsize": 8})
# A row record: int32 bias, uint16 destination element, uint8 scale index. With per-row scales (a
# block without shared scales) each row record is followed by its own scale.
ROW_DTYPE = np.dtype(
    {"names": ["bias", "destination", "scale"], "formats": ["<i4", "<u2", "u1"], "itemsize": 8}
)
LUT_BYTES = 256


def padded_entries(count: int) -> int:
    """Bytes that `count` one-byte table entries take in a matrix block."""
    return -(-count // PARAM_WORD) * PARAM_WORD


@dataclass(frozen=True, eq=False)
class CodeTable:
    """One canonical, length-limited prefix code with raw low bits.

    Attributes
    ----------
    raw_bits : bits after the code, 0 to 8; longest code + raw_bits <= MAX_SYMBOL_BITS.
    counts : (LENGTHS,) int64, number of codes of each length 0..MAX_CODE_BITS.
    entries : (n,) uint8, table entries in canonical order (by length, then by code).
    """

    raw_bits: int
    counts: np.ndarray
    entries: np.ndarray

    def problem(self) -> str | None:
        """What is wrong with the table, or None: hardware and software refuse the same tables."""
        n = len(self.entries)
        if not 1 <= n <= MAX_SYMBOLS:
            return f"{n} table entries, must be 1 to {MAX_SYMBOLS}"
        counts = np.asarray(self.counts).tolist()
        if len(counts) != LENGTHS or min(counts) < 0 or sum(counts) != n:
            return f"code counts {counts} do not add up to {n} entries"
        kraft = longest = 0
        for length, count in enumerate(counts):
            if count:
                kraft += count << (MAX_CODE_BITS - length)
                longest = length
        if kraft != 1 << MAX_CODE_BITS:
            return f"not a complete prefix code (Kraft sum {kraft}/{1 << MAX_CODE_BITS})"
        if not 0 <= self.raw_bits <= MAX_RAW_BITS or longest + self.raw_bits > MAX_SYMBOL_BITS:
            return f"{longest} code bits + {self.raw_bits} raw bits, at most {MAX_SYMBOL_BITS}"
        return None

    def limits(self) -> np.ndarray:
        """(LENGTHS,) int64: first 10-bit window value that needs a code longer than `length`.

        The code length of a window is the number of limits that are not above it.
        """
        limits = np.zeros(LENGTHS, np.int64)
        code = 0
        for length, count in enumerate(self.counts):
            code += int(count) << (MAX_CODE_BITS - length)
            limits[length] = code
        return limits

    def offsets(self) -> np.ndarray:
        """(LENGTHS,) int64: entry = offsets[length] + (window >> (MAX_CODE_BITS - length))."""
        offsets = np.zeros(LENGTHS, np.int64)
        first_index = 0
        first_code = 0
        for length, count in enumerate(self.counts):
            offsets[length] = first_index - (first_code >> (MAX_CODE_BITS - length))
            first_index += int(count)
            first_code += int(count) << (MAX_CODE_BITS - length)
        return offsets


CodeSet = tuple[CodeTable, CodeTable]
"""The run code and the value code of some lanes."""


def set_of_lane(lane: int, lanes: int, sets: int) -> int:
    """The code set that a lane decodes with."""
    return lane * sets // lanes


def pack_block(sets: Sequence[CodeSet], scales: np.ndarray) -> bytes:
    """Serialise a matrix block. `scales`: (n,) SCALE_DTYPE, n <= MAX_SCALES; 0: one per row."""
    if len(sets) not in SETS:
        raise ValueError(f"{len(sets)} code sets, must be one of {SETS}")
    block = bytearray()
    for number, (run, value) in enumerate(sets):
        header = bytearray(BLOCK_HEADER_BYTES)
        header[0:4] = bytes([run.raw_bits, len(run.entries), value.raw_bits, len(value.entries)])
        header[RUN_COUNTS_AT:VALUE_COUNTS_AT] = bytes(int(c) for c in run.counts)
        header[VALUE_COUNTS_AT:SCALES_AT] = bytes(int(c) for c in value.counts)
        if number == 0:
            header[SCALES_AT] = len(scales)
            header[VERSION_AT] = VERSION
            header[SETS_AT] = len(sets)
        block += header
        for table in (run, value):
            block += bytes(table.entries).ljust(padded_entries(len(table.entries)), b"\0")
    return bytes(block) + scales.astype(SCALE_DTYPE).tobytes()


def set_bytes(run_entries: int, value_entries: int) -> int:
    """Bytes that a code set takes in a matrix block."""
    return BLOCK_HEADER_BYTES + padded_entries(run_entries) + padded_entries(value_entries)


def block_bytes(sets: Sequence[tuple[int, int]], scales: int) -> int:
    """Size of a matrix block; `sets`: run and value entries of each set."""
    return sum(set_bytes(*entries) for entries in sets) + scales * SCALE_DTYPE.itemsize


def block_size(memory: np.ndarray, at: int) -> int:
    """Bytes that the block at `at` of parameter memory (uint8) says it takes, right or wrong."""
    size, sets, scales = 0, 1, 0
    number = 0
    while number < sets:
        head = memory[at + size : at + size + BLOCK_HEADER_BYTES]
        if len(head) < BLOCK_HEADER_BYTES:
            return size + BLOCK_HEADER_BYTES
        if number == 0:
            scales = int(head[SCALES_AT])
            sets = int(head[SETS_AT]) if head[SETS_AT] in SETS else 1
        size += set_bytes(int(head[1]), int(head[3]))
        number += 1
    return size + scales * SCALE_DTYPE.itemsize


def unpack_block(memory: np.ndarray, at: int) -> tuple[tuple[CodeSet, ...], np.ndarray] | str:
    """Read a matrix block from parameter memory (uint8), or say what is wrong with it.

    Returns the code sets and the scales, (n,) SCALE_DTYPE.
    """
    if at % PARAM_WORD or not 0 <= at <= len(memory) - BLOCK_HEADER_BYTES:
        return f"matrix block at {at} lies outside parameter memory"
    head = memory[at : at + BLOCK_HEADER_BYTES]
    n_scales, n_sets = int(head[SCALES_AT]), int(head[SETS_AT])
    if head[VERSION_AT] != VERSION:
        return f"format version {int(head[VERSION_AT])}, this decoder reads version {VERSION}"
    if (reserved := head[RESERVED_AT:]).any():
        return f"reserved bytes {bytes(reserved).hex()} of the matrix block, must be zero"
    if n_scales > MAX_SCALES:
        return f"{n_scales} scales, at most {MAX_SCALES}"
    if n_sets not in SETS:
        return f"{n_sets} code sets, must be one of {SETS}"
    if at + block_size(memory, at) > len(memory):
        return f"matrix block at {at} runs past the end of parameter memory"
    sets = []
    end = at
    for number in range(n_sets):
        head = memory[end : end + BLOCK_HEADER_BYTES]
        n_run, n_value = int(head[1]), int(head[3])
        if max(n_run, n_value) > MAX_SYMBOLS:
            return f"set {number}: {max(n_run, n_value)} table entries, at most {MAX_SYMBOLS}"
        run_at = end + BLOCK_HEADER_BYTES
        value_at = run_at + padded_entries(n_run)
        run = CodeTable(
            int(head[0]),
            head[RUN_COUNTS_AT:VALUE_COUNTS_AT].astype(np.int64),
            memory[run_at : run_at + n_run].copy(),
        )
        value = CodeTable(
            int(head[2]),
            head[VALUE_COUNTS_AT:SCALES_AT].astype(np.int64),
            memory[value_at : value_at + n_value].copy(),
        )
        for kind, table in (("run", run), ("value", value)):
            if problem := table.problem():
                return f"set {number}, {kind} code: {problem}"
        sets.append((run, value))
        end = value_at + padded_entries(n_value)
    scales = memory[end : end + n_scales * SCALE_DTYPE.itemsize].view(SCALE_DTYPE).copy()
    return tuple(sets), scales

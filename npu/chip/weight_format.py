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

In external memory a tile is packed tighter: `npu.chip.tile`.

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

VERSION = 4

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
# PARAM_WORD; behind the last set the scales. Bytes of a header: 0: raw bits of the run code (low
# four bits) and of the value code; 1: run entries and IN_ORDER; 2: value entries; 3..11: run codes
# of each length 1..9; 12..20: value codes of each length; in the first header 21: scales; 22:
# VERSION (low four bits) and sets; 23: reserved, must be zero (a zero point of the weights). In the
# other headers 21..23 are not looked at. All other codes of a table have MAX_CODE_BITS, but a
# single entry has a code of no bits. Run entries that are 0, 1, 2, ... take no bytes: IN_ORDER says
# so. Lane l of n decodes with set l * sets // n.
PARAM_WORD = 8
BLOCK_HEADER_BYTES = 24
LENGTHS = MAX_CODE_BITS + 1
# Lengths whose codes a header counts: 1 to MAX_CODE_BITS - 1.
COUNTED = MAX_CODE_BITS - 1
RAW_BITS_AT, RUN_ENTRIES_AT, VALUE_ENTRIES_AT = 0, 1, 2
IN_ORDER = 0x80
RUN_COUNTS_AT = 3
VALUE_COUNTS_AT = RUN_COUNTS_AT + COUNTED
SCALES_AT = VALUE_COUNTS_AT + COUNTED
VERSION_AT = SCALES_AT + 1
RESERVED_AT = VERSION_AT + 1
assert RESERVED_AT + 1 == BLOCK_HEADER_BYTES
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
        for length, count in enumerate(np.asarray(self.counts).tolist()):
            code += count << (MAX_CODE_BITS - length)
            limits[length] = code
        return limits

    def offsets(self) -> np.ndarray:
        """(LENGTHS,) int64: entry = offsets[length] + (window >> (MAX_CODE_BITS - length))."""
        offsets = np.zeros(LENGTHS, np.int64)
        first_index = 0
        first_code = 0
        for length, count in enumerate(np.asarray(self.counts).tolist()):
            offsets[length] = first_index - (first_code >> (MAX_CODE_BITS - length))
            first_index += count
            first_code += count << (MAX_CODE_BITS - length)
        return offsets


CodeSet = tuple[CodeTable, CodeTable]
"""The run code and the value code of some lanes."""


def set_of_lane(lane: int, lanes: int, sets: int) -> int:
    """The code set that a lane decodes with."""
    return lane * sets // lanes


def all_counts(entries: int, counted: np.ndarray) -> np.ndarray:
    """(LENGTHS,) int64, codes of each length, from what a header says of a table.

    counted : (COUNTED,) codes of lengths 1 to COUNTED. The last is negative for more than entries.
    """
    counts = np.zeros(LENGTHS, np.int64)
    counts[0] = entries == 1
    counts[1 : 1 + COUNTED] = counted
    counts[MAX_CODE_BITS] = entries - counts.sum()
    return counts


def in_order(entries: np.ndarray) -> bool:
    """Whether run entries are 0, 1, 2, ..., which a block need not hold."""
    return np.array_equal(entries, np.arange(len(entries)))


def pack_block(sets: Sequence[CodeSet], scales: np.ndarray) -> bytes:
    """Serialise a matrix block. `scales`: (n,) SCALE_DTYPE, n <= MAX_SCALES; 0: one per row."""
    if len(sets) not in SETS:
        raise ValueError(f"{len(sets)} code sets, must be one of {SETS}")
    block = bytearray()
    for number, (run, value) in enumerate(sets):
        header = bytearray(BLOCK_HEADER_BYTES)
        header[RAW_BITS_AT] = run.raw_bits | value.raw_bits << 4
        header[RUN_ENTRIES_AT] = len(run.entries) | IN_ORDER * in_order(run.entries)
        header[VALUE_ENTRIES_AT] = len(value.entries)
        header[RUN_COUNTS_AT:VALUE_COUNTS_AT] = bytes(int(c) for c in run.counts[1:-1])
        header[VALUE_COUNTS_AT:SCALES_AT] = bytes(int(c) for c in value.counts[1:-1])
        if number == 0:
            header[SCALES_AT] = len(scales)
            header[VERSION_AT] = VERSION | len(sets) << 4
        block += header
        for entries in (b"" if in_order(run.entries) else bytes(run.entries), bytes(value.entries)):
            block += entries.ljust(padded_entries(len(entries)), b"\0")
    # Field by field: what numpy copies of the padding between records is left to chance.
    written = np.zeros(len(scales), SCALE_DTYPE)
    for field in SCALE_DTYPE.names or ():
        written[field] = scales[field]
    return bytes(block) + written.tobytes()


def set_bytes(code_set: CodeSet) -> int:
    """Bytes that a code set takes in a matrix block."""
    run, value = code_set
    run_entries = 0 if in_order(run.entries) else len(run.entries)
    return BLOCK_HEADER_BYTES + padded_entries(run_entries) + padded_entries(len(value.entries))


MAX_BLOCK_BYTES = MAX_SETS * (BLOCK_HEADER_BYTES + 2 * padded_entries(MAX_SYMBOLS))
"""The most that a matrix block takes, its scales apart."""


def record_bytes(scales: int) -> int:
    """Bytes of a row's record: with a scale of its own where the block has none to share."""
    return ROW_DTYPE.itemsize + (0 if scales else SCALE_DTYPE.itemsize)


def block_bytes(sets: Sequence[CodeSet], scales: int) -> int:
    """Size of a matrix block."""
    return sum(map(set_bytes, sets)) + scales * SCALE_DTYPE.itemsize


def _entries(head: np.ndarray) -> tuple[int, int, int]:
    """(run entries, those that the block holds, value entries) as a header says."""
    run, value = int(head[RUN_ENTRIES_AT]), int(head[VALUE_ENTRIES_AT])
    return run % IN_ORDER, 0 if run & IN_ORDER else run, value


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
            sets = int(head[VERSION_AT]) >> 4
            sets = sets if sets in SETS else 1
        _, held, n_value = _entries(head)
        size += BLOCK_HEADER_BYTES + padded_entries(held) + padded_entries(n_value)
        number += 1
    return size + scales * SCALE_DTYPE.itemsize


def unpack_block(memory: np.ndarray, at: int) -> tuple[tuple[CodeSet, ...], np.ndarray] | str:
    """Read a matrix block from parameter memory (uint8), or say what is wrong with it.

    Returns the code sets and the scales, (n,) SCALE_DTYPE.
    """
    if at % PARAM_WORD or not 0 <= at <= len(memory) - BLOCK_HEADER_BYTES:
        return f"matrix block at {at} lies outside parameter memory"
    head = memory[at : at + BLOCK_HEADER_BYTES]
    n_scales = int(head[SCALES_AT])
    n_sets, version = divmod(int(head[VERSION_AT]), 16)
    if version != VERSION:
        return f"format version {version}, this decoder reads version {VERSION}"
    if head[RESERVED_AT]:
        return f"reserved byte {int(head[RESERVED_AT]):#04x} of the matrix block, must be zero"
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
        n_run, held, n_value = _entries(head)
        if max(n_run, n_value) > MAX_SYMBOLS:
            return f"set {number}: {max(n_run, n_value)} table entries, at most {MAX_SYMBOLS}"
        run_at = end + BLOCK_HEADER_BYTES
        value_at = run_at + padded_entries(held)
        run_entries = (
            memory[run_at : run_at + held].copy() if held else np.arange(n_run, dtype="u1")
        )
        run = CodeTable(
            int(head[RAW_BITS_AT]) % 16,
            all_counts(n_run, head[RUN_COUNTS_AT:VALUE_COUNTS_AT]),
            run_entries.astype(np.uint8),
        )
        value = CodeTable(
            int(head[RAW_BITS_AT]) >> 4,
            all_counts(n_value, head[VALUE_COUNTS_AT:SCALES_AT]),
            memory[value_at : value_at + n_value].copy(),
        )
        for kind, table in (("run", run), ("value", value)):
            if problem := table.problem():
                return f"set {number}, {kind} code: {problem}"
        sets.append((run, value))
        end = value_at + padded_entries(n_value)
    scales = memory[end : end + n_scales * SCALE_DTYPE.itemsize].view(SCALE_DTYPE).copy()
    return tuple(sets), scales

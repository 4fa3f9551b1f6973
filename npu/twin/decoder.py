"""One decode step of the compressed weight format, as pure scalar functions.

The cycle-accurate lane runs exactly these. The software decoder looks symbols up in tables instead
(`compiler.codec.reading`); tests and the fuzzer hold the two together. A step looks at a window of
MAX_SYMBOL_BITS bits and has no state; the caller keeps the bit position, checks it against the end
of its stream and advances it by the length that comes back.

The arrays `limits`, `offsets` (LENGTHS,) int64 and `entries` (n,) uint8 come from an
`npu.chip.weight_format.CodeTable` whose `problem()` is None: with such a table no window, whatever
its bits, selects an entry outside the table.
"""

import numpy as np

from npu.chip.weight_format import (
    LENGTHS,
    MAX_CODE_BITS,
    MAX_SYMBOL_BITS,
    WORD_BITS,
)
from npu.jit import inner_kernel

_BELOW_CODE = MAX_SYMBOL_BITS - MAX_CODE_BITS
_WINDOW_MASK = (1 << MAX_SYMBOL_BITS) - 1


@inner_kernel
def peek16(words: np.ndarray, bit: int) -> int:
    """MAX_SYMBOL_BITS bits from position `bit` >= 0; zeros past the end of the array.

    words : (n,) uint32, filled from the most significant bit.
    """
    index = bit // WORD_BITS
    high = np.int64(words[index]) if index < len(words) else np.int64(0)
    low = np.int64(words[index + 1]) if index + 1 < len(words) else np.int64(0)
    # Two words would fill an int64 up to its sign; the lowest 16 bits of `low` can never show.
    pair = (high << (WORD_BITS - MAX_SYMBOL_BITS)) | (low >> MAX_SYMBOL_BITS)
    shift = WORD_BITS - bit % WORD_BITS
    return int((pair >> shift) & _WINDOW_MASK)


@inner_kernel
def symbol_length(window10: int, limits: np.ndarray) -> int:
    """Code length, 0 to MAX_CODE_BITS, of the code at the top of a window of MAX_CODE_BITS bits."""
    length = 0
    for i in range(LENGTHS):
        length += limits[i] <= window10
    return length


@inner_kernel
def _decode(
    words: np.ndarray,
    bit: int,
    limits: np.ndarray,
    offsets: np.ndarray,
    entries: np.ndarray,
    raw_bits: int,
) -> tuple[int, int, int]:
    """(table entry, raw bits, length of both) of the symbol at `bit`."""
    window = peek16(words, bit)
    window10 = window >> _BELOW_CODE
    length = symbol_length(window10, limits)
    entry = int(np.int64(entries[offsets[length] + (window10 >> (MAX_CODE_BITS - length))]))
    total = length + raw_bits
    raw = (window >> (MAX_SYMBOL_BITS - total)) & ((1 << raw_bits) - 1)
    return entry, raw, total


@inner_kernel
def decode_run(
    words: np.ndarray,
    bit: int,
    limits: np.ndarray,
    offsets: np.ndarray,
    entries: np.ndarray,
    raw_bits: int,
) -> tuple[int, int]:
    """(run, bits consumed 0 to MAX_SYMBOL_BITS) of the symbol at `bit`."""
    entry, raw, total = _decode(words, bit, limits, offsets, entries, raw_bits)
    return (entry << raw_bits) + raw, total


@inner_kernel
def decode_value(
    words: np.ndarray,
    bit: int,
    limits: np.ndarray,
    offsets: np.ndarray,
    entries: np.ndarray,
    raw_bits: int,
) -> tuple[int, int]:
    """(weight -128 to 127, bits consumed 0 to MAX_SYMBOL_BITS) of the symbol at `bit`."""
    entry, raw, total = _decode(words, bit, limits, offsets, entries, raw_bits)
    weight = ((entry + raw + 128) & 0xFF) - 128
    return weight, total

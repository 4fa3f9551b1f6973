"""Golomb-Rice codes of limited length, with an escape.

R. F. Rice, "Some practical universal noiseless coding techniques", JPL 79-22 (1979); the limit of
the length is that of M. J. Weinberger, G. Seroussi, G. Sapiro, "The LOCO-I lossless image
compression algorithm", IEEE Trans. Image Processing 9 (2000). Of a number below 256, with the
parameter k: its high part n >> k as so many ones and a zero, then its k low bits; from ESCAPE ones
on no zero but the number in 8 bits. So a symbol takes at most 16 bits, as ours do.
"""

import numpy as np

from compiler.codec.bits import put
from npu.chip.weight_format import MAX_SYMBOL_BITS, WORD_BITS
from npu.jit import kernel

NUMBERS = 256
NUMBER_BITS = 8
ESCAPE = MAX_SYMBOL_BITS - NUMBER_BITS
PARAMETERS = range(NUMBER_BITS)


def to_number(values: np.ndarray) -> np.ndarray:
    """-1, 1, -2, 2 .. -128 as 0, 1, 2, 3 .. 254; 0, which is rare, as 255. Values modulo 256."""
    signed = values.astype(np.uint8).view(np.int8).astype(np.int64)
    return ((signed << 1) ^ (signed >> 7)) - 1 & 0xFF


def by_frequency(values: np.ndarray) -> np.ndarray:
    """(n,) int64: the values that occur, the most frequent first; ties by value."""
    counts = np.bincount(values, minlength=NUMBERS)
    return np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]


@kernel
def symbol_bits(number: int, k: int) -> int:
    """Bits of a number, 0 <= number < NUMBERS."""
    quotient = number >> k
    return quotient + 1 + k if quotient < ESCAPE else ESCAPE + NUMBER_BITS


def best_parameter(numbers: np.ndarray) -> int:
    """The parameter that takes the fewest bits; ties go to the smallest."""
    counts = np.bincount(numbers, minlength=NUMBERS)
    used = np.flatnonzero(counts)
    totals = [sum(int(counts[n]) * symbol_bits(n, k) for n in used) for k in PARAMETERS]
    return int(np.argmin(totals))


@kernel
def encode(numbers: np.ndarray, k: int) -> tuple[np.ndarray, int]:
    """The stream of numbers, as uint32 words with the first bit highest, and its bits."""
    total = 0
    for number in numbers:
        total += symbol_bits(number, k)
    words = np.zeros(total // WORD_BITS + 2, np.uint32)
    bit = 0
    for number in numbers:
        quotient = number >> k
        if quotient < ESCAPE:
            bit = put(words, bit, (2 << quotient) - 2, quotient + 1)
            bit = put(words, bit, number & ((1 << k) - 1), k)
        else:
            bit = put(words, bit, (1 << ESCAPE) - 1, ESCAPE)
            bit = put(words, bit, number, NUMBER_BITS)
    return words, bit


@kernel
def take(words: np.ndarray, bit: int, length: int) -> int:
    """The `length` <= WORD_BITS bits from `bit` on, as a number."""
    taken = 0
    for at in range(bit, bit + length):
        word = np.int64(words[at // WORD_BITS])
        taken = taken << 1 | int(word >> (WORD_BITS - 1 - at % WORD_BITS) & 1)
    return taken


@kernel
def decode(words: np.ndarray, k: int, count: int) -> tuple[np.ndarray, int]:
    """`count` numbers from bit 0 on, and the bits that they took."""
    numbers = np.zeros(count, np.int64)
    bit = 0
    for i in range(count):
        quotient = 0
        while quotient < ESCAPE and take(words, bit + quotient, 1):
            quotient += 1
        if quotient < ESCAPE:
            numbers[i] = quotient << k | take(words, bit + quotient + 1, k)
        else:
            numbers[i] = take(words, bit + ESCAPE, NUMBER_BITS)
        bit += symbol_bits(numbers[i], k) if quotient < ESCAPE else ESCAPE + NUMBER_BITS
    return numbers, bit

"""Tabled asymmetric numeral systems (tANS): an entropy coder of fractional bits by table.

J. Duda, "Asymmetric numeral systems: entropy coding combining speed of Huffman coding with
compression rate of arithmetic coding", arXiv:1311.2540 (2013); how the states are spread is that of
Y. Collet's Finite State Entropy. A symbol is an entry, coded by the states, and raw bits, as in our
tables. A decoder is in one of 2^L states; the state says the entry and how many bits lead to which
next one:

    state = next L bits                                        once per stream
    entry, length, base = table[state]
    state = base + next `length` bits; raw = next `raw_bits` bits

The encoder runs from the last symbol to the first. It starts in state 0, where a decoder must end.
"""

from dataclasses import dataclass

import numpy as np

from compiler.codec.bits import put
from npu.chip.weight_format import MAX_SYMBOL_BITS, WORD_BITS
from npu.jit import kernel
from reports.studies.codecs.rice import take


@kernel
def normalised(counts: np.ndarray, states: int) -> np.ndarray:
    """How many states each symbol gets: the shares that cost the fewest bits, at least one each.

    counts : (n,) int64 >= 0, 1 <= n <= states. Greedy, which is optimal: the gain of a further
    state falls with their number.
    """
    shares = np.ones(len(counts), np.int64)
    for _ in range(states - len(counts)):
        best, most = 0, -1.0
        for i in range(len(counts)):
            gain = counts[i] * np.log2((shares[i] + 1) / shares[i])
            if gain > most:
                best, most = i, gain
        shares[best] += 1
    return shares


@dataclass(frozen=True, eq=False)
class Tables:
    """A tANS code.

    Attributes
    ----------
    state_bits : L; 2^L states.
    raw_bits : behind the bits of the state.
    shares : (n,) int64, states of each symbol, in sum 2^L.
    symbol, length, base : (2^L,) int64, what a state decodes to; length bits are added to base.
    states : (2^L,) int64, the states of symbol 0, 1 and so on, each in the order of their numbers.
    """

    state_bits: int
    raw_bits: int
    shares: np.ndarray
    symbol: np.ndarray
    length: np.ndarray
    base: np.ndarray
    states: np.ndarray


@kernel
def _spread(shares: np.ndarray, state_bits: int) -> tuple[np.ndarray, ...]:
    n_states = 1 << state_bits
    step = (n_states >> 1) + (n_states >> 3) + 3
    symbol = np.zeros(n_states, np.int64)
    length = np.zeros(n_states, np.int64)
    base = np.zeros(n_states, np.int64)
    states = np.zeros(n_states, np.int64)
    at = 0
    for i in range(len(shares)):
        for _ in range(shares[i]):
            symbol[at] = i
            at = (at + step) & (n_states - 1)
    following = shares.copy()
    firsts = np.cumsum(shares) - shares
    for state in range(n_states):
        i = symbol[state]
        number = following[i]
        following[i] += 1
        while number << length[state] < n_states:
            length[state] += 1
        base[state] = (number << length[state]) - n_states
        states[firsts[i] + number - shares[i]] = state
    return symbol, length, base, states


def make_tables(counts: np.ndarray, raw_bits: int, state_bits: int) -> Tables:
    """The code for entries that occur so often, (n,) int64.

    Raises ValueError where a symbol could take more than MAX_SYMBOL_BITS bits.
    """
    if state_bits + raw_bits > MAX_SYMBOL_BITS:
        raise ValueError(f"{state_bits} + {raw_bits} bits, at most {MAX_SYMBOL_BITS}")
    shares = normalised(np.asarray(counts, np.int64), 1 << state_bits)
    return Tables(state_bits, raw_bits, shares, *_spread(shares, state_bits))


def share_bits(shares: np.ndarray) -> int:
    """Bits of the shares in a header, as Elias gamma codes."""
    return int((2 * np.floor(np.log2(shares)).astype(np.int64) + 1).sum())


@kernel
def _encode(
    symbols: np.ndarray,
    raws: np.ndarray,
    state_bits: int,
    raw_bits: int,
    shares: np.ndarray,
    states: np.ndarray,
) -> tuple[np.ndarray, int]:
    n_states = 1 << state_bits
    firsts = np.cumsum(shares) - shares
    codes = np.zeros(len(symbols), np.int64)
    lengths = np.zeros(len(symbols), np.int64)
    x = n_states
    for i in range(len(symbols) - 1, -1, -1):
        share = shares[symbols[i]]
        while x >> lengths[i] >= 2 * share:
            lengths[i] += 1
        codes[i] = x & ((1 << lengths[i]) - 1)
        x = n_states + states[firsts[symbols[i]] + (x >> lengths[i]) - share]
    total = state_bits + lengths.sum() + raw_bits * len(symbols)
    words = np.zeros(total // WORD_BITS + 2, np.uint32)
    bit = put(words, 0, x - n_states, state_bits)
    for i in range(len(symbols)):
        bit = put(words, bit, codes[i], lengths[i])
        bit = put(words, bit, raws[i], raw_bits)
    return words, bit


def encode(tables: Tables, symbols: np.ndarray, raws: np.ndarray) -> tuple[np.ndarray, int]:
    """The stream of symbols and their raw bits, as uint32 words, and its bits; both (n,) int64."""
    return _encode(symbols, raws, tables.state_bits, tables.raw_bits, tables.shares, tables.states)


@kernel
def _decode(
    words: np.ndarray,
    count: int,
    state_bits: int,
    raw_bits: int,
    symbol: np.ndarray,
    length: np.ndarray,
    base: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, int, int]:
    symbols = np.zeros(count, np.int64)
    raws = np.zeros(count, np.int64)
    state = take(words, 0, state_bits)
    bit = state_bits
    for i in range(count):
        symbols[i] = symbol[state]
        n = length[state]
        state = base[state] + take(words, bit, n)
        raws[i] = take(words, bit + n, raw_bits)
        bit += n + raw_bits
    return symbols, raws, bit, state


def decode(tables: Tables, words: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, int]:
    """`count` symbols and their raw bits from bit 0 on, and the bits that they took.

    Raises ValueError where the last state is not the one in which the encoder started.
    """
    symbols, raws, bits, state = _decode(
        words,
        count,
        tables.state_bits,
        tables.raw_bits,
        tables.symbol,
        tables.length,
        tables.base,
    )
    if state != 0:
        raise ValueError(f"a stream ends in state {state}, must be 0")
    return symbols, raws, bits

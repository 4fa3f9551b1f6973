"""Bytes of every candidate on a matrix, from real streams that are decoded again."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from compiler.bench.cases import Case
from compiler.bench.codec import packed
from compiler.codec import Packed, encode
from compiler.codec.reading import RUN, STREAMS
from compiler.codec.symbols import Codewords, fill_codes
from npu.chip.params import ChipParams
from npu.chip.weight_format import (
    MAX_SYMBOL_BITS,
    PARAM_WORD,
    CodeSet,
    CodeTable,
    padded_entries,
    set_bytes,
)
from reports.studies.codecs import rice, tans
from reports.studies.codecs.streams import Streams, flat_table, shares, streams_of, tile_bytes

OURS, LOOKUP, RICE, PALETTE, FIXED = "Huffman", "Huffman, table", "Rice", "Rice, palette", "fixed"
STATE_BITS = (9, 10)
RUN_BITS, VALUE_BITS = 4, 8
# Without code lengths a header holds raw bits and entries of both codes, scales, version, sets.
HEADER_BYTES = PARAM_WORD


def tans_name(state_bits: int) -> str:
    return f"tANS, {1 << state_bits} states"


NAMES = (OURS, LOOKUP, *map(tans_name, STATE_BITS), RICE, PALETTE, FIXED)


@dataclass(frozen=True)
class Size:
    """What a matrix takes.

    Attributes
    ----------
    n_bytes : tables, directories and streams, sections padded to bus words.
    unpadded_bytes : the same without that padding.
    table_bytes : the tables and headers therein.
    """

    n_bytes: int
    unpadded_bytes: int
    table_bytes: int


class RoundTripError(ValueError):
    """A candidate did not give back what was encoded."""


def _slot_bits(numbers: np.ndarray, starts: np.ndarray, k: int) -> list[int]:
    """Bits of the Rice streams of slots, each encoded and decoded."""
    found = []
    for first, end in pairwise(starts):
        words, bits = rice.encode(numbers[first:end], k)
        again, taken = rice.decode(words, k, end - first)
        if taken != bits or not np.array_equal(again, numbers[first:end]):
            raise RoundTripError("a Rice stream")
        found.append(bits)
    return found


def rice_bits(streams: Streams, palette: bool) -> tuple[np.ndarray, int]:
    """(slots, 2) bits of the streams of a code set, and the bytes of its tables."""
    runs, values = streams.symbols
    table_bytes = HEADER_BYTES
    if palette:
        order = rice.by_frequency(values)
        rank = np.zeros(rice.NUMBERS, np.int64)
        rank[order] = np.arange(len(order))
        numbers = rank[values]
        table_bytes += padded_entries(len(order))
    else:
        numbers = rice.to_number(values)
    bits = [
        _slot_bits(each, starts, rice.best_parameter(each))
        for each, starts in zip((runs, numbers), streams.starts, strict=True)
    ]
    return np.array(bits).T, table_bytes


def split(table: CodeTable, kind: str, symbols: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Entries and raw bits of symbols, as our tables split them; (n,) int64 each."""
    is_run = kind == STREAMS[RUN]
    size = max(1, int(symbols.max(initial=0)) + 1) if is_run else 256
    firsts = table.entries.astype(np.int64) << (table.raw_bits if is_run else 0)
    words = Codewords(*np.zeros((2, size), np.int64))
    entries = np.arange(len(firsts))
    fill_codes(firsts, table.raw_bits, entries, 0 * entries, not is_run, words)
    found = words.codes[symbols]
    return found >> table.raw_bits, found & ((1 << table.raw_bits) - 1)


@dataclass(frozen=True, eq=False)
class Coded:
    """Symbols as tANS codes them.

    Attributes
    ----------
    entries, raws : (n,) int64, index of the entry and raw bits of each symbol.
    tables : the code.
    table_bytes : one byte per entry, the shares; each padded as the tables of a matrix block are.
    """

    entries: np.ndarray
    raws: np.ndarray
    tables: tans.Tables

    @property
    def table_bytes(self) -> int:
        shares = self.tables.shares
        return padded_entries(len(shares)) + padded_entries(-(-tans.share_bits(shares) // 8))

    @property
    def ideal_bits(self) -> float:
        """Bits of streams and table, were there nothing at a stream's start and end."""
        shares = self.tables.shares
        counts = np.bincount(self.entries, minlength=len(shares))
        coded = float(counts @ (self.tables.state_bits - np.log2(shares)))
        return coded + self.tables.raw_bits * len(self.raws) + 8 * self.table_bytes


def tans_coded(table: CodeTable, kind: str, symbols: np.ndarray, state_bits: int) -> Coded:
    """The split into entries and raw bits that takes the fewest bits.

    Ours, which is best for a Huffman code of at most 64 entries, or every group of 2^n neighbours
    an entry: the states name an entry, so a decoder does not care how many there are.
    """
    most_raw_bits = MAX_SYMBOL_BITS - state_bits
    choices = []
    if table.raw_bits <= most_raw_bits:
        choices.append((*split(table, kind, symbols), table.raw_bits, len(table.entries)))
    for raw_bits in range(most_raw_bits + 1):
        groups, index = np.unique(symbols >> raw_bits, return_inverse=True)
        if len(groups) <= rice.NUMBERS:
            raws = symbols & ((1 << raw_bits) - 1)
            choices.append((index.astype(np.int64), raws, raw_bits, max(1, len(groups))))
    coded = []
    for entries, raws, raw_bits, count in choices:
        counts = np.bincount(entries, minlength=count)
        coded.append(Coded(entries, raws, tans.make_tables(counts, raw_bits, state_bits)))
    return min(coded, key=lambda each: each.ideal_bits)


def _tans_slot(coded: Coded, first: int, end: int) -> int:
    """Bits of the stream of some symbols, encoded and decoded; none for no symbols."""
    if first == end:
        return 0
    entries, raws = coded.entries[first:end], coded.raws[first:end]
    words, bits = tans.encode(coded.tables, entries, raws)
    again, raws_again, taken = tans.decode(coded.tables, words, end - first)
    if taken != bits or not np.array_equal([again, raws_again], [entries, raws]):
        raise RoundTripError("a tANS stream")
    return bits


def tans_bits(streams: Streams, code_set: CodeSet, state_bits: int) -> tuple[np.ndarray, int]:
    """(slots, 2) bits of the streams of a code set, and the bytes of its tables."""
    table_bytes, found = HEADER_BYTES, []
    for kind, table, symbols, starts in zip(
        STREAMS, code_set, streams.symbols, streams.starts, strict=True
    ):
        coded = tans_coded(table, kind, symbols, state_bits)
        table_bytes += coded.table_bytes
        found.append([_tans_slot(coded, first, end) for first, end in pairwise(starts)])
    return np.array(found).T, table_bytes


def _size(result: Packed, params: ChipParams, parts: Iterable[tuple[np.ndarray, int]]) -> Size:
    """The sum over code sets of (bits of the slots' streams, bytes of the tables)."""
    bits, tables = zip(*parts, strict=True)
    padded, unpadded = tile_bytes(np.concatenate(bits), result, params.bus_bytes)
    table_bytes = sum(tables)
    return Size(table_bytes + padded, table_bytes + unpadded, table_bytes)


@dataclass(frozen=True)
class Found:
    """What all candidates make of a matrix.

    Attributes
    ----------
    sizes : by candidate.
    sets : code sets of our compressed matrix.
    cycles : turns of its longest slot, times the threads: a product of the chip without its start.
    """

    sizes: dict[str, Size]
    sets: int
    cycles: int


def measure(case: Case, params: ChipParams) -> Found:
    """The sizes of all candidates, rows dealt and code sets as in our format.

    Raises ValueError where what is counted for ours is not what our encoder writes, or where a
    stream does not decode to what was encoded.
    """
    result, data = packed(case, params)
    slots = shares(result)
    ours = [streams_of(case.weights, rows, tables) for rows, tables in _with_sets(slots, result)]
    blocks = list(map(set_bytes, result.sets))
    found = {
        OURS: _size(result, params, [(bits, n) for (_, bits), n in zip(ours, blocks, strict=True)])
    }
    if found[OURS].n_bytes != len(data) or not np.array_equal(result.decode(), case.weights):
        raise ValueError(f"{case.name}: {found[OURS].n_bytes} bytes counted, written {len(data)}")
    found[LOOKUP] = found[OURS]
    streams = [each for each, _ in ours]
    for state_bits in STATE_BITS:
        found[tans_name(state_bits)] = _size(
            result,
            params,
            [tans_bits(each, tables, state_bits) for each, tables in _with_sets(streams, result)],
        )
    byte = flat_table(rice.NUMBER_BITS)
    bytewise = [streams_of(case.weights, rows, (byte, byte))[0] for rows in slots]
    for name in (RICE, PALETTE):
        parts = [rice_bits(each, name == PALETTE) for each in bytewise]
        found[name] = _size(result, params, parts)
    flat = (flat_table(RUN_BITS), flat_table(VALUE_BITS))
    _, bits = streams_of(case.weights, [slot for part in slots for slot in part], flat)
    again = encode(case.weights, result.slot_rows, result.lanes, result.threads, [flat])
    if not np.array_equal(again.decode(), case.weights):
        raise RoundTripError(f"{case.name} at fixed length")
    found[FIXED] = _size(result, params, [(bits, HEADER_BYTES)])
    cycles = (int(result.symbols_per_slot.max()) + 1) * params.threads
    return Found(found, len(result.sets), cycles)


def _with_sets(parts: list[Any], result: Packed) -> Iterable[tuple[Any, CodeSet]]:
    """Something of every code set, with the set."""
    return zip(parts, result.sets, strict=True)

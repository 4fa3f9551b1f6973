"""The slots' bit streams, decoded: every row's weights, the turns in which rows end, and faults.

A slot's streams are a world of their own: what is in them, and in which of the slot's turns what is
wrong shows, does not depend on time. When that turn comes is up to `npu.chip.lanes`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from npu.chip.compiled import directory_words, read_directory, set_of_lane
from npu.chip.faults import StreamFault
from npu.chip.lanes import NEVER, Turns
from npu.chip.weight_format import MAX_SYMBOLS, WORD_BITS, CodeTable
from npu.jit import inner_kernel, kernel
from npu.twin.decoder import decode_run, decode_value

# Compiled code sees plain numbers.
_NONE, _OUTSIDE, _OVERRUN, _COLUMN, _LEFTOVER = (
    int(fault)
    for fault in (
        StreamFault.NONE,
        StreamFault.OUTSIDE,
        StreamFault.OVERRUN,
        StreamFault.COLUMN,
        StreamFault.LEFTOVER,
    )
)
_NEVER = NEVER


class Codes(NamedTuple):
    """The run codes or the value codes of all sets, a row each, see `npu.twin.decoder`.

    Attributes
    ----------
    raw_bits : (sets,) int64.
    limits, offsets : (sets, LENGTHS) int64.
    entries : (sets, MAX_SYMBOLS) uint8.
    """

    raw_bits: np.ndarray
    limits: np.ndarray
    offsets: np.ndarray
    entries: np.ndarray

    @classmethod
    def of(cls, tables: Sequence[CodeTable]) -> "Codes":
        """Of tables whose `problem()` is None."""
        entries = np.zeros((len(tables), MAX_SYMBOLS), np.uint8)
        for row, table in zip(entries, tables, strict=True):
            row[: len(table.entries)] = table.entries
        return cls(
            np.array([table.raw_bits for table in tables], np.int64),
            np.stack([table.limits() for table in tables]),
            np.stack([table.offsets() for table in tables]),
            entries,
        )


class Sections(NamedTuple):
    """Where the lanes' sections stand: from 32-bit word `base` of every bank on.

    banks : (lanes, words) uint32.
    """

    banks: np.ndarray
    base: int
    threads: int


class Slots(NamedTuple):
    """What the directories say of the slots, (slots,) int64 each.

    Attributes
    ----------
    starts, run_ends, value_ends : of a slot's streams, in bits of its section.
    rows, records : rows of a slot, and the record of its first one.
    fault, faulty, fault_bit : StreamFault of the first slot that is wrong as a whole, NONE if there
        is none; which slot, and where in its section.
    """

    starts: np.ndarray
    run_ends: np.ndarray
    value_ends: np.ndarray
    rows: np.ndarray
    records: np.ndarray
    fault: int
    faulty: int
    fault_bit: int


class Decoded(NamedTuple):
    """What the streams hold, rows slot by slot.

    Attributes
    ----------
    weights : (rows, columns) int8.
    records : (rows,) int64, the record of every row.
    turns : in which the rows end and faults show.
    faults, fault_bits : (slots,) int64, StreamFault of every slot and where it is in its section.
    symbols : weights decoded, explicit zeros among them.
    """

    weights: np.ndarray
    records: np.ndarray
    turns: Turns
    faults: np.ndarray
    fault_bits: np.ndarray
    symbols: int


@kernel
def locate(sections):
    """Slots: what the directories of Sections say, which lie in the banks."""
    banks, base, threads = sections
    lanes, words = banks.shape
    starts = np.zeros(lanes * threads, np.int64)
    run_ends = np.zeros(lanes * threads, np.int64)
    value_ends = np.zeros(lanes * threads, np.int64)
    rows = np.zeros(lanes * threads, np.int64)
    records = np.zeros(lanes * threads, np.int64)
    fault = faulty = fault_bit = 0
    for lane in range(lanes):
        bit = directory_words(threads) * WORD_BITS
        for thread in range(threads):
            slot = lane * threads + thread
            found = read_directory(banks[lane, base:], thread)
            run_bits, value_bits, rows[slot], records[slot] = found
            starts[slot] = bit
            run_ends[slot] = bit + run_bits
            value_ends[slot] = bit + run_bits + value_bits
            if fault == _NONE and rows[slot] == 0 and run_bits + value_bits > 0:
                fault, faulty, fault_bit = _LEFTOVER, slot, bit
            bit = value_ends[slot]
        if fault == _NONE and bit > (words - base) * WORD_BITS:
            last = lane * threads + threads - 1
            fault, faulty, fault_bit = _OUTSIDE, last, bit
    return Slots(starts, run_ends, value_ends, rows, records, fault, faulty, fault_bit)


@inner_kernel
def _decode_slot(section, streams, run_code, value_code, most_turns, weights, ends):
    """Decode one slot; returns (symbols, fault, its turn, its bit).

    streams : start of the run stream, end of it, end of the value stream.
    run_code, value_code : limits, offsets, entries and raw bits, as `decode_run` takes them.
    most_turns : no more are of interest.
    weights : (rows, columns) int8, zeroed; ends : (rows,) int64.
    """
    run_bit, run_end, value_end = streams
    run_limits, run_offsets, run_entries, run_raw = run_code
    limits, offsets, entries, raw = value_code
    value_bit = run_end
    rows, columns = weights.shape
    column = -1  # of the last symbol
    row = 0
    for turn in range(most_turns):
        run, bits = decode_run(section, run_bit, run_limits, run_offsets, run_entries, run_raw)
        column += 1 + run
        row_end = column >= columns
        if row_end:
            column -= columns
        if run_bit + bits > run_end:
            return turn, _OVERRUN, turn, run_bit
        if column >= columns:
            return turn, _COLUMN, turn, run_bit
        run_bit += bits
        if row_end:
            ends[row] = turn
            row += 1
            if row == rows:
                whole = run_bit == run_end and value_bit == value_end
                return turn, _NONE if whole else _LEFTOVER, _NEVER if whole else turn, run_bit
        weight, bits = decode_value(section, value_bit, limits, offsets, entries, raw)
        if value_bit + bits > value_end:
            return turn, _OVERRUN, turn, value_bit
        value_bit += bits
        weights[row, column] = weight
    return most_turns, _NONE, _NEVER, run_bit


@kernel
def decode(sections, slots, runs, values, columns, most_turns):
    """Decoded: all slots, each until its rows end, a fault shows, or `most_turns` are over.

    sections : Sections; runs, values : Codes; columns : of the matrix, one or more.
    slots : without a fault. Rows behind a fault or `most_turns` end NEVER.
    """
    lanes = sections.banks.shape[0]
    count = len(slots.rows)
    first = np.zeros(count + 1, np.int64)
    for slot in range(count):
        first[slot + 1] = first[slot] + slots.rows[slot]
    weights = np.zeros((first[count], columns), np.int8)
    records = np.zeros(first[count], np.int64)
    ends = np.zeros(first[count], np.int64)
    for row in range(first[count]):
        ends[row] = _NEVER
    turns = np.zeros(count, np.int64)
    for slot in range(count):
        turns[slot] = _NEVER
    faults = np.zeros(count, np.int64)
    bits = np.zeros(count, np.int64)
    symbols = 0
    for slot in range(count):
        if slots.rows[slot] == 0:
            continue
        for row in range(slots.rows[slot]):
            records[first[slot] + row] = slots.records[slot] + row
        lane = slot // sections.threads
        code = set_of_lane(lane, lanes, len(runs.raw_bits))
        found, faults[slot], turns[slot], bits[slot] = _decode_slot(
            sections.banks[lane, sections.base :],
            (slots.starts[slot], slots.run_ends[slot], slots.value_ends[slot]),
            (runs.limits[code], runs.offsets[code], runs.entries[code], runs.raw_bits[code]),
            (
                values.limits[code],
                values.offsets[code],
                values.entries[code],
                values.raw_bits[code],
            ),
            most_turns,
            weights[first[slot] : first[slot + 1]],
            ends[first[slot] : first[slot + 1]],
        )
        symbols += found
    return Decoded(weights, records, Turns(first, ends, turns), faults, bits, symbols)

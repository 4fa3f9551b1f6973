"""A slow model of lanes and requantiser: strings of bits, queues, one cycle after the other.

Written from the docstrings of `npu.chip.lanes` and `npu.chip.weight_format`, sharing only named
latencies.
"""

from collections import deque
from dataclasses import dataclass, field

from npu.chip import timing


def code_strings(table):
    """{code: entry} of a canonical code: equal lengths count up, entries in order."""
    codes, code, entries = {}, 0, iter(table.entries)
    for length, count in enumerate(table.counts):
        code <<= 1 if length else 0
        for _ in range(int(count)):
            codes[f"{code:0{length}b}" if length else ""] = int(next(entries))
            code += 1
    return codes


def read_symbol(bits, codes, raw_bits):
    """(entry, raw, bits used) at the front of `bits`."""
    length = 0
    while bits[:length] not in codes:
        length += 1
    raw = bits[length : length + raw_bits]
    return codes[bits[:length]], int(raw, 2) if raw else 0, length + raw_bits


def slot_turns(words, threads, columns, run, value):
    """Per thread (row base, turns) of one lane's section.

    A turn is (ends the open row, (column, weight)); a slot's last turn has None for the symbol.
    """
    bits = "".join(f"{int(word):032b}" for word in words)[64 * threads :]
    run_codes, value_codes = code_strings(run), code_strings(value)
    slots = []
    for thread in range(threads):
        (run_length, rows), (value_length, base) = (
            (int(word) % 2**20, int(word) // 2**20) for word in words[2 * thread : 2 * thread + 2]
        )
        run_bits, bits = bits[:run_length], bits[run_length:]
        value_bits, bits = bits[:value_length], bits[value_length:]
        # The slot as one long row: the place of a weight says row and column.
        turns, place, ended = [], -1, 0
        while ended < rows:
            entry, raw, used = read_symbol(run_bits, run_codes, run.raw_bits)
            run_bits = run_bits[used:]
            place += 1 + entry * 2**run.raw_bits + raw
            ends = place // columns - ended
            assert ends in (0, 1)
            ended += ends
            symbol = None
            if ended < rows:
                start, raw, used = read_symbol(value_bits, value_codes, value.raw_bits)
                value_bits = value_bits[used:]
                symbol = (place % columns, (start + raw + 128) % 256 - 128)
            turns.append((bool(ends), symbol))
        assert (run_bits, value_bits) == ("", "")
        slots.append((base, turns))
    return slots


@dataclass
class Slot:
    """Turns still to come, and the open row: its record and its symbols so far."""

    record: int
    turns: deque
    row: list = field(default_factory=list)


@dataclass
class Lane:
    """The slots by thread, the pipeline behind the decoder, the result FIFO."""

    threads: list
    pipeline: deque = field(
        default_factory=lambda: deque([None] * timing.LANE_PIPELINE, timing.LANE_PIPELINE)
    )
    fifo: deque = field(default_factory=deque)


@dataclass
class Outcome:
    cycles: int = 0
    symbols: int = 0
    stalled: int = 0
    taken: list = field(default_factory=list)
    """Records in the order in which the requantiser took them, with their symbols."""


def simulate(sections, threads, columns, sets, fifo_depth):
    """Run the lanes of `sections` until the last row is written."""
    lanes = []
    for number, words in enumerate(sections):
        run, value = sets[number * len(sets) // len(sections)]
        slots = slot_turns(words, threads, columns, run, value)
        lanes.append(Lane([Slot(base, deque(turns)) for base, turns in slots]))
    open_rows = sum(ends for lane in lanes for slot in lane.threads for ends, _ in slot.turns)
    outcome = Outcome()
    cycle = first_choice = 0
    while open_rows:
        for lane in lanes:
            if (row := lane.pipeline.popleft()) is not None:
                lane.fifo.append(row)
        occupied = [len(lane.fifo) for lane in lanes]
        for lane, held in zip(lanes, occupied, strict=True):
            finished = None
            slot = lane.threads[cycle % threads]
            if slot.turns:
                if fifo_depth - held < timing.LANE_PIPELINE:
                    outcome.stalled += 1
                else:
                    ends, symbol = slot.turns.popleft()
                    if ends:
                        finished = (slot.record, slot.row)
                        slot.record, slot.row = slot.record + 1, []
                    if symbol is not None:
                        slot.row.append(symbol)
                        outcome.symbols += 1
            lane.pipeline.append(finished)
        if any(occupied):
            rotation = [(first_choice + i) % len(lanes) for i in range(len(lanes))]
            chosen = next(i for i in rotation if occupied[i])
            outcome.taken.append(lanes[chosen].fifo.popleft())
            assert len(lanes[chosen].fifo) <= fifo_depth
            first_choice = chosen + 1
            outcome.cycles = cycle + timing.REQUANTISE + 1
            open_rows -= 1
        cycle += 1
    return outcome

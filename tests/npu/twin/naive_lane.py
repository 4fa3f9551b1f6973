"""A slow model of lanes and requantiser: strings of bits, queues, one cycle after the other.

Written from the docstrings of `npu.twin.lane` and `npu.format`, sharing only named latencies.
"""

from collections import deque
from dataclasses import dataclass, field

from npu import timing

DIRECTORY_BITS = 20


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


def slot_rows(words, threads, columns, run, value):
    """Per thread (row base, [[(column, weight), ...] of every row]) of one lane's section."""
    bits = "".join(f"{int(word):032b}" for word in words)
    starts = [int(word) % 2**DIRECTORY_BITS for word in words[: 2 * threads]]
    starts.append(int(words[2 * threads]))
    run_codes, value_codes = code_strings(run), code_strings(value)
    slots = []
    for thread in range(threads):
        run_bits = bits[starts[2 * thread] : starts[2 * thread + 1]]
        value_bits = bits[starts[2 * thread + 1] : starts[2 * thread + 2]]
        rows = []
        for _ in range(int(words[2 * thread]) >> DIRECTORY_BITS):
            row, column, last = [], 0, False
            while not last:
                entry, raw, used = read_symbol(run_bits, run_codes, run.raw_bits)
                run_bits = run_bits[used:]
                column += (entry % 128) * 2**run.raw_bits + raw
                last = entry >= 128 or column == columns - 1
                base, raw, used = read_symbol(value_bits, value_codes, value.raw_bits)
                value_bits = value_bits[used:]
                row.append((column, (base + raw + 128) % 256 - 128))
                column += 1
            rows.append(row)
        assert (run_bits, value_bits) == ("", "")
        slots.append((int(words[2 * thread + 1]) >> DIRECTORY_BITS, rows))
    return slots


@dataclass
class Lane:
    """Rows still to decode by thread, the pipeline behind the decoder, the result FIFO."""

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


def simulate(sections, threads, columns, run, value, fifo_depth, record_cycles):
    """Run the lanes of `sections` until the last row is written."""
    lanes = []
    for words in sections:
        queues = []
        for base, rows in slot_rows(words, threads, columns, run, value):
            queues.append(deque((base + i, deque(row), row) for i, row in enumerate(rows)))
        lanes.append(Lane(queues))
    open_rows = sum(len(queue) for lane in lanes for queue in lane.threads)
    outcome = Outcome()
    cycle = requantiser_free = first_choice = 0
    while open_rows:
        for lane in lanes:
            if (row := lane.pipeline.popleft()) is not None:
                lane.fifo.append(row)
        occupied = [len(lane.fifo) for lane in lanes]
        for lane, held in zip(lanes, occupied, strict=True):
            finished = None
            queue = lane.threads[cycle % threads]
            if queue:
                if fifo_depth - held < timing.LANE_PIPELINE:
                    outcome.stalled += 1
                else:
                    record, symbols, row = queue[0]
                    symbols.popleft()
                    outcome.symbols += 1
                    if not symbols:
                        queue.popleft()
                        finished = (record, row)
            lane.pipeline.append(finished)
        if cycle >= requantiser_free and any(occupied):
            rotation = [(first_choice + i) % len(lanes) for i in range(len(lanes))]
            chosen = next(i for i in rotation if occupied[i])
            outcome.taken.append(lanes[chosen].fifo.popleft())
            assert len(lanes[chosen].fifo) <= fifo_depth
            first_choice = chosen + 1
            requantiser_free = cycle + record_cycles
            outcome.cycles = cycle + timing.REQUANTISE + 1
            open_rows -= 1
        cycle += 1
    return outcome

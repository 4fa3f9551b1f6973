"""How long the lanes and the requantiser take over a product: their cycles, without a value.

Every lane is a barrel of `threads` rows: in cycle c all lanes give their turn to thread c mod
threads. A turn decodes one run and one value symbol of that thread's streams, moves its column,
multiplies and accumulates. A column past the last one ends the row: LANE_PIPELINE cycles after that
turn the sum so far enters the lane's result FIFO, and the product begins the next row's. The turn
that ends a slot's last row, its terminator, has no product. A turn is skipped while the FIFO could
overflow from rows already in the pipeline. Refilling the bit windows never costs a turn: each
stream gets one 32-bit bank word per two turns, and two symbols take at most 32 bits (see
npu.chip.weight_format.MAX_SYMBOL_BITS).

The requantiser takes one finished row at a time from the lanes in round-robin order, reads its
record (one cycle, two with a scale per row) and writes the element REQUANTISE cycles later.

So all that counts of a stream is in which of its turns its rows end: what the symbols are, and what
the activations, changes no cycle.
"""

from typing import NamedTuple

import numpy as np

from npu.chip import timing
from npu.jit import kernel

_LANE_PIPELINE = timing.LANE_PIPELINE
_REQUANTISE = timing.REQUANTISE

NEVER = 1 << 62
"""A turn that a slot has not, and a limit of cycles that is none."""
ALL_DONE, ENDLESS = -1, -2
"""Of `LaneRun.stopped`, where no slot stopped the lanes."""


class Turns(NamedTuple):
    """In which turns the rows of all slots end, slot by slot; slot = lane * threads + thread.

    Attributes
    ----------
    first : (slots + 1,) int64, number of each slot's first row; the last one counts all rows.
    ends : (rows,) int64, the turn of its slot, from 0, that ends the row; ascending in a slot.
    faults : (slots,) int64, the turn in which the slot turns out to be corrupt, NEVER if it is not.
    """

    first: np.ndarray
    ends: np.ndarray
    faults: np.ndarray


class Barrel(NamedTuple):
    """What the lanes are, and the requantiser behind them.

    Attributes
    ----------
    lanes, threads, result_fifo : of the chip.
    record_cycles : of a row in the requantiser, see `record_cycles`.
    """

    lanes: int
    threads: int
    result_fifo: int
    record_cycles: int


class LaneRun(NamedTuple):
    """What became of the lanes.

    Attributes
    ----------
    cycles : from the first turn to the last write; to the one that stopped them.
    stalled : turns that waited for the requantiser.
    stopped : ALL_DONE, ENDLESS, or the slot that was found corrupt first.
    order : (rows,) int64, the rows by number, as the requantiser took them.
    """

    cycles: int
    stalled: int
    stopped: int
    order: np.ndarray


def record_cycles(per_row: bool) -> int:
    """Cycles of a row in the requantiser; `per_row`: every row has a scale of its own."""
    return 2 if per_row else 1


@kernel
def run_lanes(barrel, turns, most_cycles):
    """A LaneRun: the lanes from their first turn to the last write, or until `most_cycles`.

    The first fault in time stops them; of several in a cycle, that of the lowest lane.

    barrel : Barrel; turns : Turns.
    """
    lanes, threads, depth, row_cycles = barrel
    rows = len(turns.ends)
    row = turns.first[:-1].copy()  # that is open, by slot
    turn = np.zeros(lanes * threads, np.int64)
    waiting = np.zeros((lanes, depth), np.int64)
    arrives = np.zeros((lanes, depth), np.int64)
    head = np.zeros(lanes, np.int64)
    held = np.zeros(lanes, np.int64)  # rows in the FIFO or on their way to it
    arrived = np.zeros(lanes, np.int64)  # rows in the FIFO
    order = np.zeros(rows, np.int64)

    stalled = 0
    decoding = rows
    done = 0
    next_lane = 0
    free_at = 0
    last_write = -1
    cycle = 0
    thread = 0
    while done < rows:
        if cycle >= most_cycles:
            return LaneRun(cycle, stalled, ENDLESS, order)
        for lane in range(lanes):
            while arrived[lane] < held[lane]:
                if arrives[lane, (head[lane] + arrived[lane]) % depth] > cycle:
                    break
                arrived[lane] += 1
        # What the FIFOs hold at the start of the cycle decides about turns and about the
        # requantiser.
        taken = -1
        if cycle >= free_at:
            for i in range(lanes):
                lane = next_lane + i
                if lane >= lanes:
                    lane -= lanes
                if arrived[lane] > 0:
                    taken = lane
                    break
        if decoding > 0:
            for lane in range(lanes):
                slot = lane * threads + thread
                if row[slot] == turns.first[slot + 1]:
                    continue
                if arrived[lane] + _LANE_PIPELINE > depth:
                    stalled += 1
                    continue
                if turn[slot] == turns.faults[slot]:
                    return LaneRun(cycle, stalled, slot, order)
                if turn[slot] == turns.ends[row[slot]]:
                    place = (head[lane] + held[lane]) % depth
                    waiting[lane, place] = row[slot]
                    arrives[lane, place] = cycle + _LANE_PIPELINE
                    held[lane] += 1
                    row[slot] += 1
                    decoding -= 1
                turn[slot] += 1
        if taken >= 0:
            order[done] = waiting[taken, head[taken]]
            done += 1
            head[taken] = (head[taken] + 1) % depth
            held[taken] -= 1
            arrived[taken] -= 1
            next_lane = taken + 1 if taken + 1 < lanes else 0
            free_at = cycle + row_cycles
            last_write = cycle + _REQUANTISE
        cycle += 1
        thread += 1
        if thread == threads:
            thread = 0
    return LaneRun(last_write + 1, stalled, ALL_DONE, order)

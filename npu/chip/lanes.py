"""How long the lanes and the requantiser take over a product: their cycles, without a value.

Every lane is a barrel of `threads` rows: in cycle c all lanes give their turn to thread c mod
threads. A turn decodes one run and one value symbol of that thread's streams, moves its column,
multiplies and accumulates. A column past the last one ends the row: LANE_PIPELINE cycles after that
turn the sum so far enters the lane's result FIFO, and the product begins the next row's. The turn
that ends a slot's last row, its terminator, has no product. A turn is skipped while the FIFO could
overflow from rows already in the pipeline. Refilling the bit windows never costs a turn: each
stream gets one 32-bit bank word per two turns, and two symbols take at most 32 bits (see
npu.chip.weight_format.MAX_SYMBOL_BITS).

The requantiser takes one finished row per cycle from the lanes in round-robin order and writes its
element REQUANTISE cycles later.

The same streams may run at several positions, with another vector at each: lanes begin anew as soon
as all of them have ended their last rows, while the requantiser still works on what they left in
the FIFOs. It knows two positions: none begins while a row of the one before the last is left.
Where rows take sums out of SRAM, none begins before all is written.

So all that counts of a stream is in which of its turns its rows end: what the symbols are, and what
the activations, changes no cycle.
"""

from typing import NamedTuple

import numpy as np

from npu.chip import timing
from npu.jit import inner_kernel, kernel

_LANE_PIPELINE = timing.LANE_PIPELINE
_LANES_IDLE = timing.LANES_IDLE
_POSITION_START = timing.POSITION_START
_ROWS_GONE = timing.ROWS_GONE
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

    def of_slots(self) -> np.ndarray:
        """(slots,) int64, the turns that every slot has."""
        turns = np.zeros(len(self.first) - 1, np.int64)
        filled = np.diff(self.first) > 0
        turns[filled] = self.ends[self.first[1:][filled] - 1] + 1
        return turns


class Barrel(NamedTuple):
    """What the lanes are, and the requantiser behind them.

    Attributes
    ----------
    lanes, threads, result_fifo : of the chip.
    """

    lanes: int
    threads: int
    result_fifo: int


class Repeats(NamedTuple):
    """How often the lanes run over the same streams.

    Attributes
    ----------
    reads : (positions,) int64, cycles that the vector of each takes to load; the first one's has
        loaded before the first turn.
    ahead : a vector loads while the lanes work on the one before, in the copy's other half.
    prime : cycles until the streams are ready again.
    apart : a position begins when the last row of the one before is written: both read SRAM.
    """

    reads: np.ndarray
    ahead: bool
    prime: int
    apart: bool


ONCE = Repeats(np.zeros(1, np.int64), False, 0, False)

TURN, ROW_END, SLOT_END, STALLED = 1, 2, 3, 4
"""What a lane does in a cycle: a product, one that a row ends with, a terminator, or it waits."""


class LaneLog(NamedTuple):
    """What every lane does in every cycle, for whoever wants to look at it.

    Attributes
    ----------
    turns : (lanes, cycles) uint8, by cycle from the first turn on: 0, TURN, ROW_END, SLOT_END or
        STALLED.
    begins : (positions,) int64, the cycle in which the lanes begin to get ready for each position;
        that of the first one is not set.
    """

    turns: np.ndarray
    begins: np.ndarray

    @classmethod
    def of(cls, lanes: int, cycles: int, positions: int) -> "LaneLog":
        return cls(np.zeros((lanes, cycles), np.uint8), np.zeros(positions, np.int64))


class LaneRun(NamedTuple):
    """What became of the lanes.

    Attributes
    ----------
    cycles : from the first turn to the last write; to the one that stopped them.
    stalled : turns that waited for the requantiser.
    stopped : ALL_DONE, ENDLESS, or the slot that was found corrupt first.
    order : (positions * rows,) int64, the rows as the requantiser took them: position * rows + the
        row's number.
    """

    cycles: int
    stalled: int
    stopped: int
    order: np.ndarray


@inner_kernel
def _arrive(cycle, arrives, head, held, arrived):
    """Count the rows that have come to their FIFOs by `cycle`."""
    depth = arrives.shape[1]
    for lane in range(len(held)):
        while arrived[lane] < held[lane]:
            if arrives[lane, (head[lane] + arrived[lane]) % depth] > cycle:
                break
            arrived[lane] += 1


@inner_kernel
def _pick(arrived, first):
    """The lane that the requantiser takes a row from, beginning at lane `first`; -1 for none."""
    lanes = len(arrived)
    for i in range(lanes):
        lane = first + i
        if lane >= lanes:
            lane -= lanes
        if arrived[lane] > 0:
            return lane
    return -1


@inner_kernel
def _may_begin(repeats, position, first_turn, idle_at):
    """The first cycle in which lanes and vector are ready for `position`.

    first_turn : of the position before it; idle_at : when the lanes are through with that.
    """
    vector = first_turn - 1 if repeats.ahead else idle_at
    ready = max(idle_at + repeats.prime, vector + repeats.reads[position])
    return ready + _POSITION_START


@kernel
def run_lanes(barrel, turns, repeats, most_cycles, log=None):
    """A LaneRun: the lanes from their first turn to the last write, or until `most_cycles`.

    The first fault in time stops them; of several in a cycle, that of the lowest lane.

    barrel : Barrel; turns : Turns; repeats : Repeats; log : a LaneLog to fill, of as many cycles.
    """
    lanes, threads, depth = barrel
    rows, positions = len(turns.ends), len(repeats.reads)
    row = turns.first[:-1].copy()  # that is open, by slot
    turn = np.zeros(lanes * threads, np.int64)
    waiting = np.zeros((lanes, depth), np.int64)
    arrives = np.zeros((lanes, depth), np.int64)
    head = np.zeros(lanes, np.int64)
    held = np.zeros(lanes, np.int64)  # rows in the FIFO or on their way to it
    arrived = np.zeros(lanes, np.int64)  # rows in the FIFO
    order = np.zeros(positions * rows, np.int64)
    # Of the positions with even and with odd numbers: rows that are not picked, and the last pick.
    left = np.zeros(2, np.int64)
    last_pick = np.zeros(2, np.int64)
    last_pick[0] = last_pick[1] = -_ROWS_GONE

    stalled = 0
    position = 0
    decoding = left[0] = rows
    done = 0
    # Typed, not literal: what takes them would be compiled for literals as well.
    next_lane = int(np.int64(0))
    cycle = int(np.int64(0))
    first_turn = int(np.int64(0))
    last_write = -1
    thread = 0
    idle_at = 0  # the cycle from which on the lanes may begin anew
    while done < len(order) or position < positions - 1:
        if cycle >= most_cycles:
            return LaneRun(cycle, stalled, ENDLESS, order)
        if decoding == 0 and position < positions - 1:
            before = (position + 1) & 1
            idle_at = max(idle_at, last_write + 1) if repeats.apart else idle_at
            begin = _may_begin(repeats, position + 1, first_turn, idle_at)
            waits = left[0] + left[1] if repeats.apart else left[before]
            gone = waits == 0 and cycle >= last_pick[before] + _ROWS_GONE
            if cycle >= begin and gone:
                position += 1
                if log is not None:
                    log.begins[position] = idle_at
                decoding = left[before] = rows
                # Not as slices: numba would compile what tells shapes that do not fit.
                for slot in range(len(row)):
                    row[slot], turn[slot] = turns.first[slot], 0
                thread = 0
                first_turn = idle_at = cycle
                if rows == 0:
                    continue
        # What the FIFOs hold at the start of the cycle decides about turns and about the
        # requantiser.
        _arrive(cycle, arrives, head, held, arrived)
        taken = _pick(arrived, next_lane)
        if decoding > 0:
            for lane in range(lanes):
                slot = lane * threads + thread
                if row[slot] == turns.first[slot + 1]:
                    continue
                if arrived[lane] + _LANE_PIPELINE > depth:
                    stalled += 1
                    if log is not None:
                        log.turns[lane, cycle] = STALLED
                    continue
                if turn[slot] == turns.faults[slot]:
                    return LaneRun(cycle, stalled, slot, order)
                if log is not None:
                    log.turns[lane, cycle] = TURN
                if turn[slot] == turns.ends[row[slot]]:
                    place = (head[lane] + held[lane]) % depth
                    waiting[lane, place] = position * rows + row[slot]
                    arrives[lane, place] = cycle + _LANE_PIPELINE
                    held[lane] += 1
                    row[slot] += 1
                    if log is not None:
                        last = row[slot] == turns.first[slot + 1]
                        log.turns[lane, cycle] = SLOT_END if last else ROW_END
                    decoding -= 1
                    idle_at = cycle + _LANES_IDLE
                turn[slot] += 1
        if taken >= 0:
            picked = waiting[taken, head[taken]]
            order[done] = picked
            done += 1
            parity = (picked // rows) & 1
            left[parity] -= 1
            last_pick[parity] = cycle
            head[taken] = (head[taken] + 1) % depth
            held[taken] -= 1
            arrived[taken] -= 1
            next_lane = taken + 1 if taken + 1 < lanes else 0
            last_write = cycle + _REQUANTISE
        cycle += 1
        thread += 1
        if thread == threads:
            thread = 0
    return LaneRun(max(last_write + 1, first_turn), stalled, ALL_DONE, order)

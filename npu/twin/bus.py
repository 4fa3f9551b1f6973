"""Cycles of the bus: when a transfer's beats come, from its start and the memory's timing."""

from typing import NamedTuple

import numpy as np

from npu.chip import timing
from npu.chip.memory import WriteOrder
from npu.chip.params import ChipParams
from npu.chip.timing import BURST_BOUNDARY
from npu.jit import inner_kernel, kernel

# When what never happens does; earlier than any cycle.
NEVER = 1 << 60
LONG_AGO = -NEVER


@inner_kernel
def burst_beats(address, left, bus_bytes, longest):
    """Beats of the next burst: at most `longest`, never across a 4 KiB boundary (AXI4, A3.4.1)."""
    to_boundary = (BURST_BOUNDARY - address % BURST_BOUNDARY) // bus_bytes
    return min(left, longest, to_boundary)


class BusTiming(NamedTuple):
    """What of chip and memory decides how long a transfer takes.

    Attributes
    ----------
    bus_bytes, longest, outstanding : of the chip: bytes of a beat, beats of a burst at most, bursts
        that are open at once at most.
    latency, gap : of the memory: cycles to a burst's first beat, cycles from beat to beat.
    """

    bus_bytes: int
    longest: int
    outstanding: int
    latency: int
    gap: int

    @classmethod
    def of(cls, params: ChipParams) -> "BusTiming":
        return cls(
            bus_bytes=params.bus_bytes,
            longest=params.dma_burst_beats,
            outstanding=params.dma_outstanding,
            latency=params.memory_latency_cycles,
            gap=params.memory_cycles_per_beat,
        )


class Dealing(NamedTuple):
    """How the dealer works on a tile, counted from its beats: `npu.twin.tile` finds it.

    Numbers are dealt while bodies come. A bus word of what is dealt takes the banks' port, for
    which a beat waits that has come, and the bus behind it.

    Attributes
    ----------
    behind : the beat behind which the first number is dealt, NEVER if none is.
    cycles : that numbers and loose words take, one after the other.
    writes : (n,) int64, those of them in which a bus word goes.
    wrong_beat, crossed_beat : the first beat that shows that the tile does not fit; the first one
        whose length does, a cycle later. NEVER if none does.
    wrong_cycle : of `cycles`, from which the dealer knows that the tile does not fit.
    """

    behind: int
    cycles: int
    writes: np.ndarray
    wrong_beat: int
    crossed_beat: int
    wrong_cycle: int


NO_TILE = Dealing(NEVER, 0, np.zeros(0, np.int64), NEVER, NEVER, NEVER)

# Columns of a log of reads, a row a beat: when the burst's address is shown and taken (of its first
# beat only, NEVER of others), when the beat is shown and taken, and when the chip has put it away.
SHOWN, ASKED, OFFERED, TAKEN, PUT, READ_LOG = range(6)
# Columns of a log of writes, a row a beat: when the burst is shown, its address taken, this beat
# taken, and the response taken.
BEGUN, ADDRESSED, FILLED, ANSWERED, WRITE_LOG = range(5)


def no_log(beats: int, columns: int) -> np.ndarray:
    """A log of so many beats, for `read_cycles` or `write_cycles` to fill."""
    return np.full((beats, columns), NEVER, np.int64)


# Of the state of reads: the cycles of the last address and of the last beat, the place of the
# oldest of the bursts, and from there on the cycle in which each of the last `outstanding` ended.
_ASKED, _BEAT, _OLDEST, _ENDED = range(4)


def no_reads(outstanding: int) -> np.ndarray:
    """The state of a bus on which nothing was read: what `read_cycles` takes and moves on."""
    state = np.full(_ENDED + outstanding, LONG_AGO, np.int64)
    state[_OLDEST] = 0
    return state


def last_address(state: np.ndarray) -> int:
    """The cycle in which the last address of all reads was taken."""
    return int(state[_ASKED])


def last_beat(state: np.ndarray) -> int:
    """The cycle of the last beat of all reads."""
    return int(state[_BEAT])


@inner_kernel
def next_ready(pattern, cycle):
    """First cycle, not before `cycle`, that the pattern allows."""
    while not pattern[cycle % len(pattern)]:
        cycle += 1
    return cycle


@kernel
def read_cycles(state, first, ready, address, beats, bus, ar, r, dealing, log=None):
    """(cycle of the last beat, cycle in which a tile is dealt, see `timing.DMA_DONE`).

    Addresses follow from cycle `first` on, one per cycle while fewer than `outstanding` bursts are
    open, those of transfers before it too. The memory presents the first beat of a burst `latency`
    cycles after its address was taken, beats at least `gap` cycles apart while bursts are open, in
    order; a beat stays until it is taken. The chip takes none of this transfer before `ready`, then
    one in every cycle, but for a tile's that wait for the banks.

    state : of `no_reads`, moved on. ar, r : bool patterns by cycle modulo length, of when the
    memory takes an address and begins to present a beat. dealing : a tile's. log : `no_log` of
    READ_LOG columns, to fill.
    """
    bus_bytes, longest, outstanding, latency, gap = bus
    ended = state[_ENDED:]
    # When the chip knows that the tile does not fit, and when the first number is dealt.
    failed, dealt_from = NEVER, NEVER
    # The last beat's cycle on the bus, and the one in which the chip has put it away.
    taken, put = state[_BEAT], ready
    beat, write = 0, 0
    asks = first
    while beat < beats:
        burst = burst_beats(address, beats - beat, bus_bytes, longest)
        # The end of a burst is seen by the address channel one cycle later.
        shown = max(asks, ended[state[_OLDEST]] + 1)
        asked = next_ready(ar, shown)
        if log is not None:
            log[beat, SHOWN], log[beat, ASKED] = shown, asked
        asks = asked + 1
        offered = asked + max(latency, 1)
        if asked <= taken:
            offered = max(offered, taken + gap)
        for _ in range(burst):
            shown = next_ready(r, offered)
            taken = max(shown, put)
            if log is not None:
                log[beat, OFFERED], log[beat, TAKEN] = shown, taken
            offered = taken + gap
            put = taken + timing.DMA_BEAT
            # It waits where a bus word goes that was dealt.
            while write < len(dealing.writes) and dealt_from + dealing.writes[write] <= put:
                at = dealt_from + dealing.writes[write]
                if at == put and at < failed:
                    put += 1
                write += 1
            if log is not None:
                log[beat, PUT] = put
            if beat == dealing.behind:
                dealt_from = put + timing.DEAL_START
                failed = min(failed, dealt_from + dealing.wrong_cycle)
            if beat == dealing.wrong_beat:
                failed = min(failed, put + 1)
            if beat == dealing.crossed_beat:
                failed = min(failed, put + 2)
            beat += 1
        ended[state[_OLDEST]] = taken
        state[_OLDEST] = (state[_OLDEST] + 1) % outstanding
        address += burst * bus_bytes
    state[_ASKED], state[_BEAT] = asked, taken
    dealt = dealt_from + dealing.cycles if dealt_from < NEVER else put
    return taken, max(put, min(dealt, failed - 1)) + timing.DEAL_END


@kernel
def write_cycles(start, address, beats, bus, aw, w, b, order, log=None):
    """Cycle of the last write response of a write that starts at `start`.

    Bursts are on offer one after the other, address and first beat from the same cycle on, and
    neither waits for the other. The next one is on offer in the cycle behind that in which the
    later of address and last beat was taken, while fewer than `outstanding` wait for their
    response; else in the cycle behind a response. The memory takes an address when `aw` allows it
    and beats when `w` does, in the `order` of `npu.chip.memory.WriteOrder`, beats at least `gap`
    cycles apart, those of two bursts too unless all responses have gone between them. It responds
    `latency` cycles after it has taken the later of address and last beat, when `b` allows it, in
    order and once a cycle.

    `aw`, `w`, `b`: bool patterns by cycle modulo length. log : `no_log` of WRITE_LOG columns, to
    fill.
    """
    bus_bytes, longest, outstanding, latency, gap = bus
    # Of the last `outstanding` bursts, the oldest at `oldest`.
    responses = np.full(outstanding, LONG_AGO)
    oldest = 0
    begun, answered, rested = start, LONG_AGO, LONG_AGO
    left = beats
    while left > 0:
        burst = burst_beats(address, left, bus_bytes, longest)
        begun = max(begun, responses[oldest] + 1)
        # From when on the memory takes the first beat: a bus that is idle needs no rest.
        takes = max(begun, min(rested, answered + 1))
        addressed = begun
        if order == WriteOrder.TOGETHER:
            addressed = next_ready(aw, max(begun + 1, takes))
        elif order != WriteOrder.DATA_FIRST:
            addressed = next_ready(aw, begun)
        if order == WriteOrder.TOGETHER:
            filled = addressed
        elif order == WriteOrder.ADDRESS_FIRST:
            filled = next_ready(w, max(addressed + 1, takes))
        else:
            filled = next_ready(w, takes)
        first = beats - left
        if log is not None:
            log[first, FILLED] = filled
        for beat in range(first + 1, first + burst):
            filled = next_ready(w, filled + gap)
            if log is not None:
                log[beat, FILLED] = filled
        if order == WriteOrder.DATA_FIRST:
            addressed = next_ready(aw, filled + 1)
        ended = max(addressed, filled)
        answered = next_ready(b, max(ended + latency, answered + 1))
        if log is not None:
            for beat in range(first, first + burst):
                log[beat, BEGUN], log[beat, ADDRESSED] = begun, addressed
                log[beat, ANSWERED] = answered
        responses[oldest] = answered
        oldest = (oldest + 1) % outstanding
        begun, rested = ended + 1, filled + gap
        left -= burst
        address += burst * bus_bytes
    return answered

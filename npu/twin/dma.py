"""DMA engine: transfers one after the other over AXI, each split into bursts.

Nothing else uses the bus, so a transfer's cycles follow from its start, its addresses and the
memory's timing alone, and are computed when it is queued. Compute never waits for the DMA unless a
command says so: banks and parameter memory have a write port of their own, SRAM transfers are
waited for.
"""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from npu.chip import timing
from npu.chip.counters import Counters
from npu.chip.memory import ExternalMemory, WriteOrder
from npu.chip.params import ChipParams
from npu.chip.status import Status
from npu.chip.timing import BURST_BOUNDARY
from npu.errors import MachineError
from npu.jit import kernel

# When a transfer that never has its turn is done.
NEVER = 1 << 60


@kernel
def _burst_beats(address, left, bus_bytes, longest):
    """Beats of the next burst: at most `longest`, never across a 4 KiB boundary (AXI4, A3.4.1)."""
    to_boundary = (BURST_BOUNDARY - address % BURST_BOUNDARY) // bus_bytes
    return min(left, longest, to_boundary)


class BusTiming(NamedTuple):
    """What of chip and memory decides how long a transfer takes.

    Attributes
    ----------
    bus_bytes, longest, outstanding : of the chip: bytes of a beat, beats of a burst at most, bursts
        that are read at once at most.
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


@kernel
def read_cycles(start, address, beats, bus, ar, r):
    """Cycle of the last beat of a read that starts at `start`.

    One address per cycle while fewer than `outstanding` bursts are open; the memory presents the
    first beat of a burst `latency` cycles after its address was taken, beats at least `gap` cycles
    apart while bursts are open, in order. `ar`, `r`: bool patterns by cycle modulo length.
    """
    bus_bytes, longest, outstanding, latency, gap = bus
    ready_at = np.zeros(outstanding, np.int64)
    length = np.zeros(outstanding, np.int64)
    head = 0
    open_bursts = 0
    asked = 0
    got = 0
    in_burst = 0
    last = start - gap
    cycle = start
    while True:
        delivered = False
        if (
            open_bursts > 0
            and cycle >= ready_at[head]
            and cycle - last >= gap
            and r[cycle % len(r)]
        ):
            last = cycle
            got += 1
            in_burst += 1
            delivered = in_burst == length[head]
            if got == beats:
                return cycle
        if asked < beats and open_bursts < outstanding and ar[cycle % len(ar)]:
            tail = (head + open_bursts) % outstanding
            length[tail] = _burst_beats(address, beats - asked, bus_bytes, longest)
            ready_at[tail] = cycle + latency
            address += length[tail] * bus_bytes
            asked += length[tail]
            open_bursts += 1
        if delivered:
            # Seen by the address channel one cycle later.
            in_burst = 0
            head = (head + 1) % outstanding
            open_bursts -= 1
            if open_bursts == 0:
                last = cycle + 1 - gap
        cycle += 1


@kernel
def _next_ready(pattern, cycle):
    """First cycle, not before `cycle`, that the pattern allows."""
    while not pattern[cycle % len(pattern)]:
        cycle += 1
    return cycle


@kernel
def write_cycles(start, address, beats, bus, aw, w, b, order):
    """Cycle of the last write response of a write that starts at `start`.

    Burst by burst: address and first beat are on offer from the same cycle on, and neither waits
    for the other. The memory takes the address when `aw` allows it and beats when `w` does, at
    least `gap` cycles apart, in the `order` of `npu.chip.memory.WriteOrder`; it responds `latency`
    cycles after it has taken the later of address and last beat, when `b` allows it. The next
    burst is on offer in the cycle behind the response. `aw`, `w`, `b`: bool patterns by cycle
    modulo length.
    """
    bus_bytes, longest, _, latency, gap = bus
    cycle = start
    left = beats
    while left > 0:
        burst = _burst_beats(address, left, bus_bytes, longest)
        addressed = cycle
        if order != WriteOrder.DATA_FIRST:
            addressed = _next_ready(aw, cycle + (order == WriteOrder.TOGETHER))
        if order == WriteOrder.TOGETHER:
            filled = addressed
        elif order == WriteOrder.ADDRESS_FIRST:
            filled = _next_ready(w, addressed + 1)
        else:
            filled = _next_ready(w, cycle)
        for _ in range(burst - 1):
            filled = _next_ready(w, filled + gap)
        if order == WriteOrder.DATA_FIRST:
            addressed = _next_ready(aw, filled + 1)
        cycle = _next_ready(b, max(addressed, filled) + latency) + 1
        left -= burst
        address += burst * bus_bytes
    return cycle - 1


class Place(NamedTuple):
    """What a transfer fills: [first, end) of a space, in the units of `npu.chip.isa`."""

    space: str
    first: int
    end: int = NEVER


class Transfer(NamedTuple):
    """A queued transfer: first and last cycle, tag (None: waited for), and what it fills."""

    start: int
    done: int
    tag: int | None = None
    place: Place | None = None


class Failure(NamedTuple):
    """A transfer that failed behind its command: what stops the chip, and where it writes.

    `seen` is the first cycle in which the sequencer can know; anything from the first of `place` on
    may be written.
    """

    seen: int
    error: MachineError
    place: Place


class Dma:
    """The queue of transfers. Cycles are absolute.

    Attributes
    ----------
    transfers : the transfers that may still be open, in order.
    failure : the transfer that failed; nothing starts behind it.
    """

    def __init__(self, params: ChipParams, memory: ExternalMemory, counters: Counters) -> None:
        self.memory = memory
        self.transfers: deque[Transfer] = deque()
        self.failure: Failure | None = None
        self._counters = counters
        self._queue_places = params.dma_queue
        self._bus = BusTiming.of(params)

    def clear(self) -> None:
        """Forget all transfers, and the one that failed."""
        self.transfers.clear()
        self.failure = None

    def look(self, cycle: int) -> None:
        """Raise the error of the transfer that has failed if the sequencer knows it by `cycle`."""
        if self.failure is not None and self.failure.seen <= cycle:
            raise self.failure.error

    def open_at(self, cycle: int) -> deque[Transfer]:
        """Transfers that are not done before `cycle`; forgets the others."""
        # They end in order.
        while self.transfers and self.transfers[0].done < cycle:
            self.transfers.popleft()
        return self.transfers

    def slot_free_at(self, cycle: int) -> int:
        """First cycle, not before `cycle`, in which the queue takes another transfer."""
        waiting = self.open_at(cycle)
        if len(waiting) < self._queue_places:
            return cycle
        return waiting[len(waiting) - self._queue_places].done + 1

    def wait_until(self, cycle: int, tags: int) -> int:
        """First cycle, not before `cycle`, in which no transfer with a tag of the mask is open."""
        ends = [t.done + 1 for t in self.open_at(cycle) if t.tag is not None and tags >> t.tag & 1]
        return max([cycle, *ends])

    def idle_at(self, cycle: int) -> int:
        """First cycle, not before `cycle`, in which no transfer is open."""
        return max([cycle, *(t.done + 1 for t in self.open_at(cycle))])

    def pending(self, cycle: int, wanted: Place) -> bool:
        """Whether a transfer fills part of a place: reading it now is a race."""
        failure = self.failure
        if failure is not None and _meet(failure.place, wanted):
            return True
        return any(
            transfer.place is not None and _meet(transfer.place, wanted)
            for transfer in self.open_at(cycle)
        )

    def require_loaded(self, cycle: int, places: Sequence[Place]) -> None:
        """Raise MachineError, without a status, where one of the places is still being filled."""
        for place in places if self.open_at(cycle) else ():
            if self.pending(cycle, place):
                raise MachineError(
                    f"race: {place.space} {place.first:#x} to {place.end:#x} is still being loaded"
                )

    def read(
        self,
        cycle: int,
        address: int,
        beats: int,
        after: int = 0,
        tag: int | None = None,
        place: Place | None = None,
    ) -> Transfer:
        """Queue a read of `beats` bus words at `cycle`, with work for `after` cycles behind it."""
        start, schedule = self._start(cycle), self.memory.schedule
        if self.failure is not None:
            return self._never(start, tag)
        first = start + timing.DMA_START
        last = read_cycles(first, address, beats, self._bus, schedule.ar, schedule.r)
        self._counters.bytes_read += beats * self._bus.bus_bytes
        return self._queue(start, int(last) + after, tag, place)

    def fail(
        self,
        cycle: int,
        address: int,
        beats: int,
        after: int,
        *,
        tag: int,
        error: MachineError,
        place: Place,
    ) -> None:
        """Queue a tagged read that fails with `error`.

        BUS: its first beat outside memory is answered with an error, which the sequencer sees in
        the next cycle. TILE: it comes whole, and `after` cycles of work behind it the tile is
        judged. `place`: where it may write, to the end.
        """
        bus = error.status is Status.BUS
        if bus:
            beats = max(0, len(self.memory.data) - address) // self._bus.bus_bytes + 1
        transfer = self.read(cycle, address, beats, after, tag=tag)
        if bus:
            self.transfers[-1] = transfer._replace(done=NEVER)
        seen = transfer.done + (1 - timing.DMA_DONE if bus else timing.TILE_JUDGED)
        self.failure = Failure(seen, error, place)

    def write(self, cycle: int, address: int, beats: int) -> Transfer:
        """Queue a write of `beats` bus words at `cycle`."""
        start, schedule = self._start(cycle), self.memory.schedule
        if self.failure is not None:
            return self._never(start)
        last = write_cycles(
            start + timing.DMA_START,
            address,
            beats,
            self._bus,
            schedule.aw,
            schedule.w,
            schedule.b,
            int(schedule.order),
        )
        self._counters.bytes_written += beats * self._bus.bus_bytes
        return self._queue(start, int(last))

    def _never(self, start: int, tag: int | None = None) -> Transfer:
        """Queue what waits behind a transfer that fails: it fills nothing, for it never comes."""
        transfer = Transfer(start, NEVER, tag)
        self.transfers.append(transfer)
        return transfer

    def _start(self, cycle: int) -> int:
        return max(cycle, self.transfers[-1].done + 1) if self.transfers else cycle

    def _queue(
        self, start: int, last: int, tag: int | None = None, place: Place | None = None
    ) -> Transfer:
        transfer = Transfer(start, last + timing.DMA_DONE, tag, place)
        self._counters.transfer_cycles += transfer.done - start + 1
        self.transfers.append(transfer)
        return transfer


def _meet(a: Place, b: Place) -> bool:
    return a.space == b.space and a.first < b.end and b.first < a.end

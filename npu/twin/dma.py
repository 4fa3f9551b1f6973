"""DMA engine: transfers one after the other over AXI, each split into bursts.

Nothing else uses the bus, so a transfer's cycles follow from its start, its addresses and the
memory's timing alone, and are computed when it is queued. Compute never waits for the DMA unless a
command says so: banks and parameter memory have a write port of their own, SRAM transfers are
waited for.
"""

from collections import deque
from typing import Any, NamedTuple

import numpy as np

from npu.chip import timing
from npu.chip.params import ChipParams
from npu.chip.status import Status
from npu.chip.timing import BURST_BOUNDARY
from npu.errors import MachineError
from npu.jit import kernel
from npu.twin.memory import BusSchedule, ExternalMemory, WriteOrder

# When a transfer that never has its turn is done.
NEVER = 1 << 60


@kernel
def _burst_beats(address, left, bus_bytes, longest):
    """Beats of the next burst: at most `longest`, never across a 4 KiB boundary (AXI4, A3.4.1)."""
    to_boundary = (BURST_BOUNDARY - address % BURST_BOUNDARY) // bus_bytes
    return min(left, longest, to_boundary)


@kernel
def read_cycles(start, address, beats, bus_bytes, longest, outstanding, latency, gap, ar, r):
    """Cycle of the last beat of a read that starts at `start`.

    One address per cycle while fewer than `outstanding` bursts are open; the memory presents the
    first beat of a burst `latency` cycles after its address was taken, beats at least `gap` cycles
    apart while bursts are open, in order. `ar`, `r`: bool patterns by cycle modulo length.
    """
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
def write_cycles(start, address, beats, bus_bytes, longest, latency, gap, aw, w, b, order):
    """Cycle of the last write response of a write that starts at `start`.

    Burst by burst: address and first beat are on offer from the same cycle on, and neither waits
    for the other. The memory takes the address when `aw` allows it and beats when `w` does, at
    least `gap` cycles apart, in the `order` of `npu.twin.memory.WriteOrder`; it responds `latency`
    cycles after it has taken the later of address and last beat, when `b` allows it. The next
    burst is on offer in the cycle behind the response. `aw`, `w`, `b`: bool patterns by cycle
    modulo length.
    """
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


class Transfer(NamedTuple):
    """A queued transfer: first and last cycle, tag (None: waited for), and what it fills."""

    start: int
    done: int
    tag: int | None = None
    space: str = ""
    first: int = 0
    end: int = 0


class Failure(NamedTuple):
    """A transfer that failed behind its command: what stops the chip, and where it writes.

    `seen` is the first cycle in which the sequencer can know; from `first` of `space` on anything
    may be written.
    """

    seen: int
    error: MachineError
    space: str
    first: int


class Dma:
    """The queue of transfers. Cycles are absolute.

    Attributes
    ----------
    transfers : the transfers that may still be open, in order.
    failure : the transfer that failed; nothing starts behind it.
    bytes_read, bytes_written, busy_cycles : counters.
    """

    def __init__(self, params: ChipParams, memory: ExternalMemory) -> None:
        self.params = params
        self.memory = memory
        self.transfers: deque[Transfer] = deque()
        self.failure: Failure | None = None
        self.bytes_read = 0
        self.bytes_written = 0
        self.busy_cycles = 0

    def open_at(self, cycle: int) -> deque[Transfer]:
        """Transfers that are not done before `cycle`; forgets the others."""
        # They end in order.
        while self.transfers and self.transfers[0].done < cycle:
            self.transfers.popleft()
        return self.transfers

    def slot_free_at(self, cycle: int) -> int:
        """First cycle, not before `cycle`, in which the queue takes another transfer."""
        waiting = self.open_at(cycle)
        if len(waiting) < self.params.dma_queue:
            return cycle
        return waiting[len(waiting) - self.params.dma_queue].done + 1

    def wait_until(self, cycle: int, tags: int) -> int:
        """First cycle, not before `cycle`, in which no transfer with a tag of the mask is open."""
        ends = [t.done + 1 for t in self.open_at(cycle) if t.tag is not None and tags >> t.tag & 1]
        return max([cycle, *ends])

    def idle_at(self, cycle: int) -> int:
        """First cycle, not before `cycle`, in which no transfer is open."""
        return max([cycle, *(t.done + 1 for t in self.open_at(cycle))])

    def pending(self, cycle: int, space: str, first: int, end: int) -> bool:
        """Whether a transfer fills part of [first, end) of `space`: reading it now is a race."""
        failure = self.failure
        if failure is not None and failure.space == space and failure.first < end:
            return True
        # What waits behind a transfer that fails never comes.
        return any(
            transfer.space == space and transfer.first < end and first < transfer.end
            for transfer in self.open_at(cycle)
            if transfer.done != NEVER
        )

    def read(self, cycle: int, address: int, beats: int, after: int = 0, **target: Any) -> Transfer:
        """Queue a read of `beats` bus words at `cycle`, with work for `after` cycles behind it."""
        p, schedule = self.params, self.memory.schedule
        start = self._start(cycle)
        if self.failure is not None:
            return self._never(start, **target)
        last = read_cycles(
            *(start + timing.DMA_START, address, beats, p.bus_bytes, p.dma_burst_beats),
            *(p.dma_outstanding, p.memory_latency_cycles, p.memory_cycles_per_beat),
            *(schedule.ar, schedule.r),
        )
        self.bytes_read += beats * p.bus_bytes
        return self._queue(start, int(last) + after, **target)

    def fail(
        self,
        cycle: int,
        address: int,
        beats: int,
        after: int,
        *,
        tag: int,
        error: MachineError,
        **place: Any,
    ) -> None:
        """Queue a tagged read that fails with `error`.

        BUS: its first beat outside memory is answered with an error, which the sequencer sees in
        the next cycle. TILE: it comes whole, and `after` cycles of work behind it the tile is
        judged. `place`: `space` and `first` of `Failure`.
        """
        if self.failure is not None:
            self.read(cycle, address, beats, tag=tag)
            return
        bus = error.status is Status.BUS
        if bus:
            beats = max(0, len(self.memory.data) - address) // self.params.bus_bytes + 1
        transfer = self.read(cycle, address, beats, after, tag=tag)
        if bus:
            self.transfers[-1] = transfer._replace(done=NEVER)
        seen = transfer.done + (1 - timing.DMA_DONE if bus else timing.TILE_JUDGED)
        self.failure = Failure(seen, error, **place)

    def write(self, cycle: int, address: int, beats: int, **target: Any) -> Transfer:
        """Queue a write of `beats` bus words at `cycle`."""
        p, schedule = self.params, self.memory.schedule
        start = self._start(cycle)
        if self.failure is not None:
            return self._never(start, **target)
        last = write_cycles(
            *(start + timing.DMA_START, address, beats, p.bus_bytes, p.dma_burst_beats),
            *(p.memory_latency_cycles, p.memory_cycles_per_beat),
            *(schedule.aw, schedule.w, schedule.b, int(schedule.order)),
        )
        self.bytes_written += beats * p.bus_bytes
        return self._queue(start, int(last), **target)

    def _never(self, start: int, **target: Any) -> Transfer:
        transfer = Transfer(start, NEVER, **target)
        self.transfers.append(transfer)
        return transfer

    def _start(self, cycle: int) -> int:
        return max(cycle, self.transfers[-1].done + 1) if self.transfers else cycle

    def _queue(self, start: int, last: int, **target: Any) -> Transfer:
        transfer = Transfer(start, last + timing.DMA_DONE, **target)
        self.busy_cycles += transfer.done - start + 1
        self.transfers.append(transfer)
        return transfer


__all__ = ["BusSchedule", "Dma", "Failure", "Transfer", "read_cycles", "write_cycles"]

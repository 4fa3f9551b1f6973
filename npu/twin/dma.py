"""DMA engine: transfers over AXI in their order, each split into bursts.

A read's addresses follow those of the read before while beats of that are still to come; a write
waits until everything before it is done, and what follows a write for the write. Nothing else uses
the bus, so a transfer's cycles follow from those before it, its addresses and the memory's timing,
and are computed when it is queued. Compute never waits for the DMA unless a
command says so: banks and parameter memory have a write port of their own, SRAM transfers are
waited for.
"""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from npu.chip import timing
from npu.chip.counters import Counters
from npu.chip.memory import ExternalMemory
from npu.chip.params import ChipParams
from npu.chip.status import Status
from npu.errors import MachineError
from npu.twin.bus import (
    LONG_AGO,
    NEVER,
    NO_TILE,
    READ_LOG,
    WRITE_LOG,
    BusTiming,
    Dealing,
    last_address,
    last_beat,
    no_log,
    no_reads,
    read_cycles,
    write_cycles,
)
from npu.twin.probe import Probe, TransferNote


class Place(NamedTuple):
    """What a transfer fills: [first, end) of a space, in the units of `npu.chip.isa`."""

    space: str
    first: int
    end: int = NEVER


class Transfer(NamedTuple):
    """A queued transfer: its turn to ask for beats, its end, tag (None: waited for), and place."""

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

    def __init__(
        self,
        params: ChipParams,
        memory: ExternalMemory,
        counters: Counters,
        probe: Probe | None = None,
    ) -> None:
        self.memory = memory
        self.transfers: deque[Transfer] = deque()
        self.failure: Failure | None = None
        self._counters = counters
        self._probe = probe
        self._queue_places = params.dma_queue
        self._bus = BusTiming.of(params)
        self.clear()

    def clear(self) -> None:
        """Forget all transfers, and the one that failed."""
        self.transfers.clear()
        self.failure = None
        self._reads = no_reads(self._bus.outstanding)
        # When addresses may follow, and when the last transfer was done.
        self._next, self._done = LONG_AGO, LONG_AGO

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
        dealing: Dealing = NO_TILE,
        tag: int | None = None,
        place: Place | None = None,
    ) -> Transfer:
        """Queue a read of `beats` bus words at `cycle`; `dealing` : of a tile."""
        if self.failure is not None:
            return self._never(cycle, tag)
        start, schedule = max(cycle, self._next), self.memory.schedule
        logs = self._logs(beats, READ_LOG)
        last, dealt = read_cycles(
            self._reads,
            start + timing.DMA_START,
            self._done + timing.DMA_NEXT,
            address,
            beats,
            self._bus,
            schedule.ar,
            schedule.r,
            dealing,
            *logs,
        )
        self._next = last_address(self._reads)
        self._counters.bytes_read += beats * self._bus.bus_bytes
        done = int(last if dealing is NO_TILE else dealt) + timing.DMA_DONE
        return self._queue(cycle, Transfer(start, done, tag, place), logs)

    def fail(
        self,
        cycle: int,
        address: int,
        beats: int,
        dealing: Dealing,
        *,
        tag: int,
        error: MachineError,
        place: Place,
    ) -> None:
        """Queue a tagged read that fails with `error`.

        BUS: its first beat outside memory is answered with an error, which the sequencer sees in
        the next cycle. TILE: it comes whole, and is judged once it is dealt. `place`: where it may
        write, to the end.
        """
        bus = error.status is Status.BUS
        if bus:
            beats = self.beats_inside(address) + 1
        transfer = self.read(cycle, address, beats, dealing, tag=tag)
        seen = transfer.done + timing.TILE_JUDGED
        if bus:
            self.transfers[-1] = transfer._replace(done=NEVER)
            seen = last_beat(self._reads) + 1
        self.failure = Failure(seen, error, place)

    def write(self, cycle: int, address: int, beats: int) -> Transfer:
        """Queue a write of `beats` bus words at `cycle`."""
        if self.failure is not None:
            return self._never(cycle)
        start, schedule = max(cycle, self._next, self._done + 1), self.memory.schedule
        logs = self._logs(beats, WRITE_LOG)
        last = write_cycles(
            start + timing.DMA_START,
            address,
            beats,
            self._bus,
            schedule.aw,
            schedule.w,
            schedule.b,
            int(schedule.order),
            *logs,
        )
        self._counters.bytes_written += beats * self._bus.bus_bytes
        self._next = int(last) + timing.DMA_DONE
        return self._queue(cycle, Transfer(start, self._next), logs, writes=True)

    def beats_inside(self, address: int) -> int:
        """Bus words of memory from an address on."""
        return max(0, len(self.memory.data) - address) // self._bus.bus_bytes

    def _never(self, cycle: int, tag: int | None = None) -> Transfer:
        """Queue what waits behind a transfer that fails: it fills nothing, for it never comes."""
        transfer = Transfer(cycle, NEVER, tag)
        self.transfers.append(transfer)
        return transfer

    def _logs(self, beats: int, columns: int) -> tuple[np.ndarray, ...]:
        """A log of beats, nothing where nobody looks: what fills it is compiled for itself."""
        return () if self._probe is None else (no_log(beats, columns),)

    def _queue(
        self,
        cycle: int,
        transfer: Transfer,
        logs: tuple[np.ndarray, ...],
        writes: bool = False,
    ) -> Transfer:
        """Queue a transfer that is there from `cycle` on; logs : of `_logs`, filled."""
        if self._probe is not None:
            note = TransferNote(
                cycle, transfer.start, transfer.done, transfer.tag is None, writes, *logs
            )
            self._probe.transfers.append(note)
        self._counters.transfer_cycles += transfer.done - max(cycle, self._done + 1) + 1
        self._done = transfer.done
        self.transfers.append(transfer)
        return transfer


def _meet(a: Place, b: Place) -> bool:
    return a.space == b.space and a.first < b.end and b.first < a.end

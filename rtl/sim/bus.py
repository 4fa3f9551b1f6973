"""External memory as seen from an AXI4 manager, cycle by cycle, for test benches in Python.

The same timing as `npu.twin.bus`: a read burst's first beat `memory_latency_cycles` after its
address, beats at least `memory_cycles_per_beat` apart while bursts are open, and a `BusSchedule`
over all channels. Of writes one burst is collected at a time, in the schedule's `order`, and stored
when all of it is there, whichever came first; any number of them wait for their response.
Responses come in order, at most one in a cycle, each `memory_latency_cycles` after the later of
its burst's address and last beat, or later. Beats are taken at least `memory_cycles_per_beat`
cycles apart, those of two bursts too while a response is due.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np

from npu.chip.memory import BusSchedule, WriteOrder
from npu.chip.params import ChipParams

OKAY, DECERR = 0, 3


@dataclass
class Inputs:
    """What the memory drives in a cycle."""

    ar_ready: bool = False
    aw_ready: bool = False
    w_ready: bool = False
    r_valid: bool = False
    r_data: int = 0
    r_resp: int = OKAY
    r_last: bool = False
    b_valid: bool = False
    b_resp: int = OKAY


@dataclass
class Outputs:
    """What the manager drives in a cycle: (address, beats) and (data, strobes, last), or None."""

    ar: tuple[int, int] | None = None
    aw: tuple[int, int] | None = None
    w: tuple[int, int, bool] | None = None
    r_ready: bool = True
    b_ready: bool = True


class BusMemory:
    """Memory behind the bus. Call `drive`, then `clock`, once per cycle.

    Attributes
    ----------
    data : (size,) uint8; a beat outside it is answered with DECERR.
    """

    def __init__(
        self, params: ChipParams, data: np.ndarray, schedule: BusSchedule | None = None
    ) -> None:
        self.params = params
        self.data = data
        self.schedule = schedule or BusSchedule()
        self._reads: deque[list[int]] = deque()  # address, beats left, first cycle
        self._next_read = 0
        self._offered = False  # a read beat stays on offer until it is taken
        # Of the write burst that is coming: address and beats, data and strobes of each beat.
        self._address: tuple[int, int] | None = None
        self._beats: list[tuple[int, int]] = []
        self._filled = False
        self._next_write = 0
        self._both_offered = False
        self._responses: deque[tuple[int, int]] = deque()  # first cycle, answer
        self._inputs = Inputs()

    def drive(self, cycle: int) -> Inputs:
        """The memory's side of the bus in `cycle`."""
        s = self.schedule
        inputs = Inputs(
            ar_ready=_at(s.ar, cycle),
            aw_ready=_at(s.aw, cycle) and self._takes_address(cycle),
            w_ready=self._takes_beat(cycle),
        )
        due = bool(self._reads) and cycle >= max(self._reads[0][2], self._next_read)
        if self._offered or (due and _at(s.r, cycle)):
            address, left, _ = self._reads[0]
            inputs.r_valid, inputs.r_last = True, left == 1
            if address + self.params.bus_bytes <= len(self.data):
                beat = self.data[address : address + self.params.bus_bytes]
                inputs.r_data = int.from_bytes(beat.tobytes(), "little")
            else:
                inputs.r_resp = DECERR
        if self._responses and cycle >= self._responses[0][0] and _at(s.b, cycle):
            inputs.b_valid, inputs.b_resp = True, self._responses[0][1]
        self._inputs = inputs
        return inputs

    def _takes_address(self, cycle: int) -> bool:
        """Whether a write's address may come now, as far as the order goes."""
        if self._address is not None:
            return False
        return {
            WriteOrder.EITHER: True,
            WriteOrder.ADDRESS_FIRST: True,
            WriteOrder.DATA_FIRST: self._filled,
            WriteOrder.TOGETHER: self._both_offered and cycle >= self._next_write,
        }[self.schedule.order]

    def _takes_beat(self, cycle: int) -> bool:
        s = self.schedule
        if self._filled or cycle < self._next_write:
            return False
        if s.order == WriteOrder.TOGETHER and not self._beats:
            return self._takes_address(cycle) and _at(s.aw, cycle)
        waits = s.order == WriteOrder.ADDRESS_FIRST and self._address is None
        return _at(s.w, cycle) and not waits

    def clock(self, cycle: int, outputs: Outputs) -> None:
        """The end of `cycle`: take the handshakes."""
        p, inputs = self.params, self._inputs
        self._offered = inputs.r_valid and not outputs.r_ready
        if inputs.r_valid and outputs.r_ready:
            self._next_read = cycle + p.memory_cycles_per_beat
            self._reads[0][0] += p.bus_bytes
            self._reads[0][1] -= 1
            if self._reads[0][1] == 0:
                self._reads.popleft()
        if inputs.ar_ready and outputs.ar is not None:
            address, beats = outputs.ar
            self._reads.append([address, beats, cycle + p.memory_latency_cycles])
        if not self._reads:
            self._next_read = 0
        if inputs.b_valid and outputs.b_ready:
            self._responses.popleft()
        if inputs.w_ready and outputs.w is not None:
            self._beats.append(outputs.w[:2])
            self._next_write = cycle + p.memory_cycles_per_beat
            self._filled = outputs.w[2]
        if inputs.aw_ready and outputs.aw is not None:
            self._address = outputs.aw
        self._both_offered = outputs.aw is not None and outputs.w is not None
        if self._address is not None and self._filled:
            answer = self._store(self._address[0])
            self._responses.append((cycle + p.memory_latency_cycles, answer))
            self._address, self._beats, self._filled = None, [], False
            self._both_offered = False  # what is seen on offer from now on is the next burst
        if not (self._responses or self._beats):
            self._next_write = 0

    def _store(self, address: int) -> int:
        """Write the burst's beats; returns the answer."""
        answer, width = OKAY, self.params.bus_bytes
        for word, strobes in self._beats:
            if address + width > len(self.data):
                answer = DECERR
            else:
                for lane in range(width):
                    if strobes >> lane & 1:
                        self.data[address + lane] = word >> 8 * lane & 0xFF
            address += width
        return answer


def _at(pattern: np.ndarray, cycle: int) -> bool:
    return bool(pattern[cycle % len(pattern)])


# Cycles that one of a write burst's channels may stay silent while the other waits to be taken.
PATIENCE = 4


class BusRules:
    """Asserts AXI4's rules (ARM IHI 0022) on both sides of the bus, from the handshakes alone.

    Of the manager: what is offered stays until it is taken (A3.2.1); aligned bursts that are not
    too long and do not cross 4 KiB (A3.4.1); `last` where the burst's address says, whichever of
    address and data comes first, bursts of data in the order of their addresses; no more than
    `dma_outstanding` write bursts without a response, the one on offer among them (this chip's);
    neither AWVALID nor WVALID waits for the other channel's ready (A3.3.1): where one is on offer
    and not taken, the other is on offer within PATIENCE cycles, unless it has been taken.
    Of the subordinate: what it offers stays until it is taken (A3.2.1); a response only behind the
    burst's address and its last beat (A3.3.1), read beats only for an address that was taken, as
    many as it asks for.

    Call `check` once per cycle with the memory's inputs.
    """

    def __init__(self, params: ChipParams) -> None:
        self.params = params
        self._held: dict[str, object] = {}
        # Bursts whose other half is still to come: beats of addresses, beats of ended data.
        self._addresses: deque[int] = deque()
        self._ended: deque[int] = deque()
        self._beats = 0  # of the data burst that is coming
        self._unanswered = 0
        self._reads: deque[int] = deque()
        self._silent = {"aw": 0, "w": 0}
        # Of the subordinate's offers, those that the manager has not taken.
        self._r: tuple[int, int, bool] | None = None

    def check(self, inputs: Inputs, outputs: Outputs) -> None:
        """Raises AssertionError that names the channel and the rule."""
        for name, taken in (("aw", self._addresses), ("w", self._ended)):
            if getattr(outputs, name) is not None:
                waiting = self._unanswered + len(taken)
                most = self.params.dma_outstanding
                assert waiting < most, f"{name}: {waiting} write bursts are open, {most} may be"
        # What is answered in this cycle was taken in an earlier one.
        self._answers(inputs, outputs)
        for name, ready in (
            ("ar", inputs.ar_ready),
            ("aw", inputs.aw_ready),
            ("w", inputs.w_ready),
        ):
            now = getattr(outputs, name)
            held = self._held.pop(name, None)
            assert held is None or now == held, f"{name}: {held} became {now} before it was taken"
            if now is not None and not ready:
                self._held[name] = now
        for name in ("ar", "aw"):
            if (request := getattr(outputs, name)) is not None:
                self._burst(name, *request)
        self._waits(outputs)
        if outputs.ar is not None and inputs.ar_ready:
            self._reads.append(outputs.ar[1])
        if outputs.aw is not None and inputs.aw_ready:
            self._addresses.append(outputs.aw[1])
        if outputs.w is not None and inputs.w_ready:
            self._beats += 1
            last = outputs.w[2]
            if self._addresses and not self._ended:
                assert last == (self._beats == self._addresses[0]), (
                    "w: `last` does not fit the burst"
                )
            if last:
                self._ended.append(self._beats)
                self._beats = 0
        while self._addresses and self._ended:
            said, came = self._addresses.popleft(), self._ended.popleft()
            assert said == came, f"w: {came} beats up to `last`, the address says {said}"
            self._unanswered += 1
        if self._addresses and self._beats:
            assert self._beats < self._addresses[0], "w: no `last` at the burst's end"

    def _waits(self, outputs: Outputs) -> None:
        """Count the cycles in which one channel waits to be taken and the other offers nothing."""
        missing = {
            "w": outputs.aw is not None and outputs.w is None and not self._ended,
            "aw": outputs.w is not None and outputs.aw is None and not self._addresses,
        }
        for name, other in (("w", "aw"), ("aw", "w")):
            self._silent[name] = self._silent[name] + 1 if missing[name] else 0
            assert self._silent[name] <= PATIENCE, f"{name}: waits for {other}ready (A3.3.1)"

    def _answers(self, inputs: Inputs, outputs: Outputs) -> None:
        if inputs.b_valid:
            assert self._unanswered, "b: a response before address and last beat"
            self._unanswered -= outputs.b_ready
        beat = (inputs.r_data, inputs.r_resp, inputs.r_last) if inputs.r_valid else None
        assert self._r in (None, beat), f"r: {self._r} became {beat} before it was taken"
        self._r = None if outputs.r_ready else beat
        if inputs.r_valid:
            assert self._reads, "r: a beat that nobody asked for"
            assert inputs.r_last == (self._reads[0] == 1), "r: `last` does not fit the burst"
            if outputs.r_ready:
                self._reads[0] -= 1
                if not self._reads[0]:
                    self._reads.popleft()

    def _burst(self, name: str, address: int, beats: int) -> None:
        p = self.params
        end = address + beats * p.bus_bytes - 1
        assert address % p.bus_bytes == 0, f"{name}: address {address:#x} is not aligned"
        assert 1 <= beats <= p.dma_burst_beats, f"{name}: a burst of {beats} beats"
        assert address // 4096 == end // 4096, f"{name}: {address:#x}..{end:#x} crosses 4 KiB"

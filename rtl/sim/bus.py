"""External memory as seen from an AXI4 manager, cycle by cycle, for test benches in Python.

The same timing as `npu.twin.dma`: a read burst's first beat `memory_latency_cycles` after its
address, beats at least `memory_cycles_per_beat` apart while bursts are open, the write response
`memory_latency_cycles` after the last beat, and a `BusSchedule` over all channels.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np

from npu.params import ChipParams
from npu.twin.memory import BusSchedule

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
        self._write: list[int] | None = None  # address, beats left
        self._next_write = 0
        self._response: tuple[int, int] | None = None  # first cycle, answer
        self._answer = OKAY
        self._inputs = Inputs()

    def drive(self, cycle: int) -> Inputs:
        """The memory's side of the bus in `cycle`."""
        s = self.schedule
        inputs = Inputs(
            ar_ready=_at(s.ar, cycle),
            aw_ready=_at(s.aw, cycle) and self._write is None and self._response is None,
            w_ready=_at(s.w, cycle) and self._write is not None and cycle >= self._next_write,
        )
        if self._reads and cycle >= max(self._reads[0][2], self._next_read) and _at(s.r, cycle):
            address, left, _ = self._reads[0]
            inputs.r_valid, inputs.r_last = True, left == 1
            if address + self.params.bus_bytes <= len(self.data):
                beat = self.data[address : address + self.params.bus_bytes]
                inputs.r_data = int.from_bytes(beat.tobytes(), "little")
            else:
                inputs.r_resp = DECERR
        if self._response is not None and cycle >= self._response[0] and _at(s.b, cycle):
            inputs.b_valid, inputs.b_resp = True, self._response[1]
        self._inputs = inputs
        return inputs

    def clock(self, cycle: int, outputs: Outputs) -> None:
        """The end of `cycle`: take the handshakes."""
        p, inputs = self.params, self._inputs
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
            self._response = None
        if inputs.w_ready and outputs.w is not None and self._write is not None:
            self._store(self._write[0], *outputs.w[:2])
            self._next_write = cycle + p.memory_cycles_per_beat
            self._write[0] += p.bus_bytes
            self._write[1] -= 1
            if self._write[1] == 0:
                self._write = None
                self._response = (cycle + p.memory_latency_cycles, self._answer)
        if inputs.aw_ready and outputs.aw is not None:
            self._write, self._answer, self._next_write = list(outputs.aw), OKAY, 0

    def _store(self, address: int, word: int, strobes: int) -> None:
        if address + self.params.bus_bytes > len(self.data):
            self._answer = DECERR
            return
        for lane in range(self.params.bus_bytes):
            if strobes >> lane & 1:
                self.data[address + lane] = word >> 8 * lane & 0xFF


def _at(pattern: np.ndarray, cycle: int) -> bool:
    return bool(pattern[cycle % len(pattern)])


class BusRules:
    """Asserts AXI4's rules on what a manager drives: stable until taken, 4 KiB, burst lengths.

    Call `check` once per cycle with the memory's inputs.
    """

    def __init__(self, params: ChipParams) -> None:
        self.params = params
        self._held: dict[str, object] = {}
        self._left: deque[int] = deque()

    def check(self, inputs: Inputs, outputs: Outputs) -> None:
        """Raises AssertionError that names the channel and the rule."""
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
        if outputs.aw is not None and inputs.aw_ready:
            self._left.append(outputs.aw[1])
        if outputs.w is not None and inputs.w_ready:
            assert self._left, "w: a beat before its address"
            self._left[0] -= 1
            assert outputs.w[2] == (self._left[0] == 0), "w: `last` does not fit the burst"
            if self._left[0] == 0:
                self._left.popleft()

    def _burst(self, name: str, address: int, beats: int) -> None:
        p = self.params
        end = address + beats * p.bus_bytes - 1
        assert address % p.bus_bytes == 0, f"{name}: address {address:#x} is not aligned"
        assert 1 <= beats <= p.dma_burst_beats, f"{name}: a burst of {beats} beats"
        assert address // 4096 == end // 4096, f"{name}: {address:#x}..{end:#x} crosses 4 KiB"

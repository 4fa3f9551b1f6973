"""The sequencer's own commands: registers, branches, numbers in SRAM, HALT, and WAIT."""

from collections.abc import Callable

import numpy as np

from npu.chip import cost
from npu.chip.isa import Command
from npu.chip.status import Status
from npu.errors import MachineError
from npu.model.numerics import rounding_divide_by_pot, saturating_rounding_doubling_high_mul
from npu.twin.state import Done, State, require_inside

_HELD = cost.Held()

_RESULTS: dict[str, Callable[[int, int], int]] = {
    "ADD": lambda x, y: x + y,
    "SUB": lambda x, y: x - y,
    "MUL": lambda x, y: x * y,
    "MULH": lambda x, y: int(saturating_rounding_doubling_high_mul(x, y)),
    "SLL": lambda x, y: x << y % 32,
    "SRA": lambda x, y: x >> y % 32,
    "RSRA": lambda x, y: int(rounding_divide_by_pot(x, y % 32)),
    "CLZ": lambda x, y: 0 if x < 0 else 32 - x.bit_length(),
    "MIN": min,
    "MAX": max,
}
"""What commands put into rd, of the numbers rs1 and rs2 + imm; the low 32 bits of it count."""

_TAKEN: dict[str, Callable[[int, int], bool]] = {
    "BEQ": lambda x, y: x == y,
    "BNE": lambda x, y: x != y,
    "BLT": lambda x, y: x < y,
    "BGE": lambda x, y: x >= y,
}
"""Whether branches are taken, likewise."""

_NUMBERS = ("<i1", "<i2", "<i4")
"""What LOADS and STORES move, by `type`."""


class ScalarUnit:
    """Runs them on a chip's state."""

    def __init__(self, state: State) -> None:
        self._state = state

    def run(self, pc: int, cmd: Command, start: int) -> Done:
        """Do command `pc`, whose first cycle is `start`. Raises MachineError."""
        name, v, r = cmd.opcode.name, cmd.values, self._state.registers
        if name == "WAIT":
            return self._wait(v["tags"], start), b"", None
        end = start + cost.scalar(cmd, _HELD) - 1
        if name == "HALT":
            return end, b"", None
        if name in ("LOADS", "STORES"):
            return end, self._number(cmd), None
        left = r[v["rs1"]]
        right = (r[v.get("rs2", 0)] + v.get("imm", 0) + (1 << 31)) % (1 << 32) - (1 << 31)
        if name in _RESULTS:
            return end, self._state.set(v["rd"], _RESULTS[name](left, right)), None
        return end, b"", v["target"] if _TAKEN[name](left, right) else None

    def _number(self, cmd: Command) -> bytes | np.ndarray:
        """Load or store a number in SRAM; returns what was written."""
        v, state = cmd.values, self._state
        if v["type"] >= len(_NUMBERS):
            raise MachineError(f"no type of a number is {v['type']}", Status.ADDRESS)
        at, n_bytes = (state.registers[v["rs1"]] + v["imm"]) % (1 << 32), 1 << v["type"]
        require_inside(at, n_bytes, n_bytes, state.sram, "SRAM")
        place = state.sram[at : at + n_bytes]
        if cmd.opcode.name == "LOADS":
            state.events.sram_reads += 1
            return state.set(v["rd"], int(place.view(_NUMBERS[v["type"]])[0]))
        state.events.sram_writes += 1
        raw = state.registers[v["rs2"]].to_bytes(4, "little", signed=True)
        place[:] = np.frombuffer(raw[:n_bytes], np.uint8)
        return place

    def _wait(self, tags: int, start: int) -> int:
        dma = self._state.dma
        ready = dma.wait_until(start, tags)
        dma.look(ready)
        self._state.counters.wait_cycles += ready - start
        return ready

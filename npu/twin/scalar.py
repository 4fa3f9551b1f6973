"""The sequencer's own commands: registers, branches, HALT, and the wait for transfers."""

from npu.chip import cost
from npu.chip.isa import Command
from npu.twin.state import Done, State

_HELD = cost.Held()


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
        if name == "ADD":
            return end, self._state.set(v["rd"], r[v["rs1"]] + r[v["rs2"]] + v["imm"]), None
        if name == "MUL":
            return end, self._state.set(v["rd"], r[v["rs1"]] * v["imm"]), None
        left = r[v["rs1"]]
        right = (r[v["rs2"]] + v["imm"] + (1 << 31)) % (1 << 32) - (1 << 31)
        taken = {
            "BEQ": left == right,
            "BNE": left != right,
            "BLT": left < right,
            "BGE": left >= right,
        }[name]
        return end, b"", v["target"] if taken else None

    def _wait(self, tags: int, start: int) -> int:
        dma = self._state.dma
        ready = dma.wait_until(start, tags)
        dma.look(ready)
        self._state.counters.wait_cycles += ready - start
        return ready

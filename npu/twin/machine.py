"""The chip: memories, units and the sequencer that runs a program on them.

The host loads external memory, starts the chip at a program counter with arguments in scalar
registers, and finds results in external memory and registers once the chip has halted. State in
SRAM, banks and parameter memory stays from one start to the next.
"""

import zlib
from typing import NamedTuple

import numpy as np

from npu.chip import isa, timing
from npu.chip.counters import Counters
from npu.chip.isa import Command
from npu.chip.limit import NO_END, Budget
from npu.chip.machine import Observer
from npu.chip.memory import BusSchedule, ExternalMemory
from npu.chip.params import ChipParams
from npu.chip.status import Status
from npu.chip.trace import Retire
from npu.errors import ImageError, MachineError
from npu.twin.bus import NEVER
from npu.twin.loaded import Loaded
from npu.twin.probe import CommandNote, Probe
from npu.twin.products import MatVecUnit
from npu.twin.scalar import ScalarUnit
from npu.twin.state import State, told_of
from npu.twin.transfers import TransferUnit
from npu.twin.vectors import VectorUnit

# A start that has not halted after this many commands never will: the image is not ours.
MAX_COMMANDS = 50_000_000


class Machine:
    """One chip with its external memory, in software; see `npu.chip.machine.Machine`.

    Parameters
    ----------
    params : ChipParams.
    memory_bytes : size of the external memory that is simulated.
    program : raw program (see `npu.chip.isa`).
    schedule : when the bus is ready; default always.
    step : decode and count every command anew instead of remembering what it did.
    observer : called after every command with (Retire, Machine), for lockstep and probes.
    computes : compute the elements; see `npu.twin.state.State`.
    probe : notes what is done in every cycle; slow, and large.

    Raises ImageError for a program that ends within a command, MachineError for one that is too
    long.
    """

    def __init__(
        self,
        params: ChipParams,
        memory_bytes: int,
        program: bytes,
        schedule: BusSchedule | None = None,
        step: bool = False,
        observer: Observer | None = None,
        computes: bool = True,
        probe: Probe | None = None,
    ) -> None:
        if len(program) > params.program_bytes:
            raise MachineError(
                f"program of {len(program)} bytes, chip {params.name!r} holds "
                f"{params.program_bytes}"
            )
        self.params = params
        self.observer = observer
        self.memory = ExternalMemory(params, memory_bytes, schedule)
        self.program = [_decoded(command) for command in isa.split_program(program)]
        self.status = Status.OK
        self.cycle = 0
        state = self.state = State(
            params, self.memory, observed=observer is not None, computes=computes, probe=probe
        )
        self.dma, self.events = state.dma, state.events
        self.banks, self.param, self.sram = state.banks, state.param, state.sram
        self.table = state.table
        self.loaded = Loaded()
        self.matvec = MatVecUnit(state, self.loaded, forgets=step)
        self.vector = VectorUnit(state)
        self._units = {
            "sequencer": ScalarUnit(state).run,
            "dma": TransferUnit(state, self.loaded).run,
            "matvec": self.matvec.run,
            "vector": self.vector.run,
        }

    @property
    def registers(self) -> list[int]:
        """The scalar registers, as signed numbers."""
        return self.state.registers

    @property
    def counters(self) -> Counters:
        """What the chip counts."""
        return self.state.counters

    # --- host -----------------------------------------------------------------------------------
    def load(self, address: int, n_commands: int) -> None:
        """Load a program from external memory in place of the one that is there.

        It takes none of the cycles that are counted. Raises MachineError: without a status where
        the chip refuses (in error; no commands or more than it holds; an address that is not a
        multiple of the bus width); with Status.BUS where the memory ends, and there is no program
        then.
        """
        p = self.params
        self._refuse_in_error("load a program")
        if not 0 < n_commands <= p.program_commands:
            raise MachineError(
                f"the chip refused to load {n_commands} commands: program memory holds 1 to "
                f"{p.program_commands}"
            )
        if address % p.bus_bytes:
            raise MachineError(
                f"the chip refused to load a program from {address:#x}: not a multiple of "
                f"{p.bus_bytes}"
            )
        n_bytes = n_commands * isa.COMMAND_BYTES
        self.program = []
        try:
            raw = self.memory.window(address, p.align(n_bytes))[:n_bytes].tobytes()
        except MachineError as error:
            self.status = Status.BUS
            raise MachineError(f"the program load failed: {error}", Status.BUS) from error
        self.program = [_decoded(command) for command in isa.split_program(raw)]
        self.vector.unbind()
        self.matvec.unbind()

    def reset(self) -> None:
        """Clear an error and the scalar registers; program, memories and counters stay.

        What transfers that were open at an error were to fill is in memory here; the chip drops
        them.
        """
        self.status = Status.OK
        self.registers[:] = [0] * isa.REGISTERS
        self.dma.clear()

    def _refuse_in_error(self, what: str) -> None:
        if self.status != Status.OK:
            raise MachineError(f"the chip refused to {what}: in error ({self.status.name}); reset")

    # --- sequencer ------------------------------------------------------------------------------
    def run(
        self, pc: int, arguments: dict[int, int] | None = None, budget: Budget | None = None
    ) -> int:
        """Start at `pc` with registers set from `arguments`, run to HALT; returns the cycles.

        Raises MachineError (with status, the command's index and disassembly) when the chip stops
        in error, from then on (without a status) until `reset`, and when `budget` is used up.
        """
        for register, value in (arguments or {}).items():
            if not 0 < register < isa.REGISTERS:
                raise ValueError(f"an argument goes to register 1 to 15, not {register}")
            self.state.set(register, value)
        self._refuse_in_error("start")
        try:
            return self._run(pc, budget or Budget(NO_END, MAX_COMMANDS))
        except MachineError as error:
            self.status = error.status or Status.OK
            raise

    def _run(self, pc: int, budget: Budget) -> int:
        counters = self.state.counters
        began = self.begin(budget)
        last = self.state.last
        # Nobody has fetched what a start or a branch leads to.
        overhead = timing.FETCH + timing.DECODE
        for _ in range(budget.commands):
            ran = self.execute(pc, overhead)
            if self.observer is not None:
                crc = zlib.crc32(ran.written)  # type: ignore[arg-type]
                self.observer(Retire(pc, ran.name, ran.start, ran.end, crc), self)
            if ran.name == "HALT":
                if self.cycle > last:
                    break
                self.dma.look(NEVER)
                counters.cycles += self.cycle - began
                return self.cycle - began
            pc, overhead = ran.following(pc)
            if self.cycle > last:
                break
        raise budget.used_up()

    def begin(self, budget: Budget) -> int:
        """Begin a start; returns its first cycle.

        A transfer that is still open when the chip halts goes on; the next start waits for it.
        """
        self.cycle = self.dma.idle_at(self.cycle)
        self.state.last = self.cycle + budget.cycles
        if self.state.probe is not None:
            self.state.probe.starts.append(self.cycle)
        return self.cycle

    def execute(self, pc: int, overhead: int) -> "Ran":
        """Run one command, `overhead` cycles of fetch and decode behind the one before.

        Raises MachineError, told of the command.
        """
        counters = self.state.counters
        start = self.cycle + overhead
        self.dma.look(start - timing.DECODE)
        if not 0 <= pc < len(self.program):
            raise MachineError(
                f"program counter {pc} is outside the program", Status.ILLEGAL_COMMAND, pc
            )
        cmd = self.program[pc]
        try:
            if isinstance(cmd, ImageError):
                raise MachineError(str(cmd), Status.ILLEGAL_COMMAND)
            changes = cmd.relative or cmd.scale
            placed = cmd.resolved(self.registers) if changes else cmd
            end, written, target = self._units[cmd.opcode.unit](pc, placed, start)
        except MachineError as error:
            if error.pc is not None:
                raise
            raise told_of(pc, cmd, error) from error
        if self.state.probe is not None:
            note = CommandNote(pc, cmd.opcode.name, cmd.opcode.unit, start, end)
            self.state.probe.commands.append(note)
        counters.commands += 1
        counters.sequencer_cycles += overhead
        self.cycle = end + 1
        return Ran(cmd.opcode.name, start, end, written, target)


class Ran(NamedTuple):
    """A command that has run: its first and last cycle, what it wrote, where its branch leads."""

    name: str
    start: int
    end: int
    written: bytes | np.ndarray
    target: int | None

    def following(self, pc: int) -> tuple[int, int]:
        """The command behind that at `pc`, and the cycles until it starts."""
        if self.target is None:
            return pc + 1, timing.DECODE
        return self.target, timing.FETCH + timing.DECODE


def _decoded(raw: bytes) -> Command | ImageError:
    try:
        return isa.decode(raw)
    except ImageError as error:
        return error

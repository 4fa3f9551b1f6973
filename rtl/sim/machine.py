"""The chip's RTL behind the interface of the twin: the same calls, the same records."""

import ctypes
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from npu.chip import isa
from npu.chip.limit import Budget
from npu.chip.machine import MachineFactory, Observer
from npu.chip.memory import BusSchedule, ExternalMemory
from npu.chip.params import ChipParams
from npu.chip.trace import Retire
from npu.errors import ImageError, MachineError
from rtl import driver
from rtl.driver import WORD, Interrupt, Pause, Read, Steps, Write
from rtl.driver.driven import Driven
from rtl.shared.options import GATED, PLAIN, Options
from rtl.sim import verilate

# Where a program lies while it is loaded: behind everything that the chip's parameters allow.
STAGE = 1 << 31
# A start that has not halted after this many cycles never will.
MAX_CYCLES = 10_000_000_000
# Cycles from the write that starts the chip to the first that it counts, and to spare.
STARTING = 100
# A program load takes at most so many times the cycles of a bus that is always ready.
LOAD_PATIENCE = 1000
OKAY = 0

T = TypeVar("T")


class _NoInterrupt(MachineError):
    """The chip did not raise its interrupt in time."""


class RtlMachine(Driven):
    """One chip in Verilator, with its external memory, driven through its registers as by a host.

    Has the interface of `npu.chip.machine.Machine`. SRAM is shown as the chip writes it; what a
    caller puts into `sram` is loaded into the chip before the next start.

    Parameters
    ----------
    params : ChipParams.
    memory_bytes : size of the external memory that is simulated.
    program : raw program (see `npu.chip.isa`); it is loaded by the chip's DMA.
    schedule : when the bus is ready, by the chip's cycle; default always.
    step : ignored; the twin's.
    observer : called after every command with (Retire, RtlMachine).
    waves : write a VCD file there (another build, and much slower).
    signals : full names of the signals in it, as Verilator has them; all of them if there are none.
    progress : called with a line before a build.
    coverage : count lines, branches and toggles, for `write_coverage` (another build).
    checks : assertions to build in (see `verilate.Variant`).
    options : of the RTL.
    inject : its memories can be changed from outside (another build), for `rtl.sim.faults`.

    Raises MachineError for a program that is too long, BuildError when the build fails.
    """

    max_cycles = MAX_CYCLES

    def __init__(
        self,
        params: ChipParams,
        memory_bytes: int,
        program: bytes,
        schedule: BusSchedule | None = None,
        step: bool = False,
        observer: Observer | None = None,
        waves: Path | None = None,
        signals: Iterable[str] = (),
        progress: verilate.Progress = lambda _: None,
        coverage: bool = False,
        checks: str = "",
        options: Options = PLAIN,
        inject: bool = False,
    ) -> None:
        if len(program) > params.program_bytes:
            raise MachineError(
                f"program of {len(program)} bytes, chip {params.name!r} holds "
                f"{params.program_bytes}"
            )
        self.params = params
        self.observer = observer
        self.memory = ExternalMemory(params, memory_bytes, schedule)
        self.sram = np.zeros(params.sram_bytes, np.uint8)
        self._program = program
        self._options = options
        self._known_sram = self.sram.copy()
        self._memory = self.memory.data  # the chip keeps these addresses
        self._sram = self.sram
        schedule = self.memory.schedule
        self._patterns = [
            np.ascontiguousarray(getattr(schedule, name), np.uint8)
            for name in ("ar", "r", "aw", "w", "b")
        ]
        config = verilate.Config(
            data=self.memory.data.ctypes.data,
            data_bytes=len(self.memory.data),
            sram=self.sram.ctypes.data,
            sram_bytes=len(self.sram),
            latency=params.memory_latency_cycles,
            gap=params.memory_cycles_per_beat,
            pattern=(ctypes.c_void_p * 5)(*(p.ctypes.data for p in self._patterns)),
            pattern_length=(ctypes.c_uint64 * 5)(*(len(p) for p in self._patterns)),
            order=int(schedule.order),
            waves=os.fsencode(waves) if waves else None,
            signals="\n".join(signals).encode() or None,
        )
        variant = verilate.Variant(waves is not None, coverage, checks, inject)
        self._library = verilate.load(self._build(variant, progress))
        self._handle = self._library.zs_new(ctypes.byref(config))
        if options.parity:
            # Before any driver's own work: the one in C is told of no options.
            driver.perform(driver.ready(), lambda step: self._on_chip(step, MAX_CYCLES))
        self._load(program)
        self._work(driver.clear_counters)

    def _build(self, variant: verilate.Variant, progress: verilate.Progress) -> Path:
        """The shared library that is simulated."""
        return verilate.library(self.params, variant, progress, self._options)

    def close(self) -> None:
        """End the simulation; waveforms are complete then."""
        if self._handle:
            self._library.zs_free(self._handle)
            self._handle = None

    def write_coverage(self, path: Path) -> None:
        """Write what this and all earlier chips of the process covered, as Verilator does."""
        self._library.zs_coverage(self._handle, os.fsencode(path))

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            self.close()

    # --- registers ------------------------------------------------------------------------------
    def write(self, name: str, value: int) -> None:
        """Write a register over AXI4-Lite. Raises MachineError if the chip refuses."""
        step = Write(name, value)
        if self._library.zs_write(self._handle, step.offset, value & WORD) != OKAY:
            raise step.refused()

    def read(self, name: str) -> int:
        """Read a register over AXI4-Lite. Raises MachineError if the chip refuses."""
        step, value = Read(name), ctypes.c_uint32()
        if self._library.zs_read(self._handle, step.offset, ctypes.byref(value)) != OKAY:
            raise step.refused()
        return value.value

    @property
    def cycle(self) -> int:
        """The chip's cycle: those in which a program ran or a transfer was open."""
        return self._library.zs_cycles(self._handle)

    @property
    def simulated_cycles(self) -> int:
        """All cycles since power-on, the host's register accesses among them."""
        return self._library.zs_simulated(self._handle)

    @property
    def clocked(self) -> dict[str, int] | None:
        """Of `cycle`, those with an edge of a unit's clock, by unit; None without gates."""
        if not self._options.clock_gating:
            return None
        counted = self._library.zs_clocked
        return {name: counted(self._handle, i, 0) for i, name in enumerate(GATED)}

    # --- running --------------------------------------------------------------------------------
    def load(self, address: int, n_commands: int) -> None:
        """Load a program from external memory in place of the one that is there.

        Raises MachineError: without a status where the chip refuses (see `rtl.control.registers`),
        with the status where the load fails.
        """
        p, n_bytes = self.params, n_commands * isa.COMMAND_BYTES
        beats = p.align(n_bytes) // p.bus_bytes
        cycles = p.memory_latency_cycles + beats * p.memory_cycles_per_beat
        self._work(driver.load, address, n_commands, limit=LOAD_PATIENCE * (1 + cycles))
        self._program = self.memory.data[address : address + n_bytes].tobytes()

    def reset(self) -> None:
        """Clear an error; memories keep their contents, registers do not."""
        self._work(driver.reset)

    def run(
        self, pc: int, arguments: dict[int, int] | None = None, budget: Budget | None = None
    ) -> int:
        """Start at `pc` with registers set from `arguments`, run to HALT; returns the cycles.

        Raises MachineError (with status, the command's index and disassembly) when the chip stops
        in error, and when the cycles of `budget` are used up.
        """
        if not np.array_equal(self.sram, self._known_sram):
            self._load_sram()
        for register in arguments or {}:
            if not 0 < register < isa.REGISTERS:
                raise ValueError(f"an argument goes to register 1 to 15, not {register}")
        began = self._library.zs_running(self._handle)
        self._start(pc, arguments, budget)
        self._known_sram[:] = self.sram
        return self._library.zs_running(self._handle) - began

    def _start(
        self, pc: int, arguments: dict[int, int] | None = None, budget: Budget | None = None
    ) -> None:
        budget = budget or Budget.of_cycles(self.max_cycles)
        end = self._library.zs_running(self._handle) + budget.cycles
        try:
            self._work(driver.run, pc, arguments, limit=budget.cycles + STARTING)
        except _NoInterrupt:
            raise budget.used_up() from None
        except MachineError as error:
            if error.status is None or error.pc is None:
                raise
            what = f"command {error.pc} ({self._disassembly(error.pc)}): {error.status.name}"
            raise MachineError(what, error.status, error.pc) from None
        if self._library.zs_running(self._handle) > end:
            raise budget.used_up()

    def _work(self, action: Callable[..., Steps[T]], *arguments: Any, limit: int = MAX_CYCLES) -> T:
        """Do what a function of the driver asks for; an interrupt comes within `limit` cycles."""
        return driver.perform(action(*arguments), lambda step: self._on_chip(step, limit))

    def _on_chip(self, step: driver.Step, limit: int) -> int:
        match step:
            case Write(register, value):
                self.write(register, value)
            case Read(register):
                return self.read(register)
            case Interrupt():
                self._until_interrupt(limit)
            case Pause(cycles):
                self._library.zs_pass(self._handle, cycles)
        return 0

    def _until_interrupt(self, limit: int) -> None:
        end = self.simulated_cycles + limit
        while True:
            # Every command that is observed stops the simulation, and goes on with what is left.
            left = max(0, end - self.simulated_cycles)
            stopped = self._library.zs_run(self._handle, left, int(self.observer is not None))
            self._report()
            if stopped == 1:
                return
            if stopped == 0:
                raise _NoInterrupt(f"no interrupt within {limit} cycles")

    def _report(self) -> None:
        records = ctypes.POINTER(verilate.RetireRecord)()
        count = self._library.zs_retired(self._handle, ctypes.byref(records))
        if self.observer is None:
            return
        for record in [records[i] for i in range(count)]:
            name = self._disassembly(record.pc).split()[0]
            retire = Retire(record.pc, name, record.start, record.end, record.written)
            self.observer(retire, self)

    def _disassembly(self, pc: int) -> str:
        raw = self._program[pc * isa.COMMAND_BYTES : (pc + 1) * isa.COMMAND_BYTES]
        if not raw:
            return "outside the program"
        try:
            return str(isa.decode(raw))
        except ImageError as error:
            return str(error)

    # --- loading --------------------------------------------------------------------------------
    def _load(self, program: bytes) -> None:
        """Have the chip load a program from a place that is not in external memory."""
        p = self.params
        padded = np.frombuffer(program.ljust(p.align(len(program)), b"\0"), np.uint8)
        if not len(padded):
            return
        staged = padded.copy()
        self._library.zs_stage(self._handle, staged.ctypes.data, len(staged), STAGE)
        self.load(STAGE, len(program) // isa.COMMAND_BYTES)
        self._program = program
        self._library.zs_stage(self._handle, None, 0, 0)

    def _load_sram(self) -> None:
        """Put `sram` into the chip, with a program of its own."""
        wanted, program = self.sram.copy(), self._program
        beats = len(wanted) // self.params.bus_bytes
        load = isa.command("LOAD", ext=STAGE, sram=0, beats=beats)
        self._load(isa.encode(load) + isa.encode(isa.command("HALT")))
        self._library.zs_stage(self._handle, wanted.ctypes.data, len(wanted), STAGE)
        observer, self.observer = self.observer, None
        self._start(0)
        self.observer, self._program = observer, program
        self._library.zs_stage(self._handle, None, 0, 0)
        self._load(self._program)
        self._work(driver.clear_counters)


if TYPE_CHECKING:
    _FACTORY: MachineFactory = RtlMachine

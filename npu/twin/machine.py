"""The chip: memories, units and the sequencer that runs a program on them.

The host loads external memory, starts the chip at a program counter with arguments in scalar
registers, and finds results in external memory and registers once the chip has halted. State in
SRAM, banks and parameter memory stays from one start to the next.
"""

import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from npu import isa, timing
from npu.errors import ImageError, MachineError
from npu.format import LUT_BYTES, PARAM_WORD, directory_words, tile_directory_bytes
from npu.isa import Command, ElementType
from npu.params import ChipParams
from npu.trace import Retire
from npu.twin import vector
from npu.twin.dma import Dma
from npu.twin.matvec import MatVec
from npu.twin.memory import BusSchedule, ExternalMemory

# A start that has not halted after this many commands never will: the image is not ours.
MAX_COMMANDS = 50_000_000

_NUMPY: dict[ElementType, np.dtype] = {
    ElementType.INT8: np.dtype(np.int8),
    ElementType.INT16: np.dtype("<i2"),
}
_NONE = np.zeros(0, np.int8)


@dataclass
class Counters:
    """Performance counters, since the machine was made. Cycles per unit are those it was busy."""

    cycles: int = 0
    commands: int = 0
    busy: dict[str, int] = field(
        default_factory=lambda: {"sequencer": 0, "matvec": 0, "vector": 0, "dma": 0, "wait": 0}
    )
    matvec_run_cycles: int = 0
    symbols: int = 0
    macs: int = 0
    macs_gated: int = 0
    stalled_turns: int = 0
    vector_elements: int = 0
    sram_bytes: int = 0
    param_bytes: int = 0

    def as_dict(self) -> dict:
        return {k: dict(v) if isinstance(v, dict) else v for k, v in vars(self).items()}


class Machine:
    """One chip with its external memory.

    Parameters
    ----------
    params : ChipParams.
    memory_bytes : size of the external memory that is simulated.
    program : raw program (see `npu.isa`).
    schedule : when the bus is ready; default always.
    step : step every lane in every cycle instead of remembering the cycles of a command.
    observer : called after every command with (Retire, Machine), for lockstep and probes.

    Raises ImageError for an illegal program, MachineError for one that is too long.
    """

    def __init__(
        self,
        params: ChipParams,
        memory_bytes: int,
        program: bytes,
        schedule: BusSchedule | None = None,
        step: bool = False,
        observer: Callable[[Retire, "Machine"], None] | None = None,
    ) -> None:
        if len(program) > params.program_bytes:
            raise MachineError(
                f"program of {len(program)} bytes, chip {params.name!r} holds "
                f"{params.program_bytes}"
            )
        self.params = params
        self.step = step
        self.observer = observer
        self.memory = ExternalMemory(params, memory_bytes, schedule)
        self.program = isa.decode_program(program)
        self.banks = np.zeros((params.lanes, params.bank_words), np.uint32)
        self.param = np.zeros(params.param_bytes, np.uint8)
        self.sram = np.zeros(params.sram_bytes, np.uint8)
        self.table = np.zeros(LUT_BYTES, np.int8)
        self.registers = [0] * isa.REGISTERS
        self.cycle = 0
        self.dma = Dma(params, self.memory)
        self.counters = Counters()
        self._matvec = MatVec(params)
        # What lies where in banks and parameter memory: names the contents for remembered plans.
        self._loaded: dict[str, dict[tuple[int, int], tuple]] = {"bank": {}, "param": {}}

    # --- sequencer ------------------------------------------------------------------------------
    def run(self, pc: int, arguments: dict[int, int] | None = None) -> int:
        """Start at `pc` with registers set from `arguments`, run to HALT; returns the cycles.

        Raises MachineError (with the command's index and disassembly) when the chip stops in error.
        """
        for register, value in (arguments or {}).items():
            if not 0 < register < isa.REGISTERS:
                raise ValueError(f"an argument goes to register 1 to 15, not {register}")
            self._set(register, value)
        # A transfer that is still open when the chip halts goes on; the next start waits for it.
        began = self.cycle = self.dma.idle_at(self.cycle)
        for _ in range(MAX_COMMANDS):
            if not 0 <= pc < len(self.program):
                raise MachineError(f"program counter {pc} is outside the program")
            cmd = self.program[pc]
            start = self.cycle + timing.FETCH + timing.DECODE
            try:
                end, target, written = self._execute(cmd, start)
            except (MachineError, ImageError) as error:
                raise MachineError(f"command {pc} ({cmd}): {error}") from error
            self.counters.commands += 1
            self.counters.busy["sequencer"] += timing.FETCH + timing.DECODE
            self.cycle = end + 1
            if self.observer is not None:
                retire = Retire(pc, cmd.opcode.name, start, end, zlib.crc32(written))
                self.observer(retire, self)
            if cmd.opcode.name == "HALT":
                self.counters.cycles += self.cycle - began
                return self.cycle - began
            pc = pc + 1 if target is None else target
        raise MachineError(f"no HALT within {MAX_COMMANDS} commands")

    def _execute(self, cmd: Command, start: int) -> tuple[int, int | None, bytes]:
        """Run a command from cycle `start`: last cycle, a taken branch's target, what it wrote."""
        match cmd.opcode.unit:
            case "sequencer":
                return self._scalar(cmd, start)
            case "dma":
                return self._transfer(cmd, start)
            case "matvec":
                return self._run_matvec(cmd, start)
            case _:
                return self._run_vector(cmd, start)

    def _set(self, register: int, value: int) -> bytes:
        value = (value + (1 << 31)) % (1 << 32) - (1 << 31)
        if not register:
            return b""
        self.registers[register] = value
        return value.to_bytes(4, "little", signed=True)

    def _scalar(self, cmd: Command, start: int) -> tuple[int, int | None, bytes]:
        end, target, written = start + timing.SCALAR - 1, None, b""
        name, v, r = cmd.opcode.name, cmd.values, self.registers
        if name == "WAIT":
            ready = self.dma.wait_until(start, cmd.tags)
            self.counters.busy["wait"] += ready - start
            end = ready
        elif name == "ADD":
            written = self._set(cmd.rd, r[cmd.rs1] + r[cmd.rs2] + cmd.imm)
        elif name == "MUL":
            written = self._set(cmd.rd, r[cmd.rs1] * cmd.imm)
            end = start + timing.MULTIPLY - 1
        elif name != "HALT":
            left = r[v["rs1"]]
            right = (r[v["rs2"]] + v["imm"] + (1 << 31)) % (1 << 32) - (1 << 31)
            taken = {
                "BEQ": left == right,
                "BNE": left != right,
                "BLT": left < right,
                "BGE": left >= right,
            }[name]
            target = v["target"] if taken else None
        return end, target, written

    # --- DMA ------------------------------------------------------------------------------------
    def _transfer(self, cmd: Command, start: int) -> tuple[int, None, bytes]:
        p, name = self.params, cmd.opcode.name
        address = (self.registers[cmd.rs1] + cmd.ext) & 0xFFFFFFFF
        begin = self.dma.slot_free_at(start)
        self.counters.busy["wait"] += begin - start
        if name in ("LOAD_REG", "STORE_REG"):
            return self._transfer_register(cmd, address, begin)
        if address % p.bus_bytes:
            raise MachineError(f"address {address:#x} is not a multiple of {p.bus_bytes}")
        if cmd.beats == 0:
            raise MachineError("a transfer of no beats")
        n_bytes = cmd.beats * p.bus_bytes
        data = self.memory.window(address, n_bytes)
        match name:
            case "LOAD_BANK":
                end_word = self._fill_banks(cmd, data)
                target = {"space": "bank", "first": cmd.bank, "end": end_word}
                self._note("bank", cmd.bank, end_word, address, data)
            case "LOAD_PARAM":
                self._check(cmd.param, n_bytes, p.bus_bytes, self.param, "parameter memory")
                self.param[cmd.param : cmd.param + n_bytes] = data
                target = {"space": "param", "first": cmd.param, "end": cmd.param + n_bytes}
                self._note("param", cmd.param, cmd.param + n_bytes, address, data)
            case "LOAD":
                self._check(cmd.sram, n_bytes, p.bus_bytes, self.sram, "SRAM")
                self.sram[cmd.sram : cmd.sram + n_bytes] = data
            case "STORE":
                self._check(cmd.sram, n_bytes, p.bus_bytes, self.sram, "SRAM")
                data[:] = self.sram[cmd.sram : cmd.sram + n_bytes]
        if name in ("LOAD_BANK", "LOAD_PARAM"):
            self.dma.read(begin, address, cmd.beats, tag=cmd.tag, **target)
            return begin, None, b""
        queue = self.dma.read if name == "LOAD" else self.dma.write
        done = queue(begin, address, cmd.beats).done
        self.counters.busy["dma"] += done - begin + 1
        self.counters.sram_bytes += n_bytes
        return done, None, data.tobytes()

    def _transfer_register(self, cmd: Command, address: int, begin: int) -> tuple[int, None, bytes]:
        if address % 4:
            raise MachineError(f"address {address:#x} is not a multiple of 4")
        word = self.memory.window(address, 4)
        beat = address - address % self.params.bus_bytes
        if cmd.opcode.name == "LOAD_REG":
            done = self.dma.read(begin, beat, 1).done
            written = self._set(cmd.rd, int(word.view("<i4")[0]))
        else:
            done = self.dma.write(begin, beat, 1).done
            written = self.registers[cmd.rs2].to_bytes(4, "little", signed=True)
            word[:] = np.frombuffer(written, np.uint8)
        self.counters.busy["dma"] += done - begin + 1
        return done, None, written

    def _fill_banks(self, cmd: Command, tile: np.ndarray) -> int:
        """Deal a tile's sections to the banks; returns the end (bus words) of the longest."""
        p = self.params
        at = tile_directory_bytes(p.lanes, p.bus_bytes)
        if at > len(tile):
            raise MachineError("the tile is shorter than its directory")
        lengths = tile[: 2 * p.lanes].view("<u2").astype(np.int64)
        if at + int(lengths.sum()) * p.bus_bytes != len(tile):
            raise MachineError(
                f"the tile's sections take {int(lengths.sum())} bus words, "
                f"the transfer brings {(len(tile) - at) // p.bus_bytes}"
            )
        if not lengths.all():
            raise MachineError(f"the section of lane {int(lengths.argmin())} is empty")
        end = cmd.bank + int(lengths.max())
        if end * p.bus_bytes > p.bank_bytes:
            raise MachineError(f"a section ends at bus word {end}, outside the bank")
        first = cmd.bank * p.bus_bytes // 4
        for lane, length in enumerate(lengths):
            n_bytes = int(length) * p.bus_bytes
            words = tile[at : at + n_bytes].view("<u4")
            self.banks[lane, first : first + len(words)] = words
            at += n_bytes
        return end

    def _note(self, space: str, first: int, end: int, address: int, data: np.ndarray) -> None:
        """Remember what a transfer loaded, and forget what it overwrote."""
        loaded = self._loaded[space]
        for other in [o for o in loaded if o[0] < end and first < o[1]]:
            del loaded[other]
        loaded[first, end] = (address, zlib.crc32(data.tobytes()))

    def _check(self, at: int, n_bytes: int, unit: int, memory: np.ndarray, where: str) -> None:
        if at % unit:
            raise MachineError(f"address {at:#x} in {where} is not a multiple of {unit}")
        if at + n_bytes > len(memory):
            raise MachineError(f"{n_bytes} bytes at {at:#x} lie outside {where}")

    # --- compute --------------------------------------------------------------------------------
    def _run_matvec(self, cmd: Command, start: int) -> tuple[int, None, bytes]:
        p = self.params
        element = ElementType(cmd.dst_type)
        self._check(cmd.a, cmd.columns, p.bus_bytes, self.sram, "SRAM")
        self._check(cmd.dst, 0, element.n_bytes, self.sram, "SRAM")
        reads = self._matvec.reads(cmd, self.banks, self.param)
        self._check_races(start, reads.spans)
        work, written = self._matvec.execute(
            cmd, self._contents(cmd, reads.spans), reads, self.banks, self.param, self.sram
        )
        c = self.counters
        c.busy["matvec"] += work.cycles
        c.matvec_run_cycles += work.run_cycles
        c.symbols += work.symbols
        c.macs += work.macs
        c.macs_gated += work.gated
        c.stalled_turns += work.stalled
        c.sram_bytes += p.align(cmd.columns) + work.rows * element.n_bytes
        c.param_bytes += work.param_bytes
        return start + work.cycles - 1, None, written.tobytes()

    def _check_races(self, start: int, spans: Iterable[tuple[str, int, int]]) -> None:
        for space, first, end in spans if self.dma.open_at(start) else ():
            if self.dma.pending(start, space, first, end):
                raise MachineError(f"race: {space} {first:#x} to {end:#x} is still being loaded")

    def _contents(self, cmd: Command, spans: Iterable[tuple[str, int, int]]) -> tuple | None:
        """A name for all that a matrix-vector command reads, None if there is none to rely on."""
        if self.step:
            return None
        key: list = [cmd.bank, cmd.block, cmd.rows, cmd.columns]
        for space, first, end in spans:
            for (begin, stop), contents in sorted(self._loaded[space].items()):
                if begin <= first < stop:
                    key += [begin, contents]
                    first = stop
            if first < end:
                return None
        return tuple(key)

    def _run_vector(self, cmd: Command, start: int) -> tuple[int, None, bytes]:
        p, name, v = self.params, cmd.opcode.name, cmd.values
        if name == "TABLE":
            self._check(cmd.param, LUT_BYTES, PARAM_WORD, self.param, "parameter memory")
            self._check_races(start, [("param", cmd.param, cmd.param + LUT_BYTES)])
            self.table[:] = self.param[cmd.param : cmd.param + LUT_BYTES].view(np.int8)
            cycles = timing.VECTOR_START + LUT_BYTES // PARAM_WORD
            self.counters.param_bytes += LUT_BYTES
            self.counters.busy["vector"] += cycles
            return start + cycles - 1, None, b""
        n = v["n"]
        if n == 0:
            raise MachineError("a vector of no elements")
        types = vector.operand_types(cmd)
        a, b, dst = (
            self._operand(v[key], n, kind) if kind is not None else _NONE
            for key, kind in zip(("a", "b", "dst"), types, strict=True)
        )
        for source in (a, b):
            same = source.ctypes.data == dst.ctypes.data and source.nbytes == dst.nbytes
            if not same and np.may_share_memory(source, dst):
                raise MachineError("the destination overlaps a source without being it")
        scalar = vector.execute(cmd, a, b, dst, self.table)
        groups = -(-n // p.vector_elements)
        cycles = timing.vector(name, groups)
        self.counters.busy["vector"] += cycles
        self.counters.vector_elements += n
        self.counters.sram_bytes += a.nbytes + b.nbytes + dst.nbytes
        written = self._set(cmd.rd, scalar) if name == "VARGMAX" else dst.tobytes()
        return start + cycles - 1, None, written

    def _operand(self, at: int, n: int, kind: ElementType) -> np.ndarray:
        self._check(
            *(at, n * kind.n_bytes, self.params.vector_elements * kind.n_bytes),
            *(self.sram, "SRAM"),
        )
        return self.sram[at : at + n * kind.n_bytes].view(_NUMPY[kind])


__all__ = ["Counters", "Machine", "directory_words"]

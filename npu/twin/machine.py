"""The chip: memories, units and the sequencer that runs a program on them.

The host loads external memory, starts the chip at a program counter with arguments in scalar
registers, and finds results in external memory and registers once the chip has halted. State in
SRAM, banks and parameter memory stays from one start to the next.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from npu.chip import isa, timing
from npu.chip.isa import Command, ElementType
from npu.chip.params import ChipParams
from npu.chip.status import Status
from npu.chip.trace import Retire
from npu.chip.weight_format import LUT_BYTES, PARAM_WORD, WORD_BITS
from npu.chip.work import Work
from npu.errors import ImageError, MachineError
from npu.twin import vector
from npu.twin.dma import NEVER, Dma
from npu.twin.limit import NO_END, Budget
from npu.twin.loaded import Loaded
from npu.twin.matvec import MatVec, Plan, Product, Spans
from npu.twin.memory import BusSchedule, ExternalMemory
from npu.twin.tile import Dealt, deal

# A start that has not halted after this many commands never will: the image is not ours.
MAX_COMMANDS = 50_000_000

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


@dataclass(frozen=True)
class _Bound:
    """A vector command with its operands found."""

    run: Callable[[], int | None]
    cycles: int
    elements: int
    sram_bytes: int
    written: np.ndarray


# What the function of a unit returns for (program counter, command, first cycle): the last cycle,
# the target of a taken branch, and what it wrote.
_Done = tuple[int, int | None, bytes | np.ndarray]


class Machine:
    """One chip with its external memory.

    Parameters
    ----------
    params : ChipParams.
    memory_bytes : size of the external memory that is simulated.
    program : raw program (see `npu.chip.isa`).
    schedule : when the bus is ready; default always.
    step : step every lane in every cycle instead of remembering the cycles of a command.
    observer : called after every command with (Retire, Machine), for lockstep and probes.

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
        self.program = [_decoded(command) for command in isa.split_program(program)]
        self.banks = np.zeros((params.lanes, params.bank_words), np.uint32)
        self.param = np.zeros(params.param_bytes, np.uint8)
        self.sram = np.zeros(params.sram_bytes, np.uint8)
        self.table = np.zeros(LUT_BYTES, np.int8)
        self.registers = [0] * isa.REGISTERS
        self.status = Status.OK
        self.cycle = 0
        self._last = NO_END
        self.dma = Dma(params, self.memory)
        self.counters = Counters()
        self._units = {
            "sequencer": self._scalar,
            "dma": self._transfer,
            "matvec": self._run_matvec,
            "vector": self._run_vector,
        }
        self._matvec = MatVec(params)
        self._loaded = Loaded()
        # Plans by what their command reads, and bound to the operands of a command.
        self._plans: dict[tuple, Plan] = {}
        self._products: dict[tuple[int, tuple], Product] = {}
        # Vector commands by program counter: their operands lie at fixed places.
        self._bound: dict[int, _Bound] = {}

    def work(self) -> Work:
        """What it did since it was made, transfers that are still open counted as done."""
        busy = self.counters.busy
        return Work(
            cycles=self.counters.cycles,
            matvec_cycles=busy["matvec"],
            wait_cycles=busy["wait"] + busy["dma"],
            macs=self.counters.macs,
            bytes_read=self.dma.bytes_read,
            bytes_written=self.dma.bytes_written,
        )

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
        self._bound.clear()
        self._products.clear()

    def reset(self) -> None:
        """Clear an error and the scalar registers; program, memories and counters stay.

        What transfers that were open at an error were to fill is in memory here; the chip drops
        them.
        """
        self.status = Status.OK
        self.registers = [0] * isa.REGISTERS
        self.dma.transfers.clear()
        self.dma.failure = None

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
            self._set(register, value)
        self._refuse_in_error("start")
        try:
            return self._run(pc, budget or Budget(NO_END, MAX_COMMANDS))
        except MachineError as error:
            self.status = error.status or Status.OK
            raise

    def _run(self, pc: int, budget: Budget) -> int:
        # A transfer that is still open when the chip halts goes on; the next start waits for it.
        began = self.cycle = self.dma.idle_at(self.cycle)
        self._last = began + budget.cycles
        for _ in range(budget.commands):
            self._look(self.cycle)
            if not 0 <= pc < len(self.program):
                raise MachineError(
                    f"program counter {pc} is outside the program", Status.ILLEGAL_COMMAND, pc
                )
            cmd = self.program[pc]
            start = self.cycle + timing.FETCH + timing.DECODE
            try:
                if isinstance(cmd, ImageError):
                    raise MachineError(str(cmd), Status.ILLEGAL_COMMAND)
                end, target, written = self._units[cmd.opcode.unit](pc, cmd, start)
            except MachineError as error:
                if error.pc is not None:
                    raise
                raise self._at(pc, error) from error
            self.counters.commands += 1
            self.counters.busy["sequencer"] += timing.FETCH + timing.DECODE
            self.cycle = end + 1
            if self.observer is not None:
                retire = Retire(pc, cmd.opcode.name, start, end, zlib.crc32(written))  # type: ignore[arg-type]
                self.observer(retire, self)
            if cmd.opcode.name == "HALT":
                if self.cycle > self._last:
                    break
                self._look(NEVER)
                self.counters.cycles += self.cycle - began
                return self.cycle - began
            pc = pc + 1 if target is None else target
            if self.cycle > self._last:
                break
        raise budget.used_up()

    def _at(self, pc: int, error: MachineError) -> MachineError:
        """The error, told of command `pc`."""
        cmd = self.program[pc]
        where = f"command {pc}" if isinstance(cmd, ImageError) else f"command {pc} ({cmd})"
        return MachineError(f"{where}: {error}", error.status, pc)

    def _look(self, cycle: int) -> None:
        """Stop if the sequencer knows by `cycle` that a transfer has failed."""
        failure = self.dma.failure
        if failure is not None and failure.seen <= cycle:
            raise failure.error

    def _set(self, register: int, value: int) -> bytes:
        value = (value + (1 << 31)) % (1 << 32) - (1 << 31)
        if not register:
            return b""
        self.registers[register] = value
        return value.to_bytes(4, "little", signed=True)

    def _scalar(self, pc: int, cmd: Command, start: int) -> _Done:
        end, target, written = start + timing.SCALAR - 1, None, b""
        name, v, r = cmd.opcode.name, cmd.values, self.registers
        if name == "WAIT":
            ready = self.dma.wait_until(start, v["tags"])
            self._look(ready)
            self.counters.busy["wait"] += ready - start
            end = ready
        elif name == "ADD":
            written = self._set(v["rd"], r[v["rs1"]] + r[v["rs2"]] + v["imm"])
        elif name == "MUL":
            written = self._set(v["rd"], r[v["rs1"]] * v["imm"])
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
    def _transfer(self, pc: int, cmd: Command, start: int) -> _Done:
        p, name, v = self.params, cmd.opcode.name, cmd.values
        address = (self.registers[v["rs1"]] + v["ext"]) & 0xFFFFFFFF
        if name in ("LOAD_REG", "STORE_REG"):
            return self._transfer_register(cmd, address, start)
        # In the order in which the chip looks at them.
        if address % p.bus_bytes:
            raise MachineError(
                f"address {address:#x} is not a multiple of {p.bus_bytes}", Status.BUS
            )
        if v["beats"] == 0:
            raise MachineError("a transfer of no beats", Status.ADDRESS)
        n_bytes = v["beats"] * p.bus_bytes
        if name == "LOAD_PARAM":
            self._check(v["param"], n_bytes, p.bus_bytes, self.param, "parameter memory")
        elif name != "LOAD_BANK":
            self._check(v["sram"], n_bytes, p.bus_bytes, self.sram, "SRAM")
        if name in ("LOAD_BANK", "LOAD_PARAM"):
            return self._transfer_tagged(pc, cmd, address, self._queued(start))
        begin = self._queued(start, waits=True)
        data = self.memory.window(address, n_bytes)
        local = self.sram[v["sram"] : v["sram"] + n_bytes]
        if name == "LOAD":
            local[:] = data
            done = self.dma.read(begin, address, v["beats"]).done
        else:
            data[:] = local
            done = self.dma.write(begin, address, v["beats"]).done
        self.counters.busy["dma"] += done - begin + 1
        self.counters.sram_bytes += n_bytes
        return done, None, local

    def _transfer_tagged(self, pc: int, cmd: Command, address: int, begin: int) -> _Done:
        v = cmd.values
        space = "bank" if cmd.opcode.name == "LOAD_BANK" else "param"
        first, n_bytes = v[space], v["beats"] * self.params.bus_bytes
        ends, after = np.array(first + n_bytes), 0
        try:
            data = self.memory.window(address, n_bytes)
            if space == "bank":
                dealt = self._deal(data, first)
                ends, after = dealt.ends, dealt.cycles
                if dealt.fault:
                    raise MachineError(dealt.problem, Status.TILE)
        except MachineError as error:
            place = {"space": space, "first": first}
            told = self._at(pc, error)
            self.dma.fail(begin, address, v["beats"], after, tag=v["tag"], error=told, **place)
            return begin, None, b""
        if space == "param":
            self.param[first : first + n_bytes] = data
        self._loaded.note(space, first, ends, address, data)
        target = {"space": space, "first": first, "end": int(ends.max())}
        self.dma.read(begin, address, v["beats"], after, tag=v["tag"], **target)
        return begin, None, b""

    def _queued(self, start: int, waits: bool = False) -> int:
        """The cycle in which the DMA takes a transfer that is there from `start` on.

        waits : for the transfer's end; it has none behind one that failed.
        """
        begin = self.dma.slot_free_at(start)
        self._look(NEVER if waits else begin)
        self.counters.busy["wait"] += begin - start
        return begin

    def _deal(self, tile: np.ndarray, first: int) -> Dealt:
        """Deal a tile's sections to the banks."""
        p = self.params
        banks = self.banks.reshape(p.lanes, -1, p.bus_bytes * 8 // WORD_BITS)
        return deal(np.ascontiguousarray(tile).view(np.uint32), banks, first, p.threads)

    def _transfer_register(self, cmd: Command, address: int, start: int) -> _Done:
        if address % 4:
            raise MachineError(f"address {address:#x} is not a multiple of 4", Status.BUS)
        begin = self._queued(start, waits=True)
        place = address % self.params.bus_bytes
        beat = address - place
        word = self.memory.window(beat, self.params.bus_bytes)[place : place + 4]
        if cmd.opcode.name == "LOAD_REG":
            done = self.dma.read(begin, beat, 1).done
            written = self._set(cmd.values["rd"], int(word.view("<i4")[0]))
        else:
            done = self.dma.write(begin, beat, 1).done
            written = self.registers[cmd.values["rs2"]].to_bytes(4, "little", signed=True)
            word[:] = np.frombuffer(written, np.uint8)
        self.counters.busy["dma"] += done - begin + 1
        return done, None, written

    def _check(self, at: int, n_bytes: int, unit: int, memory: np.ndarray, where: str) -> None:
        if at % unit:
            raise MachineError(
                f"address {at:#x} in {where} is not a multiple of {unit}", Status.ADDRESS
            )
        if at + n_bytes > len(memory):
            raise MachineError(f"{n_bytes} bytes at {at:#x} lie outside {where}", Status.ADDRESS)

    # --- compute --------------------------------------------------------------------------------
    def _run_matvec(self, pc: int, cmd: Command, start: int) -> _Done:
        # What is remembered says nothing about this command's operands.
        self._check_matvec(cmd)
        key = None if self.step else self._loaded.key(cmd)
        product = self._product(pc, cmd, key)
        if product is not None:
            plan = product.plan
            self._check_races(start, plan.spans)
            work, gated = plan.work, product.run()
            written = product.target[plan.elements] if self.observer is not None else b""
        else:
            reads = self._matvec.reads(cmd, self.banks, self.param)
            self._check_races(start, reads.spans)
            record = key is not None and self._loaded.holds(key, reads)
            work, written, made = self._matvec.step(
                cmd, reads, self.banks, self.param, self.sram, record, self._last - start
            )
            gated = work.gated
            if key is not None and made is not None:
                self._plans[key] = made
        c = self.counters
        c.busy["matvec"] += work.cycles
        c.matvec_run_cycles += work.run_cycles
        c.symbols += work.symbols
        c.macs += work.macs
        c.macs_gated += gated
        c.stalled_turns += work.stalled
        c.sram_bytes += self.params.align(cmd.columns)
        c.sram_bytes += work.rows * ElementType(cmd.dst_type).n_bytes
        c.param_bytes += work.param_bytes
        return start + work.cycles - 1, None, written

    def _product(self, pc: int, cmd: Command, key: tuple | None) -> Product | None:
        """What is remembered of a command that finds `key` at its addresses."""
        if key is None:
            return None
        product = self._products.get((pc, key))
        if product is None and key in self._plans:
            product = self._matvec.bind(cmd, self._plans[key], self.sram)
            if product is not None:
                self._products[pc, key] = product
        return product

    def _check_matvec(self, cmd: Command) -> None:
        p = self.params
        if not 0 < cmd.columns <= p.activation_entries:
            raise MachineError(
                f"matvec: {cmd.columns} columns, a lane's activation copy holds 1 to "
                f"{p.activation_entries}",
                Status.ADDRESS,
            )
        self._check(cmd.a, cmd.columns, p.bus_bytes, self.sram, "SRAM")
        self._check(cmd.dst, 0, ElementType(cmd.dst_type).n_bytes, self.sram, "SRAM")
        self._check(cmd.rows, 0, PARAM_WORD, self.param, "parameter memory")

    def _check_races(self, start: int, spans: Spans) -> None:
        for space, first, end in spans if self.dma.open_at(start) else ():
            if self.dma.pending(start, space, first, end):
                raise MachineError(f"race: {space} {first:#x} to {end:#x} is still being loaded")

    def _run_vector(self, pc: int, cmd: Command, start: int) -> _Done:
        if cmd.opcode.name == "TABLE":
            return self._load_table(cmd, start)
        bound = self._bound.get(pc)
        if bound is None:
            bound = self._bound[pc] = self._bind(cmd)
        scalar = bound.run()
        c = self.counters
        c.busy["vector"] += bound.cycles
        c.vector_elements += bound.elements
        c.sram_bytes += bound.sram_bytes
        written = bound.written if scalar is None else self._set(cmd.values["rd"], scalar)
        return start + bound.cycles - 1, None, written

    def _load_table(self, cmd: Command, start: int) -> _Done:
        self._check(cmd.param, LUT_BYTES, PARAM_WORD, self.param, "parameter memory")
        self._check_races(start, (("param", cmd.param, cmd.param + LUT_BYTES),))
        self.table[:] = self.param[cmd.param : cmd.param + LUT_BYTES].view(np.int8)
        cycles = timing.VECTOR_START + LUT_BYTES // PARAM_WORD
        self.counters.param_bytes += LUT_BYTES
        self.counters.busy["vector"] += cycles
        return start + cycles - 1, None, b""

    def _bind(self, cmd: Command) -> _Bound:
        p, n = self.params, cmd.values["n"]
        if n == 0:
            raise MachineError("a vector of no elements", Status.ADDRESS)
        types = vector.operand_types(cmd)
        a, b, dst = (
            self._operand(cmd.values[key], n, kind) if kind is not None else _NONE
            for key, kind in zip(("a", "b", "dst"), types, strict=True)
        )
        for source in (a, b):
            same = source.ctypes.data == dst.ctypes.data and source.nbytes == dst.nbytes
            if not same and np.may_share_memory(source, dst):
                # The chip computes something then, but not what the command says.
                raise MachineError("the destination overlaps a source without being it")
        return _Bound(
            run=vector.bind(cmd, a, b, dst, self.table),
            cycles=timing.vector(cmd.opcode.name, -(-n // p.vector_elements)),
            elements=n,
            sram_bytes=a.nbytes + b.nbytes + dst.nbytes,
            written=dst,
        )

    def _operand(self, at: int, n: int, kind: ElementType) -> np.ndarray:
        self._check(
            *(at, n * kind.n_bytes, self.params.vector_elements * kind.n_bytes),
            *(self.sram, "SRAM"),
        )
        return self.sram[at : at + n * kind.n_bytes].view(vector.NUMPY[kind])


def _decoded(raw: bytes) -> Command | ImageError:
    try:
        return isa.decode(raw)
    except ImageError as error:
        return error

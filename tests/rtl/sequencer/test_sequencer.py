"""The sequencer with stand-ins for the units, beside the twin: registers, branches, every cycle."""

import random
from dataclasses import dataclass, field

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib.wiring import connect
from amaranth.sim import Simulator

from npu.chip import timing
from npu.chip.isa import COMMAND_BYTES, OPCODES, REGISTERS, TAGGED, Command, command, decode, encode
from npu.chip.params import ChipParams, load_params
from npu.chip.status import Status
from npu.errors import ImageError, MachineError
from npu.twin.machine import Machine
from rtl.memory.memories import ProgramMemory
from rtl.sequencer.arithmetic import RESULTS
from rtl.sequencer.sequencer import Sequencer
from rtl.shared.interfaces import KINDS

TIMEOUT_CYCLES = 20_000
MEMORY_BYTES = 4096
EXTREMES = (0, 1, -1, (1 << 31) - 1, -(1 << 31), 0x10000, 0xFFFF)
BRANCHES = ("BEQ", "BNE", "BLT", "BGE")
SCALARS = RESULTS
# The first command starts in this cycle.
BEGIN = timing.FETCH + timing.DECODE
# From the end of a command to the start of the one behind it.
STEP = timing.DECODE + 1


def chip() -> ChipParams:
    values = load_params("tiny").model_dump()
    return ChipParams.model_validate(values | {"program_bytes": 4096, "dma_queue": 2})


def wrap(value: int) -> int:
    return (value + (1 << 31)) % (1 << 32) - (1 << 31)


def random_program(rng: random.Random, n: int) -> list[Command]:
    """Scalar commands, vector commands and register transfers; branches only go forward."""

    def number() -> int:
        return rng.choice(EXTREMES) if rng.random() < 0.5 else wrap(rng.getrandbits(32))

    def register() -> int:
        return rng.randrange(REGISTERS)

    program = []
    for at in range(n):
        kind = rng.choice((*SCALARS, "branch", "branch", "branch", "vector", "store", "load"))
        if kind == "branch":
            near = rng.choice((0, 0, 1, -1)) if rng.random() < 0.7 else number()
            source = register()
            program.append(
                command(
                    rng.choice(BRANCHES),
                    rs1=source,
                    rs2=source if rng.random() < 0.5 else register(),
                    imm=near,
                    target=rng.randint(at + 1, min(at + 5, n)),
                )
            )
        elif kind == "CLZ":
            program.append(command("CLZ", rd=register(), rs1=register()))
        elif kind in SCALARS:
            fields = {"rd": register(), "rs1": register(), "rs2": register()}
            program.append(command(kind, **fields, imm=number()))
        elif kind == "vector":
            name = rng.choice(("VFILL", "VARGMAX"))
            fields = {"dst": 8} if name == "VFILL" else {"rd": register(), "a": 8}
            program.append(command(name, n=rng.randint(1, 40), **fields))
        else:
            name, field_name = ("STORE_REG", "rs2") if kind == "store" else ("LOAD_REG", "rd")
            ext = 4 * rng.randrange(64)
            fields = {field_name: register()}
            program.append(command(name, ext=ext, **fields))
    return [*program, command("HALT")]


@dataclass
class Outcome:
    """What a run of the sequencer showed."""

    retired: list[tuple[int, int, int]] = field(default_factory=list)  # pc, start, end
    written: list[tuple[int, int]] = field(default_factory=list)
    cycles: int = 0
    error: int = 0
    error_pc: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    registers: list[int] = field(default_factory=list)


class Bench:
    """Sequencer and program memory; the units answer as the callbacks say.

    `latency(cmd)` is how many cycles a unit or an awaited transfer takes, from its start or from
    being taken. Tagged transfers are open for as long as `latency` says.
    """

    def __init__(self, params: ChipParams, program: list[Command | bytes]) -> None:
        self.params = params
        self.words = [p if isinstance(p, bytes) else encode(p) for p in program]
        self.dut = Sequencer(params)
        self.memory = ProgramMemory(params)
        self.external = np.zeros(MEMORY_BYTES, np.uint8)
        self.payloads: list[dict[str, int]] = []
        self.fail: dict[int, int] = {}  # error by command index
        self.late_failure: tuple[int, int, int] | None = None  # cycle, status, command index
        self.queue_free_at = 0
        self.meddles = False  # the host writes a register in every cycle of the program
        self.limit = len(self.words)

    def latency(self, cmd: Command) -> int:
        if cmd.opcode.unit == "vector":
            return timing.vector(cmd.opcode.name, -(-cmd.n // self.params.vector_elements))
        return 9

    def vector_result(self, cmd: Command) -> int:
        return 0

    def run(self, arguments=None, pc: int = 0) -> Outcome:
        return self.runs([(pc, arguments or {})])[0]

    def runs(self, starts) -> list[Outcome]:
        m = Module()
        m.submodules += [self.dut, self.memory]
        connect(m, self.dut.program, self.memory.read)
        outcomes = []

        async def testbench(ctx) -> None:
            await self._fill(ctx)
            for pc, arguments in starts:
                outcomes.append(await self._run(ctx, pc, arguments))

        sim = Simulator(m)
        sim.add_clock(1e-6)
        sim.add_testbench(testbench)
        sim.run()
        return outcomes

    async def _fill(self, ctx) -> None:
        size = self.params.bus_bytes
        raw = b"".join(self.words)
        ctx.set(self.memory.write.en, 1)
        for word in range(len(raw) // size):
            ctx.set(self.memory.write.addr, word)
            part = raw[word * size : (word + 1) * size]
            ctx.set(self.memory.write.data, int.from_bytes(part, "little"))
            await ctx.tick()
        ctx.set(self.memory.write.en, 0)
        ctx.set(self.dut.commands, self.limit)

    async def _registers(self, ctx) -> list[int]:
        values = []
        for index in range(REGISTERS):
            ctx.set(self.dut.host.index, index)
            values.append(wrap(ctx.get(self.dut.host.read)))
        return values

    async def _run(self, ctx, pc: int, arguments) -> Outcome:
        dut, host, outcome = self.dut, self.dut.host, Outcome()
        for index, value in arguments.items():
            ctx.set(host.index, index)
            ctx.set(host.value, value % (1 << 32))
            ctx.set(host.write, 1)
            await ctx.tick()
        ctx.set(host.write, 0)
        ctx.set(host.pc, pc)
        ctx.set(host.start, 1)
        await ctx.tick()
        ctx.set(host.start, 0)
        counted = ("fetching", "matvec_busy", "vector_busy", "waiting", "transfer_busy")
        outcome.counts = dict.fromkeys(counted, 0)
        tags = [-1] * 8
        began, ends = 0, {}
        for cycle in range(TIMEOUT_CYCLES):
            if not ctx.get(host.running):
                break
            outcome.cycles += 1
            ctx.set(host.write, self.meddles)
            ctx.set(host.index, cycle % REGISTERS)
            ctx.set(dut.transfers.ready, cycle >= self.queue_free_at)
            ctx.set(
                dut.transfers.open_tags, sum(1 << tag for tag in range(8) if tags[tag] >= cycle)
            )
            if self.late_failure and cycle == self.late_failure[0]:
                ctx.set(dut.transfers.error, self.late_failure[1])
                ctx.set(dut.transfers.error_pc, self.late_failure[2])
            at = ctx.get(dut.pc)
            if ctx.get(dut.start):
                began = cycle
            for name, unit in (("matvec", dut.matvec), ("vector", dut.vector)):
                if ctx.get(unit.start):
                    assert ctx.get(dut.start)
                    registers = await self._registers(ctx)
                    given = decode(self.words[at]).resolved(registers)
                    assert ctx.get(unit.cmd) == int.from_bytes(encode(given), "little")
                    ends[name] = cycle + self.latency(decode(self.words[at])) - 1
                ctx.set(unit.done, ends.get(name) == cycle)
                ctx.set(unit.error, self.fail.get(at, 0) if ends.get(name) == cycle else 0)
                if name == "vector":
                    found = ends.get(name) == cycle and not self.fail.get(at)
                    ctx.set(dut.vector_found, found)
                if name == "vector" and ends.get(name) == cycle:
                    ctx.set(dut.vector_result, self.vector_result(decode(self.words[at])))
            self._transfer(ctx, cycle, at, tags, ends)
            if ctx.get(dut.retire):
                outcome.retired.append((at, began, cycle))
                if ctx.get(dut.register.en):
                    value = ctx.get(dut.register.value)
                    outcome.written.append((ctx.get(dut.register.index), wrap(value)))
            for name in counted:
                outcome.counts[name] += ctx.get(getattr(dut, name))
            await ctx.tick()
        else:
            raise AssertionError(f"still running after {TIMEOUT_CYCLES} cycles")
        ctx.set(host.write, 0)
        outcome.error, outcome.error_pc = ctx.get(host.error), ctx.get(host.error_pc)
        outcome.registers = await self._registers(ctx)
        return outcome

    def _transfer(self, ctx, cycle: int, at: int, tags, ends) -> None:
        port = self.dut.transfers
        if ctx.get(port.valid) and ctx.get(port.ready):
            names = ("kind", "address", "local", "beats", "tag", "word")
            payload = {name: ctx.get(getattr(port, name)) for name in names}
            self.payloads.append(payload)
            end = cycle + self.latency(decode(self.words[at])) - 1
            if KINDS[payload["kind"]] in TAGGED:
                tags[payload["tag"]] = end
            else:
                ends["transfer"] = end
        done = ends.get("transfer") == cycle
        ctx.set(port.done, done)
        if done:
            payload = self.payloads[-1]
            kind, address = KINDS[payload["kind"]], payload["address"]
            if kind == "STORE_REG":
                self.external[address : address + 4] = np.frombuffer(
                    payload["word"].to_bytes(4, "little"), np.uint8
                )
            if kind == "LOAD_REG":
                word = int(self.external[address : address + 4].view("<u4")[0])
                ctx.set(port.result, word)
            if at in self.fail:
                ctx.set(port.error, self.fail[at])


class LikeTwin(Bench):
    """Transfers take as long as the twin's: their cycles are taken from its retire records."""

    def __init__(self, params, program, machine: Machine, retired) -> None:
        super().__init__(params, program)
        self._ends = {r.pc: r.end - r.start + 1 for r in retired}
        self._machine = machine
        self._program = program

    def latency(self, cmd: Command) -> int:
        if cmd.opcode.unit == "vector":
            return super().latency(cmd)
        return self._ends[self._program.index(cmd)]


@pytest.mark.parametrize("seed", range(12))
def test_random_programs_equal_the_twin(seed):
    rng = random.Random(seed)
    params = chip()
    program = random_program(rng, 60)
    arguments = {index: wrap(rng.getrandbits(32)) for index in range(1, REGISTERS)}
    arguments |= {index: rng.choice(EXTREMES) for index in range(1, 8)}
    machine = Machine(params, MEMORY_BYTES, b"".join(encode(c) for c in program))
    start = np.random.default_rng(seed).integers(0, 256, MEMORY_BYTES).astype(np.uint8)
    machine.memory.data[:] = start
    retired = []
    machine.observer = lambda retire, _: retired.append(retire)
    machine.run(0, arguments)

    bench = LikeTwin(params, program, machine, retired)
    bench.external[:] = start
    outcome = bench.run(arguments)
    assert [(r.pc, r.start, r.end) for r in retired] == outcome.retired
    assert outcome.cycles == machine.counters.cycles
    assert outcome.registers == machine.registers
    assert outcome.error == Status.OK
    np.testing.assert_array_equal(bench.external, machine.memory.data)
    counted = machine.counters
    assert outcome.counts == {
        "fetching": counted.sequencer_cycles,
        "matvec_busy": 0,
        "vector_busy": counted.vector_cycles,
        "waiting": counted.wait_cycles,
        "transfer_busy": counted.dma_cycles,
    }


def test_loops_and_a_second_start():
    program = [
        command("ADD", rd=2, rs1=2, rs2=1, imm=-3),
        command("ADD", rd=1, rs1=1, imm=-1),
        command("BNE", rs1=1, target=0),
        command("HALT"),
        command("MUL", rd=3, rs1=2, imm=-7),
        command("HALT"),
    ]
    bench = Bench(chip(), program)
    first, second = bench.runs([(0, {1: 5}), (4, {})])
    assert [pc for pc, _, _ in first.retired] == [0, 1, 2] * 5 + [3]
    assert first.registers[2] == 5 + 4 + 3 + 2 + 1 - 15
    product = BEGIN + timing.MULTIPLY - 1
    assert second.retired == [(4, BEGIN, product), (5, product + STEP, product + STEP)]
    assert second.registers[:4] == [0, 0, 0, 0]


def test_register_zero_stays_zero():
    program = [command("ADD", rd=0, imm=5), command("ADD", rd=1, imm=2), command("HALT")]
    outcome = Bench(chip(), program).run({0: 7})
    assert outcome.registers == [0, 2] + [0] * 14


def test_a_running_program_keeps_its_registers_from_the_host():
    bench = Bench(chip(), [command("VFILL", n=16), command("ADD", rd=2, rs1=1), command("HALT")])
    bench.meddles = True
    outcome = bench.run({1: 5, 3: 7})
    assert outcome.registers == [0, 5, 5, 7] + [0] * 12


@pytest.mark.parametrize("seed", range(3))
def test_units_see_what_comes_from_registers(seed):
    """Bases of addresses and scales, of registers with any contents; the bench compares."""
    rng = random.Random(seed)
    program = []
    for name in rng.choices(("VRESCALE", "VMUL", "VDOT", "VADD", "VTANH", "VFILL", "MATVEC"), k=40):
        values = {f.name: rng.randint(*f.range) for f in OPCODES[name].fields}
        program.append(command(name, **values | ({"n": 1} if "n" in values else {})))
    arguments = {index: wrap(rng.getrandbits(32)) for index in range(1, REGISTERS)}
    scaled = [cmd for cmd in program if cmd.scale and cmd.resolved([0, *arguments.values()]) != cmd]
    assert len(scaled) > 2
    outcome = Bench(chip(), [*program, command("HALT")]).run(arguments)
    assert len(outcome.retired) == len(program) + 1


def test_results_of_units_reach_registers():
    bench = Bench(chip(), [command("VARGMAX", rd=5, n=9), command("MATVEC"), command("HALT")])
    bench.vector_result = lambda cmd: 0xDEADBEEF
    outcome = bench.run()
    assert outcome.registers[5] == wrap(0xDEADBEEF)
    assert outcome.written == [(5, wrap(0xDEADBEEF))]
    assert outcome.counts["matvec_busy"] == 9


def test_tagged_transfers_and_wait():
    program = [
        command("LOAD_BANK", rs1=1, ext=0x100, bank=7, beats=3, tag=5),
        command("LOAD_PARAM", rs1=1, ext=0xFFFF_FFF0, param=64, beats=2, tag=2),
        command("WAIT", tags=1 << 3),
        command("WAIT", tags=1 << 2 | 1 << 5),
        command("LOAD", ext=64, sram=16, beats=4),
        command("HALT"),
    ]
    bench = Bench(chip(), program)
    latency = {"LOAD_BANK": 40, "LOAD_PARAM": 20, "LOAD": 5}
    bench.latency = lambda cmd: latency[cmd.opcode.name]
    outcome = bench.run({1: 0x40})
    # One is open for 40 cycles from its command's on, the other for 20.
    waited = BEGIN + 40
    assert outcome.retired == [
        (0, BEGIN, BEGIN),
        (1, BEGIN + STEP, BEGIN + STEP),
        (2, BEGIN + 2 * STEP, BEGIN + 2 * STEP),
        (3, BEGIN + 3 * STEP, waited),
        (4, waited + STEP, waited + STEP + 4),
        (5, waited + 2 * STEP + 4, waited + 2 * STEP + 4),
    ]
    assert outcome.counts["waiting"] == waited - BEGIN - 3 * STEP
    kinds = [KINDS[payload.pop("kind")] for payload in bench.payloads]
    assert kinds == ["LOAD_BANK", "LOAD_PARAM", "LOAD"]
    assert bench.payloads == [
        {"address": 0x140, "local": 7, "beats": 3, "tag": 5, "word": 0},
        {"address": 0x30, "local": 64, "beats": 2, "tag": 2, "word": 1},
        {"address": 64, "local": 16, "beats": 4, "tag": 0, "word": 4},
    ]


def test_a_full_queue_is_waited_for():
    bench = Bench(chip(), [command("LOAD_BANK", beats=1), command("HALT")])
    bench.queue_free_at = 17
    outcome = bench.run()
    assert outcome.retired == [(0, BEGIN, 17), (1, 17 + STEP, 17 + STEP)]
    assert outcome.counts["waiting"] == 17 - BEGIN


def refused_transfers(params: ChipParams):
    bus = params.bus_bytes
    yield command("LOAD", ext=bus // 2, beats=1), Status.BUS
    yield command("LOAD", ext=1, sram=1), Status.BUS
    yield command("LOAD_REG", rd=1, ext=2), Status.BUS
    yield command("STORE_REG", ext=1), Status.BUS
    yield command("LOAD_BANK", beats=0), Status.ADDRESS
    yield command("LOAD_PARAM", beats=0), Status.ADDRESS
    yield command("LOAD", beats=0), Status.ADDRESS
    yield command("LOAD", sram=bus // 2, beats=1), Status.ADDRESS
    yield command("STORE", sram=params.sram_bytes - bus, beats=2), Status.ADDRESS
    yield command("STORE", sram=(1 << 24) - bus, beats=1), Status.ADDRESS
    yield command("LOAD_PARAM", param=bus // 2, beats=1), Status.ADDRESS
    yield command("LOAD_PARAM", param=params.param_bytes, beats=1), Status.ADDRESS
    yield command("LOAD_PARAM", beats=(1 << 24) - 1), Status.ADDRESS


def test_bad_transfers_are_refused():
    params = chip()
    for cmd, status in refused_transfers(params):
        bench = Bench(params, [command("ADD"), cmd, command("HALT")])
        outcome = bench.run()
        assert (outcome.error, outcome.error_pc) == (status, 1), cmd
        assert outcome.retired == [(0, BEGIN, BEGIN)]
        # Decoded behind the ADD.
        assert outcome.cycles == BEGIN + STEP + timing.REFUSED, cmd
        assert not bench.payloads
        with pytest.raises(MachineError):
            Machine(params, 1 << 16, encode(cmd) + encode(command("HALT"))).run(0)


@pytest.mark.parametrize("sizes", [(1024, 512), (512, 1024)], ids=["sram", "param"])
def test_a_transfer_may_end_with_its_own_memory_and_not_behind_it(sizes):
    """Whichever of the two memories is the larger one."""
    memories = dict(zip(("sram_bytes", "param_bytes"), sizes, strict=True))
    params = ChipParams.model_validate(chip().model_dump() | memories)
    bus = params.bus_bytes
    fit = [
        command("LOAD", sram=params.sram_bytes - bus, beats=1),
        command("STORE", beats=params.sram_bytes // bus),
        command("LOAD_PARAM", param=params.param_bytes - 2 * bus, beats=2),
    ]
    outcome = Bench(params, [*fit, command("HALT")]).run()
    assert (outcome.error, len(outcome.retired)) == (Status.OK, 4)
    for cmd in fit:
        longer = command(cmd.opcode.name, **(cmd.values | {"beats": cmd.beats + 1}))
        outcome = Bench(params, [longer, command("HALT")]).run()
        assert (outcome.error, outcome.error_pc) == (Status.ADDRESS, 0), longer


def test_illegal_commands_are_refused():
    params = chip()
    words = [bytes([0x7F]) + bytes(COMMAND_BYTES - 1)]
    words += [encode(command(name)) for name in OPCODES]
    for bit, name in ((31, "ADD"), (255, "HALT"), (150, "VSIGMOID"), (8, "VARGMAX")):
        word = bytearray(encode(command(name)))
        word[bit // 8] |= 1 << bit % 8
        words.append(bytes(word))
    for word in words:
        try:
            decode(word)
            continue
        except ImageError:
            pass
        outcome = Bench(params, [word, command("HALT")]).run()
        assert (outcome.error, outcome.error_pc) == (Status.ILLEGAL_COMMAND, 0)
        assert outcome.cycles == BEGIN + timing.REFUSED


def test_branches_reach_every_command():
    far = 5000
    program = [command("BEQ", target=far), *[command("ADD", rd=1, imm=1)] * (far - 1)]
    program += [command("ADD", rd=2, imm=7), command("HALT")]
    params = ChipParams.model_validate(chip().model_dump() | {"program_bytes": 1 << 18})
    outcome = Bench(params, program).run()
    assert outcome.registers[1:3] == [0, 7]
    assert [pc for pc, *_ in outcome.retired] == [0, far, far + 1]


def test_stops_outside_the_program():
    program = [command("BEQ", target=60000), command("HALT")]
    outcome = Bench(chip(), program).run()
    assert (outcome.error, outcome.error_pc) == (Status.ILLEGAL_COMMAND, 60000)
    bench = Bench(chip(), [command("ADD"), command("ADD"), command("HALT")])
    bench.limit = 2
    outcome = bench.run()
    assert (outcome.error, outcome.error_pc) == (Status.ILLEGAL_COMMAND, 2)
    assert len(outcome.retired) == 2


@pytest.mark.parametrize("name", ["MATVEC", "VARGMAX", "LOAD", "LOAD_REG"])
def test_errors_of_units_stop_the_program(name):
    fields = {"LOAD": {"beats": 1}, "LOAD_REG": {"rd": 1}, "VARGMAX": {"rd": 1, "n": 1}}
    bench = Bench(chip(), [command("ADD"), command(name, **fields.get(name, {})), command("HALT")])
    bench.fail[1] = Status.STREAM
    first, again = bench.runs([(0, {1: 77}), (2, {})])
    assert (first.error, first.error_pc) == (Status.STREAM, 1)
    assert first.retired == [(0, BEGIN, BEGIN)]
    assert first.registers[1] == 77
    assert again.cycles == 0  # until reset


@pytest.mark.parametrize(
    ("cycle", "cycles"),
    [
        (BEGIN + 1, BEGIN + 2),  # in the cycle behind LOAD_BANK
        (BEGIN + 2, BEGIN + STEP + 17),  # in that behind VFILL
        (50, 51),  # in WAIT itself
    ],
)
def test_a_late_failure_names_its_command(cycle, cycles):
    program = [
        command("LOAD_BANK", beats=1, tag=1),
        command("VFILL", n=16),
        command("ADD"),
        command("WAIT", tags=2),
        command("HALT"),
    ]
    bench = Bench(chip(), program)
    bench.latency = lambda cmd: 60 if cmd.opcode.name == "LOAD_BANK" else 16
    bench.late_failure = (cycle, Status.TILE, 0)
    outcome = bench.run()
    assert (outcome.error, outcome.error_pc) == (Status.TILE, 0)
    assert outcome.cycles == cycles

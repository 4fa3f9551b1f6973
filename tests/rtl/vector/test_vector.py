"""The vector unit beside the twin: every opcode, type, alignment and tail, in every cycle."""

from dataclasses import replace

import numpy as np
import pytest
from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib.wiring import connect
from amaranth.sim import Simulator

from npu.chip import timing
from npu.chip.isa import OPCODES, OPERANDS, Command, ElementType, command, encode
from npu.chip.params import ChipParams, load_params
from npu.chip.status import Status
from npu.chip.weight_format import LUT_BYTES, PARAM_WORD
from npu.errors import MachineError
from npu.twin.machine import Machine
from rtl.memory.memories import ParamMemory, VectorSram
from rtl.shared.commands import unit_opcodes
from rtl.vector.flight import DOT_AFTER, LOOKUP_AFTER, SUM_AFTER, WRITE_AFTER
from rtl.vector.vector import VectorUnit
from tests.lockstep.walks import random_walks

TIMEOUT_CYCLES = 2000
EXTREMES = {
    "multiplier": (0, 1, 1 << 30, (1 << 31) - 1),
    "shift": (-32, -31, -1, 0, 1, 30, 31),
    "imm": (-(1 << 15), (1 << 15) - 1, -129, 128),
}


def small_chip(bus_bytes: int, sram_bytes: int, elements: int) -> ChipParams:
    values = load_params("tiny").model_dump()
    values |= {
        "name": f"bus{bus_bytes}",
        "bus_bytes": bus_bytes,
        "sram_bytes": sram_bytes,
        "vector_elements": elements,
        "param_bytes": 512,
        "activation_entries": 64,
    }
    return ChipParams.model_validate(values)


def random_fields(rng: np.random.Generator, name: str) -> dict[str, int]:
    """Values for every field that is neither a place nor a size."""
    values = {}
    for field in OPCODES[name].fields:
        if field.name in ("dst", "a", "b", "n", "looped", "param", "scaled"):
            continue
        low, high = field.range
        extremes = [v for v in EXTREMES.get(field.name.split("_")[-1], ()) if low <= v <= high]
        if extremes and rng.random() < 0.4:
            values[field.name] = int(rng.choice(extremes))
        elif field.name.endswith("shift") and field.signed and rng.random() < 0.8:
            values[field.name] = int(rng.integers(-12, 4))
        else:
            values[field.name] = int(rng.integers(low, high + 1))
    if "lo" in values and values["lo"] > values["hi"] and rng.random() < 0.9:
        values["lo"], values["hi"] = values["hi"], values["lo"]
    return values


def random_command(rng: np.random.Generator, params: ChipParams, name: str) -> Command:
    """A legal command: operands in three thirds of SRAM, or in place."""
    if name == "TABLE":
        return command(name, param=int(rng.integers(0, 33)) * PARAM_WORD)
    values = random_fields(rng, name)
    kinds = command(name, **values).operand_types
    third = params.sram_bytes // 3 // params.bus_bytes * params.bus_bytes
    most = third // 2 - 2 * params.bus_bytes
    n = int(rng.choice([rng.integers(1, most), rng.integers(1, 2 * params.vector_elements + 2)]))
    places = {}
    for index, (key, kind) in enumerate(zip(("a", "b", "dst"), kinds, strict=True)):
        if kind is not None:
            unit = params.vector_elements * kind.n_bytes
            slack = (third - n * kind.n_bytes) // unit
            places[key] = index * third + int(rng.integers(0, slack + 1)) * unit
    if rng.random() < 0.2 and kinds[0] is not None and kinds[0] == kinds[2]:
        places["dst"] = places["a"]
    if rng.random() < 0.1 and kinds[0] is not None and kinds[0] == kinds[1]:
        places["b"] = places["a"]
    return command(name, n=n, **places, **values)


def random_loop(rng: np.random.Generator, params: ChipParams, name: str) -> tuple[Command, Command]:
    """A VLOOP and a looped command."""
    values = random_fields(rng, name)
    loop, places = random_walks(rng, params, name, values, most=80)
    return command("VLOOP", **loop), command(name, **values, **places, looped=1)


def bad_commands(params: ChipParams):
    """Commands that the unit refuses, each beside a legal neighbour."""
    v, bus, size = params.vector_elements, params.bus_bytes, params.sram_bytes
    copy = {"a": 0, "dst": bus, "n": v}
    yield command("VCOPY", **copy | {"n": 0})
    yield command("VCOPY", **copy | {"a": 1})
    yield command("VCOPY", **copy | {"dst": bus + v // 2})
    yield command("VCOPY", **copy | {"a": size - v, "n": v + 1})
    yield command("VCOPY", **copy | {"dst": size})
    yield command("VCOPY", **copy | {"a": (1 << 24) - v})
    yield command("VADDS", a=v, b=0, dst=bus, n=1)
    yield command("VADDS", a=0, b=v, dst=bus, n=1)
    yield command("VADDS", a=0, b=0, dst=v, n=1)
    yield command("VADDS", a=0, b=size - bus, dst=0, n=v + 1)
    yield command("VRESCALE", a=0, dst=v, dst_type=1, n=1)
    yield command("VMUL", a=0, b=v, b_type=1, dst=0, n=1)
    yield command("VMUL", a=0, b=(1 << 24) - bus, b_type=1, dst=0, n=1)
    yield command("VFILL", dst=size - v, n=v, dst_type=1)
    yield command("VARGMAX", a=size - v, n=v + 1, rd=1)
    yield command("VDOT", a=0, b=0, dst=bus, n=1)
    yield command("VCOPY", a=0, dst=bus, n=1, looped=1)
    yield command("VLOOP", count_1=1)
    yield command("VLOOP", count_2=1)
    yield command("TABLE", param=4)
    yield command("TABLE", param=params.param_bytes - LUT_BYTES + PARAM_WORD)


class Bench:
    """The unit with its memories; `log` is SRAM as the unit's writes leave it."""

    def __init__(self, params: ChipParams, rng: np.random.Generator) -> None:
        self.params = params
        self.dut = VectorUnit(params)
        self.sram = VectorSram(params, writers=2)
        self.param = ParamMemory(params)
        self.log = rng.integers(0, 256, params.sram_bytes).astype(np.uint8)
        # Long runs of equal and of extreme bytes: ties for the maximum, saturation.
        self.log[::3] = rng.choice([0, 0x7F, 0x80, 0xFF], len(self.log[::3]))
        self.table_bytes = rng.integers(0, 256, params.param_bytes).astype(np.uint8)

    def module(self) -> Module:
        m = Module()
        m.submodules += [self.dut, self.sram, self.param]
        connect(m, self.dut.a, self.sram.a[0])
        connect(m, self.dut.b, self.sram.b[0])
        connect(m, self.dut.write, self.sram.write[0])
        connect(m, self.dut.param, self.param.read[0])
        return m

    async def fill(self, ctx) -> None:
        p, port = self.params, self.sram.write[1]
        ctx.set(port.en, (1 << p.bus_bytes) - 1)
        for word in range(p.sram_bytes // p.bus_bytes):
            ctx.set(port.addr, word)
            ctx.set(port.data, self._word(self.log, word))
            await ctx.tick()
        ctx.set(port.en, 0)
        ctx.set(port.addr, 0)
        ctx.set(port.data, 0)
        ctx.set(self.param.write.en, 1)
        for word in range(p.param_bytes // p.bus_bytes):
            ctx.set(self.param.write.addr, word)
            ctx.set(self.param.write.data, self._word(self.table_bytes, word))
            await ctx.tick()
        ctx.set(self.param.write.en, 0)

    def _word(self, memory: np.ndarray, word: int) -> int:
        size = self.params.bus_bytes
        return int.from_bytes(memory[word * size : (word + 1) * size].tobytes(), "little")

    async def execute(self, ctx, cmd: Command) -> tuple[int, int, int]:
        """(cycles, error, result) of one command; its writes go to `log`."""
        dut, size = self.dut, self.params.bus_bytes
        # To find a signal in an interface takes longer than to read it.
        unit, write, result = dut.unit, dut.write, dut.result
        start, ends, fails = unit.start, unit.done, unit.error
        writes, write_addr, write_data = write.en, write.addr, write.data
        ctx.set(unit.cmd, int.from_bytes(encode(cmd), "little"))
        ctx.set(start, 1)
        for cycle in range(1, TIMEOUT_CYCLES):
            enables = ctx.get(writes)
            if enables:
                at = ctx.get(write_addr) * size
                data = ctx.get(write_data).to_bytes(size, "little")
                for byte in range(size):
                    if enables >> byte & 1:
                        self.log[at + byte] = data[byte]
            done = ctx.get(ends)
            outcome = (cycle, ctx.get(fails), ctx.get(result)) if done else None
            await ctx.tick()
            if cycle == 1:
                ctx.set(start, 0)
            if done:
                # The sequencer decodes the next command.
                for _ in range(timing.DECODE):
                    assert not ctx.get(writes), f"{cmd}: a write behind its end"
                    await ctx.tick()
                return outcome
        raise AssertionError(f"{cmd}: not done after {TIMEOUT_CYCLES} cycles")

    def run(self, process) -> None:
        async def testbench(ctx) -> None:
            await self.fill(ctx)
            await process(ctx)

        sim = Simulator(self.module())
        sim.add_clock(1e-6)
        sim.add_testbench(testbench)
        sim.run()


def twin_of(bench: Bench, *commands: Command) -> Machine:
    program = b"".join(encode(cmd) for cmd in (*commands, command("HALT")))
    machine = Machine(bench.params, 4096, program)
    machine.sram[:] = bench.log
    machine.param[:] = bench.table_bytes
    return machine


def test_the_pipelines_are_those_of_the_timing():
    assert WRITE_AFTER == timing.VECTOR_LATENCY
    assert LOOKUP_AFTER == timing.LOOKUP_LATENCY
    assert DOT_AFTER == timing.DOT_LATENCY
    assert timing.ADD_LATENCY + timing.ADD_PASSES - 1 == SUM_AFTER


def test_places_lie_in_the_same_bits_of_all_commands():
    for name in unit_opcodes("vector"):
        for field in OPCODES[name].fields:
            if field.name in ("dst", "n", "a", "b", "looped", "scaled"):
                shared = OPCODES["VMUL"].field(field.name)
                assert replace(field, element=None) == replace(shared, element=None)


@pytest.mark.parametrize(
    ("bus_bytes", "elements", "rounds"),
    [(8, 4, 18), (8, 2, 12), (8, 1, 12), (16, 8, 5), (16, 2, 4), (32, 16, 2)],
)
def test_equals_the_twin(bus_bytes, elements, rounds):
    rng = np.random.default_rng(bus_bytes + elements)
    # Some sizes are no power of two.
    bench = Bench(small_chip(bus_bytes, 96 * bus_bytes, elements), rng)
    names = [name for name in unit_opcodes("vector") if name != "VLOOP" for _ in range(rounds)]
    rng.shuffle(names)
    names.insert(0, "TABLE")

    async def process(ctx) -> None:
        table = np.zeros(LUT_BYTES, np.int8)
        for name in names:
            loop = []
            if name == "VDOT" or (name != "TABLE" and rng.random() < 0.5):
                *loop, cmd = random_loop(rng, bench.params, name)
            else:
                cmd = random_command(rng, bench.params, name)
            if name != "VARGMAX" and rng.random() < 0.3:
                # Anew, so that repeated clamping does not wear the data out.
                fresh = rng.integers(0, 256, len(bench.log)).astype(np.uint8)
                bench.log[:] = fresh
                await bench.fill(ctx)
            machine = twin_of(bench, *loop, cmd)
            machine.table[:] = table
            retired = []
            for before in loop:
                assert await bench.execute(ctx, before) == (timing.VECTOR_LOOP, Status.OK, 0)
            machine.observer = lambda retire, _, to=retired: to.append(retire)
            machine.run(0)
            table[:] = machine.table
            cycles, error, result = await bench.execute(ctx, cmd)
            assert error == Status.OK, cmd
            retire = retired[len(loop)]
            assert cycles == retire.end - retire.start + 1, f"{loop} {cmd}"
            np.testing.assert_array_equal(bench.log, machine.sram, f"{loop} {cmd}")
            if name == "VARGMAX" and cmd.rd:
                assert result == machine.registers[cmd.rd], cmd

    bench.run(process)


def test_refuses_what_the_twin_refuses():
    rng = np.random.default_rng(3)
    bench = Bench(small_chip(8, 768, 4), rng)

    async def process(ctx) -> None:
        await bench.execute(ctx, command("TABLE", param=PARAM_WORD))
        for cmd in bad_commands(bench.params):
            with pytest.raises(MachineError):
                twin_of(bench, cmd).run(0)
            before = bench.log.copy()
            cycles, error, _ = await bench.execute(ctx, cmd)
            assert error == Status.ADDRESS, cmd
            # No address is looked at before its turn.
            if cmd.opcode.name in ("TABLE", "VLOOP", "VDOT") or cmd.looped or cmd.n == 0:
                assert cycles == timing.VECTOR_REFUSED, cmd
            np.testing.assert_array_equal(bench.log, before)
        # No loop is kept that was refused: there is still none.
        cycles, error, _ = await bench.execute(ctx, command("VFILL", n=1, looped=1))
        assert (cycles, error) == (timing.VECTOR_REFUSED, Status.ADDRESS)
        # And works on.
        cycles, error, _ = await bench.execute(ctx, command("VFILL", dst=0, n=5, imm=7))
        assert (cycles, error) == (timing.vector("VFILL", 2), Status.OK)
        assert list(bench.log[:6]) == [7] * 5 + [before[5]]
        # With the table that was there.
        fresh = np.arange(LUT_BYTES).astype(np.uint8)
        bench.log[:LUT_BYTES] = fresh
        await bench.fill(ctx)
        await bench.execute(ctx, command("VLUT", a=0, dst=LUT_BYTES, n=LUT_BYTES))
        table = bench.table_bytes[PARAM_WORD:][:LUT_BYTES]
        assert np.array_equal(bench.log[LUT_BYTES:][:LUT_BYTES], np.roll(table, LUT_BYTES // 2))

    bench.run(process)


@pytest.mark.parametrize("elements", [1, 4])
def test_refuses_walks_that_the_twin_refuses(elements):
    """An element outside SRAM or misaligned, at any place of any operand's walk."""
    rng = np.random.default_rng(elements)
    bench = Bench(small_chip(8, 760, elements), rng)
    names = [n for n in unit_opcodes("vector") if OPCODES[n].has("looped") and n != "VFILL"]

    async def process(ctx) -> None:
        refused = 0
        while refused < 120:
            loop, cmd = random_loop(rng, bench.params, str(rng.choice(names)))
            loops, values = dict(loop.values), dict(cmd.values)
            key = str(rng.choice([key for key in OPERANDS if cmd.opcode.has(key)]))
            kind = int(rng.integers(4))
            if kind == 0:
                values[key] = int(rng.integers(1 << 24))
            elif kind == 1:
                values[key] = (values[key] + int(rng.choice([-1, 1]))) % (1 << 24)
            else:
                level = int(rng.integers(3))
                low, high = OPCODES["VLOOP"].field(f"{key}_{level}").range
                step = int(rng.integers(low, high + 1) if kind == 2 else rng.integers(-99, 99))
                loops[f"{key}_{level}"] = step
            loop, cmd = command("VLOOP", **loops), command(cmd.opcode.name, **values)
            try:
                twin_of(bench, loop, cmd).run(0)
                continue
            except MachineError as error:
                if error.status is None:
                    continue
            refused += 1
            await bench.execute(ctx, loop)
            assert (await bench.execute(ctx, cmd))[1] == Status.ADDRESS, f"{loop} {cmd}"

    bench.run(process)


def test_a_loop_survives_a_reset():
    """It is the only thing that does."""
    bench = Bench(small_chip(8, 768, 4), np.random.default_rng(7))
    reset = Signal()
    bench.dut = dut = ResetInserter(reset)(bench.dut)

    async def process(ctx) -> None:
        loop = command("VLOOP", count_1=2, count_2=1, a_0=1, a_1=8, dst_0=2, dst_1=16)
        cmd = command("VCOPY", a=3, dst=100, n=2, looped=1)
        machine = twin_of(bench, loop, cmd)
        await bench.execute(ctx, loop)
        ctx.set(reset, 1)
        await ctx.tick()
        ctx.set(reset, 0)
        machine.run(0)
        assert (await bench.execute(ctx, cmd))[1] == Status.OK
        np.testing.assert_array_equal(bench.log, machine.sram)

    assert dut is bench.dut
    bench.run(process)


def test_types_are_read_from_the_command():
    assert command("VFILL", dst_type=1).operand_types[2] is ElementType.INT16

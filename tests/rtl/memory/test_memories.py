# amaranth: UnusedElaboratable=no
"""The shared memories beside arrays: widths, enables, held outputs, shared ports."""

import random

import pytest
from amaranth.sim import Simulator

from npu.chip.isa import COMMAND_BYTES
from npu.chip.params import ChipParams, load_params
from rtl.memory.memories import ParamMemory, ProgramMemory, VectorSram


def chip(bus_bytes: int) -> ChipParams:
    values = load_params("tiny").model_dump()
    values |= {"bus_bytes": bus_bytes, "activation_entries": 64, "program_bytes": 1024}
    return ChipParams.model_validate(values | {"sram_bytes": 1024, "param_bytes": 1024})


def simulate(dut, testbench) -> None:
    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(testbench)
    sim.run()


@pytest.mark.parametrize("bus_bytes", [8, 16, 32, 64])
def test_sram_reads_and_writes_by_bytes(bus_bytes):
    rng = random.Random(bus_bytes)
    params = chip(bus_bytes)
    words = params.sram_bytes // bus_bytes
    dut = VectorSram(params, a_users=2, b_users=1, writers=2)
    memory = bytearray(params.sram_bytes)
    read_ports = {"a0": dut.a[0], "a1": dut.a[1], "b0": dut.b[0]}

    async def testbench(ctx) -> None:
        expected = {"a": 0, "b": 0}
        for port in read_ports.values():
            ctx.set(port.en, 0)
        for _ in range(300):
            idle = {"a0", "a1", "b0"}
            for side, users in (("a", ("a0", "a1")), ("b", ("b0",))):
                if rng.random() < 0.7:
                    user, word = rng.choice(users), rng.randrange(words)
                    idle.discard(user)
                    ctx.set(read_ports[user].en, 1)
                    ctx.set(read_ports[user].addr, word)
                    part = memory[word * bus_bytes : (word + 1) * bus_bytes]
                    expected[side] = int.from_bytes(part, "little")
            for user in idle:
                ctx.set(read_ports[user].en, 0)
                ctx.set(read_ports[user].addr, 0)
            writer, other = rng.sample([dut.write[0], dut.write[1]], 2)
            word, enables = rng.randrange(words), rng.getrandbits(bus_bytes)
            data = rng.randbytes(bus_bytes)
            ctx.set(writer.addr, word)
            ctx.set(writer.en, enables)
            ctx.set(writer.data, int.from_bytes(data, "little"))
            for name in ("addr", "en", "data"):
                ctx.set(getattr(other, name), 0)
            for byte in range(bus_bytes):
                if enables >> byte & 1:
                    memory[word * bus_bytes + byte] = data[byte]
            await ctx.tick()
            for name, port in read_ports.items():
                assert ctx.get(port.data) == expected[name[0]]

    simulate(dut, testbench)


@pytest.mark.parametrize("bus_bytes", [8, 16, 32, 64])
@pytest.mark.parametrize(("kind", "read_bytes"), [("param", 8), ("program", COMMAND_BYTES)])
def test_narrow_and_wide_ports_see_the_same_bytes(bus_bytes, kind, read_bytes):
    rng = random.Random(bus_bytes)
    params = chip(bus_bytes)
    dut = ParamMemory(params, readers=2) if kind == "param" else ProgramMemory(params)
    reads = [*dut.read, *dut.pair] if kind == "param" else [dut.read]
    words = 2 if kind == "param" else 1
    memory = bytearray(1024)

    async def testbench(ctx) -> None:
        pair = known = 0
        for step in range(400):
            for port in reads:
                ctx.set(port.en, 0)
                ctx.set(port.addr, 0)
            if rng.random() < 0.7:
                port, word = rng.choice(reads), rng.randrange(1024 // read_bytes)
                ctx.set(port.en, 1)
                ctx.set(port.addr, word)
                part = memory[word * read_bytes : (word + words) * read_bytes]
                # What is behind the last word is nobody's business.
                pair, known = int.from_bytes(part, "little"), (1 << 8 * len(part)) - 1
            en, word = step < 100 or rng.random() < 0.5, rng.randrange(1024 // bus_bytes)
            data = rng.randbytes(bus_bytes)
            ctx.set(dut.write.en, en)
            ctx.set(dut.write.addr, word)
            ctx.set(dut.write.data, int.from_bytes(data, "little"))
            if en:
                memory[word * bus_bytes : (word + 1) * bus_bytes] = data
            await ctx.tick()
            for port in reads:
                mask = known & (1 << len(port.data)) - 1
                assert ctx.get(port.data) & mask == pair & mask

    simulate(dut, testbench)


@pytest.mark.parametrize("users", [{"a_users": 0}, {"b_users": -1}, {"writers": 0}])
def test_a_port_needs_a_user(users):
    with pytest.raises(ValueError, match="must be at least 1, not"):
        VectorSram(chip(8), **users)

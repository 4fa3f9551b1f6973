"""Command views and the legality check beside `npu.chip.isa`."""

import random

import pytest
from amaranth.hdl import Const
from amaranth.sim import Simulator

from npu.chip.isa import COMMAND_BYTES, OPCODES, command, decode, encode
from npu.errors import ImageError
from rtl.shared.commands import CommandCheck, covered_bits, fields, is_opcode, unit_opcodes


def evaluate(words: list[int]) -> list[bool]:
    """What the check says about each word."""
    dut = CommandCheck()
    answers = []

    async def testbench(ctx) -> None:
        for word in words:
            ctx.set(dut.cmd, word)
            ctx.set(dut.en, 1)
            await ctx.tick()
            ctx.set(dut.en, 0)
            ctx.set(dut.cmd, ~word)
            await ctx.tick()
            answers.append(bool(ctx.get(dut.illegal)))

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(testbench)
    sim.run()
    return answers


def refused(word: int) -> bool:
    try:
        decode(word.to_bytes(COMMAND_BYTES, "little"))
    except ImageError:
        return True
    return False


def test_refuses_what_decode_refuses():
    rng = random.Random(1)
    words = [code | rng.getrandbits(248) << 8 for code in range(256)]
    words += list(range(256))
    for name, opcode in OPCODES.items():
        full = covered_bits(name) & ~0xFF | opcode.code
        words += [full, opcode.code]
        # Every bit alone, on an empty and on a full command.
        words += [opcode.code | 1 << bit for bit in range(8, 256)]
        words += [full ^ 1 << bit for bit in range(8, 256)]
    assert evaluate(words) == [refused(word) for word in words]


@pytest.mark.parametrize("name", OPCODES)
def test_views_read_every_field(name):
    rng = random.Random(name)
    for _ in range(4):
        values = {f.name: rng.randint(*f.range) for f in OPCODES[name].fields}
        word = int.from_bytes(encode(command(name, **values)), "little")
        seen = {}

        async def testbench(ctx, word=word, seen=seen) -> None:
            cmd = Const(word, 256)
            seen |= {f.name: ctx.get(getattr(fields(cmd, name), f.name)) for f in fields_of(name)}
            assert ctx.get(is_opcode(cmd, name))
            assert not ctx.get(is_opcode(cmd, *(set(OPCODES) - {name})))

        sim = Simulator(CommandCheck())
        sim.add_testbench(testbench)
        sim.run()
        assert seen == values


def fields_of(name: str):
    return OPCODES[name].fields


def test_every_opcode_has_a_unit():
    units = ("sequencer", "dma", "matvec", "vector")
    assert sorted(name for unit in units for name in unit_opcodes(unit)) == sorted(OPCODES)

# amaranth: UnusedElaboratable=no
"""Parity of a block RAM: every flipped bit is told in time, and nothing else is."""

import random

import pytest
from amaranth.sim import Simulator

from rtl.memory.parity import WRONG_LATENCY, ParityRam

DEPTH = 24  # no power of two: addresses behind it are read, too


def simulate(dut, testbench) -> None:
    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(testbench)
    sim.run()


def memory_of(dut: ParityRam):
    """The words of a RAM, for a test bench."""
    kept = {}
    elaborate = dut._ram.elaborate

    def watched(platform):
        module = elaborate(platform)
        kept["memory"] = module.submodules.memory
        return module

    dut._ram.elaborate = watched
    return kept


@pytest.mark.parametrize(
    ("width", "group", "by_bytes"), [(32, 2, False), (64, 1, True), (9, 8, False), (64, 1, False)]
)
def test_a_flipped_bit_is_told_when_its_word_is_read(width, group, by_bytes):
    rng = random.Random(width)
    dut = ParityRam("test", width, DEPTH, group=group, by_bytes=by_bytes)
    kept = memory_of(dut)
    enables = (1 << len(dut.write_en)) - 1
    flipped: dict[int, int] = {}  # by word, the bit

    async def testbench(ctx) -> None:
        told: list[bool] = [False] * WRONG_LATENCY
        ctx.set(dut.write_en, enables)
        for row in range(DEPTH // group):
            ctx.set(dut.write_addr, row)
            ctx.set(dut.write_data, rng.getrandbits(group * width))
            await ctx.tick()
        ctx.set(dut.write_en, 0)
        seen = 0
        for _ in range(600):
            if rng.random() < 0.2 and len(flipped) < DEPTH // 2:
                word = rng.randrange(DEPTH)
                if word not in flipped:
                    stored = kept["memory"].data[word]
                    flipped[word] = rng.randrange(len(stored))
                    ctx.set(stored, ctx.get(stored) ^ 1 << flipped[word])
            read, check = rng.random() < 0.8, rng.random() < 0.8
            at = rng.randrange(1 << len(dut.read_addr))
            ctx.set(dut.read_en, read)
            ctx.set(dut.check, check)
            ctx.set(dut.read_addr, at)
            write, row = rng.random() < 0.3, rng.randrange(DEPTH // group)
            ctx.set(dut.write_en, enables if write else 0)
            ctx.set(dut.write_addr, row)
            ctx.set(dut.write_data, rng.getrandbits(group * width))
            written = range(row * group, (row + 1) * group) if write else range(0)
            told.append(read and check and at in flipped and at not in written)
            for word in written:
                flipped.pop(word, None)
            await ctx.tick()
            assert ctx.get(dut.wrong) == told[-WRONG_LATENCY]
            seen += told[-WRONG_LATENCY]
        assert seen > 10

    simulate(dut, testbench)


def test_a_word_that_stays_is_told_as_long_as_it_is_there():
    dut = ParityRam("test", 64, DEPTH, stays=True)
    kept = memory_of(dut)

    async def testbench(ctx) -> None:
        stored = kept["memory"].data[3]
        ctx.set(stored, ctx.get(stored) ^ 1 << 40)
        for at, expected in ((2, False), (3, True), (4, False)):
            ctx.set(dut.read_en, 1)
            ctx.set(dut.read_addr, at)
            await ctx.tick()
            ctx.set(dut.read_en, 0)
            await ctx.tick().repeat(WRONG_LATENCY - 1)
            for _ in range(5):
                assert ctx.get(dut.wrong) == expected
                await ctx.tick()

    simulate(dut, testbench)

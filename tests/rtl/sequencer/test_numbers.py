"""Numbers in SRAM: every place and kind, loaded and stored, and what is refused."""

import random

import numpy as np
import pytest
from amaranth.sim import Simulator

from npu.chip.params import ChipParams, load_params
from rtl.sequencer.numbers import SramNumbers

TYPES = ("<i1", "<i2", "<i4")


@pytest.mark.parametrize("bus_bytes", [8, 16])
def test_every_place(bus_bytes):
    values = load_params("tiny").model_dump() | {"bus_bytes": bus_bytes, "sram_bytes": 64 * 5}
    params = ChipParams.model_validate(values)
    unit, rng = SramNumbers(params), random.Random(bus_bytes)
    sram = np.array([rng.randrange(256) for _ in range(params.sram_bytes)], np.uint8)

    async def load(ctx, at, kind):
        ctx.set(unit.load, 1)
        ctx.set(unit.reads, 1)
        word = ctx.get(unit.sram.addr) * bus_bytes
        assert ctx.get(unit.sram.en)
        await ctx.tick()
        ctx.set(unit.reads, 0)
        assert not ctx.get(unit.sram.en) and not ctx.get(unit.sram.addr)
        raw = sram[word : word + bus_bytes].tobytes()
        ctx.set(unit.sram.data, int.from_bytes(raw, "little"))
        await ctx.tick()
        expected = int(sram[at : at + (1 << kind)].view(TYPES[kind])[0])
        assert ctx.get(unit.value) == expected % 2**32, (at, kind)
        ctx.set(unit.load, 0)
        await ctx.tick()
        assert ctx.get(unit.value) == 0

    def store(ctx, at, kind):
        word = rng.getrandbits(32)
        ctx.set(unit.word, word)
        ctx.set(unit.writes, 1)
        enables, first = ctx.get(unit.sram_write.en), ctx.get(unit.sram_write.addr) * bus_bytes
        assert [first + i for i in range(bus_bytes) if enables >> i & 1] == list(
            range(at, at + (1 << kind))
        )
        data = ctx.get(unit.sram_write.data) >> 8 * (at - first)
        bits = 8 << kind
        assert data % (1 << bits) == word % (1 << bits), (at, kind)
        ctx.set(unit.writes, 0)
        assert not ctx.get(unit.sram_write.en) and not ctx.get(unit.sram_write.data)

    async def testbench(ctx):
        size = params.sram_bytes
        for kind in range(4):
            ctx.set(unit.kind, kind)
            for at in (*range(40), *range(size - 8, size + 8), 1 << 24, 2**32 - 4, 2**32 - 1):
                ctx.set(unit.address, at)
                bad = kind > 2 or at % (1 << kind) != 0 or at >= size
                assert ctx.get(unit.bad) == bad, (at, kind)
                if not bad:
                    await load(ctx, at, kind)
                    store(ctx, at, kind)

    simulator = Simulator(unit)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()

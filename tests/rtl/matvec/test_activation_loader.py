"""The activation loader: every activation of the vector, less its zero point, a word a cycle."""

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.sim import Simulator

from rtl.matvec.activation_loader import WRITE_LATENCY, ActivationLoader
from rtl.shared import interfaces
from tests.rtl.matvec.matvec_bench import small_params

BEHIND = WRITE_LATENCY  # cycles from `ready` until the copies are complete


@pytest.mark.parametrize("bus_bytes", [8, 32])
def test_the_vector_is_read_from_its_place_and_no_further(bus_bytes):
    params = small_params(bus_bytes=bus_bytes, sram_bytes=512)
    sram = np.random.default_rng(bus_bytes).integers(-128, 128, params.sram_bytes)
    words = [
        int.from_bytes(word.astype(np.int8).tobytes(), "little")
        for word in sram.reshape(-1, bus_bytes)
    ]
    dut = ActivationLoader(params)
    memory = Memory(shape=interfaces.bus_bits(params), depth=len(words), init=words)
    m = Module()
    m.submodules.dut = dut
    m.submodules.memory = memory
    wiring.connect(m, dut.sram, memory.read_port())

    async def testbench(ctx):
        for place, columns, zero in (
            (0, 1, 0),
            (1, bus_bytes, -128),
            (2, bus_bytes + 1, 127),
            (3, 2 * bus_bytes - 1, -1),
            (len(words) - 2, 2 * bus_bytes, 5),
        ):
            ctx.set(dut.address, place * bus_bytes)
            ctx.set(dut.columns, columns)
            ctx.set(dut.zero, zero)
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            expected = sram.reshape(-1, bus_bytes)[place:][: -(-columns // bus_bytes)]
            found, reads = {}, 0
            while not ctx.get(dut.ready):
                assert ctx.get(dut.sram.en)
                reads += 1
                assert reads <= len(expected)
                await step(ctx, found)
            assert reads == len(expected)
            for _ in range(BEHIND):
                assert not ctx.get(dut.sram.en)
                await step(ctx, found)
            assert not ctx.get(dut.write.en)
            assert sorted(found) == list(range(reads))
            assert np.array_equal([found[at] for at in range(reads)], expected - zero)

    async def step(ctx, found):
        """A cycle; what is written in it goes to `found`."""
        if ctx.get(dut.write.en):
            found[ctx.get(dut.write.addr)] = [ctx.get(value) for value in dut.write.data]
        await ctx.tick()

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()

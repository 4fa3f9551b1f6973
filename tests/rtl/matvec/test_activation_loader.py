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


def loader(params, seed):
    """The unit beside an SRAM, the module of both, and the SRAM's bytes."""
    sram = np.random.default_rng(seed).integers(-128, 128, params.sram_bytes)
    words = [
        int.from_bytes(word.astype(np.int8).tobytes(), "little")
        for word in sram.reshape(-1, params.bus_bytes)
    ]
    dut = ActivationLoader(params)
    memory = Memory(shape=interfaces.bus_bits(params), depth=len(words), init=words)
    m = Module()
    m.submodules.dut = dut
    m.submodules.memory = memory
    wiring.connect(m, dut.sram, memory.read_port())
    return dut, m, sram


async def step(ctx, dut, found):
    """A cycle; what is written in it goes to `found`."""
    if ctx.get(dut.write.en):
        found[ctx.get(dut.write.addr)] = [ctx.get(value) for value in dut.write.data]
    await ctx.tick()


@pytest.mark.parametrize("bus_bytes", [8, 32])
def test_the_vector_is_read_from_its_place_and_no_further(bus_bytes):
    params = small_params(bus_bytes=bus_bytes, sram_bytes=512)
    dut, m, sram = loader(params, bus_bytes)

    async def testbench(ctx):
        for place, columns, zero in (
            (0, 1, 0),
            (1, bus_bytes, -128),
            (2, bus_bytes + 1, 127),
            (3, 2 * bus_bytes - 1, -1),
            (len(sram) // bus_bytes - 2, 2 * bus_bytes, 5),
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
                await step(ctx, dut, found)
            assert reads == len(expected)
            for _ in range(BEHIND):
                assert not ctx.get(dut.sram.en)
                await step(ctx, dut, found)
            assert not ctx.get(dut.write.en)
            assert sorted(found) == list(range(reads))
            assert np.array_equal([found[at] for at in range(reads)], expected - zero)

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()


@pytest.mark.parametrize("sram_bytes", [512, 480])
def test_what_lies_outside_sram_is_nothing(sram_bytes):
    """Of a tensor that is larger than SRAM: in front of it, behind it, and across its ends."""
    bus = 8
    params = small_params(bus_bytes=bus, sram_bytes=sram_bytes)
    dut, m, sram = loader(params, sram_bytes)
    length, zero = 3 * bus, 77

    async def testbench(ctx):
        ctx.set(dut.windowed, 1)
        ctx.set(dut.columns, length)
        ctx.set(dut.zero, zero)
        # As it is held: the length less one; no tensor is wider.
        width = (1 << params.address_bits - 1) - 1
        window = {"ny": 1, "nx": 1, "length": length - 1, "width": width, "height": 1}
        for name, value in window.items():
            ctx.set(getattr(dut.window, name), value)
        for name in ("count_x", "count_y"):
            ctx.set(getattr(dut.positions, name), 1)
        for address in (-length, -bus - 3, -1, 0, 5, *range(sram_bytes - 27, sram_bytes + 9)):
            ctx.set(dut.address, address % (1 << 24))
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            found = {}
            while not ctx.get(dut.ready):
                await step(ctx, dut, found)
            for _ in range(BEHIND):
                await step(ctx, dut, found)
            assert not ctx.get(dut.mismatch)
            inside = [0 <= address + k < sram_bytes for k in range(length)]
            expected = [sram[address + k] - zero if inside[k] else 0 for k in range(length)]
            assert [value for at in sorted(found) for value in found[at]] == expected, address

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()

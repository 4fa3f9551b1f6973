"""The memories of a lane: what was written comes back, in the cycle that is promised."""

import numpy as np
import pytest
from amaranth.sim import Simulator

from npu.chip import timing
from rtl.lane.activations import ACTIVATION_LATENCY, ActivationCopy
from rtl.lane.bank import WeightBank
from tests.rtl.matvec.matvec_bench import small_params


def simulate(dut, bench):
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize("bus_bytes", [8, 16])
def test_bank_reads_words_of_what_was_written_in_bus_words(bus_bytes):
    params = small_params(bus_bytes=bus_bytes, bank_bytes=256)
    dut = WeightBank(params)
    rng = np.random.default_rng(0)
    words = rng.integers(0, 1 << 32, params.bank_words, np.uint32)
    raw = words.astype("<u4").tobytes()
    order = rng.permutation(params.bank_words)

    async def bench(ctx):
        ctx.set(dut.write.en, 1)
        for i in range(len(raw) // bus_bytes):
            ctx.set(dut.write.addr, i)
            ctx.set(
                dut.write.data, int.from_bytes(raw[i * bus_bytes : (i + 1) * bus_bytes], "little")
            )
            await ctx.tick()
        ctx.set(dut.write.en, 0)
        ctx.set(dut.en, 1)
        for i in range(len(order) + timing.BANK_LATENCY):
            if i < len(order):
                ctx.set(dut.address, int(order[i]))
            if i >= timing.BANK_LATENCY:
                assert ctx.get(dut.word) == words[order[i - timing.BANK_LATENCY]]
            await ctx.tick()

    simulate(dut, bench)


def test_activations_come_back_one_by_one():
    params = small_params(activation_entries=64)
    dut = ActivationCopy(params)
    rng = np.random.default_rng(0)
    values = rng.integers(-255, 256, 64)
    order = rng.permutation(64)

    async def bench(ctx):
        ctx.set(dut.write.en, 1)
        for i in range(64 // params.bus_bytes):
            ctx.set(dut.write.addr, i)
            part = values[i * params.bus_bytes : (i + 1) * params.bus_bytes]
            ctx.set(dut.write.data, [int(v) for v in part])
            await ctx.tick()
        ctx.set(dut.write.en, 0)
        for i in range(len(order) + ACTIVATION_LATENCY):
            if i < len(order):
                ctx.set(dut.column, int(order[i]))
            if i >= ACTIVATION_LATENCY:
                assert ctx.get(dut.activation) == values[order[i - ACTIVATION_LATENCY]]
            await ctx.tick()

    simulate(dut, bench)

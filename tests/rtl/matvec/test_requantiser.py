"""The requantiser against `numerics.requantize`, and the collector against a plain model."""

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib.memory import Memory
from amaranth.sim import Simulator

from npu.chip import timing
from npu.model.numerics import MAX_SHIFT, MIN_SHIFT, requantize
from rtl.matvec.collector import PICK_LATENCY, Collector
from rtl.matvec.requantiser import Requantiser
from rtl.shared import interfaces
from tests.rtl.matvec.matvec_bench import connect_pair, small_params

INT32 = (-(1 << 31), (1 << 31) - 1)
EXTREMES = [*INT32, -1, 0, 1, 1 << 30, -(1 << 30), (1 << 30) - 1, -(1 << 16), 0x7FFF8000]


def random_rows(rng, n):
    """(sum, bias, multiplier, shift) with many extremes."""
    rows = []
    for _ in range(n):
        total, bias = (
            int(rng.choice(EXTREMES))
            if rng.random() < 0.4
            else int(rng.integers(*INT32)) >> int(rng.integers(0, 31))
            for _ in range(2)
        )
        multiplier = int(
            rng.choice([0, 1, (1 << 31) - 1, 1 << 30])
            if rng.random() < 0.2
            else rng.integers(1 << 30, 1 << 31)
        )
        rows.append((total, bias, multiplier, int(rng.integers(MIN_SHIFT, MAX_SHIFT + 1))))
    return rows


@pytest.mark.parametrize(
    ("wide", "zero", "lo", "hi"),
    [(0, 0, -128, 127), (0, -128, -128, 127), (1, 0, -32768, 32767), (1, 255, -5000, 77)],
)
def test_every_row_is_requantised_as_the_numerics_say(wide, zero, lo, hi):
    params = small_params(param_bytes=8192, sram_bytes=2048)
    rng = np.random.default_rng(hi)
    rows = random_rows(rng, 400)
    dut = Requantiser(params)
    destinations = rng.permutation(len(rows))
    words = []
    for (_, bias, multiplier, shift), destination in zip(rows, destinations, strict=True):
        words += [(bias & 0xFFFFFFFF) | int(destination) << 32, multiplier | (shift & 0xFF) << 32]
    m = Module()
    m.submodules.dut = dut
    depth = interfaces.param_words(params) + 1
    m.submodules.param = param = Memory(shape=64, depth=depth, init=words)
    connect_pair(m, dut.param, param)
    found = {}

    async def bench(ctx):
        for name, value in (("wide", wide), ("zero", zero), ("lo", lo), ("hi", hi)):
            ctx.set(getattr(dut, name), value)
        for destination, parity in zip(dut.destinations, (64, 66), strict=True):
            ctx.set(destination, parity)
        last = timing.REQUANTISE - PICK_LATENCY
        for cycle in range(len(rows) + last + 1):
            row = cycle
            ctx.set(dut.row.valid, row < len(rows))
            ctx.set(dut.row_parity, row % 2)
            if row < len(rows):
                ctx.set(dut.row.sum, rows[row][0])
                ctx.set(dut.row.record, row)
            assert not ctx.get(dut.error)
            if enable := ctx.get(dut.sram.en):
                place = (enable & -enable).bit_length() - 1
                assert enable >> place == (0b11 if wide else 0b1)
                data = ctx.get(dut.sram.data) >> (8 * place) & (0xFFFF if wide else 0xFF)
                written = cycle - last
                base = (64, 66)[written % 2]
                element = (ctx.get(dut.sram.addr) * params.bus_bytes + place - base) >> wide
                assert element == destinations[written]
                found[element] = data
            await ctx.tick()
        assert not ctx.get(dut.busy)

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert len(found) == len(rows)
    for (total, bias, multiplier, shift), destination in zip(rows, destinations, strict=True):
        expected = requantize(total, bias, multiplier, shift, zero, lo, hi)
        mask = 0xFFFF if wide else 0xFF
        assert found[destination] == expected & mask, (total, bias, multiplier, shift)


@pytest.mark.parametrize("result_fifo", [9, 8])
def test_collector_picks_in_turns(result_fifo):
    params = small_params(lanes=3, result_fifo=result_fifo)
    dut = Collector(params)
    rng = np.random.default_rng(result_fifo)

    async def bench(ctx):
        queues, following, free_at, picked = [[], [], []], 0, 0, []
        number = 0
        for cycle in range(400):
            clear = rng.random() < 0.02
            parity = cycle // 50 % 2
            ctx.set(dut.parity, parity)
            ctx.set(dut.clear, clear)
            ready = ctx.get(dut.ready)
            for lane, queue in enumerate(queues):
                assert ready >> lane & 1 == (
                    len(queue) + timing.LANE_PIPELINE <= params.result_fifo
                )
            assert ctx.get(dut.busy) == any(queues)
            taken = [lane for i in range(3) if queues[lane := (following + i) % 3]]
            lengths = [len(queue) for queue in queues]
            row = None
            if cycle >= free_at and taken:
                following, free_at = (taken[0] + 1) % 3, cycle + 1
                row = queues[taken[0]].pop(0)
            picked.append(row)
            for lane, queue in enumerate(queues):
                push = not clear and lengths[lane] < params.result_fifo and rng.random() < 0.35
                ctx.set(dut.pushed[lane].valid, push)
                if push:
                    number += 1
                    ctx.set(dut.pushed[lane].sum, -number)
                    ctx.set(dut.pushed[lane].record, number)
                    queue.append((number, parity))
            expected = picked[cycle - PICK_LATENCY] if cycle >= PICK_LATENCY else None
            assert ctx.get(dut.row.valid) == (expected is not None)
            if expected is not None:
                assert ctx.get(dut.row.record) == expected[0]
                assert ctx.get(dut.row.sum) == -expected[0]
                assert ctx.get(dut.row_parity) == expected[1]
            if clear:
                queues, following, free_at = [[], [], []], 0, cycle + 1
                picked = [None] * len(picked)  # on their way too
            await ctx.tick()
        assert number > 100

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()

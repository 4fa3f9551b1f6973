"""AXI parts: bursts, and the Python memory that checks a manager's rules."""

import random

import numpy as np
import pytest
from amaranth.sim import Simulator

from npu.chip.params import load_params
from rtl.dma.bursts import Bursts
from rtl.sim.bus import BusMemory, BusRules, Inputs, Outputs

TINY = load_params("tiny")


@pytest.mark.parametrize("bus_bytes", [8, 16, 64])
@pytest.mark.parametrize("longest", [1, 5, 64, 256])
def test_bursts_cover_the_transfer(bus_bytes, longest):
    p = TINY.model_copy(update={"bus_bytes": bus_bytes, "dma_burst_beats": longest})
    dut = Bursts(p, 24)
    rng = random.Random(bus_bytes + longest)
    jobs = []
    for _ in range(12):
        address = 4096 * rng.randint(1, 9) - rng.randint(0, 40) * bus_bytes
        jobs.append((address, rng.choice([1, 2, 9, 64, 300, rng.randint(1, 1500)])))

    async def testbench(ctx):
        for address, beats in jobs:
            ctx.set(dut.start, 1)
            ctx.set(dut.address, address)
            ctx.set(dut.beats, beats)
            await ctx.tick()
            ctx.set(dut.start, 0)
            left = beats
            while ctx.get(dut.valid):
                burst = ctx.get(dut.burst_beats)
                assert ctx.get(dut.burst_address) == address
                to_boundary = (4096 - address % 4096) // bus_bytes
                assert burst == min(left, longest, to_boundary)
                address, left = address + burst * bus_bytes, left - burst
                if rng.random() < 0.3:
                    await ctx.tick()
                    assert ctx.get(dut.valid) and ctx.get(dut.burst_beats) == burst
                ctx.set(dut.next, 1)
                await ctx.tick()
                ctx.set(dut.next, 0)
            assert left == 0

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(testbench)
    sim.run()


def broken(*outputs: Outputs, ready: bool = False) -> str:
    """What the rules say about a sequence of cycles."""
    rules = BusRules(TINY)
    with pytest.raises(AssertionError) as caught:
        for cycle in outputs:
            rules.check(Inputs(ar_ready=ready, aw_ready=ready, w_ready=ready), cycle)
    return str(caught.value)


def test_the_rules_refuse_what_axi_forbids():
    assert "became" in broken(Outputs(ar=(0, 4)), Outputs())
    assert "became" in broken(Outputs(aw=(0, 4)), Outputs(aw=(8, 4)))
    assert "crosses 4 KiB" in broken(Outputs(ar=(4088, 2)))
    assert "a burst of 65" in broken(Outputs(ar=(0, 65)))
    assert "not aligned" in broken(Outputs(aw=(4, 1)))
    beat, last = (0, 255, False), (0, 255, True)
    assert "`last`" in broken(Outputs(aw=(0, 2)), Outputs(w=last), ready=True)
    assert "`last`" in broken(Outputs(aw=(0, 1), w=beat), ready=True)
    assert "3 beats" in broken(
        Outputs(w=beat), Outputs(w=beat), Outputs(w=last), Outputs(aw=(0, 2)), ready=True
    )
    assert "no `last`" in broken(Outputs(w=beat), Outputs(aw=(0, 1)), ready=True)


def test_a_manager_waits_for_no_ready():
    address, data = Outputs(aw=(0, 1)), Outputs(w=(0, 255, True))
    assert "w: waits for awready" in broken(*[address] * 9)
    assert "aw: waits for wready" in broken(*[data] * 9)
    # Both on offer may wait for ever; and data may come, and be taken, before its address.
    rules = BusRules(TINY)
    for _ in range(50):
        rules.check(Inputs(), Outputs(aw=(0, 1), w=(0, 255, True)))
    rules.check(Inputs(w_ready=True), Outputs(aw=(0, 1), w=(0, 255, True)))
    for _ in range(50):
        rules.check(Inputs(), address)
    rules.check(Inputs(aw_ready=True), address)
    rules.check(Inputs(b_valid=True), Outputs())


def test_the_rules_hold_the_memory_too():
    for answer in (Inputs(b_valid=True), Inputs(r_valid=True)):
        with pytest.raises(AssertionError, match=r"^[br]: a "):
            BusRules(TINY).check(answer, Outputs())
    # A response needs the address and the last beat.
    for half in (Outputs(aw=(0, 1)), Outputs(w=(0, 255, True))):
        rules = BusRules(TINY)
        rules.check(Inputs(aw_ready=True, w_ready=True), half)
        with pytest.raises(AssertionError, match="before address and last beat"):
            rules.check(Inputs(b_valid=True), Outputs())
    rules = BusRules(TINY)
    rules.check(Inputs(ar_ready=True), Outputs(ar=(0, 2)))
    with pytest.raises(AssertionError, match="r: `last`"):
        rules.check(Inputs(r_valid=True, r_last=True), Outputs())


def test_the_memory_answers_decerr_outside():
    memory = BusMemory(TINY, np.zeros(64, np.uint8))
    memory.drive(0)
    memory.clock(0, Outputs(ar=(56, 2)))
    answers = []
    for cycle in range(1, 40):
        inputs = memory.drive(cycle)
        if inputs.r_valid:
            answers.append((inputs.r_resp, inputs.r_last))
        memory.clock(cycle, Outputs())
    assert answers == [(0, False), (3, True)]

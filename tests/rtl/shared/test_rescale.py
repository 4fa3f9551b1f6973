# amaranth: UnusedElaboratable=no
"""The requantiser's arithmetic with any of its registers merged; `test_alu` has many more cases."""

import random

import pytest
from amaranth.hdl import Const, signed
from amaranth.sim import Simulator

from npu.model.numerics import multiply_by_quantized_multiplier, wrap_int32
from rtl.shared.rescale import STAGES, Rescale, split_shift

CASES = 250


def number(rng: random.Random) -> int:
    if rng.random() < 0.3:
        return rng.choice([0, 1, -1, (1 << 31) - 1, -(1 << 31), 1 << 30, -(1 << 30)])
    return wrap_int32(rng.getrandbits(32)) >> rng.randrange(32)


@pytest.mark.parametrize(
    "merged", [(), ("left",), ("products", "middle", "zero"), STAGES[1:]], ids=len
)
def test_equals_the_numerics_with_any_registers(merged):
    rng = random.Random(len(merged))
    dut = Rescale(merged)
    assert dut.latency == len(STAGES) - len(merged)
    cases = [
        (
            number(rng),
            rng.choice([rng.getrandbits(31), 1 << rng.randrange(31), (1 << 31) - 1]),
            rng.randint(-32, 31),
            rng.randint(-(1 << 15), (1 << 15) - 1),
        )
        for _ in range(CASES)
    ]
    got = []

    async def testbench(ctx) -> None:
        for cycle in range(CASES + dut.latency):

            def at(stage: str, cycle=cycle) -> tuple[int, int, int, int]:
                return cases[min(max(cycle - dut.cycle_of(stage), 0), CASES - 1)]

            x, _, shift, _ = at("left")
            ctx.set(dut.x, x)
            ctx.set(dut.left, max(shift, 0))
            ctx.set(dut.multiplier, at("products")[1])
            ctx.set(dut.right, max(-at("right")[2], 0))
            ctx.set(dut.zero, at("zero")[3])
            if cycle >= dut.latency:
                got.append(ctx.get(dut.y))
            await ctx.tick()

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(testbench)
    sim.run()
    want = [wrap_int32(multiply_by_quantized_multiplier(x, m, s) + z) for x, m, s, z in cases]
    assert got == want


def test_split_shift():
    seen = []

    async def testbench(ctx) -> None:
        for shift in range(-32, 32):
            seen.append(tuple(ctx.get(v) for v in split_shift(Const(shift, signed(6)))))

    sim = Simulator(Rescale())
    sim.add_testbench(testbench)
    sim.run()
    assert seen == [(max(s, 0), max(-s, 0)) for s in range(-32, 32)]


def test_half_up_rounds_ties_upward():
    dut = Rescale(STAGES[1:])
    cases = [(-3, 1, -1), (3, 1, 2), (-5, 2, -1), (-6, 2, -1), (-7, 2, -2), (6, 2, 2), (-1, 1, 0)]
    got = []

    async def testbench(ctx) -> None:
        ctx.set(dut.multiplier, 1 << 31)
        ctx.set(dut.half_up, 1)
        for x, right, _ in cases:
            ctx.set(dut.x, x)
            ctx.set(dut.right, right)
            await ctx.tick()
            got.append(ctx.get(dut.y))

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(testbench)
    sim.run()
    assert got == [want for _, _, want in cases]


def test_stages_have_names():
    with pytest.raises(ValueError, match="a stage must be one of left, products"):
        Rescale(("round",))

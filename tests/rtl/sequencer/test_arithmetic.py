"""Results of scalar commands: every corner, in the cycle that `npu.chip.timing` says."""

import itertools
import random

import pytest
from amaranth.sim import Simulator

from npu.chip import timing
from npu.model.numerics import (
    INT32_MAX,
    INT32_MIN,
    rounding_divide_by_pot,
    saturating_rounding_doubling_high_mul,
)
from rtl.sequencer.arithmetic import RESULTS, Arithmetic
from tests.naive import wrap

CORNERS = (INT32_MIN, INT32_MIN + 1, -0x10000, -3, -1, 0, 1, 2, 0xFFFF, 1 << 30, INT32_MAX)


def expected(name: str, x: int, y: int) -> int:
    match name:
        case "ADD":
            return wrap(x + y)
        case "SUB":
            return wrap(x - y)
        case "MUL":
            return wrap(x * y)
        case "MULH":
            return int(saturating_rounding_doubling_high_mul(x, y))
        case "SLL":
            return wrap(x << y % 32)
        case "SRA":
            return x >> y % 32
        case "RSRA":
            return int(rounding_divide_by_pot(x, y % 32))
        case "CLZ":
            return 32 - len(f"{x % 2**32:b}") if x else 32
        case _:
            return min(x, y) if name == "MIN" else max(x, y)


def operands(name: str, rng: random.Random) -> list[tuple[int, int]]:
    """Corners with corners; every amount of a shift; products that are ties; and any numbers."""
    found = list(itertools.product(CORNERS, CORNERS))
    found += [(x, y) for x in CORNERS for y in range(32)]
    found += [(1 << bit, 0) for bit in range(31)] + [((1 << bit) - 1, 0) for bit in range(32)]
    found += [(x << 15, y << 15) for x in (-3, -1, 1, 5) for y in (-7, -1, 1, 3)]
    for amount in range(1, 32):
        half = 1 << (amount - 1)
        near = (k * 2 * half + half + d for k in (-3, -1, 0, 2) for d in (-1, 0, 1))
        found += [(wrap(x), amount) for x in near]
    found += [(wrap(rng.getrandbits(32)), wrap(rng.getrandbits(32))) for _ in range(300)]
    return found


@pytest.mark.parametrize("name", RESULTS)
def test_every_corner(name):
    unit = Arithmetic()

    async def testbench(ctx):
        ctx.set(getattr(unit, f"is_{name.lower()}"), 1)
        for x, y in operands(name, random.Random(name)):
            ctx.set(unit.left, x)
            ctx.set(unit.right, y)
            for cycle in range(timing.SCALARS.get(name, timing.SCALAR)):
                if cycle:
                    await ctx.tick()
                ctx.set(unit.first, cycle == 0)
            assert wrap(ctx.get(unit.value)) == expected(name, x, y), (x, y)
            if name != "ADD":
                assert (ctx.get(unit.less), ctx.get(unit.same)) == (x < y, x == y), (x, y)
            await ctx.tick()

    simulator = Simulator(unit)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()

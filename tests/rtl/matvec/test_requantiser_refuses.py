"""What the requantiser refuses of a row: everything out of range, and nothing else."""

from dataclasses import dataclass, replace

import pytest
from amaranth.hdl import Module
from amaranth.lib.memory import Memory
from amaranth.sim import Simulator

from npu.chip import timing
from npu.chip.weight_format import MAX_SCALES, MAX_TILE_ROWS
from npu.model.numerics import MAX_SHIFT, MIN_SHIFT
from rtl.matvec.collector import PICK_LATENCY
from rtl.matvec.requantiser import Requantiser
from rtl.shared import interfaces
from tests.rtl.matvec.matvec_bench import connect_pair, small_params

PARAMS = small_params(param_bytes=1024, sram_bytes=512)
WORDS = interfaces.param_words(PARAMS)
LAST = timing.REQUANTISE - PICK_LATENCY
N_SCALES = 4
MOST = (1 << 31) - 1


@dataclass(frozen=True)
class Row:
    """A row, its record and its scale; `own`: the scale lies behind the record."""

    rows: int = 10
    own: bool = False
    dst: int = 0
    wide: bool = False
    destination: int = 0
    scale: int = 0
    multiplier: int = 1 << 30
    shift: int = 0


class Bench:
    """The unit; its parameter memory holds the row's record, and at every other word its scale."""

    def __init__(self) -> None:
        self.dut = Requantiser(PARAMS)
        self.param = Memory(shape=64, depth=WORDS + 1, init=[])

    def run(self, testbench) -> None:
        m = Module()
        m.submodules.dut = self.dut
        m.submodules.param = self.param
        connect_pair(m, self.dut.param, self.param)
        simulator = Simulator(m)
        simulator.add_clock(1e-6)
        simulator.add_testbench(testbench)
        simulator.run()

    async def clear(self, ctx) -> None:
        ctx.set(self.dut.clear, 1)
        await ctx.tick()
        ctx.set(self.dut.clear, 0)

    async def begin(self, ctx, row: Row) -> None:
        dut = self.dut
        scale = row.multiplier | (row.shift & 0xFF) << 32
        for word in range(WORDS):
            record = row.destination << 32 | row.scale << 48
            ctx.set(self.param.data[word], record if word == row.rows else scale)
        ctx.set(dut.scales.en, 1)
        for index in range(MAX_SCALES):
            ctx.set(dut.scales.index, index)
            ctx.set(dut.scales.data, scale)
            await ctx.tick()
        ctx.set(dut.scales.en, 0)
        ctx.set(dut.n_scales, 0 if row.own else N_SCALES)
        ctx.set(dut.rows, row.rows)
        ctx.set(dut.destinations[0], row.dst)
        ctx.set(dut.wide, row.wide)
        ctx.set(dut.hi, 127)
        await self.clear(ctx)
        await ctx.tick()

    async def outcome(self, ctx, row: Row) -> tuple[list[int], bool]:
        """(bytes written, whether refused) of the row alone."""
        await self.begin(ctx, row)
        ctx.set(self.dut.row.valid, 1)
        written, refused = [], False
        for _ in range(LAST + 2):
            base = ctx.get(self.dut.sram.addr) * PARAMS.bus_bytes
            enables = ctx.get(self.dut.sram.en)
            written += [base + i for i in range(PARAMS.bus_bytes) if enables >> i & 1]
            refused |= bool(ctx.get(self.dut.error))
            await ctx.tick()
            ctx.set(self.dut.row.valid, 0)
        assert not ctx.get(self.dut.busy)
        return written, refused


# Each the last of its kind that is right, and the first that is not.
NEIGHBOURS = {
    "record": (Row(rows=WORDS - 1), {"rows": WORDS}),
    "own-scale": (Row(rows=WORDS - 2, own=True), {"rows": WORDS - 1}),
    "shared-scale": (Row(scale=N_SCALES - 1), {"scale": N_SCALES}),
    "multiplier": (Row(multiplier=MOST), {"multiplier": MOST + 1}),
    "own-multiplier": (Row(multiplier=MOST, own=True), {"multiplier": MOST + 1}),
    "right-shift": (Row(shift=MIN_SHIFT), {"shift": MIN_SHIFT - 1}),
    "left-shift": (Row(shift=MAX_SHIFT), {"shift": MAX_SHIFT + 1}),
    "int8": (Row(dst=500, destination=11), {"destination": 12}),
    "int16": (Row(dst=500, destination=5, wide=True), {"destination": 6}),
    "half-an-int16": (Row(dst=510, wide=True), {"dst": 511}),
}


@pytest.mark.parametrize("name", NEIGHBOURS)
def test_the_last_that_is_right_and_the_first_that_is_not(name):
    good, change = NEIGHBOURS[name]
    bench = Bench()

    async def testbench(ctx):
        at = good.dst + (good.destination << good.wide)
        for _ in range(2):
            assert await bench.outcome(ctx, good) == ([at, at + 1] if good.wide else [at], False)
            assert await bench.outcome(ctx, replace(good, **change)) == ([], True)

    bench.run(testbench)


def test_a_clear_drops_the_row_wherever_it_is():
    bench = Bench()

    async def testbench(ctx):
        dut = bench.dut
        # Refused, it shows an error; right, it is written.
        for row in (Row(), Row(scale=N_SCALES)):
            for cycle in range(LAST + 1):
                await bench.begin(ctx, row)
                ctx.set(dut.row.valid, 1)
                for _ in range(cycle):
                    await ctx.tick()
                    ctx.set(dut.row.valid, 0)
                ctx.set(dut.clear, 1)
                assert not ctx.get(dut.sram.en)
                await ctx.tick()
                ctx.set(dut.clear, 0)
                ctx.set(dut.row.valid, 0)
                for _ in range(LAST + 1):
                    assert not ctx.get(dut.busy)
                    assert not ctx.get(dut.sram.en) and not ctx.get(dut.error)
                    await ctx.tick()

    bench.run(testbench)


def test_a_tile_has_so_many_rows_and_no_more():
    bench = Bench()

    async def testbench(ctx):
        dut = bench.dut
        await bench.begin(ctx, Row())
        for _ in range(2):
            ctx.set(dut.row.valid, 1)
            for _ in range(MAX_TILE_ROWS):
                assert not ctx.get(dut.too_many)
                await ctx.tick()
            assert ctx.get(dut.too_many)
            ctx.set(dut.row.valid, 0)
            await bench.clear(ctx)

    bench.run(testbench)

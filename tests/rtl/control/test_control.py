"""Control and status registers over AXI4-Lite."""

from dataclasses import replace

import pytest
from amaranth.sim import Simulator

from npu.chip.params import load_params
from npu.chip.status import Status
from npu.chip.weight_format import VERSION
from rtl.control import control
from rtl.control.control import Control
from rtl.control.registers import BY_NAME, COUNTERS, ID, REGISTERS
from rtl.shared.axi import Response

TINY = load_params("tiny")
TIMEOUT = 4e-4
OKAY, SLVERR = Response.OKAY, Response.SLVERR


class Bench:
    """The registers, with a host that reads and writes them by name."""

    def __init__(self) -> None:
        self.dut = Control(TINY)

    async def write(
        self, ctx, name: str, value: int, strobes: int = 0xF, delay: int = 0, late: int = 0
    ) -> int:
        """Write a register, data `delay` cycles after the address; returns the response.

        The response is taken `late` cycles after it came; until then it must stay.
        """
        bus = self.dut.axil
        address = BY_NAME[name].offset if name in BY_NAME else int(name, 16)
        ctx.set(bus.aw.payload.addr, address)
        ctx.set(bus.aw.valid, 1)
        for _ in range(delay):
            await ctx.tick()
        ctx.set(bus.w.payload.data, value)
        ctx.set(bus.w.payload.strb, strobes)
        ctx.set(bus.w.valid, 1)
        assert ctx.get(bus.aw.ready) and ctx.get(bus.w.ready)
        await ctx.tick()
        ctx.set(bus.aw.valid, 0)
        ctx.set(bus.w.valid, 0)
        ctx.set(bus.b.ready, late == 0)
        assert not ctx.get(bus.b.valid)
        await ctx.tick()
        for _ in range(late):
            assert ctx.get(bus.b.valid)
            await ctx.tick()
        ctx.set(bus.b.ready, 1)
        assert ctx.get(bus.b.valid)
        response = ctx.get(bus.b.payload.resp)
        await ctx.tick()
        ctx.set(bus.b.ready, 0)
        assert not ctx.get(bus.b.valid)
        return response

    async def read(self, ctx, name: str, delay: int = 0) -> tuple[int, int]:
        """Read a register, taking the data `delay` cycles late; returns data and response."""
        bus = self.dut.axil
        address = BY_NAME[name].offset if name in BY_NAME else int(name, 16)
        ctx.set(bus.ar.payload.addr, address)
        ctx.set(bus.ar.valid, 1)
        assert ctx.get(bus.ar.ready)
        await ctx.tick()
        ctx.set(bus.ar.valid, 0)
        assert not ctx.get(bus.r.valid)
        for _ in range(1 + delay):
            await ctx.tick()
        assert ctx.get(bus.r.valid)
        answer = ctx.get(bus.r.payload.data), ctx.get(bus.r.payload.resp)
        ctx.set(bus.r.ready, 1)
        await ctx.tick()
        ctx.set(bus.r.ready, 0)
        assert not ctx.get(bus.r.valid)
        return answer

    async def end_load(self, ctx) -> None:
        """The DMA says that the program's transfer has ended."""
        ctx.set(self.dut.program.done, 1)
        await ctx.tick()
        ctx.set(self.dut.program.done, 0)

    def run(self, testbench) -> None:
        self.run_each([None], testbench)

    def run_each(self, cases, *testbenches) -> None:
        """Run from reset on for every case, in `case` then, to the end of the last testbench."""
        *others, last = testbenches
        ended = 0

        async def to_the_end(ctx):
            nonlocal ended
            await last(ctx)
            ended += 1

        sim = Simulator(self.dut)
        sim.add_clock(1e-6)
        for testbench in (*others, to_the_end):
            sim.add_testbench(testbench)
        for number, self.case in enumerate(cases, 1):
            if number > 1:
                sim.reset()
            sim.run_until(TIMEOUT)
            assert ended == number, "timeout"


def test_the_map_has_no_overlaps():
    assert len({r.offset for r in REGISTERS}) == len(REGISTERS)
    assert all(r.offset % 4 == 0 for r in REGISTERS)
    for register in REGISTERS:
        mask = 0
        for field in register.fields:
            bits = ((1 << field.width) - 1) << field.lsb
            assert not mask & bits
            mask |= bits


RESET_VALUES = {
    "ID": 0x1234_5678,
    "VERSION": 9,
    "START_PC": 0x4321,
    "PROGRAM_ADDRESS": 0x8765_4321,
    "PROGRAM_COMMANDS": 0x1111,
    "WATCHDOG": 0x12_3456,
    "IRQ_ENABLE": 0b10,
    "IRQ_STATUS": 0b11,
    "MACS": 77,
}


def test_reset_values_come_from_the_table(monkeypatch):
    """Another table, another chip: nothing of it is written a second time."""
    changed = dict(BY_NAME)
    for name, value in RESET_VALUES.items():
        parts = tuple(
            replace(part, reset=(value & part.mask) >> part.lsb) for part in BY_NAME[name].fields
        )
        changed[name] = replace(BY_NAME[name], fields=parts)
    monkeypatch.setattr(control, "BY_NAME", changed)
    bench = Bench()

    async def testbench(ctx):
        for name in BY_NAME:
            if BY_NAME[name].access != "wo":
                # None: the chip's own.
                wanted = changed[name].reset
                wanted = TINY.fingerprint if wanted is None else wanted
                assert await bench.read(ctx, name) == (wanted, OKAY), name

    bench.run(testbench)
    assert {name: changed[name].reset for name in RESET_VALUES} == RESET_VALUES


def test_plain_registers_hold_what_was_written():
    bench = Bench()

    async def testbench(ctx):
        assert await bench.read(ctx, "ID") == (ID, OKAY)
        assert await bench.read(ctx, "VERSION", delay=2) == (VERSION, OKAY)
        for value, name in enumerate(("START_PC", "PROGRAM_ADDRESS", "PROGRAM_COMMANDS"), 5):
            assert await bench.write(ctx, name, value << 4, delay=value % 3, late=7 - value) == OKAY
            assert await bench.read(ctx, name) == (value << 4, OKAY)

    bench.run(testbench)


@pytest.mark.parametrize("name", ["ID", "STATUS", "CYCLES", "0x34", "0xfc"])
def test_what_cannot_be_written_is_refused(name):
    bench = Bench()

    async def testbench(ctx):
        assert await bench.write(ctx, name, 1) == SLVERR

    bench.run(testbench)


def test_reads_of_nothing_and_partial_writes_are_refused():
    bench = Bench()

    async def testbench(ctx):
        assert await bench.read(ctx, "0x3c") == (0, SLVERR)
        assert await bench.read(ctx, "CONTROL") == (0, SLVERR)
        assert await bench.write(ctx, "START_PC", 7, strobes=0b0011) == SLVERR
        assert await bench.read(ctx, "START_PC") == (0, OKAY)

    bench.run(testbench)


def test_start_runs_once_and_the_end_interrupts():
    bench = Bench()
    dut = bench.dut
    starts = []

    async def sequencer(ctx):
        async for _, reset, start, pc in ctx.tick().sample(dut.host.start, dut.host.pc):
            if start and not reset:
                starts.append(pc)
                ctx.set(dut.host.running, 1)

    async def testbench(ctx):
        await bench.write(ctx, "IRQ_ENABLE", 1)
        await bench.write(ctx, "START_PC", 0x21)
        assert await bench.write(ctx, "CONTROL", 1) == OKAY
        assert await bench.read(ctx, "STATUS") == (1, OKAY)
        # Refused while running: another start, a load, a scalar register.
        for name, value in (("CONTROL", 1), ("CONTROL", 4), ("R3", 1)):
            assert await bench.write(ctx, name, value) == SLVERR
        assert not ctx.get(dut.irq)
        ctx.set(dut.host.running, 0)
        await ctx.tick().repeat(2)
        assert ctx.get(dut.irq)
        assert await bench.read(ctx, "IRQ_STATUS") == (1, OKAY)
        await bench.write(ctx, "IRQ_STATUS", 1)
        assert not ctx.get(dut.irq)
        assert starts == [0x21]

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_process(sequencer)
    sim.add_testbench(testbench)
    sim.run_until(1e-3)


def test_an_error_forbids_a_start_until_reset_which_waits_for_the_bus():
    bench = Bench()
    dut = bench.dut

    async def testbench(ctx):
        ctx.set(dut.host.error, Status.STREAM)
        ctx.set(dut.host.error_pc, 77)
        assert await bench.write(ctx, "CONTROL", 1) == SLVERR
        assert await bench.read(ctx, "STATUS") == (Status.STREAM << 8, OKAY)
        assert await bench.read(ctx, "ERROR_PC") == (77, OKAY)
        ctx.set(dut.active, 1)
        assert await bench.write(ctx, "CONTROL", 2) == OKAY
        for _ in range(10):
            await ctx.tick()
            assert ctx.get(dut.hold) and not ctx.get(dut.reset)
        ctx.set(dut.active, 0)
        await ctx.tick()
        assert ctx.get(dut.hold) and ctx.get(dut.reset)
        await ctx.tick()
        # In this cycle the units are reset.
        assert ctx.get(dut.hold) and not ctx.get(dut.reset)
        await ctx.tick()
        ctx.set(dut.host.error, 0)
        assert not ctx.get(dut.reset) and not ctx.get(dut.hold)
        assert await bench.write(ctx, "CONTROL", 1) == OKAY

    bench.run(testbench)


def test_the_engines_error_shows_when_the_sequencer_has_none():
    bench = Bench()

    async def testbench(ctx):
        ctx.set(bench.dut.dma_error, Status.BUS)
        ctx.set(bench.dut.dma_error_pc, 3)
        assert await bench.read(ctx, "STATUS") == (Status.BUS << 8, OKAY)
        assert await bench.read(ctx, "ERROR_PC") == (3, OKAY)
        ctx.set(bench.dut.host.error, Status.TABLE)
        assert await bench.read(ctx, "STATUS") == (Status.TABLE << 8, OKAY)

    bench.run(testbench)


def test_a_program_load_asks_until_it_is_done():
    bench = Bench()
    dut = bench.dut

    async def testbench(ctx):
        await bench.write(ctx, "PROGRAM_ADDRESS", 0x1000)
        await bench.write(ctx, "PROGRAM_COMMANDS", 3)
        assert await bench.write(ctx, "CONTROL", 4) == OKAY
        for _ in range(5):
            assert ctx.get(dut.program.valid)
            assert ctx.get(dut.program.address) == 0x1000 and ctx.get(dut.program.beats) == 12
            await ctx.tick()
        await bench.end_load(ctx)
        assert not ctx.get(dut.program.valid)
        assert await bench.read(ctx, "IRQ_STATUS") == (2, OKAY)
        assert ctx.get(dut.commands) == 3

    bench.run(testbench)


def test_a_load_that_cannot_be_is_refused():
    bench = Bench()
    dut = bench.dut
    refused = [
        *((0x1000, commands) for commands in (0, TINY.program_commands + 1, 0xFFFF)),
        *((address, 3) for address in (0x1004, 0x1001, 0xFFFFFFFF)),
    ]

    async def testbench(ctx):
        for address, commands in refused:
            await bench.write(ctx, "PROGRAM_ADDRESS", address)
            await bench.write(ctx, "PROGRAM_COMMANDS", commands)
            assert await bench.write(ctx, "CONTROL", LOAD) == SLVERR
            for _ in range(5):
                assert not ctx.get(dut.program.valid)
                await ctx.tick()
        assert await bench.read(ctx, "STATUS") == (0, OKAY)
        assert await bench.read(ctx, "IRQ_STATUS") == (0, OKAY)
        # And goes on: the largest program.
        await bench.write(ctx, "PROGRAM_ADDRESS", 0x1000)
        await bench.write(ctx, "PROGRAM_COMMANDS", TINY.program_commands)
        assert await bench.write(ctx, "CONTROL", LOAD) == OKAY
        assert ctx.get(dut.program.valid)
        assert ctx.get(dut.program.beats) == TINY.program_bytes // TINY.bus_bytes

    bench.run(testbench)


def test_an_index_that_does_not_fit_is_refused_not_cut():
    bench = Bench()

    async def testbench(ctx):
        for name in ("START_PC", "PROGRAM_COMMANDS"):
            assert await bench.write(ctx, name, 0xFFFF) == OKAY
            for value in (0x10000, 0x10001, 0xFFFFFFFF):
                assert await bench.write(ctx, name, value) == SLVERR
                assert await bench.read(ctx, name) == (0xFFFF, OKAY)

    bench.run(testbench)


def test_memory_is_placed_by_pages_while_nothing_is_on_the_bus():
    bench = Bench()
    dut = bench.dut

    async def testbench(ctx):
        assert await bench.write(ctx, "MEMORY_BASE", 0x8765_4000) == OKAY
        for value in (0x8765_4001, 0x800, 0x1004):
            assert await bench.write(ctx, "MEMORY_BASE", value) == SLVERR
        ctx.set(dut.moving, 1)
        await ctx.tick().repeat(2)
        assert await bench.write(ctx, "MEMORY_BASE", 0x1000) == SLVERR
        ctx.set(dut.moving, 0)
        ctx.set(dut.host.running, 1)
        await ctx.tick().repeat(2)
        assert await bench.write(ctx, "MEMORY_BASE", 0x1000) == SLVERR
        assert ctx.get(dut.page) == 0x87654
        assert await bench.read(ctx, "MEMORY_BASE") == (0x8765_4000, OKAY)

    bench.run(testbench)


def test_what_is_loaded_stays_as_it_was_asked_for():
    bench = Bench()
    dut = bench.dut

    async def testbench(ctx):
        await bench.write(ctx, "PROGRAM_ADDRESS", 0x1000)
        await bench.write(ctx, "PROGRAM_COMMANDS", 3)
        await bench.write(ctx, "CONTROL", LOAD)
        assert await bench.write(ctx, "PROGRAM_ADDRESS", 0x2000) == SLVERR
        assert await bench.write(ctx, "PROGRAM_COMMANDS", 700) == SLVERR
        assert await bench.write(ctx, "START_PC", 1) == OKAY
        assert ctx.get(dut.program.address) == 0x1000 and ctx.get(dut.program.beats) == 12
        await bench.end_load(ctx)
        assert ctx.get(dut.commands) == 3
        assert await bench.write(ctx, "PROGRAM_ADDRESS", 0x2000) == OKAY

    bench.run(testbench)


def test_neither_moving_nor_in_error_is_the_end():
    bench = Bench()
    dut = bench.dut
    seen = []

    async def engine(ctx):
        ctx.set(dut.moving, 1)
        await ctx.tick().repeat(10)
        ctx.set(dut.moving, 0)
        await ctx.tick()
        # A tile that does not fit is known in the cycle behind its transfer.
        ctx.set(dut.dma_error, Status.TILE)

    async def testbench(ctx):
        await bench.write(ctx, "PROGRAM_COMMANDS", 1)
        await ctx.tick().repeat(bench.case)
        assert await bench.write(ctx, "CONTROL", LOAD) == SLVERR
        seen.append((await bench.read(ctx, "STATUS"))[0])

    bench.run_each(range(1, 9), engine, testbench)
    assert sorted({*seen}) == [MOVING, Status.TILE << 8]


START, RESET, LOAD, CLEAR = 1, 2, 4, 8
MOVING = 8
# What may be asked for in each state of the chip.
ALLOWED = {
    "idle": {START, RESET, LOAD},
    "open transfers": {START, RESET},
    "running": {RESET},
    "loading": {RESET},
    "resetting": {RESET},
    "stopped in error": {RESET},
    "engine in error": {RESET},
}


@pytest.mark.parametrize("state", ALLOWED)
def test_a_write_to_control_is_done_as_a_whole_or_refused_as_a_whole(state):
    bench = Bench()
    dut = bench.dut
    done = []

    async def testbench(ctx):
        asked = bench.case
        await bench.write(ctx, "PROGRAM_COMMANDS", 1)
        ctx.set(dut.events.cycles, 1)
        match state:
            case "open transfers":
                ctx.set(dut.moving, 1)
            case "running":
                ctx.set(dut.host.running, 1)
            case "loading":
                await bench.write(ctx, "CONTROL", LOAD)
            case "resetting":
                ctx.set(dut.active, 1)
                await bench.write(ctx, "CONTROL", RESET)
            case "stopped in error":
                ctx.set(dut.host.error, Status.TABLE)
            case "engine in error":
                ctx.set(dut.dma_error, Status.BUS)
        await ctx.tick().repeat(9)
        ctx.set(dut.events.cycles, 0)
        await ctx.tick()
        counted = (await bench.read(ctx, "CYCLES"))[0]
        assert counted > 0
        was = ctx.get(dut.hold), ctx.get(dut.program.valid)
        starts = 0

        async def control(value: int) -> int:
            nonlocal starts
            bus = dut.axil
            ctx.set(bus.aw.payload.addr, BY_NAME["CONTROL"].offset)
            ctx.set(bus.w.payload.data, value | 0xFFFFFFF0)  # bits without a field are ignored
            ctx.set(bus.w.payload.strb, 0xF)
            ctx.set(bus.aw.valid, 1)
            ctx.set(bus.w.valid, 1)
            await ctx.tick()
            ctx.set(bus.aw.valid, 0)
            ctx.set(bus.w.valid, 0)
            starts = ctx.get(dut.host.start)
            await ctx.tick()
            ctx.set(bus.b.ready, 1)
            response = ctx.get(bus.b.payload.resp)
            await ctx.tick()
            ctx.set(bus.b.ready, 0)
            return response

        actions = {action for action in (START, RESET, LOAD) if asked & action}
        good = len(actions) <= 1 and actions <= ALLOWED[state]
        ctx.set(dut.active, 1)  # a reset waits
        await ctx.tick()
        assert await control(asked) == (OKAY if good else SLVERR)
        assert starts == (good and START in actions)
        assert ctx.get(dut.hold) == (was[0] or (good and RESET in actions))
        assert ctx.get(dut.program.valid) == (was[1] or (good and LOAD in actions))
        left = 0 if good and asked & CLEAR else counted
        assert await bench.read(ctx, "CYCLES") == (left, OKAY)
        done.append(asked)

    bench.run_each(range(16), testbench)
    assert done == list(range(16))


def test_no_index_without_an_error():
    bench = Bench()
    dut = bench.dut

    async def testbench(ctx):
        ctx.set(dut.dma_error_pc, 13)
        ctx.set(dut.host.error_pc, 14)
        assert await bench.read(ctx, "ERROR_PC") == (0, OKAY)
        # What comes while a program runs is for the sequencer to report, with the command's index.
        ctx.set(dut.host.running, 1)
        ctx.set(dut.dma_error, Status.BUS)
        assert await bench.read(ctx, "STATUS") == (1, OKAY)
        assert await bench.read(ctx, "ERROR_PC") == (0, OKAY)
        ctx.set(dut.host.error, Status.BUS)
        ctx.set(dut.host.running, 0)
        assert await bench.read(ctx, "STATUS") == (Status.BUS << 8, OKAY)
        assert await bench.read(ctx, "ERROR_PC") == (14, OKAY)

    bench.run(testbench)


def test_an_event_that_comes_while_it_is_cleared_stays():
    bench = Bench()
    dut = bench.dut
    left = []

    async def sequencer(ctx):
        # Runs until so many cycles behind the one in which the clear is an access.
        ctx.set(dut.host.running, 1)
        await ctx.tick().repeat(10 + bench.case)
        ctx.set(dut.host.running, 0)

    async def testbench(ctx):
        await ctx.tick().repeat(9)
        await bench.write(ctx, "IRQ_STATUS", 1)
        await ctx.tick().repeat(9)
        left.append((await bench.read(ctx, "IRQ_STATUS"))[0])

    bench.run_each(range(-3, 4), sequencer, testbench)
    assert left == [0, 0, 0, 1, 1, 1, 1]


def test_scalar_registers_pass_through():
    bench = Bench()
    dut = bench.dut

    async def testbench(ctx):
        bus = dut.axil
        ctx.set(bus.aw.payload.addr, BY_NAME["R9"].offset)
        ctx.set(bus.w.payload.data, 0xDEADBEEF)
        ctx.set(bus.w.payload.strb, 0xF)
        ctx.set(bus.aw.valid, 1)
        ctx.set(bus.w.valid, 1)
        await ctx.tick()
        ctx.set(bus.aw.valid, 0)
        ctx.set(bus.w.valid, 0)
        assert ctx.get(dut.host.write)
        assert ctx.get(dut.host.index) == 9 and ctx.get(dut.host.value) == 0xDEADBEEF
        await ctx.tick()
        assert not ctx.get(dut.host.write)
        ctx.set(dut.host.read, 0x1234)
        assert await bench.read(ctx, "R5") == (0x1234, OKAY)

    bench.run(testbench)


def test_counters_add_up_and_clear():
    bench = Bench()
    dut = bench.dut

    async def testbench(ctx):
        steps = {name: 1 + (name == "macs") for name, _ in COUNTERS}
        for name, step in steps.items():
            ctx.set(dut.events[name], step)
        await ctx.tick().repeat(10)
        for name in steps:
            ctx.set(dut.events[name], 0)
        for name, step in steps.items():
            unit = TINY.bus_bytes if name.startswith("bytes_") else 1
            assert await bench.read(ctx, name.upper()) == (10 * step * unit, OKAY)
        await bench.write(ctx, "CONTROL", 8)
        for name in steps:
            assert await bench.read(ctx, name.upper()) == (0, OKAY)

    bench.run(testbench)


def test_an_event_that_is_not_enabled_raises_nothing():
    bench = Bench()
    dut = bench.dut

    async def testbench(ctx):
        await bench.write(ctx, "IRQ_ENABLE", 1)
        await bench.write(ctx, "PROGRAM_COMMANDS", 3)
        await bench.write(ctx, "CONTROL", LOAD)
        await bench.end_load(ctx)
        assert await bench.read(ctx, "IRQ_STATUS") == (2, OKAY)
        assert not ctx.get(dut.irq)
        await bench.write(ctx, "IRQ_ENABLE", 2)
        assert ctx.get(dut.irq)

    bench.run(testbench)


def test_a_load_that_fails_leaves_no_program():
    bench = Bench()
    dut = bench.dut

    async def testbench(ctx):
        await bench.write(ctx, "PROGRAM_COMMANDS", 3)
        await bench.write(ctx, "CONTROL", LOAD)
        ctx.set(dut.dma_error, Status.BUS)
        await ctx.tick()
        await bench.end_load(ctx)
        await ctx.tick()
        assert ctx.get(dut.commands) == 0
        assert await bench.read(ctx, "STATUS") == (Status.BUS << 8, OKAY)

    bench.run(testbench)


def test_the_watchdog_holds_24_bits():
    bench = Bench()

    async def testbench(ctx):
        assert await bench.read(ctx, "WATCHDOG") == (0, OKAY)
        assert await bench.write(ctx, "WATCHDOG", 0xFF_FFFF) == OKAY
        assert await bench.write(ctx, "WATCHDOG", 0x100_0000) == SLVERR
        assert await bench.read(ctx, "WATCHDOG") == (0xFF_FFFF, OKAY)
        assert ctx.get(bench.dut.watchdog) == 0xFF_FFFF

    bench.run(testbench)


@pytest.mark.parametrize("error", [Status.BUS, Status.BUS_TIMEOUT])
def test_a_load_on_a_silent_bus_ends_before_its_transfer(error):
    """Of an error response the load waits for the transfer's end; each load is told once."""
    bench, silent = Bench(), error is Status.BUS_TIMEOUT

    async def testbench(ctx):
        dut = bench.dut
        assert await bench.write(ctx, "PROGRAM_COMMANDS", 1) == OKAY
        assert await bench.write(ctx, "CONTROL", 4) == OKAY
        ctx.set(dut.active, 1)
        assert await bench.read(ctx, "STATUS") == (2, OKAY)
        ctx.set(dut.dma_error, error)
        await ctx.tick()
        ctx.set(dut.moving, silent)
        assert await bench.read(ctx, "STATUS") == (error << 8 | (8 if silent else 2), OKAY)
        assert await bench.read(ctx, "IRQ_STATUS") == (2 if silent else 0, OKAY)
        assert await bench.write(ctx, "IRQ_STATUS", 3) == OKAY
        assert await bench.write(ctx, "MEMORY_BASE", 0x1000) == SLVERR
        await bench.end_load(ctx)
        ctx.set(dut.active, 0)
        ctx.set(dut.moving, 0)
        assert await bench.read(ctx, "IRQ_STATUS") == (0 if silent else 2, OKAY)
        assert ctx.get(dut.commands) == 0

    bench.run(testbench)

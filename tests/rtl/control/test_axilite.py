"""The AXI4-Lite subordinate alone: no answer is lost, a write goes first, a refusal shows 0."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In
from amaranth.sim import Simulator

from rtl.control.axilite import AxiLite
from rtl.shared.axi import Response, axi4_lite

TIMEOUT = 1e-4
OPEN, CLOSED = 0x10, 0x14  # the same word, but accesses of CLOSED are refused
FIRST = 0x1234_5678


class OneWord(wiring.Component):
    """A word behind the bus."""

    def __init__(self) -> None:
        self.unit = AxiLite(8)
        super().__init__({"bus": In(axi4_lite(8))})

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.unit = unit = self.unit
        wiring.connect(m, wiring.flipped(self.bus), unit.bus)
        m.d.comb += unit.error.eq(unit.address == CLOSED)
        with m.If(unit.write & ~unit.error):
            m.d.sync += unit.read_data.eq(unit.write_data)
        return m


class Host:
    """Requests are offered until taken, answers taken one at a time."""

    def __init__(self, ctx, bus) -> None:
        self.ctx, self.bus = ctx, bus

    async def until(self, signal) -> None:
        while not self.ctx.get(signal):
            await self.ctx.tick()

    def offer_write(self, address: int, data: int) -> None:
        bus, ctx = self.bus, self.ctx
        ctx.set(bus.aw.payload.addr, address)
        ctx.set(bus.w.payload.data, data)
        ctx.set(bus.w.payload.strb, 0xF)
        ctx.set(bus.aw.valid, 1)
        ctx.set(bus.w.valid, 1)

    def offer_read(self, address: int) -> None:
        self.ctx.set(self.bus.ar.payload.addr, address)
        self.ctx.set(self.bus.ar.valid, 1)

    async def taken(self, *requests) -> None:
        """Until the first of them is taken, and no longer."""
        await self.until(requests[0].ready)
        await self.ctx.tick()
        for request in requests:
            self.ctx.set(request.valid, 0)

    async def answer(self, channel) -> int:
        """The response; what a read gave is in the payload until the next one."""
        await self.until(channel.valid)
        response = self.ctx.get(channel.payload.resp)
        self.ctx.set(channel.ready, 1)
        await self.ctx.tick()
        self.ctx.set(channel.ready, 0)
        return response

    async def write(self, address: int, data: int) -> int:
        self.offer_write(address, data)
        await self.taken(self.bus.aw, self.bus.w)
        return await self.answer(self.bus.b)

    async def read(self, address: int) -> tuple[int, int]:
        self.offer_read(address)
        await self.taken(self.bus.ar)
        response = await self.answer(self.bus.r)
        return self.ctx.get(self.bus.r.payload.data), response


def run(testbench) -> None:
    dut = OneWord()
    ended = []

    async def bench(ctx):
        await testbench(Host(ctx, dut.bus), ctx)
        ended.append(True)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run_until(TIMEOUT)
    assert ended, "timeout"


def test_a_refused_read_gives_nothing():
    """Whatever the registers behind the bus show."""

    async def testbench(host, ctx):
        assert await host.write(OPEN, FIRST) == Response.OKAY
        assert await host.read(OPEN) == (FIRST, Response.OKAY)
        assert await host.read(CLOSED) == (0, Response.SLVERR)

    run(testbench)


def test_a_write_waits_until_the_one_before_has_its_answer():
    async def testbench(host, ctx):
        bus = host.bus
        host.offer_write(CLOSED, 1)
        await host.taken(bus.aw, bus.w)
        host.offer_write(OPEN, FIRST)
        for _ in range(9):
            assert not ctx.get(bus.aw.ready) and not ctx.get(bus.w.ready)
            await ctx.tick()
        assert await host.answer(bus.b) == Response.SLVERR
        await host.taken(bus.aw, bus.w)
        assert await host.answer(bus.b) == Response.OKAY
        assert await host.read(OPEN) == (FIRST, Response.OKAY)

    run(testbench)


def test_a_read_sees_the_write_that_came_with_it():
    async def testbench(host, ctx):
        bus = host.bus
        host.offer_write(OPEN, FIRST)
        host.offer_read(OPEN)
        assert ctx.get(bus.aw.ready) and ctx.get(bus.w.ready) and not ctx.get(bus.ar.ready)
        await host.taken(bus.aw, bus.w)
        await host.taken(bus.ar)
        assert await host.answer(bus.r) == Response.OKAY
        assert ctx.get(bus.r.payload.data) == FIRST
        assert await host.answer(bus.b) == Response.OKAY

    run(testbench)

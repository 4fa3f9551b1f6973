"""The base of external memory: addresses move, nothing else does."""

import random

from amaranth.sim import Simulator

from rtl.dma.base import BASE_SHIFT, MemoryBase


def test_addresses_move_by_whole_pages_and_all_else_goes_through():
    dut = MemoryBase(8)
    rng = random.Random(3)

    async def bench(ctx):
        for page in (0, 1, 0x80000, 0xFFFFF):
            for address in (0, 0xFF8, 0x1000, 0xFFFFFFF8, rng.getrandbits(32)):
                ctx.set(dut.page, page)
                for name in ("aw", "ar"):
                    inner, outer = getattr(dut.inner, name), getattr(dut.outer, name)
                    ctx.set(inner.payload.addr, address)
                    moved = (address + (page << BASE_SHIFT)) % 2**32
                    assert ctx.get(outer.payload.addr) == moved
                    for bits in ("len", "size", "burst"):
                        value = rng.getrandbits(len(inner.payload[bits]))
                        ctx.set(inner.payload[bits], value)
                        assert ctx.get(outer.payload[bits]) == value
        for name, sender, receiver in (
            ("aw", dut.inner, dut.outer),
            ("w", dut.inner, dut.outer),
            ("ar", dut.inner, dut.outer),
            ("b", dut.outer, dut.inner),
            ("r", dut.outer, dut.inner),
        ):
            here, there = getattr(sender, name), getattr(receiver, name)
            for valid, ready in ((0, 1), (1, 0), (1, 1)):
                ctx.set(here.valid, valid)
                ctx.set(there.ready, ready)
                assert (ctx.get(there.valid), ctx.get(here.ready)) == (valid, ready)
            if name not in ("aw", "ar"):
                value = rng.getrandbits(len(here.payload.as_value()))
                ctx.set(here.payload.as_value(), value)
                assert ctx.get(there.payload.as_value()) == value

    simulator = Simulator(dut)
    simulator.add_testbench(bench)
    simulator.run()

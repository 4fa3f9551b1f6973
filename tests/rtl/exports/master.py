"""A cocotb bench of the exported memory: an AXI4 manager that nobody here wrote, random bursts.

It uses sizes below the bus width, addresses that are not aligned, all kinds of bursts, several
transactions at a time, and pauses on every channel.
"""

import os
import random
from itertools import repeat

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, with_timeout
from cocotbext.axi import AxiBurstType, AxiBus, AxiMaster, AxiResp

WORDS, BUS_BYTES = 1024, 8
N = WORDS * BUS_BYTES


def noise(seed: int):
    """Pauses for one channel."""
    source = random.Random(seed)
    return (source.random() < 0.5 for _ in repeat(None))


async def started(dut) -> AxiMaster:
    cocotb.start_soon(Clock(dut.clk, 10, unit="ns").start())
    master = AxiMaster(AxiBus.from_entity(dut), dut.clk, dut.rst, max_burst_len=64)
    dut.rst.value = 1
    await ClockCycles(dut.clk, 4)
    dut.rst.value = 0
    await ClockCycles(dut.clk, 2)
    if os.environ["PAUSES"] == "1":
        for seed, channel in enumerate(
            (
                master.write_if.aw_channel,
                master.write_if.w_channel,
                master.write_if.b_channel,
                master.read_if.ar_channel,
                master.read_if.r_channel,
            )
        ):
            channel.set_pause_generator(noise(seed))
    return master


async def done(operation):
    return await with_timeout(operation, 100, "us")


@cocotb.test
async def what_is_written_is_read(dut):
    master, source = await started(dut), random.Random(1)
    model = bytearray(N)
    for _ in range(60):
        at, size = source.randrange(N - 600), source.randrange(4)
        data = source.randbytes(source.randrange(1, 600))
        written = await done(master.write(at, data, size=size))
        assert written.resp == AxiResp.OKAY
        model[at : at + len(data)] = data
        at = source.randrange(N - 600)
        answer = await done(master.read(at, 600, size=source.randrange(4)))
        assert answer.resp == AxiResp.OKAY and answer.data == model[at : at + 600], hex(at)
    assert (await done(master.read(0, N))).data == model


@cocotb.test
async def several_are_open(dut):
    master, source = await started(dut), random.Random(2)
    blocks = [source.randbytes(256) for _ in range(12)]
    writes = [cocotb.start_soon(master.write(i * 256, b)) for i, b in enumerate(blocks)]
    for write in writes:
        assert (await done(write)).resp == AxiResp.OKAY
    reads = [cocotb.start_soon(master.read(i * 256, 256)) for i in range(12)]
    for read, block in zip(reads, blocks, strict=True):
        assert (await done(read)).data == block


@cocotb.test
async def bursts_that_stay_and_wrap(dut):
    master = await started(dut)
    await done(master.write(0, bytes(range(64))))
    fixed = await done(master.read(16, 32, burst=AxiBurstType.FIXED))
    assert fixed.data == bytes(range(16, 24)) * 4
    wrapped = await done(master.read(16, 32, burst=AxiBurstType.WRAP))
    assert wrapped.data == bytes([*range(16, 32), *range(16)])


@cocotb.test
async def outside_is_an_error(dut):
    master = await started(dut)
    assert (await done(master.write(N - 8, bytes(16)))).resp == AxiResp.DECERR
    assert (await done(master.read(N, 8))).resp == AxiResp.DECERR
    assert (await done(master.read(N - 8, 8))).resp == AxiResp.OKAY

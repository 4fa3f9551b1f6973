"""cocotb tests of the flat chip on an AXI memory of others: cocotbext-axi's `AxiRam`.

The memory's timing is its own, so that contents and registers are compared with the twin, not
cycles. What it waits for before it takes a write's address or data is set through its pauses; that
it did so is read off the handshakes, and AXI's rules are asserted on both sides.

Environment: ZEROSKIP_CHIP is the chip's parameters as JSON.
"""

import os
import random
from collections.abc import Callable, Iterator
from functools import partial
from itertools import cycle

import cocotb
import numpy as np
import pytest
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge
from cocotbext.axi import AxiBus, AxiRam, AxiSlave, MemoryRegion

from npu.chip.isa import COMMAND_BYTES, REGISTERS, command, encode
from npu.chip.memory import WriteOrder
from npu.chip.params import ChipParams
from npu.errors import MachineError
from npu.twin.machine import Machine
from rtl.cocotb.driver import Host
from rtl.cocotb.memory import driven_by_chip, driven_by_memory
from rtl.sim.bus import BusRules

MEMORY_BYTES = 32 * 1024
COMPARED_BYTES = 16 * 1024  # the program lies behind them, in the chip's memory only
PARAMS = ChipParams.model_validate_json(os.environ["ZEROSKIP_CHIP"])

# Stores of one burst and of several, over a 4 KiB boundary; words to and from registers.
COMMANDS = [
    command("LOAD", ext=0, sram=0, beats=80),
    command("STORE", ext=4096 - 24, sram=0, beats=70),
    command("STORE", ext=8192, sram=64, beats=1),
    command("ADD", rd=1, imm=0x1234567),
    *(command("STORE_REG", ext=8192 + 64 + 4 * i, rs2=1) for i in range(3)),
    command("LOAD_REG", ext=4096, rd=2),
    command("LOAD_PARAM", ext=4096 - 64, beats=20, tag=3),
    command("STORE", ext=12 * 1024, sram=0, beats=3),
    command("WAIT", tags=255),
    command("LOAD", ext=4096 - 24, sram=1024, beats=70),
    command("STORE", ext=13 * 1024, sram=1024, beats=5),
    command("HALT"),
]
PROGRAM = b"".join(map(encode, COMMANDS))


class Watch:
    """Has an AxiRam wait as an order says, and asserts AXI's rules on it and on the chip.

    Attributes
    ----------
    bursts : of every write burst the cycles in which address, first and last beat were taken.
    most_unanswered : write bursts that were all taken and had no response, at the same time.
    """

    def __init__(self, dut, ram: AxiRam, order: WriteOrder) -> None:
        self.bursts: list[dict[str, int]] = []
        self.most_unanswered = 0
        self._dut = dut
        self._order = order
        self._aw, self._w = ram.write_if.aw_channel, ram.write_if.w_channel
        # AxiRam looks at a pause a cycle before it makes READY of it, too late where one burst is
        # on offer right behind another; whether a channel is full it asks at once.
        for channel in (self._aw, self._w):
            channel.full = partial(_is_closed, channel, channel.full)

    async def run(self) -> None:
        """For ever: start it as a task.

        It looks in the middle of a cycle at what will be taken at its end, when AxiRam makes its
        READYs of the next one.
        """
        rules, burst, now, unanswered = BusRules(PARAMS), dict[str, int](), 0, 0
        self._pause(burst, False)
        while True:
            await FallingEdge(self._dut.clk)
            now += 1
            if self._dut.rst.value:
                continue
            chip, memory = driven_by_chip(self._dut), driven_by_memory(self._dut)
            rules.check(memory, chip)
            if chip.aw is not None and memory.aw_ready:
                burst["address"] = now
            if chip.w is not None and memory.w_ready:
                burst.setdefault("first", now)
                if chip.w[2]:
                    burst["last"] = now
            both = chip.aw is not None and chip.w is not None
            if len(burst) == 3:
                self.bursts.append(burst)
                burst, both = {}, False
                unanswered += 1
            unanswered -= memory.b_valid and chip.b_ready
            self.most_unanswered = max(self.most_unanswered, unanswered)
            self._pause(burst, both)

    def _pause(self, burst: dict[str, int], both: bool) -> None:
        """Pause the channels that the order keeps waiting."""
        together = self._order == WriteOrder.TOGETHER and not both
        first = self._order == WriteOrder.ADDRESS_FIRST and "address" not in burst
        last = self._order == WriteOrder.DATA_FIRST and "last" not in burst
        self._aw.pause = together or last
        self._w.pause = (together and "first" not in burst) or first

    def check(self) -> None:
        """Raises AssertionError if the memory did not wait as it should have."""
        for burst in self.bursts:
            address, first, last = (burst[name] for name in ("address", "first", "last"))
            assert {
                WriteOrder.EITHER: True,
                WriteOrder.ADDRESS_FIRST: address < first,
                WriteOrder.DATA_FIRST: last < address,
                WriteOrder.TOGETHER: address == first,
            }[self._order], f"{self._order.name}: {burst}"


def _is_closed(channel, full: Callable[[], bool]) -> bool:
    return channel.pause or full()


def silences(seed: int) -> Iterator[bool]:
    """Pauses: long ones, of hundreds of cycles, short ones, none."""
    rng = random.Random(seed)
    while True:
        yield from [True] * rng.choice([0, 1, 5, 300])
        yield from [False] * rng.choice([1, 2, 20])


def with_memory(dut) -> AxiRam:
    """Clock, reset and an AxiRam that holds the program and random bytes."""
    Clock(dut.clk, 10, unit="ns").start()
    ram = AxiRam(AxiBus.from_prefix(dut, "m_axi"), dut.clk, dut.rst, size=MEMORY_BYTES)
    # Room for a whole burst: a memory that takes all data before the address needs it.
    ram.write_if.w_channel.queue_occupancy_limit = 256
    ram.write(0, contents().tobytes())
    ram.write(COMPARED_BYTES, PROGRAM)
    return ram


def contents() -> np.ndarray:
    """External memory before the program runs."""
    return np.random.default_rng(5).integers(0, 256, COMPARED_BYTES, np.uint8)


async def power_on(dut) -> Host:
    """Reset the chip."""
    host = Host(dut)
    dut.rst.value = 1
    await ClockCycles(dut.clk, 3)
    dut.rst.value = 0
    return host


async def run_program(dut, ram: AxiRam) -> None:
    """Power on, load, run, and compare with the twin."""
    host = await power_on(dut)
    await host.load(COMPARED_BYTES, len(PROGRAM) // COMMAND_BYTES)
    await host.start(0)
    twin = Machine(PARAMS, COMPARED_BYTES, PROGRAM)
    twin.memory.data[:] = contents()
    twin.run(0)
    assert ram.read(0, COMPARED_BYTES) == twin.memory.data.tobytes(), "memory differs"
    registers = [await host.read(f"R{i}") for i in range(REGISTERS)]
    assert registers == [value % (1 << 32) for value in twin.registers]


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(order=list(WriteOrder))
async def whatever_it_waits_for(dut, order: WriteOrder) -> None:
    """Every order of a write's address and data; responses so late that bursts overlap."""
    ram = with_memory(dut)
    ram.write_if.b_channel.set_pause_generator(cycle([True] * 150 + [False]))
    watch = Watch(dut, ram, order)
    cocotb.start_soon(watch.run())
    await run_program(dut, ram)
    assert len(watch.bursts) >= 8
    assert watch.most_unanswered == PARAMS.dma_outstanding
    watch.check()


# Programs whose last transfer fails, behind or just before HALT.
FAILURES = (
    (command("LOAD_PARAM", ext=MEMORY_BYTES - 8, beats=4, tag=1), command("HALT")),
    (command("LOAD_BANK", ext=COMPARED_BYTES + 4096, beats=8, tag=2), command("HALT")),
    (command("ADD"), command("STORE", ext=MEMORY_BYTES, beats=30), command("HALT")),
    (command("STORE_REG", ext=MEMORY_BYTES), command("HALT")),
    (command("LOAD_REG", ext=MEMORY_BYTES), command("HALT")),
)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def a_failed_transfer_is_told(dut) -> None:
    """The driver tells the twin's status and command, and the chip goes on after a reset."""
    Clock(dut.clk, 10, unit="ns").start()
    region = MemoryRegion(MEMORY_BYTES)  # an access outside is answered with SLVERR
    AxiSlave(AxiBus.from_prefix(dut, "m_axi"), dut.clk, dut.rst, target=region)
    host = await power_on(dut)
    for commands in FAILURES:
        raw = b"".join(map(encode, commands))
        await region.write(0, raw)
        await host.load(0, len(commands))
        twin = Machine(PARAMS, MEMORY_BYTES, raw)
        with pytest.raises(MachineError) as told:
            twin.run(0)
        with pytest.raises(MachineError) as found:
            await host.start(0)
        assert found.value.status is told.value.status, commands[0]
        assert found.value.pc == told.value.pc, commands[0]
        await host.reset()
        await host.start(len(commands) - 1)


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(seed=[1, 2])
async def however_long_it_is_silent(dut, seed: int) -> None:
    """Every channel pauses as it likes."""
    ram = with_memory(dut)
    channels = (
        ram.write_if.aw_channel,
        ram.write_if.w_channel,
        ram.write_if.b_channel,
        ram.read_if.ar_channel,
        ram.read_if.r_channel,
    )
    for index, channel in enumerate(channels):
        channel.set_pause_generator(silences(10 * seed + index))
    await run_program(dut, ram)

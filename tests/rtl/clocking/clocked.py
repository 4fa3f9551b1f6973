"""cocotb tests of the flat chip with clocks and resets of any kind, on cocotbext-axi's memory.

Environment: ZEROSKIP_CHIP is the chip's parameters as JSON, ZEROSKIP_OPTIONS its options.
"""

import json
import os
import random
from dataclasses import dataclass

import cocotb
import pytest
from cocotb.triggers import ClockCycles, ReadOnly, RisingEdge, Timer
from cocotbext.axi import AxiBus, AxiRam, AxiSlave, MemoryRegion

from npu.api.example import example_of
from npu.chip.isa import encode
from npu.chip.params import ChipParams
from npu.errors import MachineError
from npu.runtime import raw
from npu.runtime.header import BOOT, INVOKE, RESET
from npu.twin.machine import Machine
from rtl import driver
from rtl.cocotb.driver import Host
from rtl.cocotb.memory import driven_by_chip, driven_by_memory
from rtl.shared.options import Options
from rtl.sim.bus import BusRules
from tests.cocotb.memories import FAILURES, MEMORY_BYTES, silences

PARAMS = ChipParams.model_validate_json(os.environ["ZEROSKIP_CHIP"])
OPTIONS = Options(**json.loads(os.environ["ZEROSKIP_OPTIONS"]))
EXAMPLE = example_of(PARAMS)
VALIDS = [f"m_axi_{name}valid" for name in ("aw", "w", "ar")]
VALIDS += ["s_axil_bvalid", "s_axil_rvalid"]


@dataclass(frozen=True)
class Pace:
    """Periods in ps, by how many ps of it each half may vary, how late the buses' clock begins."""

    core: int
    bus: int
    jitter: int = 0
    phase: int = 0


EQUAL = Pace(10000, 10000, phase=2700)
PACES = [
    Pace(10000, 10000),
    EQUAL,
    Pace(10000, 30000),
    Pace(14000, 10000),
    Pace(10000, 14000, phase=1),
    Pace(30000, 10000),
    Pace(10000, 11000, jitter=4000),
    Pace(97000, 10000),
    Pace(10000, 97000),
]
SOME = [EQUAL, Pace(30000, 10000), Pace(10000, 37000, jitter=4000)]
if not OPTIONS.crossing:
    PACES = SOME = [Pace(10000, 10000, jitter=3000)]


class Rules(BusRules):
    """Those that hold behind a crossing: how soon W follows AW depends on the clocks."""

    def _waits(self, outputs) -> None:
        return


class World:
    """Clocks, reset, memory and host around the chip.

    Attributes
    ----------
    open : bursts that the memory has taken and not answered to the end.
    """

    def __init__(self, dut, pace: Pace, seed: int) -> None:
        self.dut, self._pace = dut, pace
        self._random = random.Random(seed)
        self.clock = dut.aclk if OPTIONS.crossing else dut.clk
        self._is_low = OPTIONS.reset == "async_low"
        self.reset = dut.rst_n if self._is_low else dut.rst
        self.stop()
        self.assert_reset()
        self.run()
        self.host = Host(dut)
        self.open = 0
        cocotb.start_soon(self._watch())

    def memory(self, kind=AxiRam, **options):
        """An AXI subordinate of others on the chip's manager."""
        level = not self._is_low
        bus = AxiBus.from_prefix(self.dut, "m_axi")
        return kind(bus, self.clock, self.reset, reset_active_level=level, **options)

    def run(self) -> None:
        """Let the clocks go on."""
        pace = self._pace
        self._ticks = [cocotb.start_soon(self._tick(self.dut.clk, pace.core, 0))]
        if OPTIONS.crossing:
            self._ticks.append(cocotb.start_soon(self._tick(self.dut.aclk, pace.bus, pace.phase)))

    def stop(self) -> None:
        """Stop the clocks where they are."""
        for task in getattr(self, "_ticks", ()):
            task.cancel()

    async def _tick(self, signal, period: int, phase: int) -> None:
        jitter = self._pace.jitter
        signal.value = 0
        await Timer(phase + period // 2, "ps")
        while True:
            for level in (1, 0):
                signal.value = level
                await Timer(period // 2 + self._random.randint(-jitter, jitter), "ps")

    def assert_reset(self) -> None:
        self._was_reset = True
        self.reset.value = 0 if self._is_low else 1

    def release(self) -> None:
        self.reset.value = 1 if self._is_low else 0

    def in_reset(self) -> bool:
        return bool(self.reset.value) != self._is_low

    async def _watch(self) -> None:
        """Assert AXI's rules on the buses' side for ever."""
        rules = Rules(PARAMS)
        while True:
            await RisingEdge(self.clock)
            if self.in_reset() or self._was_reset:  # it may have come between two edges
                rules, self.open, self._was_reset = Rules(PARAMS), 0, False
                continue
            chip, memory = driven_by_chip(self.dut), driven_by_memory(self.dut)
            rules.check(memory, chip)
            self.open += chip.ar is not None and memory.ar_ready
            self.open += chip.aw is not None and memory.aw_ready
            self.open -= memory.r_valid and chip.r_ready and memory.r_last
            self.open -= memory.b_valid and chip.b_ready

    async def power_on(self) -> None:
        await ClockCycles(self.clock, 3)
        await Timer(self._random.randint(1, 20000), "ps")
        self.release()

    async def boot(self) -> None:
        """Load the example's program, and start what comes before its first call."""
        image = EXAMPLE.image
        await self.host.work(driver.probe())
        await self.host.load(raw.program_address(image), image.n_commands)
        await self.host.start(image.header.entry(BOOT).pc)
        await self.host.start(image.header.entry(RESET).pc)

    def place(self, ram: AxiRam, call: int) -> None:
        """Give a call's inputs."""
        entry = EXAMPLE.image.header.entry(INVOKE)
        for tensor, value in zip(entry.inputs, EXAMPLE.inputs[call], strict=True):
            ram.write(tensor.address, value)

    def compare(self, ram: AxiRam, call: int) -> None:
        """What TensorFlow Lite Micro answered, byte by byte."""
        entry = EXAMPLE.image.header.entry(INVOKE)
        for tensor, value in zip(entry.outputs, EXAMPLE.outputs[call], strict=True):
            assert ram.read(tensor.address, len(value)) == value, f"call {call}: {tensor.name}"

    async def answers(self, ram: AxiRam, calls: int = 2) -> None:
        """From a fresh image to the answers."""
        content = raw.raw_bytes(EXAMPLE.image)
        ram.write(0, content)
        await self.boot()
        for call in range(calls):
            self.place(ram, call)
            await self.host.start(EXAMPLE.image.header.entry(INVOKE).pc)
            self.compare(ram, call)


def pausing(ram: AxiRam, seed: int) -> None:
    channels = (
        ram.write_if.aw_channel,
        ram.write_if.w_channel,
        ram.write_if.b_channel,
        ram.read_if.ar_channel,
        ram.read_if.r_channel,
    )
    for index, channel in enumerate(channels):
        channel.set_pause_generator(silences(10 * seed + index))


@cocotb.test(timeout_time=60, timeout_unit="ms")
@cocotb.parametrize(number=list(range(len(PACES))), pauses=[False, True])
async def the_answers_are_tflms(dut, number: int, pauses: bool) -> None:
    """At every pace of the clocks, on a quick memory and one that is silent for long."""
    world = World(dut, PACES[number], number)
    ram = world.memory(size=1 << 20)
    if pauses:
        pausing(ram, number)
    await world.power_on()
    await world.answers(ram)


@cocotb.test(timeout_time=20, timeout_unit="ms")
@cocotb.parametrize(number=list(range(len(SOME))))
async def a_failed_transfer_is_told(dut, number: int) -> None:
    """The twin's status and command, an interrupt that has fallen, and a chip that goes on."""
    world = World(dut, SOME[number], number)
    region = MemoryRegion(MEMORY_BYTES)  # an access outside is answered with SLVERR
    world.memory(AxiSlave, target=region)
    await world.power_on()
    for commands in FAILURES:
        program = b"".join(map(encode, commands))
        await region.write(0, program)
        await world.host.load(0, len(commands))
        # The response to the write that took it down has come: it is down.
        assert not dut.irq.value
        twin = Machine(PARAMS, MEMORY_BYTES, program)
        with pytest.raises(MachineError) as told:
            twin.run(0)
        with pytest.raises(MachineError) as found:
            await world.host.start(0)
        assert not dut.irq.value
        assert found.value.status is told.value.status, commands[0]
        assert found.value.pc == told.value.pc, commands[0]
        await world.host.reset()
        await world.host.start(len(commands) - 1)


@cocotb.test(timeout_time=60, timeout_unit="ms")
@cocotb.parametrize(number=list(range(len(SOME))))
async def a_soft_reset_leaves_nothing_behind(dut, number: int) -> None:
    """At any time in a run: when it is over nothing is open or comes, and all goes on."""
    world = World(dut, SOME[number], number)
    ram = world.memory(size=1 << 20)
    pausing(ram, number)
    await world.power_on()
    source, caught = random.Random(number), 0
    for turn in range(6):
        ram.write(0, raw.raw_bytes(EXAMPLE.image))
        await world.host.load(raw.program_address(EXAMPLE.image), EXAMPLE.image.n_commands)
        entry = EXAMPLE.image.header.entry((BOOT, INVOKE)[turn % 2])
        await world.host.work(driver.start(entry.pc))
        await ClockCycles(world.clock, source.randint(1, 300))
        caught += world.open > 0
        await world.host.reset()
        assert world.open == 0
        quiet = cocotb.start_soon(_silence(world))
        await ClockCycles(world.clock, 60)
        quiet.cancel()
    assert caught
    await world.answers(ram, 1)


async def _silence(world: World) -> None:
    signals = [getattr(world.dut, name) for name in VALIDS[:3]]
    signals += [world.dut.m_axi_rvalid, world.dut.m_axi_bvalid]
    while True:
        await RisingEdge(world.clock)
        assert not any(bool(signal.value) for signal in signals), "the bus is not quiet"


@cocotb.test(timeout_time=60, timeout_unit="ms")
@cocotb.parametrize(number=list(range(len(SOME))))
async def a_hardware_reset_comes_at_any_time(dut, number: int) -> None:
    """Between edges, for a moment or long, also with clocks that stand; then all goes on."""
    world = World(dut, SOME[number], number)
    ram = world.memory(size=1 << 20)
    await world.power_on()
    source, caught, high = random.Random(number), 0, 0
    for turn in range(8):
        ram.write(0, raw.raw_bytes(EXAMPLE.image))
        await world.host.load(raw.program_address(EXAMPLE.image), EXAMPLE.image.n_commands)
        await world.host.work(driver.start(EXAMPLE.image.header.entry(BOOT).pc))
        if turn % 4 == 3:
            await RisingEdge(dut.irq)  # which stays high
        await Timer(source.randint(1, 3_000_000), "ps")
        caught += world.open > 0
        stands = turn % 2 == 1
        if stands:
            world.stop()
        high += any(bool(getattr(dut, name).value) for name in (*VALIDS, "irq"))
        world.assert_reset()
        if OPTIONS.reset == "async_low":
            await Timer(1, "ps")
            await ReadOnly()
            for name in (*VALIDS, "irq"):
                assert getattr(dut, name).value == 0, f"{name} needs a clock to fall"
        # A synchronous one lasts for an edge of the buses' clock at least.
        short = [1, 700, 5000] if OPTIONS.reset == "async_low" else [2 * SOME[number].bus]
        await Timer(source.choice([*short, 400_000]), "ps")
        if stands:
            world.run()
            await ClockCycles(world.clock, 2)
            await Timer(source.randint(1, 9000), "ps")
        world.release()
        await world.host.work(driver.probe())
    assert caught and (high or OPTIONS.reset == "sync")
    await world.answers(ram, 2)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def no_access_is_lost_behind_a_release(dut) -> None:
    """READY is low until the chip is awake: two edges of its clock behind the release."""
    world = World(dut, SOME[0], 1)
    await ClockCycles(world.clock, 20)
    dut.s_axil_arvalid.value = 1
    await Timer(3, "ns")
    assert not dut.s_axil_arready.value, "READY in reset"
    world.release()
    await RisingEdge(world.clock)
    await Timer(3, "ns")
    assert not dut.s_axil_arready.value, "READY before the release is synchronised"
    for _ in range(100):
        await RisingEdge(world.clock)
        await ReadOnly()
        if dut.s_axil_arready.value:
            return
    raise AssertionError("no READY at all")

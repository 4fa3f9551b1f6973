"""The host: the reference driver `rtl.driver` on AXI4-Lite, in cocotb."""

from typing import TypeVar

from cocotb.triggers import ClockCycles, RisingEdge, with_timeout
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiResp

from rtl import driver
from rtl.driver import WORD, Interrupt, Pause, Read, Steps, Write

T = TypeVar("T")

TIMEOUT_MS = 100  # of simulated time, for anything that the chip is asked to do


class Host:
    """Register accesses, program load, start and interrupt of the flat chip.

    Parameters
    ----------
    dut : module `zeroskip`, with any options: its host has the clock of its buses.

    Methods raise MachineError where the chip refuses or stops in error.
    """

    def __init__(self, dut) -> None:
        self._dut = dut
        self._clock = dut.aclk if hasattr(dut, "aclk") else dut.clk
        is_low = hasattr(dut, "rst_n")
        self._bus = AxiLiteMaster(
            AxiLiteBus.from_prefix(dut, "s_axil"),
            self._clock,
            dut.rst_n if is_low else dut.rst,
            reset_active_level=not is_low,
        )

    async def work(self, steps: Steps[T]) -> T:
        """Do what the reference driver asks for, and give what it gives."""
        return await with_timeout(self._perform(steps), TIMEOUT_MS, "ms")

    async def load(self, address: int, n_commands: int) -> None:
        """Have the chip load a program from external memory, and wait for it."""
        await self.work(driver.load(address, n_commands))

    async def start(self, pc: int, arguments: dict[int, int] | None = None) -> None:
        """Run from command `pc` to the end, scalar registers set from `arguments`."""
        await self.work(driver.run(pc, arguments))

    async def reset(self) -> None:
        """Clear an error."""
        await self.work(driver.reset())

    async def write(self, name: str, value: int) -> None:
        """Write a register by its name."""
        await self._on_chip(Write(name, value))

    async def read(self, name: str) -> int:
        """Read a register by its name."""
        return await self._on_chip(Read(name))

    async def _perform(self, steps: Steps[T]) -> T:
        answer = None
        while True:
            try:
                step = steps.send(answer)  # type: ignore[arg-type]  # None starts it
            except StopIteration as done:
                return done.value
            answer = await self._on_chip(step)

    async def _on_chip(self, step: driver.Step) -> int:
        match step:
            case Write():
                data = (step.value & WORD).to_bytes(4, "little")
                if (await self._bus.write(step.offset, data)).resp != AxiResp.OKAY:
                    raise step.refused()
            case Read():
                answer = await self._bus.read(step.offset, 4)
                if answer.resp != AxiResp.OKAY:
                    raise step.refused()
                return int.from_bytes(answer.data, "little")
            case Interrupt():
                if not self._dut.irq.value:
                    await RisingEdge(self._dut.irq)
            case Pause(cycles):
                await ClockCycles(self._clock, cycles)
        return 0

"""The host: the reference driver `rtl.driver` on AXI4-Lite, in cocotb."""

from cocotb.triggers import ClockCycles, RisingEdge, with_timeout
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiResp

from npu.errors import MachineError
from rtl import driver
from rtl.control.registers import BY_NAME
from rtl.driver import Interrupt, Pause, Read, Steps, Write

TIMEOUT_MS = 100  # of simulated time, for anything that the chip is asked to do


class Host:
    """Register accesses, program load, start and interrupt of the flat chip.

    Parameters
    ----------
    dut : module `zeroskip`.

    Methods raise MachineError where the chip refuses or stops in error.
    """

    def __init__(self, dut) -> None:
        self._dut = dut
        self._bus = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk, dut.rst)

    async def write(self, name: str, value: int) -> None:
        """Write a register by its name."""
        data = (value & 0xFFFFFFFF).to_bytes(4, "little")
        answer = await self._bus.write(BY_NAME[name].offset, data)
        if answer.resp != AxiResp.OKAY:
            raise MachineError(f"the chip refused to write {value:#x} to register {name}")

    async def read(self, name: str) -> int:
        """Read a register by its name."""
        answer = await self._bus.read(BY_NAME[name].offset, 4)
        if answer.resp != AxiResp.OKAY:
            raise MachineError(f"the chip refused to read register {name}")
        return int.from_bytes(answer.data, "little")

    async def load(self, address: int, n_commands: int) -> None:
        """Have the chip load a program from external memory, and wait for it."""
        await self._work(driver.load(address, n_commands))

    async def start(self, pc: int, arguments: dict[int, int] | None = None) -> None:
        """Run from command `pc` to the end, scalar registers set from `arguments`."""
        await self._work(driver.start(pc, arguments))

    async def reset(self) -> None:
        """Clear an error."""
        await self._work(driver.reset())

    async def _work(self, steps: Steps) -> None:
        await with_timeout(self._perform(steps), TIMEOUT_MS, "ms")

    async def _perform(self, steps: Steps) -> None:
        answer = None
        while True:
            try:
                step = steps.send(answer)  # type: ignore[arg-type]  # None starts it
            except StopIteration:
                return
            answer = await self._on_chip(step)

    async def _on_chip(self, step: driver.Step) -> int:
        match step:
            case Write(register, value):
                await self.write(register, value)
            case Read(register):
                return await self.read(register)
            case Interrupt():
                if not self._dut.irq.value:
                    await RisingEdge(self._dut.irq)
            case Pause(cycles):
                await ClockCycles(self._dut.clk, cycles)
        return 0

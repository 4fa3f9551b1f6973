"""The host: works the chip through its AXI4-Lite registers, as a device driver would."""

from cocotb.triggers import RisingEdge, with_timeout
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiResp

from npu import isa
from npu.errors import MachineError
from rtl.registers import BY_NAME, CONTROL, IRQ, STATUS, Field

TIMEOUT_MS = 100  # of simulated time, for anything that the chip is asked to do


def bit(fields: tuple[Field, ...], name: str) -> int:
    """The mask of a one-bit field of a register."""
    return 1 << next(field.lsb for field in fields if field.name == name)


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
        await self.write("PROGRAM_ADDRESS", address)
        await self.write("PROGRAM_COMMANDS", n_commands)
        await self._do("load", "loaded")

    async def start(self, pc: int, arguments: dict[int, int] | None = None) -> None:
        """Run from command `pc` to the end, scalar registers set from `arguments`."""
        for register, value in (arguments or {}).items():
            await self.write(f"R{register}", value)
        await self.write("START_PC", pc)
        await self._do("start", "halted")
        while self._dut.debug_active.value:
            await RisingEdge(self._dut.clk)

    async def _do(self, action: str, event: str) -> None:
        await self.write("IRQ_STATUS", bit(IRQ, "halted") | bit(IRQ, "loaded"))
        await self.write("IRQ_ENABLE", bit(IRQ, event))
        await self.write("CONTROL", bit(CONTROL, action))
        if not self._dut.irq.value:
            await with_timeout(RisingEdge(self._dut.irq), TIMEOUT_MS, "ms")
        error = isa.Status(await self.read("STATUS") // bit(STATUS, "error"))
        if error != isa.Status.OK:
            raise MachineError(f"command {await self.read('ERROR_PC')}: {error.name}")
        await self.write("IRQ_STATUS", bit(IRQ, event))

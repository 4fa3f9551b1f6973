"""The chip, memory and a host on a serial line, wired: all of a board but its clock and pins."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from npu.chip.params import ChipParams
from rtl.control.registers import ADDRESS_BITS
from rtl.platforms.memory import BoardMemory
from rtl.platforms.uart import SerialHost
from rtl.top import Chip


def connect_memory(m: Module, host: SerialHost, memory: BoardMemory) -> None:
    """Lead the host's accesses to its side of the memory."""
    m.d.comb += [
        memory.address.eq(host.address),
        memory.write_data.eq(host.write_data),
        memory.write.eq(host.write),
        memory.read.eq(host.read),
        host.done.eq(memory.done),
        host.read_data.eq(memory.read_data),
    ]


class SerialSystem(wiring.Component):
    """A chip that a host works over a serial line, see `rtl.platforms.protocol`.

    Parameters
    ----------
    params : ChipParams.
    divisor : clock cycles per bit of the line, at least 4.
    memory_bytes : external memory, a power of two.

    Members
    -------
    receive, send : the line.
    running : Out, a program runs.
    irq : Out, the chip's interrupt.
    """

    def __init__(self, params: ChipParams, divisor: int, memory_bytes: int) -> None:
        self._params, self._divisor, self._memory_bytes = params, divisor, memory_bytes
        super().__init__(
            {"receive": In(1, init=1), "send": Out(1, init=1), "running": Out(1), "irq": Out(1)}
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.chip = chip = Chip(self._params)
        m.submodules.memory = memory = BoardMemory(self._params.bus_bytes, self._memory_bytes)
        m.submodules.host = host = SerialHost(
            self._divisor, ADDRESS_BITS, ceil_log2(self._memory_bytes)
        )
        wiring.connect(m, chip.axi, memory.axi)
        wiring.connect(m, host.axil, chip.axil)
        connect_memory(m, host, memory)
        m.d.comb += [
            host.receive.eq(self.receive),
            self.send.eq(host.send),
            self.running.eq(chip.debug.running),
            self.irq.eq(chip.irq),
        ]
        return m

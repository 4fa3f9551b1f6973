"""The sequencer's scalar registers."""

from amaranth.hdl import Array, Const, Module, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from npu.chip.isa import REGISTERS


class ScalarRegisters(wiring.Component):
    """Sixteen 32-bit registers with asynchronous reads; r0 is zero, all are after a reset.

    A write is seen in the next cycle. The words lie in a memory, which a reset does not clear; a
    bit per register says whether it was written since.

    Parameters
    ----------
    reads : number of read ports.

    Members
    -------
    index, en, value : In, In, Out, arrays of read ports; one that is not enabled reads zero.
    write, write_index, write_value : In.
    """

    def __init__(self, reads: int) -> None:
        super().__init__(
            {
                "index": In(range(REGISTERS)).array(reads),
                "en": In(1, init=1).array(reads),
                "value": Out(32).array(reads),
                "write": In(1),
                "write_index": In(range(REGISTERS)),
                "write_value": In(32),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.words = words = memory.Memory(shape=32, depth=REGISTERS, init=[])
        # r0 is never known, whatever its word.
        known = Array([Const(0), *(Signal(name=f"known_{n}") for n in range(1, REGISTERS))])
        port = words.write_port()
        m.d.comb += [
            port.en.eq(self.write),
            port.addr.eq(self.write_index),
            port.data.eq(self.write_value),
        ]
        for index in range(1, REGISTERS):
            with m.If(self.write & (self.write_index == index)):
                m.d.sync += known[index].eq(1)
        for index, en, value in zip(self.index, self.en, self.value, strict=True):
            read = words.read_port(domain="comb")
            m.d.comb += read.addr.eq(index)
            with m.If(en & known[index]):
                m.d.comb += value.eq(read.data)
        return m

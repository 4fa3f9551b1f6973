"""Reads the input vector out of SRAM and gives every lane its copy."""

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from npu.chip.params import ChipParams
from rtl.lane.activations import activation_write
from rtl.shared import interfaces


class ActivationLoader(wiring.Component):
    """One SRAM word per cycle from the cycle after `start` on: `columns` int8 minus `zero`.

    `ready` rises in the cycle behind the last read; the copies are complete two cycles later.

    Parameters
    ----------
    params : ChipParams.

    Members
    -------
    clear : In, idle.
    start : In, high for one cycle.
    address, columns, zero : In, stable while not `clear`; `address` in bytes, a multiple of
        bus_bytes; 1 to activation_entries columns.
    sram : read port of the vector SRAM; all 0 while not used.
    write : Out, `rtl.lane.activations.activation_write`.
    ready : Out.
    """

    def __init__(self, params: ChipParams) -> None:
        self._params = params
        super().__init__(
            {
                "clear": In(1),
                "start": In(1),
                "address": In(24),
                "columns": In(16),
                "zero": In(signed(9)),
                "sram": In(interfaces.sram_read(params)),
                "write": Out(activation_write(params)),
                "ready": Out(1),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        n_bytes = self._params.bus_bytes
        shift = ceil_log2(n_bytes)
        index = Signal(16 - shift + 1)
        reading = Signal()
        last = (self.columns - 1) >> shift
        with m.If(self.start):
            m.d.sync += [index.eq(0), reading.eq(1), self.ready.eq(0)]
        with m.Elif(self.clear):
            m.d.sync += [reading.eq(0), self.ready.eq(0)]
        with m.Elif(reading):
            m.d.sync += index.eq(index + 1)
            with m.If(index == last):
                m.d.sync += [reading.eq(0), self.ready.eq(1)]
        m.d.comb += self.sram.en.eq(0)  # a read port's enable is 1 where nothing drives it
        with m.If(reading):
            m.d.comb += [self.sram.en.eq(1), self.sram.addr.eq((self.address >> shift) + index)]

        read, index_1 = Signal(), Signal.like(index)
        m.d.sync += [
            read.eq(reading & ~self.clear),
            index_1.eq(index),
            self.write.en.eq(read),
            self.write.addr.eq(index_1),
        ]
        for i in range(n_bytes):
            q = self.sram.data.word_select(i, 8).as_signed()
            m.d.sync += self.write.data[i].eq(q - self.zero)
        return m

"""AXI4-Lite subordinate: turns bus accesses into register accesses, one per cycle."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.shared import axi


class AxiLite(wiring.Component):
    """One access at a time: writes before reads, each in the cycle after its request is taken.

    A write is taken when address and data are both there and no response waits; all four strobes
    must be set, else the answer is SLVERR and nothing is written. A read is taken when no write is
    and no read data waits. The answer is there in the cycle after the access.

    Parameters
    ----------
    address_bits : width of the byte address.

    Members
    -------
    bus : In, AXI4-Lite.
    address : Out, byte address of the access in this cycle, a multiple of 4.
    write, write_data : Out, a register is written at the end of this cycle.
    read : Out, `read_data` is taken in this cycle.
    read_data : In, combinational in `address`.
    error : In, combinational: the access in this cycle is not allowed; answered with SLVERR.
    """

    def __init__(self, address_bits: int) -> None:
        super().__init__(
            {
                "bus": In(axi.axi4_lite(address_bits)),
                "address": Out(address_bits),
                "write": Out(1),
                "write_data": Out(32),
                "read": Out(1),
                "read_data": In(32),
                "error": In(1),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        bus = self.bus
        # Registers between the bus and the access: the host's wires may come from far.
        writing, reading, whole = Signal(), Signal(), Signal()
        free = ~(writing | reading)
        takes_write = bus.aw.valid & bus.w.valid & ~bus.b.valid & free
        takes_read = bus.ar.valid & ~bus.r.valid & free & ~takes_write
        m.d.sync += [
            writing.eq(takes_write),
            reading.eq(takes_read),
            whole.eq(bus.w.payload.strb.all()),
            self.write_data.eq(bus.w.payload.data),
            self.address[2:].eq(Mux(takes_write, bus.aw.payload.addr, bus.ar.payload.addr) >> 2),
        ]
        m.d.comb += [
            bus.aw.ready.eq(takes_write),
            bus.w.ready.eq(takes_write),
            bus.ar.ready.eq(takes_read),
            self.write.eq(writing & whole),
            self.read.eq(reading),
        ]
        with m.If(bus.b.ready):
            m.d.sync += bus.b.valid.eq(0)
        with m.If(writing):
            m.d.sync += [
                bus.b.valid.eq(1),
                bus.b.payload.resp.eq(
                    Mux(self.error | ~whole, axi.Response.SLVERR, axi.Response.OKAY)
                ),
            ]
        with m.If(bus.r.ready):
            m.d.sync += bus.r.valid.eq(0)
        with m.If(reading):
            m.d.sync += [
                bus.r.valid.eq(1),
                bus.r.payload.data.eq(Mux(self.error, 0, self.read_data)),
                bus.r.payload.resp.eq(Mux(self.error, axi.Response.SLVERR, axi.Response.OKAY)),
            ]
        return m

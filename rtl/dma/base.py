"""Where in the system's address space the chip's external memory begins."""

from amaranth.hdl import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from npu.chip.timing import BURST_BOUNDARY
from rtl.shared import axi

BASE_SHIFT = exact_log2(BURST_BOUNDARY)


class MemoryBase(wiring.Component):
    """Adds a base to the addresses of both address channels, modulo 2^32; all else goes through.

    The base counts pages of 4 KiB, so that a burst that does not cross a boundary of them does not
    cross one behind the sum either (AXI4, A3.4.1), and no burst is split elsewhere.

    Parameters
    ----------
    bus_bytes : width of the bus.

    Members
    -------
    page : In, base in units of BURST_BOUNDARY bytes; stable while an address is on offer.
    inner : In, from the DMA.
    outer : Out, to the system.
    """

    def __init__(self, bus_bytes: int) -> None:
        super().__init__(
            {
                "page": In(axi.ADDRESS_BITS - BASE_SHIFT),
                "inner": In(axi.axi4(bus_bytes)),
                "outer": Out(axi.axi4(bus_bytes)),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        for name in ("aw", "w", "ar"):
            inner, outer = getattr(self.inner, name), getattr(self.outer, name)
            m.d.comb += [
                outer.valid.eq(inner.valid),
                inner.ready.eq(outer.ready),
                outer.payload.eq(inner.payload),
            ]
        for name in ("b", "r"):
            inner, outer = (wiring.flipped(bus) for bus in (self.inner, self.outer))
            wiring.connect(m, getattr(inner, name), getattr(outer, name))
        for name in ("aw", "ar"):
            inner, outer = getattr(self.inner, name).payload, getattr(self.outer, name).payload
            offset, page = inner.addr[:BASE_SHIFT], inner.addr[BASE_SHIFT:]
            m.d.comb += outer.addr.eq(Cat(offset, (page + self.page)[: len(self.page)]))
        return m

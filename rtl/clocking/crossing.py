"""Both buses and the interrupt between the chip's clock and that of what stands around it."""

from amaranth.hdl import Module, ResetSignal, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.fifo import AsyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from npu.chip.params import ChipParams
from rtl.clocking.domains import BUS, CORE
from rtl.shared import axi

# Entries of an asynchronous FIFO, beside the one in its output register. Eight are what a word a
# cycle needs to and fro at equal clocks; addresses and responses are rarer.
DATA_ENTRIES, OTHER_ENTRIES = 8, 4


class Crossing(wiring.Component):
    """Takes both buses and the interrupt from the chip's clock to that of the bus.

    Each AXI channel goes through an asynchronous FIFO of its own (`amaranth.lib.fifo`, pointers in
    Gray code), so that what is offered stays and nothing is lost or changes its order. Fields that
    the chip keeps constant, or ignores, stay out of it.

    The FIFOs hold nothing that the chip does not wait for: it is quiet only when every response has
    come back to it, and a response comes behind all of its request. So a reset of CONTROL, which
    waits until the chip is quiet, leaves them empty.

    No READY to the bus is high while the bus's domain is in reset: what would be taken then is
    lost.

    Parameters
    ----------
    params : ChipParams.
    address_bits : width of a register's address.

    Members
    -------
    inner_axi : In, from the chip's manager.
    inner_axil : Out, to the chip's registers.
    inner_irq : In, the chip's interrupt.
    axi : Out, AXI4 manager to external memory, in the bus's clock.
    axil : In, AXI4-Lite subordinate, in the bus's clock.
    irq : Out, level, in the bus's clock. It falls before the response to the write that clears it.
    """

    def __init__(self, params: ChipParams, address_bits: int) -> None:
        self._size = axi.beat_size(params.bus_bytes)
        manager, subordinate = axi.axi4(params.bus_bytes), axi.axi4_lite(address_bits)
        super().__init__(
            {
                "inner_axi": In(manager),
                "inner_axil": Out(subordinate),
                "inner_irq": In(1),
                "axi": Out(manager),
                "axil": In(subordinate),
                "irq": Out(1),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        inner, outer = self.inner_axi, self.axi
        out, into = (CORE, BUS), (BUS, CORE)
        self._cross(m, "aw", inner.aw, outer.aw, ("addr", "len"), out)
        self._cross(m, "w", inner.w, outer.w, ("data", "strb", "last"), out, DATA_ENTRIES)
        self._cross(m, "b", outer.b, inner.b, ("resp",), into)
        self._cross(m, "ar", inner.ar, outer.ar, ("addr", "len"), out)
        self._cross(m, "r", outer.r, inner.r, ("data", "resp", "last"), into, DATA_ENTRIES)
        for channel in (outer.aw, outer.ar):
            m.d.comb += [
                channel.payload.size.eq(self._size),
                channel.payload.burst.eq(axi.BURST_INCR),
                channel.payload.cache.eq(axi.CACHE),
                channel.payload.prot.eq(axi.PROT),
            ]
        host, chip = self.axil, self.inner_axil
        self._cross(m, "host_aw", host.aw, chip.aw, ("addr",), into)
        self._cross(m, "host_w", host.w, chip.w, ("data", "strb"), into)
        self._cross(m, "host_b", chip.b, host.b, ("resp",), out)
        self._cross(m, "host_ar", host.ar, chip.ar, ("addr",), into)
        self._cross(m, "host_r", chip.r, host.r, ("data", "resp"), out)
        # Out of a register: what gates make of several registers may be high for a moment.
        irq = Signal()
        m.d[CORE] += irq.eq(self.inner_irq)
        m.submodules.irq = FFSynchronizer(irq, self.irq, o_domain=BUS, reset_less=False)
        return m

    def _cross(
        self,
        m: Module,
        name: str,
        source,
        sink,
        fields: tuple[str, ...],
        domains: tuple[str, str],
        entries: int = OTHER_ENTRIES,
    ) -> None:
        """One channel, from the clock domain of `source` to that of `sink`."""
        layout = data.StructLayout({key: source.payload.shape()[key].shape for key in fields})
        given, taken = Signal(layout, name=f"{name}_given"), Signal(layout, name=f"{name}_taken")
        w_domain, r_domain = domains
        queue = AsyncFIFOBuffered(
            width=layout.size, depth=entries + 1, w_domain=w_domain, r_domain=r_domain
        )
        m.submodules[name] = queue
        awake = ~ResetSignal(w_domain) if w_domain == BUS else 1
        m.d.comb += [
            *(given[key].eq(source.payload[key]) for key in fields),
            queue.w_data.eq(Value.cast(given)),
            queue.w_en.eq(source.valid),
            source.ready.eq(queue.w_rdy & awake),
            Value.cast(taken).eq(queue.r_data),
            sink.valid.eq(queue.r_rdy),
            queue.r_en.eq(sink.ready),
            *(sink.payload[key].eq(taken[key]) for key in fields),
        ]

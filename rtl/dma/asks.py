"""The DMA's asking side: addresses of reads go out while beats of those before still come."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, fifo

from npu.chip.params import ChipParams
from rtl.dma.bursts import Bursts
from rtl.shared import axi

BEATS_BITS = 24


class Asks:
    """A queue of what is still to be asked for, and its head in registers, in the DMA's module.

    A read that is queued in cycle S, or behind a transfer whose last address is taken in S, shows
    its first address in S + DMA_START. A write starts when the taking side says so, and is over
    when that says so too.

    Parameters
    ----------
    m : the DMA's module.
    params : ChipParams.
    bus : the manager's AXI4 interface: the read address channel is driven.
    bursts : what splits transfers.

    Attributes
    ----------
    enters : a transfer is queued, in this cycle: its `address`, `beats`, and whether it `writes`.
    may_start : transfers may; may_write : the head may, if it writes.
    starts : the head starts, in this cycle; starts_write : and it writes.
    over : the write is.
    active : a transfer is asked for or written, or bursts of reads are open.
    """

    def __init__(self, m: Module, params: ChipParams, bus, bursts: Bursts) -> None:
        layout = data.StructLayout({"address": axi.ADDRESS_BITS, "beats": BEATS_BITS, "writes": 1})
        m.submodules.asks = queue = fifo.SyncFIFO(width=layout.size, depth=params.dma_queue)
        entering, coming, head = data.View(layout, queue.w_data), Signal(layout), Signal(layout)
        self.address, self.beats, self.writes = entering.address, entering.beats, entering.writes
        self.enters, self.may_start, self.may_write = queue.w_en, Signal(), Signal()
        self.starts, self.over = Signal(), Signal()
        self.starts_write = Signal()
        loads, open_ = Signal(), Signal()
        ar, r = bus.ar, bus.r
        m.d.comb += [
            coming.eq(Mux(queue.r_rdy, queue.r_data, queue.w_data)),
            queue.r_en.eq(self.starts),
            self.starts_write.eq(self.starts & head.writes),
            bursts.start.eq(self.starts),
            bursts.address.eq(head.address),
            bursts.beats.eq(head.beats),
        ]
        with m.If(loads):
            m.d.sync += head.eq(coming)
        opened = Signal(range(params.dma_outstanding + 1))
        asked = ar.valid & ar.ready
        m.d.sync += opened.eq(opened + asked - (r.valid & r.ready & r.payload.last))
        with m.FSM(name="asking"):
            with m.State("NEXT"):
                ready = ~head.writes | self.may_write
                m.d.comb += [
                    self.starts.eq(queue.r_rdy & self.may_start & ready),
                    loads.eq(~queue.r_rdy),
                ]
                with m.If(self.starts):
                    m.next = "READ"
                    with m.If(head.writes):
                        m.next = "WRITE"
            with m.State("READ"):
                # What follows is loaded as often as it takes.
                m.d.comb += [
                    open_.eq(1),
                    loads.eq(1),
                    ar.valid.eq(opened != params.dma_outstanding),
                    bursts.next.eq(asked),
                ]
                with m.If(asked & bursts.last):
                    m.next = "NEXT"
            with m.State("WRITE"):
                m.d.comb += [open_.eq(1), loads.eq(1)]
                with m.If(self.over):
                    m.next = "NEXT"
        self.active: Value = open_ | (opened != 0)

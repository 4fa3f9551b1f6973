"""The watchdog: tells the DMA that the bus is silent."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value

from npu.chip.status import WATCHDOG_BITS


class Watchdog:
    """Counts cycles of silence, in the DMA's module.

    A cycle is silent when the DMA waits for the bus and no channel has a handshake. A beat or a
    response on offer is none either, though the DMA may let it wait: the bus is alive then.

    Parameters
    ----------
    m : the DMA's module.
    bus : the manager's AXI4 interface.
    limit : so many silent cycles in a row are too many; 0: none are.
    waits : something is open on the bus, and nothing else keeps the DMA busy.

    Attributes
    ----------
    expired : `limit` silent cycles are over.
    """

    def __init__(self, m: Module, bus, limit: Signal, waits: Value) -> None:
        count = Signal(WATCHDOG_BITS)
        taken = Cat(channel.valid & channel.ready for channel in (bus.ar, bus.aw, bus.w)).any()
        silent = waits & ~taken & ~bus.r.valid & ~bus.b.valid
        watches = limit != 0
        m.d.sync += count.eq(Mux(silent & watches, count + 1, 0))
        self.expired: Value = watches & (count >= limit)

"""Splits a transfer into AXI bursts."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

from npu.chip.params import ChipParams
from npu.chip.timing import BURST_BOUNDARY
from rtl.shared.axi import ADDRESS_BITS


class Bursts(wiring.Component):
    """The bursts of one transfer, in order.

    A burst has at most `dma_burst_beats` beats and never crosses a 4 KiB boundary (AXI4, A3.4.1).
    `start` takes a transfer of at least one beat, while no burst is `valid`; the first is in the
    next cycle. `next` moves on: in the next cycle the following burst is there, or `valid` falls.

    Parameters
    ----------
    params : ChipParams.
    beats_bits : width of a transfer's size.

    Members
    -------
    start, address, beats : In, the transfer; `address` is a multiple of the bus width.
    valid, burst_address, burst_beats : Out, the burst (1 to 256 beats).
    last : Out, no burst follows this one.
    next : In.
    """

    def __init__(self, params: ChipParams, beats_bits: int) -> None:
        self._bus_bytes = params.bus_bytes
        self._longest = min(params.dma_burst_beats, BURST_BOUNDARY // params.bus_bytes)
        super().__init__(
            {
                "start": In(1),
                "address": In(ADDRESS_BITS),
                "beats": In(beats_bits),
                "valid": Out(1),
                "burst_address": Out(ADDRESS_BITS),
                "burst_beats": Out(bits_for(self._longest)),
                "last": Out(1),
                "next": In(1),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        shift = exact_log2(self._bus_bytes)
        page = BURST_BOUNDARY // self._bus_bytes

        rest_address = Signal(ADDRESS_BITS - shift)
        rest_beats = Signal.like(self.beats)
        from_address = Signal.like(rest_address)
        from_beats = Signal.like(self.beats)
        m.d.comb += self.last.eq(rest_beats == 0)
        m.d.comb += [
            from_address.eq(Mux(self.valid, rest_address, self.address[shift:])),
            from_beats.eq(Mux(self.valid, rest_beats, self.beats)),
        ]
        to_boundary = Signal(range(page + 1))
        limit = Signal.like(self.burst_beats)
        burst = Signal.like(self.burst_beats)
        # Behind the last burst nothing follows: what is left needs not wait for `burst`.
        fits = ~from_beats[len(limit) :].any() & (from_beats[: len(limit)] < limit)
        in_page = from_address & (page - 1)
        m.d.comb += [
            to_boundary.eq(page - in_page),
            limit.eq(self._longest),
            burst.eq(Mux(fits, from_beats, limit)),
        ]
        # One beat never crosses; tools complain about a comparison that is always false.
        if self._longest > 1:
            with m.If(in_page > page - self._longest):
                m.d.comb += limit.eq(to_boundary)
        with m.If(self.start | self.next):
            m.d.sync += [
                self.valid.eq(from_beats != 0),
                self.burst_address.eq(from_address << shift),
                self.burst_beats.eq(burst),
                rest_address.eq(from_address + limit),
                rest_beats.eq(Mux(fits, 0, from_beats - limit)),
            ]
        return m

"""The DMA's writing side: bursts go on offer while responses of those before still come."""

from amaranth.hdl import Module, Signal

from npu.chip.params import ChipParams
from rtl.dma.bursts import Bursts


class Writes:
    """The bursts of a write on the bus, in the DMA's module.

    AWVALID and WVALID of a burst rise in the same cycle; each stays until its own handshakes are
    done and waits for nothing on the other channel (AXI4, A3.3.1), so that the subordinate may take
    the address before, between or behind the beats, or want to see both first. Beats follow without
    a gap of the manager's making. The next burst is on offer in the cycle behind that in which the
    later of address and last beat was taken, while fewer than `dma_outstanding` bursts wait for
    their response, else in the cycle behind a response: data is in the order of the addresses, and
    no beat comes before the address that it belongs to is on offer. Which burst a response belongs
    to does not matter: all tell the same transfer.

    Parameters
    ----------
    m : the DMA's module.
    params : ChipParams.
    bus : the manager's AXI4 interface: the write channels are driven, but for what they say.
    bursts : what splits transfers.

    Attributes
    ----------
    offers : the transfer writes, and `bursts` has one that is not sent.
    sent : a beat is taken, in this cycle; all_sent : the transfer's last burst is, with this cycle.
    all_answered : behind `all_sent`: the last response comes, in this cycle.
    bad : an error response, in this cycle.
    """

    def __init__(self, m: Module, params: ChipParams, bus, bursts: Bursts) -> None:
        aw, w, b = bus.aw, bus.w, bus.b
        self.offers, self.sent = Signal(), Signal()
        self.all_sent, self.all_answered, self.bad = Signal(), Signal(), Signal()
        # Of the burst on offer: its address is taken, its last beat is taken, and the beat that is
        # next, counted from 1.
        addressed, filled = Signal(), Signal()
        burst_beat = Signal.like(bursts.burst_beats, init=1)
        # Bursts that are sent and have no response. It does not rise while one is on offer.
        unanswered = Signal(range(params.dma_outstanding + 1))
        may_offer = self.offers & (unanswered != params.dma_outstanding)
        now_addressed = addressed | (aw.valid & aw.ready)
        now_filled = filled | (self.sent & w.payload.last)
        ended = Signal()
        m.d.comb += [
            aw.valid.eq(may_offer & ~addressed),
            w.valid.eq(may_offer & ~filled),
            w.payload.last.eq(burst_beat == bursts.burst_beats),
            b.ready.eq(1),
            self.sent.eq(w.valid & w.ready),
            ended.eq(now_addressed & now_filled),
            self.all_sent.eq(ended & bursts.last),
            self.all_answered.eq(b.valid & (unanswered == 1)),
            self.bad.eq(b.valid & b.payload.resp[1]),
        ]
        m.d.sync += [
            addressed.eq(now_addressed),
            filled.eq(now_filled),
            unanswered.eq(unanswered + ended - b.valid),
        ]
        with m.If(self.sent):
            m.d.sync += burst_beat.eq(burst_beat + 1)
        with m.If(ended):
            m.d.comb += bursts.next.eq(1)
            m.d.sync += [addressed.eq(0), filled.eq(0), burst_beat.eq(1)]

"""A subordinate on the DMA's bus that answers in order, when it likes and with what response.

What it takes when, and whether ever, is free. It answers only what was asked: a read's burst with
as many beats as it has, a write once address and last beat are taken. Of writes it collects one
burst, so it checks that one is offered at a time; several may wait for their response.
"""

from amaranth.hdl import Array, Assume, Module, Signal
from amaranth.lib.wiring import In

from npu.chip.params import ChipParams
from tests.formal.prove import check


def free_inputs(params: ChipParams) -> dict[str, In]:
    """The inputs of a specification with a `Subordinate`."""
    return {
        "ar_ready": In(1),
        "aw_ready": In(1),
        "w_ready": In(1),
        "r_valid": In(1),
        "r_resp": In(2),
        "r_data": In(8 * params.bus_bytes),
        "b_valid": In(1),
        "b_resp": In(2),
    }


class Subordinate:
    """Wires the inputs of `spec` to the manager's channels.

    Parameters
    ----------
    spec : the specification, with `free_inputs`.
    bus : the manager's AXI4 interface.
    outstanding : bursts that may be open.
    bits : width of a burst's length.

    Attributes
    ----------
    lengths, open, came : of reads: AxLEN of the open bursts, the oldest first; how many there are;
        beats of the oldest that came.
    addressed, filled, length, beat : of the write burst that comes: whether its address and its
        last beat are taken, its AxLEN, its beats that are taken.
    unanswered : write bursts that have come and have no response.
    owes : a response is due, or a read's beat.
    """

    def __init__(self, m: Module, spec, bus, outstanding: int, bits: int = 8) -> None:
        ar, r, aw, w, b = (getattr(bus, name) for name in ("ar", "r", "aw", "w", "b"))
        m.d.comb += [
            ar.ready.eq(spec.ar_ready),
            aw.ready.eq(spec.aw_ready),
            w.ready.eq(spec.w_ready),
            r.valid.eq(spec.r_valid),
            r.payload.resp.eq(spec.r_resp),
            r.payload.data.eq(spec.r_data),
            b.valid.eq(spec.b_valid),
            b.payload.resp.eq(spec.b_resp),
        ]
        self.lengths = Array(Signal(bits, name=f"length_{i}") for i in range(outstanding + 1))
        self.open, self.came = Signal(range(outstanding + 2)), Signal(bits)
        last = Signal()
        asks, comes = ar.valid & ar.ready, r.valid & r.ready
        closes = comes & last
        m.d.comb += [
            last.eq(self.came == self.lengths[0]),
            r.payload.last.eq(last),
            Assume(~r.valid | (self.open != 0)),
        ]
        with m.If(comes):
            m.d.sync += self.came.eq(self.came + 1)
        with m.If(closes):
            m.d.sync += self.came.eq(0)
            for one, other in zip(list(self.lengths)[:-1], list(self.lengths)[1:], strict=True):
                m.d.sync += one.eq(other)
        with m.If(asks):
            m.d.sync += self.lengths[self.open - closes].eq(ar.payload.len)
        m.d.sync += self.open.eq(self.open + asks - closes)

        self.addressed, self.filled = Signal(), Signal()
        self.length, self.beat = Signal(bits), Signal(bits)
        with m.If(aw.valid & aw.ready):
            m.d.sync += [self.addressed.eq(1), self.length.eq(aw.payload.len)]
        with m.If(w.valid & w.ready):
            m.d.sync += [self.beat.eq(self.beat + 1), self.filled.eq(w.payload.last)]
        self.unanswered = Signal(range(outstanding + 2))
        has_come = Signal()
        addressed = self.addressed | (aw.valid & aw.ready)
        m.d.comb += has_come.eq(addressed & (self.filled | (w.valid & w.ready & w.payload.last)))
        with m.If(has_come):
            m.d.sync += [self.addressed.eq(0), self.filled.eq(0), self.beat.eq(0)]
        m.d.sync += self.unanswered.eq(self.unanswered + has_come - (b.valid & b.ready))
        again = (aw.valid & self.addressed) | (w.valid & self.filled)
        check(m, "one_burst_at_a_time", ~again)
        self.owes = (self.unanswered != 0) | (self.open != 0)
        m.d.comb += Assume(~b.valid | (self.unanswered != 0))

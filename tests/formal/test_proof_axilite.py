"""The AXI4-Lite subordinate keeps the rules of its bus and loses no access, whatever comes."""

import pytest
from amaranth.hdl import Assume, Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from rtl.control.axilite import AxiLite
from rtl.shared.axi import Response
from tests.formal.faults import faulty, one_in
from tests.formal.prove import check, prove, stable


class SubordinateSpec(wiring.Component):
    """AXI4-Lite: answers stay until taken, one for each request, and nobody waits long."""

    aw_valid: In(1)
    w_valid: In(1)
    strb: In(4)
    ar_valid: In(1)
    write_address: In(8)
    read_address: In(8)
    data: In(32)
    b_ready: In(1)
    r_ready: In(1)
    error: In(1)
    read_data: In(32)

    def __init__(self, unit: AxiLite) -> None:
        self._unit = unit
        super().__init__()

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.unit = unit = self._unit
        bus = unit.bus
        aw, w, b, ar, r = bus.aw, bus.w, bus.b, bus.ar, bus.r
        m.d.comb += [
            aw.valid.eq(self.aw_valid),
            w.valid.eq(self.w_valid),
            ar.valid.eq(self.ar_valid),
            aw.payload.addr.eq(self.write_address),
            ar.payload.addr.eq(self.read_address),
            w.payload.data.eq(self.data),
            w.payload.strb.eq(self.strb),
            b.ready.eq(self.b_ready),
            r.ready.eq(self.r_ready),
            unit.error.eq(self.error),
            unit.read_data.eq(self.read_data),
        ]
        for name, channel in (("b", b), ("r", r)):
            stable(m, name, channel)
        for name, channel in (("aw", aw), ("w", w), ("ar", ar)):
            waits = Signal(name=f"waits_{name}")
            m.d.sync += waits.eq(channel.valid & ~channel.ready)
            m.d.comb += Assume(~waits | channel.valid)

        # A request is taken, its access is in the cycle after, its answer in the one behind that.
        write, read = aw.valid & aw.ready, ar.valid & ar.ready
        address, data, whole = Signal(8), Signal(32), Signal()
        accesses, answers = Signal(2), Signal(2)
        refused, value = Signal(), Signal(32)
        m.d.sync += [
            address.eq(Mux(write, self.write_address, self.read_address) & ~3),
            data.eq(self.data),
            whole.eq(self.strb.all()),
            accesses.eq(Cat(write, read)),
            answers.eq(accesses),
            refused.eq(self.error | (accesses[0] & ~whole)),
            value.eq(Mux(self.error, 0, self.read_data)),
        ]
        check(m, "address_with_data", write == (w.valid & w.ready))
        check(m, "one_access_a_cycle", ~(write & read))
        check(m, "register_written", unit.write == (accesses[0] & whole))
        check(m, "register_read", unit.read == accesses[1])
        check(m, "register_address", ~accesses.any() | (unit.address == address))
        check(m, "register_data", ~accesses[0] | (unit.write_data == data))
        for name, i, channel in (("write", 0, b), ("read", 1, r)):
            asked, taken = (write, read)[i], channel.valid & channel.ready
            open_ = Signal(2, name=f"open_{name}")
            m.d.sync += open_.eq(open_ + asked - taken)
            check(m, f"{name}_one_at_a_time", open_ <= 1)
            check(m, f"{name}_no_answer_unasked", ~channel.valid | (open_ == 1))
            check(m, f"{name}_answer_in_time", ~answers[i] | channel.valid)
            check(
                m,
                f"{name}_answer",
                ~answers[i] | (channel.payload.resp == Mux(refused, Response.SLVERR, 0)),
            )
        check(m, "read_value", ~answers[1] | (r.payload.data == value))

        # With answers taken at once: each waits for its own kind's answer and for one other access.
        for name, channel, ready, limit in (
            ("write", aw, w.valid & b.ready, 3),
            ("read", ar, r.ready, 4),
        ):
            waited = Signal(range(8), name=f"waited_{name}")
            m.d.sync += waited.eq(0)
            with m.If(channel.valid & ~channel.ready & ready & (waited != 7)):
                m.d.sync += waited.eq(waited + 1)
            check(m, f"{name}_accepted", waited <= limit)
        return m


def test_subordinate():
    verdict = prove(SubordinateSpec(AxiLite(8)))
    assert verdict.proved, verdict


@pytest.mark.parametrize(
    ("old", "new", "failed"),
    one_in(
        4,
        [
            (" & ~bus.b.valid", "", {"b_payload_stable", "write_no_answer_unasked"}),
            (" & free & ~takes_write", " & free", {"one_access_a_cycle"}),
            ("writing & whole", "writing", {"register_written"}),
            ("with m.If(bus.b.ready):", "with m.If(1):", {"b_stays_valid"}),
            ("with m.If(bus.r.ready):", "with m.If(1):", {"r_stays_valid"}),
            ("Mux(self.error, 0, self.read_data)", "self.read_data", {"read_value"}),
            ("Mux(takes_write, bus.aw", "Mux(takes_read, bus.aw", {"register_address"}),
        ],
    ),
)
def test_faulty_subordinate(old, new, failed):
    verdict = prove(SubordinateSpec(faulty("rtl.control.axilite", old, new).AxiLite(8)))
    assert verdict.refuted and verdict.failed in failed, verdict

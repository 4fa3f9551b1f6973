"""The one place where the chip has gates in its clocks: on an ASIC, the one to put a cell in."""

from amaranth.hdl import ClockDomain, ClockSignal, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

GATE = "clock_gate"
"""Modules of gates, and no others, begin with it: `rtl.verilog` gives them a latch and an AND."""


class ClockGate(wiring.Component):
    """A clock that has an edge where `enable` is high before it, and no half ones.

    `enable` comes from registers on the rising edge of the clock. In the Verilog this is a module
    of its own, with a latch that is open while the clock is low; to put in a cell of a library,
    replace the module's body. This model has a register on the falling edge in its place.

    Members
    -------
    enable : In, the clock's next rising edge is one of `gated`.
    test_enable : In, every edge is.
    gated : Out, the clock.
    clk : In, the clock that is gated.
    """

    def __init__(self) -> None:
        super().__init__({"clk": In(1), "enable": In(1), "test_enable": In(1), "gated": Out(1)})

    def elaborate(self, platform) -> Module:
        m = Module()
        m.domains.falling = ClockDomain(local=True, clk_edge="neg", reset_less=True)
        held = Signal()
        m.d.comb += [ClockSignal("falling").eq(self.clk), self.gated.eq(self.clk & held)]
        m.d.falling += held.eq(self.enable | self.test_enable)
        return m


def clock_domain(name: str) -> ClockDomain:
    """A domain whose clock and reset are called as those of all others."""
    domain = ClockDomain(name)
    domain.clk, domain.rst = Signal(name="clk"), Signal(name="rst")
    return domain

"""The requantiser's arithmetic equals its specification, TFLM's, written here in plain steps."""

import pytest
from amaranth.hdl import Assume, Const, Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from rtl.shared.rescale import STAGES, Rescale
from tests.formal.faults import faulty, one_in
from tests.formal.prove import check, prove


class RescaleSpec(wiring.Component):
    """x 2^left, wrapped; times the multiplier, doubled, high half; divided by 2^right; plus zero.

    The multiplication itself is not proven: both sides take the same four products of halves, each
    free in its range, as long as both multiply the same operands. That four products make one is
    arithmetic: (a + 2^16 b)(c + 2^16 d) = ac + 2^16 (ad + bc) + 2^32 bd.
    """

    x: In(signed(32))
    left: In(5)
    multiplier: In(32)
    right: In(6)
    half_up: In(1)
    zero: In(signed(16))

    def __init__(self, unit) -> None:
        self._unit = unit
        super().__init__()

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.unit = unit = self._unit
        for name in ("x", "left", "multiplier", "right", "half_up", "zero"):
            m.d.comb += getattr(unit, name).eq(getattr(self, name))
        shifted = Signal(signed(32))
        m.d.comb += shifted.eq((self.x << self.left)[:32].as_signed())
        a, b = shifted[:16], shifted[16:].as_signed()
        c, d = self.multiplier[:16], self.multiplier[16:]
        product = Signal(signed(67))
        m.d.comb += [
            product.eq((a * c) + (((a * d) + (b * c)) << 16) + ((b * d) << 32)),
            # What the product of an int32 and 0..2^31 can be, the corner -2^31 2^31 included.
            Assume((product >= -(1 << 62)) & (product < 1 << 62)),
            Assume(self.right <= 32),
        ]

        # Saturating rounding doubling high multiplication; truncating division, as C divides.
        high = Signal(signed(32))
        with m.If(product >= 0):
            m.d.comb += high.eq((product + (1 << 30)) >> 31)
        with m.Else():
            m.d.comb += high.eq(-(((1 << 30) - 1 - product) >> 31))

        # Rounding division by a power of two: ties away from zero, or upward.
        mask, threshold = Signal(33), Signal(33)
        quotient = Signal(signed(33))
        remainder = Signal(33)
        wide = Signal(signed(34))
        m.d.comb += [
            wide.eq(high),
            mask.eq((Const(1, 34) << self.right) - 1),
            remainder.eq(wide & mask),
            threshold.eq((mask >> 1) + ((high < 0) & ~self.half_up)),
            quotient.eq((wide >> self.right) + (remainder > threshold)),
        ]
        y = Signal(signed(32))
        m.d.comb += y.eq(quotient + self.zero)
        check(m, "equal", unit.y == y)
        return m


@pytest.mark.formal
def test_rescale():
    verdict = prove(RescaleSpec(Rescale(STAGES)), same_products=True)
    assert verdict.proved, verdict


@pytest.mark.parametrize(
    ("old", "new"),
    one_in(
        4,
        [
            ("half = 1 << (30 - HALF_BITS)", "half = 1 << (29 - HALF_BITS)"),
            ("sticky |= bit & dropped", "sticky = bit & dropped"),
            ("(self.half_up | ~product[-1] | sticky)", "(self.half_up | sticky)"),
            ("low * m_high", "low * m_low"),
            (
                "high = x[:HALF_BITS], x[HALF_BITS:].as_signed()",
                "high = x[:HALF_BITS], x[HALF_BITS:]",
            ),
            ("Cat(carry, self.zero).as_signed()", "Cat(carry, self.zero)"),
        ],
    ),
)
def test_faulty_rescale(old, new):
    unit = faulty("rtl.shared.rescale", old, new).Rescale(STAGES)
    verdict = prove(RescaleSpec(unit), same_products=True)
    assert verdict.refuted, verdict

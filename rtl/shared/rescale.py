"""The requantiser's arithmetic: int32 times a multiplier and a power of two, as TFLM rounds."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

STAGES = ("left", "products", "middle", "high", "right", "zero")
HALF_BITS = 16


def split_shift(shift) -> tuple:
    """(left, right) of a signed shift: left 0..31, right 0..32."""
    negative = shift[-1]
    return Mux(negative, 0, shift)[:5], Mux(negative, -shift, 0)[:6]


class Rescale(wiring.Component):
    """`multiply_by_quantized_multiplier` plus a zero point, one value per cycle, never stalled.

    Equal to `npu.model.numerics` for every int32 `x`, multiplier 0..2^31 - 1 and shift -32..31
    (`left` = max(shift, 0), `right` = max(-shift, 0)): x << left, wrapped to int32; the rounding,
    doubling high product; a rounding division by 2^right; plus `zero`, wrapped to int32. A
    multiplier of 2^31 stands for 1 and leaves `x << left` as it is.

    There are six stages, each with a register behind it unless it is merged with the next: `x` and
    `left` belong to cycle 0, `y` to cycle `latency`. The other constants are taken where they are
    used, so that many units can share the registers that delay them: see `cycle_of`.

    Parameters
    ----------
    merged : names of stages (of STAGES) without a register behind them.

    Members
    -------
    x, left : In, the value and its left shift, cycle 0.
    multiplier : In, unsigned Q31, cycle_of("products").
    right, half_up : In, cycle_of("right"). `half_up` rounds ties upward, not away from zero.
    zero : In, cycle_of("zero").
    y : Out, cycle `latency`.
    """

    def __init__(self, merged: tuple[str, ...] = ()) -> None:
        for name in merged:
            if name not in STAGES:
                raise ValueError(f"a stage must be one of {', '.join(STAGES)}, not {name!r}")
        self._merged = merged
        super().__init__(
            {
                "x": In(signed(32)),
                "left": In(5),
                "multiplier": In(32),
                "right": In(6),
                "half_up": In(1),
                "zero": In(signed(16)),
                "y": Out(signed(32)),
            }
        )

    @property
    def latency(self) -> int:
        return len(STAGES) - len(self._merged)

    def cycle_of(self, stage: str) -> int:
        """The cycle, counted from that of `x`, in which `stage` works."""
        return sum(name not in self._merged for name in STAGES[: STAGES.index(stage)])

    def elaborate(self, platform) -> Module:
        m = Module()

        def register(stage: str, name: str, value) -> Signal:
            signal = Signal(value.shape(), name=name)
            m.d["comb" if stage in self._merged else "sync"] += signal.eq(value)
            return signal

        x = register("left", "shifted", (self.x << self.left)[:32].as_signed())

        # Four products of signed 17-bit factors fit the multipliers of small FPGAs.
        low, high = x[:HALF_BITS], x[HALF_BITS:].as_signed()
        m_low, m_high = self.multiplier[:HALF_BITS], self.multiplier[HALF_BITS:]
        low_low = register("products", "low_low", low * m_low)
        low_high = register("products", "low_high", low * m_high)
        high_low = register("products", "high_low", high * m_low)
        high_high = register("products", "high_high", high * m_high)

        # 2^30 rounds the product before its low 31 bits are dropped.
        half = 1 << (30 - HALF_BITS)
        middle = register("middle", "middle", low_high + high_low + half)
        outer = register(
            "middle", "outer", Cat(low_low[HALF_BITS:], high_high[: 3 * HALF_BITS]).as_signed()
        )

        total = (outer + middle)[31 - HALF_BITS :]
        product = register("high", "product", total[:32].as_signed())

        # One bit below the point stays in the shifter to round with.
        quotient = Cat(0, product)
        sticky = 0
        # The widest step first: what it drops is looked at while the others shift.
        for level in reversed(range(len(self.right))):
            step = 1 << level
            bit = self.right[level]
            dropped = quotient[: min(step, 33)].any()
            sticky |= bit & dropped
            quotient = Mux(bit, (quotient.as_signed() >> step)[:33], quotient)[:33]
        shifted = register("right", "quotient", quotient[1:].as_signed())
        away = quotient[0] & (self.half_up | ~product[-1] | sticky)
        carry = register("right", "carry", away)

        # The carry enters below the lowest bit, so that one adder does.
        y = (Cat(1, shifted).as_signed() + Cat(carry, self.zero).as_signed())[1:33]
        m.d.comb += self.y.eq(register("zero", "sum", y.as_signed()))
        return m

"""What scalar commands compute: sums, comparisons, and products, among which shifts are."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

BITS = 32
HALF = 16
# What the high half of a product of int32 is, doubled, and where it does not fit.
POINT = BITS - 1
LARGEST = (1 << POINT) - 1

LOW = ("MUL", "SLL")
HIGH = ("MULH", "SRA", "RSRA")
SHIFTS = ("SLL", "SRA", "RSRA")
RESULTS = ("ADD", "SUB", "CLZ", "MIN", "MAX", *LOW, *HIGH)
"""Opcodes whose result is `value`."""


def leading_zeros(m: Module, bits: Value) -> Signal:
    """How many of `bits`, a power of two of them, are zero above the highest one."""
    # A signal of its own for every part: as one expression it would double with every level.
    count = Signal(exact_log2(len(bits)) + 1, name=f"zeros_of_{len(bits)}")
    if len(bits) == 1:
        m.d.comb += count.eq(~bits)
        return count
    half = len(bits) // 2
    lower, upper = leading_zeros(m, bits[:half]), leading_zeros(m, bits[half:])
    # All zero: the highest bit of a count says so.
    none = upper[-1]
    inner = Mux(none, lower[:-1], upper[:-1])
    m.d.comb += count.eq(Cat(inner, none & ~lower[-1], none & lower[-1]))
    return count


class Arithmetic(wiring.Component):
    """Results of the scalar commands, in the cycles of `npu.chip.timing`.

    There is no shifter: shifts are products with a power of two. A product is worked on from the
    command's first cycle on: its low half is `value` in the second, its high half, rounded, in the
    third. Everything else follows at once. `value` is zero where no result is asked for, from the
    third cycle behind a product on.

    Members
    -------
    left, right : In, rs1, and rs2 + imm.
    first : In, the command is in its first cycle.
    is_add, ... : In, whether it is that, for each of RESULTS.
    value : Out, its result.
    less, same : Out, how `left` compares with `right`, signed; `less` of any command but ADD.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "left": In(signed(BITS)),
                "right": In(signed(BITS)),
                "first": In(1),
                **{f"is_{name.lower()}": In(1) for name in RESULTS},
                "value": Out(BITS),
                "less": Out(1),
                "same": Out(1),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        left, right = self.left, self.right
        total = Signal(signed(BITS + 1))
        # One adder does: its carry enters below the lowest bit.
        subtract = ~self.is_add
        addend = Cat(subtract, right.as_unsigned() ^ subtract.replicate(BITS)).as_signed()
        m.d.comb += [
            total.eq((Cat(subtract, left).as_signed() + addend)[1:]),
            self.less.eq(total[-1]),
            # Not by the sum, whose carries would take their time first.
            self.same.eq(left == right),
        ]
        takes_left = (self.is_min & self.less) | (self.is_max & ~self.less)
        takes_right = (self.is_min & ~self.less) | (self.is_max & self.less)
        low, high = self._product(m)
        m.d.comb += self.value.eq(
            Mux(self.is_add | self.is_sub, total[:BITS], 0)
            | Mux(takes_left, left.as_unsigned(), 0)
            | Mux(takes_right, right.as_unsigned(), 0)
            | Mux(self.is_clz, leading_zeros(m, left), 0)
            | low
            | high
        )
        return m

    def _is(self, names: tuple[str, ...]) -> Value:
        return Cat(getattr(self, f"is_{name.lower()}") for name in names).any()

    def _product(self, m: Module) -> tuple[Value, Value]:
        """The low half of the product in the second cycle, the rounded high one in the third."""
        shift, to_right = Signal(), Signal()
        amount = Signal(5)
        m.d.comb += [
            shift.eq(self._is(SHIFTS)),
            to_right.eq(self.is_sra | self.is_rsra),
            # Shifting right by e is the high half of a product with 2^(31 - e).
            amount.eq(self.right[:5] ^ to_right.replicate(5)),
        ]
        # A power of two, in two steps so that the choice is one LUT a bit.
        fine, coarse = Signal(8), Signal(4)
        m.d.comb += [fine.eq(1 << amount[:3]), coarse.eq(Mux(shift, 1 << amount[3:], 0))]
        power = Cat(fine & bit.replicate(8) for bit in coarse)
        factor = Signal(signed(BITS + 1))
        m.d.comb += factor.eq(Cat(power | Mux(shift, 0, self.right), self.right[-1] & ~shift))

        # Four products of signed 17-bit factors fit the multipliers of small FPGAs.
        x_low, x_high = self.left[:HALF], self.left[HALF:].as_signed()
        y_low, y_high = factor[:HALF], factor[HALF:].as_signed()
        low_low, high_high = Signal(BITS), Signal(BITS)
        low_high, high_low = Signal(signed(BITS + 1)), Signal(signed(BITS))
        with m.If(self.first & self._is((*LOW, *HIGH))):
            m.d.sync += [
                low_low.eq(x_low * y_low),
                low_high.eq(x_low * y_high),
                high_low.eq(x_high * y_low),
                high_high.eq(x_high * y_high),
            ]
        with m.Else():
            m.d.sync += [low_low.eq(0), low_high.eq(0), high_low.eq(0), high_high.eq(0)]
        product = Signal(2 * BITS)
        outer = Cat(low_low[HALF:], high_high).as_signed()
        m.d.comb += product.eq(Cat(low_low[:HALF], outer + (low_high + high_low)))

        high, carry = Signal(BITS, reset_less=True), Signal()
        # Ties upward, and away from zero in a shift.
        rounds = self.is_mulh | (self.is_rsra & (~product[-1] | product[: POINT - 1].any()))
        m.d.sync += [high.eq(product[POINT:]), carry.eq(rounds & product[POINT - 1])]
        # Nothing but the square of the smallest number is as large as 2^62.
        with m.If(product[-2] & ~product[-1]):
            m.d.sync += high.eq(LARGEST)
        return product[:BITS], (high + carry)[:BITS]

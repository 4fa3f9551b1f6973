"""One element of the vector unit: offsets, product, requantiser, clamp, table look-up."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from npu.model.numerics import ADD_LEFT_SHIFT
from rtl.shared.rescale import Rescale
from rtl.vector.lookup import Function, Lookup, table_write


class Control(data.Struct):
    """What the elements of a vector unit do, shared by all of them.

    The fields of a cycle are taken in that cycle, counted from the operands'; the others are held
    while a command is in the pipeline.
    """

    # x = (swap or select and (maximum ? b >= a : b < a) ? b : a) + (pair ? b : offset)
    swap: 1  # cycle 0
    select: 1
    maximum: 1
    offset: signed(10)  # cycle 0
    pair: 1
    # y = by_b ? b + b_offset : factor
    by_b: 1
    b_offset: signed(10)
    factor: 16
    # The requantiser's input: x << ADD_LEFT_SHIFT, or x * y, or the sum of its last two results,
    # or their difference, or (dot) the sum of all products since the `first`.
    head_room: 1
    add_results: 1  # cycle 2
    subtract: 1
    dot: 1
    left: 5  # cycle 2
    multiplier: 32  # cycle 3
    right: 6  # cycle 6
    half_up: 1
    zero: signed(16)  # cycle 7
    lo: signed(16)
    hi: signed(16)
    lookup: 1
    function: Function


class Alu(wiring.Component):
    """One element per cycle, never stalled: the arithmetic of every vector command.

    x = a or b, or the larger or the smaller of them, plus an offset (or plus b), times y, through
    `Rescale`, then limited to lo..hi: valid LATENCY cycles after the operands. With `lookup` the
    rescaled value goes through `Lookup` instead: valid LOOKUP_LATENCY cycles after them. For the
    sum of two rescaled operands they pass the requantiser one after the other: `a` in cycle 0, `b`
    (still on its port, `swap`) in cycle 1, and `add_results` in cycle SUM_AFTER + 2 puts their sum
    in: valid SUM_AFTER cycles later. A sum of products is valid DOT_AFTER cycles later, for its
    last product.

    Parameters
    ----------
    sums : whether it sums products; without, there is no `dot`.

    Members
    -------
    a, b : In, operands, sign-extended.
    first : In, cycle 2: a sum of products begins.
    control : In, see `Control`.
    table : In, write port of the int8 table, see `Lookup`.
    operand : Out, x one cycle after the operands, for reductions.
    result : Out, its low byte is the result of int8 commands.
    """

    LATENCY = 10
    LOOKUP_LATENCY = LATENCY + Lookup.LATENCY
    SUM_AFTER = 8
    DOT_AFTER = 1

    def __init__(self, sums: bool = True) -> None:
        self._sums = sums
        super().__init__(
            {
                "a": In(signed(16)),
                "b": In(signed(16)),
                "first": In(1),
                "control": In(Control),
                "table": Out(table_write()),
                "operand": Out(signed(17)),
                "result": Out(16),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        control = self.control
        m.submodules.rescale = rescale = Rescale()
        m.submodules.lookup = lookup = Lookup()

        # Cycle 0.
        x, y = Signal(signed(17)), Signal(signed(17))
        take_b = Signal()
        m.d.comb += take_b.eq(
            control.swap | (control.select & ((self.b < self.a) ^ control.maximum))
        )
        m.d.sync += [
            x.eq(Mux(take_b, self.b, self.a) + Mux(control.pair, self.b, control.offset)),
            y.eq(Mux(control.by_b, self.b + control.b_offset, control.factor)),
        ]
        m.d.comb += self.operand.eq(x)

        # Cycle 1.
        product = Signal(signed(32))
        m.d.sync += product.eq(Mux(control.head_room, x << ADD_LEFT_SHIFT, x * y))

        # Cycles 2 to 7.
        previous, total = Signal(signed(32)), Signal(signed(32))
        summand = Mux(control.subtract, ~rescale.y, rescale.y)
        augend = previous
        if self._sums:
            augend = Mux(control.dot, Mux(self.first, 0, total), augend)
            summand = Mux(control.dot, product, summand)
        m.d.sync += [previous.eq(rescale.y), total.eq(augend + summand + control.subtract)]
        m.d.comb += [
            rescale.x.eq(Mux(control.add_results, total, product)),
            rescale.left.eq(control.left),
            rescale.multiplier.eq(control.multiplier),
            rescale.right.eq(control.right),
            rescale.half_up.eq(control.half_up),
            rescale.zero.eq(control.zero),
        ]

        # Cycles 8 and 9, or the look-up in cycles 8 to 13 and then 14.
        for name in ("en", "addr", "data"):
            m.d.comb += getattr(lookup.table, name).eq(getattr(self.table, name))
        m.d.comb += [lookup.x.eq(rescale.y), lookup.function.eq(control.function)]
        below, above, within = Signal(), Signal(), Signal(16)
        m.d.sync += [
            below.eq(~control.lookup & (rescale.y < control.lo)),
            above.eq(~control.lookup & (rescale.y > control.hi)),
            within.eq(Mux(control.lookup, lookup.y, rescale.y)),
            self.result.eq(Mux(below, control.lo, Mux(above, control.hi, within))),
        ]
        return m

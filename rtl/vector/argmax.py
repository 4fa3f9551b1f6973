"""Index of the first largest int8 of a stream of groups."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from npu.model.numerics import INT8_MIN


class ArgMax(wiring.Component):
    """A tree over the elements of a group, a register behind each level, then the running maximum.

    A group may come in every cycle. `result` covers a group log2(elements) + 1 cycles after it; it
    stays until `clear`. Indices are counted modulo 2^index_bits. Elements that are not `present` do
    not count; they may only follow others.

    Parameters
    ----------
    elements : int8 elements of a group, a power of two.
    index_bits : width of the result.

    Members
    -------
    single : In, only the first element of each group is there, and groups are counted; stable.
    clear : In, forget all groups; not together with `valid` or in the cycles of LATENCY behind it.
    valid, values, present : In, a group.
    result : Out, index counted from the first group after `clear`; 0 before it.
    """

    def __init__(self, elements: int, index_bits: int = 16) -> None:
        self._elements = elements
        self._levels = exact_log2(elements)
        super().__init__(
            {
                "single": In(1),
                "clear": In(1),
                "valid": In(1),
                "values": In(signed(8)).array(elements),
                "present": In(elements),
                "result": Out(index_bits),
            }
        )

    @property
    def latency(self) -> int:
        return self._levels + 1

    def elaborate(self, platform) -> Module:
        m = Module()
        nodes = []
        for value, present in zip(self.values, self.present, strict=True):
            known = Signal(signed(8))
            m.d.comb += known.eq(Mux(present, value, INT8_MIN))
            nodes.append((known, ()))
        valid = self.valid
        for _ in range(self._levels):
            level = []
            for (left, left_index), (right, right_index) in zip(
                nodes[::2], nodes[1::2], strict=True
            ):
                larger = right > left
                value = Signal(signed(8))
                index = Signal(len(left_index) + 1)
                m.d.sync += [
                    value.eq(Mux(larger, right, left)),
                    index.eq(Cat(Mux(larger, Cat(right_index), Cat(left_index)), larger)),
                ]
                level.append((value, index))
            nodes = level
            delayed = Signal()
            m.d.sync += delayed.eq(valid)
            valid = delayed
        best = Signal(signed(8), init=INT8_MIN)
        group = Signal(len(self.result))
        value, index = nodes[0]
        with m.If(self.clear):
            m.d.sync += [best.eq(INT8_MIN), group.eq(0), self.result.eq(0)]
        with m.Elif(valid):
            m.d.sync += group.eq(group + 1)
            with m.If(value > best):
                m.d.sync += [
                    best.eq(value),
                    self.result.eq(Mux(self.single, group, Cat(index, group))),
                ]
        return m

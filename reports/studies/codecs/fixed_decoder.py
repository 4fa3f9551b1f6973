"""A decoder of symbols that all take the same number of bits."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib.wiring import Out

from npu.chip.weight_format import MAX_SYMBOL_BITS
from reports.studies.codecs.barrel import Barrel

ALIGNMENT_BITS = 2


class FixedDecoder(Barrel):
    """Numbers of `width` bits, a multiple of 4, that start at multiples of 4 bits; see `Barrel`.

    Members
    -------
    value : Out, SYMBOL_LATENCY cycles after the turn.
    """

    SYMBOL_LATENCY = 1
    LENGTH_LATENCY = 1

    def __init__(self, threads: int, width: int) -> None:
        self._width = width
        super().__init__(threads, {"value": Out(width)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        step = Signal(range(MAX_SYMBOL_BITS + 1))
        m.d.comb += step.eq(Mux(self.go, self._width, 0))
        position = self._positions(m, step, 0)
        aligned = Signal.like(position)
        m.d.comb += aligned.eq(Cat(Const(0, ALIGNMENT_BITS), position[ALIGNMENT_BITS:]))
        window = self._window(m, aligned)
        m.d.sync += [self.value.eq(window[-self._width :]), self.length.eq(step)]
        return m

"""Where the rows of a command's positions go."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from npu.chip.params import ChipParams
from rtl.matvec.held import held_layout


class Destinations(wiring.Component):
    """The destinations of the last position that has begun and of the one before it.

    Parameters
    ----------
    params : ChipParams.

    Members
    -------
    start, first : In, a command begins, with this destination.
    begins, parity : In, a position begins, with a number that is even or odd.
    wraps : In, with `begins`: the next one is the first of another row of positions.
    positions : In, of `rtl.matvec.held.Held`.
    destinations : Out, of the last even and the last odd position.
    """

    def __init__(self, params: ChipParams) -> None:
        self._params = params
        super().__init__(
            {
                "start": In(1),
                "first": In(24),
                "begins": In(1),
                "parity": In(1),
                "wraps": In(1),
                "positions": In(held_layout("POSITIONS", params)),
                "destinations": Out(params.address_bits).array(2),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        positions = self.positions
        # Of the next position, and of the first one in its row.
        coming, row = Signal(self._params.address_bits), Signal(self._params.address_bits)
        next_row = (row + positions.dst_y)[: len(row)]
        with m.If(self.start):
            m.d.sync += [coming.eq(self.first), row.eq(self.first)]
        with m.Elif(self.begins):
            m.d.sync += coming.eq(Mux(self.wraps, next_row, coming + positions.dst_x))
            with m.If(self.wraps):
                m.d.sync += row.eq(next_row)
        with m.If(self.begins):
            for number, destination in enumerate(self.destinations):
                with m.If(self.parity == number):
                    m.d.sync += destination.eq(coming)
        return m

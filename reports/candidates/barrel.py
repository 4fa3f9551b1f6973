"""What the candidates' decoders share with ours: rings, windows, and a barrel of positions."""

from amaranth.hdl import Module, Mux, Signal, ValueLike
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from npu.format import MAX_SYMBOL_BITS
from rtl.decoder import OFFSET_BITS, POSITION_BITS, WORD_INDEX_BITS, StreamDecoder, ring_write


class Barrel(StreamDecoder):
    """A decoder with the demands of `rtl.decoder.StreamDecoder`, for another code.

    One symbol per cycle, of the thread whose turn it is; the loop takes two stages, so
    threads >= 2. Stage A reads the ring and rotates MAX_SYMBOL_BITS bits to the top, stage B must
    know how far the position advances.

    Parameters
    ----------
    threads : turns that take part in the barrel.
    ports : further members.

    Members
    -------
    fill, load, start, run, thread, go, word : as in StreamDecoder.
    length : Out, bits of the symbol, LENGTH_LATENCY cycles after the turn; 0 without `go`.
    """

    LENGTH_LATENCY = 3

    def __init__(self, threads: int, ports: dict[str, wiring.Member]) -> None:
        self._threads = threads
        wiring.Component.__init__(
            self,
            {
                "fill": In(ring_write(threads)),
                "load": In(1),
                "start": In(POSITION_BITS),
                "run": In(1),
                "thread": In(range(threads)),
                "go": In(1),
                "word": Out(WORD_INDEX_BITS),
                "length": Out(range(MAX_SYMBOL_BITS + 1)),
                **ports,
            },
        )

    def _positions(self, m: Module, early: ValueLike, late: ValueLike) -> Signal:
        """The position in stage A, which advances by `early` and by stage B's `late`.

        Both are 0 in a turn without `go`.
        """
        position = Signal(POSITION_BITS)
        advanced = Signal(POSITION_BITS)
        chain = [Signal(POSITION_BITS, name=f"position_{i}") for i in range(self._threads - 2)]
        with m.If(self.run | self.load):
            m.d.sync += advanced.eq(Mux(self.load, self.start, position + early))
            source = advanced + late
            for target in [*chain, position]:
                m.d.sync += target.eq(source)
                source = target
        m.d.comb += self.word.eq(position[OFFSET_BITS:])
        return position

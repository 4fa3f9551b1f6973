"""What the candidates' decoders share with ours: rings, windows, and a barrel of positions."""

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from npu.chip.weight_format import ENTRY_BITS, MAX_RAW_BITS, MAX_SYMBOL_BITS
from rtl.lane.codetable import RAW_BITS
from rtl.lane.decoder import POSITION_BITS, WORD_INDEX_BITS, StreamDecoder, ring_write

# Of decoders whose symbol is an entry with raw bits: names as in `rtl.lane.codetable.CODE`, and
# what comes out.
RAW_PORTS = {
    "raw_bits": In(RAW_BITS),
    "raw_mask": In(MAX_RAW_BITS),
    "not_raw": In(range(MAX_SYMBOL_BITS + 1)),
}
SYMBOL_PORTS = {"entry": Out(ENTRY_BITS), "raw": Out(MAX_RAW_BITS)}


class Barrel(StreamDecoder):
    """A decoder with the demands of `rtl.lane.decoder.StreamDecoder`, for another code.

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

"""Reads a lane's streams out of its bank, one word per cycle, on a fixed grid."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from npu.chip.params import ChipParams
from npu.chip.weight_format import STREAM_BITS, WORD_BITS, directory_words
from rtl.lane.bank import word_address_bits
from rtl.lane.barrel import RUN, VALUE, barrel
from rtl.lane.decoder import OFFSET_BITS, POSITION_BITS, RING_BITS, RING_WORDS, WORD_INDEX_BITS


def stream_bits(params: ChipParams) -> int:
    """Bits of a length that a stream in a bank can have."""
    return min(STREAM_BITS, (8 * params.bank_bytes).bit_length())


class StreamFetch(wiring.Component):
    """Addresses of the lane's 2 * threads streams, each with its slot every 2 * threads cycles.

    In its slot a stream gets its next word, unless its ring is full. A ring of RING_WORDS words and
    PRIME_WORDS words before the first turn keep a stream of MAX_SYMBOL_BITS bits per turn fed: word
    j has room once the position is in word j - 3, is asked for within two turns, stands in the ring
    three cycles later, and is touched by the fifth turn after at the earliest.

    Parameters
    ----------
    params : ChipParams.

    Members
    -------
    control : In, `rtl.lane.barrel.barrel`.
    word : In, the bank's word, BANK_LATENCY cycles after its address.
    length : In, bits of the stream whose directory word it is.
    run_word, value_word : In, word index of stage A's position in the decoders.
    en, address : Out, to the bank.
    position : Out, first position of the stream whose directory word is on `word`.
    past_end : Out, with control's `end`: the last stream ends outside the bank.
    fill_run, fill_value, fill_index : Out, put `word` at this index of the ring of control's
        `fill_thread`.
    """

    def __init__(self, params: ChipParams) -> None:
        self._params = params
        super().__init__(
            {
                "control": In(barrel(params)),
                "word": In(WORD_BITS),
                "length": In(stream_bits(params)),
                "run_word": In(WORD_INDEX_BITS),
                "value_word": In(WORD_INDEX_BITS),
                "en": Out(1),
                "address": Out(word_address_bits(params)),
                "position": Out(POSITION_BITS),
                "past_end": Out(1),
                "fill_run": Out(1),
                "fill_value": Out(1),
                "fill_index": Out(RING_BITS),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        p, control = self._params, self.control
        address_bits = word_address_bits(p)
        depth = 2 << ceil_log2(p.threads)
        m.submodules.pointers = pointers = Memory(shape=address_bits, depth=depth, init=[])
        read, write = pointers.read_port(domain="comb"), pointers.write_port()

        # Where the next stream starts, in bits of the section.
        start = Signal(stream_bits(p) + ceil_log2(2 * p.threads) + 1)
        with m.If(control.clear):
            m.d.sync += start.eq(directory_words(p.threads) * WORD_BITS)
        with m.Elif(control.entry):
            m.d.sync += start.eq(start + self.length)
        start_word, start_offset = start[OFFSET_BITS:], start[:OFFSET_BITS]
        directory = control.entry | control.end
        # An adder each: what the directory says goes on to a comparison, and pointers come late.
        begins = Signal(max(address_bits, len(start_word)) + 1)
        following = Signal.like(begins)
        m.d.comb += [
            read.addr.eq(Cat(control.slot_thread, control.slot_kind)),
            begins.eq(control.base + start_word),
            following.eq(Mux(directory, begins, read.data + 1)),
            self.position.eq(Cat(start_offset, begins[:WORD_INDEX_BITS])),
            self.past_end.eq(
                (begins > p.bank_words) | ((begins == p.bank_words) & (start_offset != 0))
            ),
        ]

        # The ring holds RING_WORDS words from the position's on; both indices count one bit more.
        position = Mux(control.slot_kind == VALUE, self.value_word, self.run_word)
        room = (read.data - position)[:WORD_INDEX_BITS] != RING_WORDS
        fetch = Signal()
        m.d.comb += [
            fetch.eq(control.prime | (control.run & room)),
            self.en.eq(fetch | control.directory),
            self.address.eq(Mux(control.directory, control.directory_address, read.data)),
            write.en.eq(fetch | control.entry),
            write.addr.eq(
                Mux(
                    control.entry,
                    Cat(control.entry_thread, control.entry_kind),
                    read.addr,
                )
            ),
            write.data.eq(following),
        ]
        fetched = Signal()
        index = Signal(RING_BITS)
        fill = Signal()
        m.d.sync += [
            fetched.eq(fetch),
            index.eq(read.data),
            fill.eq(fetched),
            self.fill_index.eq(index),
        ]
        m.d.comb += [
            self.fill_run.eq(fill & (control.fill_kind == RUN)),
            self.fill_value.eq(fill & (control.fill_kind == VALUE)),
        ]
        return m

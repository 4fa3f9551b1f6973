"""The sections of a tile as the banks take them: whole bus words."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import memory
from amaranth.utils import exact_log2

from npu.chip.params import ChipParams
from npu.chip.tile import head_words, tail_bits
from npu.chip.weight_format import ROWS_BITS, WORD_BITS, directory_words
from rtl.shared.interfaces import bank_bus_words, bus_bits


class BankWords:
    """Puts words together and writes them a cycle later, in the dealer's module.

    Parameters
    ----------
    m : the dealer's module.
    params : ChipParams.
    empty : all bodies are.

    Attributes
    ----------
    heads, opening : words of heads; bus words of a lane's section in front of its body.
    base, first : bus words at which sections and bodies begin.
    lane, address : where the next bus word goes; `thread` : whose directory is next.
    head, tail : heads that are written, and words of the tail that are not.
    rows, record : rows of the slot, and rows of the lane in front of it.
    body : the beat is a body's; `ends_here` : and its last.
    put, put_word, put_last : a word, the last of its bus word or of the section's.
    place : words that wait for the rest of their bus word.
    in_tails : what goes lies behind the body.
    outside : what goes lies outside the bank.
    out, out_en, out_address, out_lane : what the banks take.
    """

    def __init__(self, m: Module, params: ChipParams, empty) -> None:
        bus_words = bus_bits(params) // WORD_BITS
        bank_words = bank_bus_words(params)
        self.heads = heads = head_words(params.threads, bus_words)
        self.opening = (directory_words(params.threads) + heads) // bus_words
        address = range(bank_words + self.opening + 1)
        lanes = range(max(2, params.lanes))
        self.base = Signal(range(bank_words + 1))
        self.first = Signal(address)
        self.address = Signal(address)
        self.lane = Signal(lanes)
        self.thread = Signal(range(params.threads))
        self.head = Signal(range(max(2, heads)))
        self.tail = Signal(tail_bits(bus_words))
        self.rows = Signal(ROWS_BITS)
        self.record = Signal(ROWS_BITS)
        self.body = Signal()
        self.ends_here = Signal()
        self.put = Signal()
        self.put_last = Signal()
        self.put_word = Signal(WORD_BITS)
        self.place = Signal(exact_log2(bus_words))
        self.in_tails = Signal()
        self.outside = Signal()
        self.out = Signal(bus_bits(params))
        self.out_en = Signal()
        self.out_address = Signal(address)
        self.out_lane = Signal(lanes)
        self._goes = Signal()
        self._place(m, params, self._goes, empty)

    def _place(self, m: Module, params: ChipParams, goes: Signal, empty) -> None:
        """Where a bus word goes: tails lie behind bodies, and a section ends within its bank."""
        address = self.address
        m.submodules.ends = ends = memory.Memory(shape=address.shape(), depth=params.lanes, init=[])
        write = ends.write_port()
        read = ends.read_port(domain="comb")
        behind_body = Mux(empty, self.first, read.data)
        goes_to = Signal.like(address)
        m.d.comb += [
            write.en.eq(self.ends_here),
            write.addr.eq(self.lane),
            write.data.eq(address + 1),
            read.addr.eq(self.lane),
            goes_to.eq(Mux(self.in_tails, behind_body, address)),
        ]
        m.d.comb += self.outside.eq(goes & (goes_to >= bank_bus_words(params)))
        m.d.sync += [
            self.out_en.eq(goes & ~self.outside),
            self.out_address.eq(goes_to),
            self.out_lane.eq(self.lane),
        ]
        with m.If(goes):
            m.d.sync += address.eq(address + 1)

    def collect(self, m: Module, data: Signal) -> None:
        """What goes: a beat as it is, or words side by side."""
        bus_words = len(data) // WORD_BITS
        out, put, put_last, place = self.out, self.put, self.put_last, self.place
        with m.If(self.body):
            m.d.sync += out.eq(data)
        with m.Elif(put):
            with m.If(place == 0):
                m.d.sync += out.eq(0)
            m.d.sync += [
                out.word_select(place, WORD_BITS).eq(self.put_word),
                place.eq(Mux(put_last, 0, place + 1)),
            ]
        m.d.comb += self._goes.eq(self.body | (put & (put_last | (place == bus_words - 1))))

"""The sections of a tile as the banks take them: whole bus words."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import memory
from amaranth.utils import exact_log2

from npu.chip.params import ChipParams
from npu.chip.tile import head_words, tail_bits
from npu.chip.weight_format import ROWS_BITS, WORD_BITS, directory_words
from rtl.shared.interfaces import bus_bits


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
    body : the beat is a body's.
    ends_write : port of a memory: where the body of each lane has ended.
    put, put_word, put_last : a word, the last of its bus word or of the section's.
    place : words that wait for the rest of their bus word.
    in_tails : what goes lies behind the body.
    outside : what goes lies outside the bank.
    out, out_en, out_address, out_lane : what the banks take.
    """

    def __init__(self, m: Module, params: ChipParams, empty: Value) -> None:
        bus_words = params.bus_words
        self.heads = heads = head_words(params.threads, bus_words)
        self.opening = (directory_words(params.threads) + heads) // bus_words
        places = range(params.bank_bus_words + self.opening + 1)
        lanes = range(max(2, params.lanes))
        self.base, self.first = Signal(range(params.bank_bus_words + 1)), Signal(places)
        address = Signal(places)
        self.lane, self.out_lane = Signal(lanes), Signal(lanes)
        out = Signal(bus_bits(params))
        out_address, out_en = Signal.like(address), Signal()
        goes = Signal()
        in_tails, put_last = Signal(), Signal()
        put, body = Signal(), Signal()
        put_word = Signal(WORD_BITS)
        place = Signal(exact_log2(bus_words))
        thread = Signal(range(params.threads))
        tail, head = Signal(tail_bits(bus_words)), Signal(range(max(2, heads)))
        rows, record = Signal(ROWS_BITS), Signal(ROWS_BITS)
        self.address, self.thread, self.head, self.tail = address, thread, head, tail
        self.rows, self.record = rows, record
        self.body, self.in_tails = body, in_tails
        self.put, self.put_last, self.put_word, self.place = put, put_last, put_word, place
        self.out, self.out_en, self.out_address = out, out_en, out_address
        self._goes = goes
        self.ends_write, self.outside = self._place(m, params, empty)

    def _place(self, m: Module, params: ChipParams, empty: Value):
        """Where a bus word goes: tails lie behind bodies, and a section ends within its bank."""
        address, goes = self.address, self._goes
        ends = memory.Memory(shape=address.shape(), depth=params.lanes, init=[])
        m.submodules.ends = ends
        ends_write, ends_read = ends.write_port(), ends.read_port(domain="comb")
        behind_body = Mux(empty, self.first, ends_read.data)
        goes_to = Signal.like(address)
        m.d.comb += [
            ends_write.addr.eq(self.lane),
            ends_write.data.eq(address + 1),
            ends_read.addr.eq(self.lane),
            goes_to.eq(Mux(self.in_tails, behind_body, address)),
        ]
        outside = goes & (goes_to >= params.bank_bus_words)
        m.d.sync += [
            self.out_en.eq(goes & ~outside),
            self.out_address.eq(goes_to),
            self.out_lane.eq(self.lane),
        ]
        return ends_write, outside

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
        with m.If(self._goes):
            m.d.sync += self.address.eq(self.address + 1)

"""The sections of a tile as the banks take them: whole bus words."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import memory
from amaranth.utils import exact_log2

from npu.chip.params import ChipParams
from npu.chip.tile import head_words, tail_bits
from npu.chip.weight_format import ROWS_BITS, WORD_BITS, directory_words
from rtl.shared.interfaces import bus_bits

LENGTH_BITS = 17


class BankWords:
    """Writes bodies as they come and puts other words together, in the dealer's module.

    What is dealt takes the banks' port when a bus word of it is whole; a body's beat takes it
    otherwise. Both are written a cycle later.

    Parameters
    ----------
    m : the dealer's module.
    params : ChipParams.

    Attributes
    ----------
    heads, opening : words of heads; bus words of a lane's section in front of its body.
    base, first : bus words at which sections and bodies begin.
    body, body_lane, body_address : the beat is a body's; where it goes.
    lane, address : where the next bus word that is dealt goes; `thread` : whose directory is next.
    head, tail : heads that are written, and words of the tail that are not.
    rows, record : rows of the slot, and rows of the lane in front of it.
    lengths : of the bodies, a memory; `length` : port that reads that of `lane`.
    behind : where the tail goes, that lies behind the body.
    put, put_word, put_last : a word, the last of its bus word or of the section's.
    place : words that wait for the rest of their bus word.
    in_tails : what is dealt lies behind the body.
    deals : a bus word that was dealt goes.
    outside : what goes lies outside the bank.
    out, out_en, out_address, out_lane : what the banks take.
    """

    def __init__(self, m: Module, params: ChipParams) -> None:
        bus_words = params.bus_words
        self.heads = heads = head_words(params.threads, bus_words)
        self.opening = (directory_words(params.threads) + heads) // bus_words
        places = range(params.bank_bus_words + self.opening + 1)
        lanes = range(max(2, params.lanes))
        self.base, self.first = Signal(range(params.bank_bus_words + 1)), Signal(places)
        self.body_lane, self.body_address = Signal(lanes), Signal(places)
        address = Signal(places)
        self.lane, self.out_lane = Signal(lanes), Signal(lanes)
        out = Signal(bus_bits(params))
        out_address, out_en = Signal.like(address), Signal()
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
        deals = Signal()
        self.deals = deals
        m.submodules.lengths = lengths = memory.Memory(
            shape=LENGTH_BITS, depth=params.lanes, init=[]
        )
        self.lengths = lengths
        self.length = lengths.read_port(domain="comb")
        behind = Signal(range(len(places) + (1 << LENGTH_BITS)))
        self.behind = behind
        m.d.comb += self.length.addr.eq(self.lane)
        self.outside = self._place(m, params)

    def _place(self, m: Module, params: ChipParams):
        """Where a bus word goes: tails lie behind bodies, and a section ends within its bank."""
        goes_to = Signal.like(self.behind)
        m.d.comb += goes_to.eq(self.body_address)
        with m.If(self.deals):
            m.d.comb += goes_to.eq(Mux(self.in_tails, self.behind, self.address))
        goes = self.deals | self.body
        outside = goes & (goes_to >= params.bank_bus_words)
        m.d.sync += [
            self.out_en.eq(goes & ~outside),
            self.out_address.eq(goes_to),
            self.out_lane.eq(Mux(self.deals, self.lane, self.body_lane)),
        ]
        return outside

    def collect(self, m: Module, data: Signal) -> None:
        """What goes: a beat as it is, or words side by side."""
        bus_words = len(data) // WORD_BITS
        put, put_last, place = self.put, self.put_last, self.place
        kept, gathered = Signal.like(data), Signal.like(data)
        m.d.comb += gathered.eq(Mux(place == 0, 0, kept))
        m.d.comb += gathered.word_select(place, WORD_BITS).eq(self.put_word)
        with m.If(put):
            m.d.sync += [kept.eq(gathered), place.eq(Mux(put_last, 0, place + 1))]
        m.d.comb += self.deals.eq(put & (put_last | (place == bus_words - 1)))
        m.d.sync += self.out.eq(Mux(self.deals, gathered, data))
        with m.If(self.deals):
            m.d.sync += self.address.eq(self.address + 1)
        with m.If(self.body):
            m.d.sync += self.body_address.eq(self.body_address + 1)

"""The front of a tile: kept while it comes, then read out number by number."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import memory
from amaranth.utils import exact_log2

from npu.chip.params import ChipParams
from npu.chip.tile import (
    CHECKSUM_WORD,
    HEADER,
    HEADER_WORDS,
    MAX_WIDTHS,
    least_front,
    most_front,
    tail_bits,
)
from npu.chip.weight_format import WORD_BITS
from rtl.shared.interfaces import bus_bits

FIELD_BITS = max(MAX_WIDTHS.values())
OFFSET_BITS = exact_log2(WORD_BITS)


class Front:
    """The front's beats in a memory, and its header, in the dealer's module.

    Parameters
    ----------
    m : the dealer's module.
    params : ChipParams.
    en, data : a beat of the tile.
    reading : beats belong to the front; for the dealer to drive.

    Attributes
    ----------
    most, fewest : beats that a front has at most and at least.
    header : its fields by name; valid once their beats have come.
    checks : the beat that comes holds the header's checksum.
    empty : whether all bodies are.
    kept : a beat of the front, in this cycle.
    received : beats of the front that came before.
    read : port of the memory.
    """

    def __init__(
        self, m: Module, params: ChipParams, en: Signal, data: Signal, reading: Signal
    ) -> None:
        self.words = words = params.bus_words
        self.most = most_front(params.lanes, params.threads, words)
        self.fewest = least_front(words)
        m.submodules.front = front = memory.Memory(shape=bus_bits(params), depth=self.most, init=[])
        write, read = front.write_port(), front.read_port(domain="comb")
        self.read = read
        header_bits = Signal(HEADER_WORDS * WORD_BITS)
        self.header = {name: header_bits[at : at + width] for name, (at, width) in HEADER.items()}
        self.empty = self.header["shortest"] == 0
        received = Signal(HEADER["front"][1])
        self.received = received
        self.reading, self.kept = reading, en & reading
        # Behind the front `received` is its length, which is larger; a front that is longer than
        # that counts is refused.
        self.checks = received == CHECKSUM_WORD // words
        m.d.comb += [write.addr.eq(received), write.data.eq(data), write.en.eq(self.kept)]
        with m.If(self.kept):
            m.d.sync += received.eq(received + 1)
            for word in range(HEADER_WORDS):
                with m.If(received == word // words):
                    m.d.sync += header_bits.word_select(word, WORD_BITS).eq(
                        data.word_select(word % words, WORD_BITS)
                    )

    def is_wrong(self):
        """Whether the header says what no tile has."""
        header = self.header
        return (
            (header["front"] < self.fewest)
            | (header["front"] > self.most)
            | Cat(header[name] > limit for name, limit in MAX_WIDTHS.items()).any()
            | (self.empty & (header["length_width"] != 0))
        )


class Numbers:
    """The fields of a front, from its beginning, and its loose words, from its end.

    Parameters
    ----------
    m : the dealer's module.
    front : the front.

    Attributes
    ----------
    following : the word of the front behind the two that are held.
    offset : bits of the first of them that are used up.
    loose : words of the front below the next loose one.
    fetches : take in one more word; `takes` : use up a field; `puts_loose` : use up a loose word.
    number : the field that is next; `word` : the loose word that is next.
    crossed : what is taken in this cycle is of the fields and of the loose words.
    width : bits of the field that is next.
    """

    def __init__(self, m: Module, front: Front) -> None:
        self._m = m
        place_bits = exact_log2(front.words)
        most_words = front.most * front.words
        following = Signal(range(most_words + 3))
        low, high, offset = Signal(WORD_BITS), Signal(WORD_BITS), Signal(OFFSET_BITS)
        loose = Signal(range(most_words + 1))
        fetches, takes, puts_loose = Signal(), Signal(), Signal()
        self.following, self.offset, self.loose = following, offset, loose
        self.fetches, self.takes, self.puts_loose = fetches, takes, puts_loose
        # Of the field that is next: its width, and what is added to it.
        width, least = Signal(range(FIELD_BITS + 1)), Signal(FIELD_BITS)
        self.width, self._least = width, least
        header = front.header
        self._fields = {
            "length": (header["length_width"], header["shortest"]),
            "tail": (tail_bits(front.words), 0),
            "rows": (header["rows_width"], header["least_rows"]),
            "run": (header["run_width"], header["least_run"]),
            "value": (header["value_width"], header["least_value"]),
        }
        word_index = Signal.like(following)
        word = Signal(WORD_BITS)
        m.d.comb += [
            word_index.eq(Mux(puts_loose, loose - 1, following)),
            front.read.addr.eq(word_index[place_bits:]),
            word.eq(front.read.data.word_select(word_index[:place_bits], WORD_BITS)),
        ]
        number = Signal(FIELD_BITS + 1)
        self.word, self.number = word, number
        behind = Signal(OFFSET_BITS + 1)
        mask = Cat(n < width for n in range(FIELD_BITS))
        m.d.comb += [
            number.eq(least + ((Cat(low, high) >> offset)[:FIELD_BITS] & mask)),
            behind.eq(offset + width),
        ]
        with m.If(takes):
            m.d.sync += offset.eq(behind)
        with m.If(fetches | (takes & behind[-1])):
            m.d.sync += [low.eq(high), high.eq(word), following.eq(following + 1)]
        # Words that the fields take up so far, and whether they meet the loose ones.
        used = Signal.like(following)
        crossed = Signal()
        self.crossed = crossed
        m.d.comb += [
            used.eq(following - 2 + behind[-1] + behind[:-1].any()),
            crossed.eq((takes & (used > loose)) | (puts_loose & (used >= loose))),
        ]

    def follows(self, field: str) -> None:
        """A field of this kind is the next, from the next cycle on."""
        width, least = self._fields[field]
        self._m.d.sync += [self.width.eq(width), self._least.eq(least)]

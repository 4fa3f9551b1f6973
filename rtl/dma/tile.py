"""Deals the sections of a tile to the weight banks."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from npu.chip.params import ChipParams
from npu.chip.tile import (
    HEADER,
    HEADER_WORDS,
    LOOK_UP_BEATS,
    MAX_WIDTHS,
    head_words,
    least_front,
    most_front,
    tail_bits,
)
from npu.chip.weight_format import ROWS_BITS, STREAM_BITS, WORD_BITS, directory_words
from rtl.shared.interfaces import bank_bus_words, bank_write, bus_bits

LENGTH_BITS = 17
FIELD_BITS = max(MAX_WIDTHS.values())
OFFSET_BITS = exact_log2(WORD_BITS)


class TileDealer(wiring.Component):
    """Writes a tile into the banks (`npu.chip.tile`): bodies as their beats come, then the rest.

    Takes a beat in every cycle. The front is kept in a memory. While it comes the first bodies'
    lengths are looked up, each other one when the body two before it ends. Behind the last beat the
    directories are worked out, a field per cycle, and written together with heads and tails, a word
    per cycle. A tile fits when its numbers are in range, no section leaves the bank, fields and
    loose words do not meet, and the last body ends with the transfer.

    Parameters
    ----------
    params : ChipParams.

    Members
    -------
    start, bank : In, a tile follows, at bus word `bank` of every bank.
    en, data : In, a beat.
    port : Out, the banks' write port.
    busy : Out, from the cycle behind the last beat on: there is more to write.
    error : Out, the tile does not fit, until the next `start`.
    complete : Out, from the cycle behind the last with `busy` until the next `start`.
    """

    def __init__(self, params: ChipParams) -> None:
        self._params = params
        super().__init__(
            {
                "start": In(1),
                "bank": In(24),
                "en": In(1),
                "data": In(bus_bits(params)),
                "port": Out(bank_write(params).flip()),
                "busy": Out(1),
                "error": Out(1),
                "complete": Out(1),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        p = self._params
        bus_words = bus_bits(p) // WORD_BITS
        place_bits = exact_log2(bus_words)
        words = bank_bus_words(p)
        most = most_front(p.lanes, p.threads, bus_words)
        heads = head_words(p.threads, bus_words)
        opening = (directory_words(p.threads) + heads) // bus_words
        last_lane = p.lanes - 1
        fewest = least_front(bus_words)
        # The beat with the first words of the fields.
        fields_in = (HEADER_WORDS + 1) // bus_words
        # No length is needed before it has been looked up, however fast the beats come.
        assert fields_in + LOOK_UP_BEATS < fewest

        # --- the front --------------------------------------------------------------------------
        m.submodules.front = front = memory.Memory(shape=bus_bits(p), depth=most, init=[])
        write, read = front.write_port(), front.read_port(domain="comb")
        header_bits = Signal(HEADER_WORDS * WORD_BITS)
        header = {name: header_bits[at : at + width] for name, (at, width) in HEADER.items()}
        empty = header["shortest"] == 0  # all bodies
        received = Signal(HEADER["front"][1])
        reading, failed = Signal(), Signal()
        kept = self.en & reading
        m.d.comb += [write.addr.eq(received), write.data.eq(self.data), write.en.eq(kept)]
        with m.If(kept):
            m.d.sync += received.eq(received + 1)
            for word in range(HEADER_WORDS):
                with m.If(received == word // bus_words):
                    m.d.sync += header_bits.word_select(word, WORD_BITS).eq(
                        self.data.word_select(word % bus_words, WORD_BITS)
                    )

        # --- numbers out of it, one after the other ---------------------------------------------
        following = Signal(range(most * bus_words + 3))  # the word behind the two that are held
        low, high, offset = Signal(WORD_BITS), Signal(WORD_BITS), Signal(OFFSET_BITS)
        loose = Signal(range(most * bus_words + 1))  # words of the front below the next loose one
        fetches, takes, puts_loose = Signal(), Signal(), Signal()
        # Of the field that is next: its width, and what is added to it.
        width, least = Signal(range(FIELD_BITS + 1)), Signal(FIELD_BITS)
        fields = {
            "length": (header["length_width"], header["shortest"]),
            "tail": (tail_bits(bus_words), 0),
            **{
                kind: (header[f"{kind}_width"], header[f"least_{kind}"])
                for kind in ("rows", "run", "value")
            },
        }

        def follows(field: str) -> None:
            m.d.sync += [width.eq(fields[field][0]), least.eq(fields[field][1])]

        word_index = Signal.like(following)
        word = Signal(WORD_BITS)
        m.d.comb += [
            word_index.eq(Mux(puts_loose, loose - 1, following)),
            read.addr.eq(word_index[place_bits:]),
            word.eq(read.data.word_select(word_index[:place_bits], WORD_BITS)),
        ]
        number = Signal(FIELD_BITS + 1)
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
        m.d.comb += [
            used.eq(following - 2 + behind[-1] + behind[:-1].any()),
            crossed.eq((takes & (used > loose)) | (puts_loose & (used >= loose))),
        ]

        # --- what goes to the banks: whole bus words, a cycle later -----------------------------
        base, first = Signal(range(words + 1)), Signal(range(words + opening + 1))
        address = Signal(range(words + opening + 1))
        lane, out_lane = Signal(range(max(2, p.lanes))), Signal(range(max(2, p.lanes)))
        out = Signal(bus_bits(p))
        out_address, out_en = Signal.like(address), Signal()
        goes = Signal()
        m.submodules.ends = ends = memory.Memory(shape=address.shape(), depth=p.lanes, init=[])
        ends_write, ends_read = ends.write_port(), ends.read_port(domain="comb")
        in_tails, late, wrong = Signal(), Signal(), Signal()
        # Whether the number is that of a slot's rows, or of a stream's bits.
        has_rows, has_bits, has_rows_1, has_bits_1 = Signal(), Signal(), Signal(), Signal()
        number_1, crossed_1, misfit = Signal.like(number), Signal(), Signal()
        m.d.comb += misfit.eq(
            (has_rows_1 & number_1[ROWS_BITS:].any())
            | (has_bits_1 & number_1[STREAM_BITS:].any())
            | crossed_1
        )
        behind_body = Mux(empty, first, ends_read.data)
        goes_to = Signal.like(address)
        m.d.comb += [
            *(ends_write.addr.eq(lane), ends_write.data.eq(address + 1), ends_read.addr.eq(lane)),
            goes_to.eq(Mux(in_tails, behind_body, address)),
        ]
        outside = goes & (goes_to >= words)
        m.d.sync += [
            *(out_en.eq(goes & ~outside), out_address.eq(goes_to), out_lane.eq(lane)),
            # What comes out of the shifter is looked at a cycle later.
            *(number_1.eq(number), has_rows_1.eq(has_rows), has_bits_1.eq(has_bits)),
            crossed_1.eq(crossed),
            failed.eq(~self.start & (failed | misfit | wrong | outside | (late & self.en))),
        ]
        m.d.comb += [
            *(self.port.en.eq(out_en), self.port.addr.eq(out_address)),
            *(self.port.data.eq(out), self.port.lane.eq(out_lane)),
            self.error.eq(failed),
        ]
        put, put_last = Signal(), Signal()
        put_word = Signal(WORD_BITS)
        place = Signal(place_bits)
        body = Signal()
        with m.If(body):
            m.d.sync += out.eq(self.data)
        with m.Elif(put):
            with m.If(place == 0):
                m.d.sync += out.eq(0)
            m.d.sync += [
                out.word_select(place, WORD_BITS).eq(put_word),
                place.eq(Mux(put_last, 0, place + 1)),
            ]
        m.d.comb += goes.eq(body | (put & (put_last | (place == bus_words - 1))))
        with m.If(goes):
            m.d.sync += address.eq(address + 1)

        # --- bodies -----------------------------------------------------------------------------
        left, coming = Signal(LENGTH_BITS), Signal(LENGTH_BITS)
        look_up = Signal(range(LOOK_UP_BEATS + 1))
        looks = Signal()  # the next length becomes `coming`
        m.d.comb += looks.eq(0)
        with m.If(looks):
            m.d.comb += takes.eq(1)
            m.d.sync += coming.eq(number)
        with m.If(reading & (look_up != LOOK_UP_BEATS) & ((received > fields_in) | (look_up != 0))):
            m.d.sync += look_up.eq(look_up + 1)
            with m.If(look_up < 2):
                m.d.comb += fetches.eq(1)
            with m.Else():
                m.d.comb += looks.eq((look_up == 2) | (p.lanes > 1))
            m.d.sync += left.eq(coming)

        # --- directories, heads and tails -------------------------------------------------------
        thread = Signal(range(p.threads))
        tail, head = Signal(tail_bits(bus_words)), Signal(range(max(2, heads)))
        rows, record = Signal(ROWS_BITS), Signal(ROWS_BITS)

        def next_lane() -> None:
            follows("tail")
            m.d.sync += [lane.eq(lane + 1), address.eq(base)]
            m.next = "TAIL"
            with m.If(lane == last_lane):
                m.next = "CHECK"

        with m.If(puts_loose):
            m.d.comb += [put.eq(1), put_word.eq(word)]
            m.d.sync += loose.eq(loose - 1)
        stream = Mux(rows == 0, 0, number[:STREAM_BITS])
        with m.FSM() as fsm:
            with m.State("REST"), m.If(self.start):
                m.next = "BEATS"
                begin = Signal.like(base)
                m.d.comb += begin.eq(Mux(self.bank < words, self.bank, words))
                m.d.sync += [
                    *(reading.eq(1), self.complete.eq(0), received.eq(0)),
                    *(following.eq(HEADER_WORDS), offset.eq(0), look_up.eq(0)),
                    *(lane.eq(0), record.eq(0), place.eq(0)),
                    *(base.eq(begin), first.eq(begin + opening), address.eq(begin + opening)),
                ]
            with m.State("BEATS"):
                follows("length")
                m.d.sync += loose.eq(header["front"] << place_bits)
                last_of_front = received + 1 == header["front"]
                with m.If(kept & (received == fewest - 1)):
                    m.d.comb += wrong.eq(
                        (header["front"] < fewest)
                        | (header["front"] > most)
                        | Cat(header[name] > limit for name, limit in MAX_WIDTHS.items()).any()
                        | (empty & (header["length_width"] != 0))
                    )
                with m.If(kept & (received >= fewest - 1) & last_of_front):
                    m.d.sync += reading.eq(0)
                    with m.If(empty):
                        follows("tail")
                        m.d.sync += [lane.eq(0), address.eq(base)]
                        m.next = "TAIL"
                with m.If(self.en & ~reading & ~failed):
                    m.d.comb += body.eq(1)
                    m.d.sync += left.eq(left - 1)
                    with m.If(left == 1):
                        m.d.comb += [
                            ends_write.en.eq(1),
                            looks.eq(lane + 2 <= last_lane),
                        ]
                        m.d.sync += [lane.eq(lane + 1), left.eq(coming), address.eq(first)]
                        with m.If(lane == last_lane):
                            follows("tail")
                            m.d.sync += [lane.eq(0), address.eq(base)]
                            m.next = "TAIL"
            with m.State("TAIL"):
                m.d.comb += takes.eq(1)
                follows("rows")
                m.d.sync += [tail.eq(number), thread.eq(0)]
                m.next = "ROWS"
            with m.State("ROWS"):
                m.d.comb += [takes.eq(1), has_rows.eq(1)]
                follows("run")
                m.d.sync += rows.eq(number)
                m.next = "RUN"
            with m.State("RUN"):
                m.d.comb += [takes.eq(1), put.eq(1), put_word.eq(Cat(stream, rows))]
                follows("value")
                m.d.comb += has_bits.eq(rows != 0)
                m.next = "VALUE"
            with m.State("VALUE"):
                m.d.comb += [takes.eq(1), put.eq(1), put_word.eq(Cat(stream, record))]
                follows("rows")
                m.d.comb += has_bits.eq(rows != 0)
                m.d.sync += [record.eq(record + rows), thread.eq(thread + 1), head.eq(0)]
                m.next = "ROWS"
                with m.If(thread == p.threads - 1):
                    # No field is next to a loose word.
                    m.d.sync += width.eq(0)
                    m.next = "HEADS" if heads else "TAILS"
                    if not heads:
                        with m.If(tail == 0):
                            next_lane()
            if heads:
                with m.State("HEADS"):
                    m.d.comb += puts_loose.eq(1)
                    m.d.sync += head.eq(head + 1)
                    with m.If(head == heads - 1):
                        m.next = "TAILS"
                        with m.If(tail == 0):
                            next_lane()
            with m.State("TAILS"):
                m.d.comb += [puts_loose.eq(1), put_last.eq(tail == 1), in_tails.eq(1)]
                m.d.sync += tail.eq(tail - 1)
                with m.If(tail == 1):
                    next_lane()
            with m.State("CHECK"):
                m.d.sync += self.complete.eq(1)
                m.next = "REST"
        m.d.comb += [
            self.busy.eq(~fsm.ongoing("REST") & ~fsm.ongoing("BEATS")),
            # A beat behind the last body, however long it takes to come.
            late.eq(~fsm.ongoing("BEATS")),
        ]
        return m

"""Deals the sections of a tile to the weight banks."""

from typing import NamedTuple

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from npu.chip.params import ChipParams
from npu.chip.tile import HEADER_WORDS, LOOK_UP_BEATS
from npu.chip.weight_format import ROWS_BITS, STREAM_BITS
from rtl.dma.bank_words import BankWords
from rtl.dma.front import Front, Numbers
from rtl.shared.interfaces import bank_bus_words, bank_write, bus_bits

LENGTH_BITS = 17


class _Faults:
    """Whether the tile does not fit.

    Attributes
    ----------
    has_rows, has_bits : the number is that of a slot's rows, or of a stream's bits.
    late : a beat in this cycle is behind the last body.
    wrong : the header says what no tile has.
    failed : the tile does not fit, until the next start.
    """

    def __init__(
        self, m: Module, start: Signal, en: Signal, numbers: Numbers, words: BankWords
    ) -> None:
        number = numbers.number
        self.failed = failed = Signal()
        self.late = Signal()
        self.wrong = Signal()
        self.has_rows = Signal()
        self.has_bits = Signal()
        # What comes out of the shifter is looked at a cycle later.
        number_1 = Signal.like(number)
        crossed_1 = Signal()
        has_rows_1 = Signal()
        has_bits_1 = Signal()
        misfit = Signal()
        m.d.comb += misfit.eq(
            (has_rows_1 & number_1[ROWS_BITS:].any())
            | (has_bits_1 & number_1[STREAM_BITS:].any())
            | crossed_1
        )
        m.d.sync += [
            number_1.eq(number),
            has_rows_1.eq(self.has_rows),
            has_bits_1.eq(self.has_bits),
            crossed_1.eq(numbers.crossed),
            failed.eq(~start & (failed | misfit | self.wrong | words.outside | (self.late & en))),
        ]


class _Bodies:
    """Where the bodies end: their lengths are looked up while the beats come.

    Attributes
    ----------
    left : beats of this body that are still to come; `coming` : the length of the next one.
    look_up : how far the look-up of the first two has come.
    looks : the next length becomes `coming`, at the end of this cycle.
    """

    def __init__(self, m: Module, params: ChipParams, front: Front, numbers: Numbers) -> None:
        # The beat with the first words of the fields.
        fields_in = (HEADER_WORDS + 1) // front.words
        # No length is needed before it has been looked up, however fast the beats come.
        assert fields_in + LOOK_UP_BEATS < front.fewest
        self.left = left = Signal(LENGTH_BITS)
        self.coming = coming = Signal(LENGTH_BITS)
        self.look_up = look_up = Signal(range(LOOK_UP_BEATS + 1))
        self.looks = looks = Signal()
        m.d.comb += looks.eq(0)
        with m.If(looks):
            m.d.comb += numbers.takes.eq(1)
            m.d.sync += coming.eq(numbers.number)
        fields_came = (front.received > fields_in) | (look_up != 0)
        with m.If(front.reading & (look_up != LOOK_UP_BEATS) & fields_came):
            m.d.sync += look_up.eq(look_up + 1)
            with m.If(look_up < 2):
                m.d.comb += numbers.fetches.eq(1)
            with m.Else():
                m.d.comb += looks.eq((look_up == 2) | (params.lanes > 1))
            m.d.sync += left.eq(coming)


class _Parts(NamedTuple):
    """What the dealer consists of, all in one module."""

    front: Front
    numbers: Numbers
    words: BankWords
    bodies: _Bodies
    faults: _Faults


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
        front = Front(m, p, self.en, self.data)
        numbers = Numbers(m, front)
        words = BankWords(m, p, front.empty)
        m.d.comb += [
            self.port.en.eq(words.out_en),
            self.port.addr.eq(words.out_address),
            self.port.data.eq(words.out),
            self.port.lane.eq(words.out_lane),
        ]
        faults = _Faults(m, self.start, self.en, numbers, words)
        m.d.comb += self.error.eq(faults.failed)
        words.collect(m, self.data)
        parts = _Parts(front, numbers, words, _Bodies(m, p, front, numbers), faults)
        with m.If(numbers.puts_loose):
            m.d.comb += [words.put.eq(1), words.put_word.eq(numbers.word)]
        with m.FSM() as fsm:
            with m.State("REST"), m.If(self.start):
                self._begin(m, parts)
            with m.State("BEATS"):
                self._beats(m, parts)
            self._directories(m, parts)
            self._ends(m, parts)
            with m.State("CHECK"):
                m.d.sync += self.complete.eq(1)
                m.next = "REST"
        m.d.comb += [
            self.busy.eq(~fsm.ongoing("REST") & ~fsm.ongoing("BEATS")),
            # A beat behind the last body, however long it takes to come.
            faults.late.eq(~fsm.ongoing("BEATS")),
        ]
        return m

    def _begin(self, m: Module, parts: _Parts) -> None:
        """The first cycle of a tile."""
        front, numbers, words, bodies, _ = parts
        bank_words = bank_bus_words(self._params)
        begin = Signal.like(words.base)
        m.d.comb += begin.eq(Mux(self.bank < bank_words, self.bank, bank_words))
        m.d.sync += [
            front.reading.eq(1),
            self.complete.eq(0),
            front.received.eq(0),
            numbers.following.eq(HEADER_WORDS),
            numbers.offset.eq(0),
            bodies.look_up.eq(0),
            words.lane.eq(0),
            words.record.eq(0),
            words.place.eq(0),
            words.base.eq(begin),
            words.first.eq(begin + words.opening),
            words.address.eq(begin + words.opening),
        ]
        m.next = "BEATS"

    def _beats(self, m: Module, parts: _Parts) -> None:
        """The state in which the tile comes: the front is kept, bodies go to the banks."""
        front, numbers, words, bodies, faults = parts
        kept, received, length = front.kept, front.received, front.header["front"]
        lane, left, last_lane = words.lane, bodies.left, self._params.lanes - 1
        numbers.follows("length")
        m.d.sync += numbers.loose.eq(length << exact_log2(front.words))
        last_of_front = received + 1 == length
        with m.If(kept & (received == front.fewest - 1)):
            m.d.comb += faults.wrong.eq(front.is_wrong())
        with m.If(kept & (received >= front.fewest - 1) & last_of_front):
            m.d.sync += front.reading.eq(0)
            with m.If(front.empty):
                numbers.follows("tail")
                m.d.sync += [lane.eq(0), words.address.eq(words.base)]
                m.next = "TAIL"
        with m.If(self.en & ~front.reading & ~faults.failed):
            m.d.comb += words.body.eq(1)
            m.d.sync += left.eq(left - 1)
            with m.If(left == 1):
                m.d.comb += [
                    words.ends_here.eq(1),
                    bodies.looks.eq(lane + 2 <= last_lane),
                ]
                m.d.sync += [
                    lane.eq(lane + 1),
                    left.eq(bodies.coming),
                    words.address.eq(words.first),
                ]
                with m.If(lane == last_lane):
                    numbers.follows("tail")
                    m.d.sync += [lane.eq(0), words.address.eq(words.base)]
                    m.next = "TAIL"

    def _directories(self, m: Module, parts: _Parts) -> None:
        """The states that work out a lane's directory, a field per cycle."""
        _, numbers, words, _, faults = parts
        takes, number = numbers.takes, numbers.number
        rows, tail, thread = words.rows, words.tail, words.thread
        heads = words.heads
        stream = Mux(rows == 0, 0, number[:STREAM_BITS])
        with m.State("TAIL"):
            m.d.comb += takes.eq(1)
            numbers.follows("rows")
            m.d.sync += [tail.eq(number), thread.eq(0)]
            m.next = "ROWS"
        with m.State("ROWS"):
            m.d.comb += [takes.eq(1), faults.has_rows.eq(1)]
            numbers.follows("run")
            m.d.sync += rows.eq(number)
            m.next = "RUN"
        with m.State("RUN"):
            m.d.comb += [takes.eq(1), words.put.eq(1), words.put_word.eq(Cat(stream, rows))]
            numbers.follows("value")
            m.d.comb += faults.has_bits.eq(rows != 0)
            m.next = "VALUE"
        with m.State("VALUE"):
            record = words.record
            m.d.comb += [takes.eq(1), words.put.eq(1), words.put_word.eq(Cat(stream, record))]
            numbers.follows("rows")
            m.d.comb += faults.has_bits.eq(rows != 0)
            m.d.sync += [record.eq(record + rows), thread.eq(thread + 1), words.head.eq(0)]
            m.next = "ROWS"
            with m.If(thread == self._params.threads - 1):
                # No field is next to a loose word.
                m.d.sync += numbers.width.eq(0)
                m.next = "HEADS" if heads else "TAILS"
                if not heads:
                    with m.If(tail == 0):
                        self._next_lane(m, parts)

    def _ends(self, m: Module, parts: _Parts) -> None:
        """The states that write a lane's heads and its tail, a loose word per cycle."""
        _, numbers, words, _, _ = parts
        puts_loose, tail, head, heads = numbers.puts_loose, words.tail, words.head, words.heads
        if heads:
            with m.State("HEADS"):
                m.d.comb += puts_loose.eq(1)
                m.d.sync += head.eq(head + 1)
                with m.If(head == heads - 1):
                    m.next = "TAILS"
                    with m.If(tail == 0):
                        self._next_lane(m, parts)
        with m.State("TAILS"):
            m.d.comb += [puts_loose.eq(1), words.put_last.eq(tail == 1), words.in_tails.eq(1)]
            m.d.sync += tail.eq(tail - 1)
            with m.If(tail == 1):
                self._next_lane(m, parts)

    def _next_lane(self, m: Module, parts: _Parts) -> None:
        words = parts.words
        parts.numbers.follows("tail")
        m.d.sync += [words.lane.eq(words.lane + 1), words.address.eq(words.base)]
        m.next = "TAIL"
        with m.If(words.lane == self._params.lanes - 1):
            m.next = "CHECK"

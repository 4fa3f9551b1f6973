"""Deals the sections of a tile to the weight banks."""

from typing import NamedTuple

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from npu.chip.params import ChipParams
from npu.chip.tile import HEADER_WORDS, LOOK_UP_BEATS
from npu.chip.weight_format import ROWS_BITS, STREAM_BITS
from rtl.dma.bank_words import LENGTH_BITS, BankWords
from rtl.dma.checksum import Checksum
from rtl.dma.front import Front, Numbers
from rtl.shared.interfaces import bank_write, bus_bits


class _Faults:
    """Whether the tile does not fit.

    Attributes
    ----------
    has_rows, has_bits : the number is that of a slot's rows, or of a stream's bits.
    late : a beat in this cycle is behind the last body.
    wrong : the header says what no tile has.
    failed : the tile does not fit, until the next start.
    """

    def __init__(self, m: Module, numbers: Numbers, failed: Signal) -> None:
        late, wrong = Signal(), Signal()
        has_rows, has_bits, has_rows_1, has_bits_1 = Signal(), Signal(), Signal(), Signal()
        number_1, crossed_1, misfit = Signal.like(numbers.number), Signal(), Signal()
        self.late, self.wrong, self.failed = late, wrong, failed
        self.has_rows, self.has_bits = has_rows, has_bits
        self._misfit = misfit
        m.d.comb += misfit.eq(
            (has_rows_1 & number_1[ROWS_BITS:].any())
            | (has_bits_1 & number_1[STREAM_BITS:].any())
            | crossed_1
        )
        # What comes out of the shifter is looked at a cycle later.
        self._later = [
            number_1.eq(numbers.number),
            has_rows_1.eq(has_rows),
            has_bits_1.eq(has_bits),
            crossed_1.eq(numbers.crossed),
        ]

    def judge(self, m: Module, start: Signal, en: Signal, outside: Value) -> None:
        """Gather all faults; a section outside its bank is one."""
        failed = self.failed
        misfits = failed | self._misfit | self.wrong | outside | (self.late & en)
        m.d.sync += [*self._later, failed.eq(~start & misfits)]


class _Bodies:
    """Where the bodies end: a length is looked up with every beat, from that of the first fields.

    Attributes
    ----------
    left : beats of this body that are still to come.
    fields : the beats with the first words of the fields are there.
    known : all lengths are looked up.
    ends : the last beat of a body comes, in this cycle.
    """

    def __init__(
        self, m: Module, params: ChipParams, front: Front, numbers: Numbers, words: BankWords
    ) -> None:
        # The beat with the first words of the fields.
        fields_in = (HEADER_WORDS + 1) // front.words
        # No length is needed before it has been looked up: its beat is two behind the fields' words
        # and one for each length, and the first body's is behind the front.
        assert fields_in + LOOK_UP_BEATS < front.fewest
        self.left, self.ends = left, ends = Signal(LENGTH_BITS), Signal()
        self.known, self.fields = Signal(), Signal()
        looked = Signal(range(params.lanes + 2 + 1))
        m.d.comb += self.known.eq(looked == params.lanes + 2)
        write, following = words.lengths.write_port(), words.lengths.read_port(domain="comb")
        m.d.comb += [
            write.addr.eq(looked - 2),
            write.data.eq(numbers.number),
            following.addr.eq(Mux(front.reading, 0, words.body_lane + 1)),
        ]
        self.comes = Signal()
        with m.If(front.kept & (front.received == fields_in)):
            m.d.sync += self.fields.eq(1)
        with m.If(self.comes & self.fields & ~self.known):
            m.d.sync += looked.eq(looked + 1)
            # The first two words of the fields, then a length each.
            with m.If(looked < 2):
                m.d.comb += numbers.fetches.eq(1)
            with m.Else():
                m.d.comb += [numbers.takes.eq(1), write.en.eq(1)]
        with m.If(front.reading | ends):
            m.d.sync += left.eq(following.data)
        with m.Elif(words.body):
            m.d.sync += left.eq(left - 1)
        self.looked = looked


class _Parts(NamedTuple):
    """What the dealer consists of, all in one module."""

    front: Front
    numbers: Numbers
    words: BankWords
    bodies: _Bodies
    faults: _Faults


def dealer_ports(params: ChipParams) -> dict[str, wiring.Member]:
    """The members of `TileDealer`."""
    return {
        "start": In(1),
        "bank": In(24),
        "en": In(1),
        "data": In(bus_bits(params)),
        "waits": Out(1),
        "port": Out(bank_write(params).flip()),
        "busy": Out(1),
        "error": Out(1),
        "complete": Out(1),
        "damaged": Out(1),
    }


class TileDealer(wiring.Component):
    """Writes a tile into the banks (`npu.chip.tile`): bodies as their beats come, others beside.

    The front is kept in a memory; a length of a body is looked up with every beat. Once the front
    and all lengths are there the directories are worked out, a field per cycle, and written
    together with heads and tails, a word per cycle, while bodies still come: a beat waits in the
    cycle in which a bus word of them goes. A tile fits when its numbers are in range, no section
    leaves the bank, fields and loose words do not meet, and the last body ends with the transfer.
    The checksum is told apart: it is known behind the last beat only, and stops nothing.

    Parameters
    ----------
    params : ChipParams.

    Members
    -------
    start, bank : In, a tile follows, at bus word `bank` of every bank.
    en, data : In, a beat; it stays while `waits`.
    waits : Out, the beat is not taken in this cycle.
    port : Out, the banks' write port.
    busy : Out, there is more to write, beats to come apart.
    error : Out, the tile does not fit, until the next `start`.
    complete : Out, everything is written, until the next `start`.
    damaged : Out, from two cycles behind the last beat until the next `start`: the checksum is not
        that of the beats.
    """

    def __init__(self, params: ChipParams) -> None:
        self._params = params
        super().__init__(dealer_ports(params))

    def elaborate(self, platform) -> Module:
        m = Module()
        p = self._params
        reading, failed = Signal(), Signal()
        front = Front(m, p, self.en, self.data, reading)
        numbers = Numbers(m, front)
        faults = _Faults(m, numbers, failed)
        words = BankWords(m, p)
        bodies = _Bodies(m, p, front, numbers, words)
        checksum = Checksum(m, front, self.start, bodies.comes, self.data)
        m.d.comb += [
            self.waits.eq(self.en & words.deals & ~failed),
            bodies.comes.eq(self.en & ~self.waits),
            self.port.en.eq(words.out_en),
            self.port.addr.eq(words.out_address),
            self.port.data.eq(words.out),
            self.port.lane.eq(words.out_lane),
            self.error.eq(failed),
            self.damaged.eq(checksum.differs),
        ]
        faults.judge(m, self.start, bodies.comes, words.outside)
        words.collect(m, self.data)
        parts = _Parts(front, numbers, words, bodies, faults)
        with m.If(numbers.puts_loose):
            m.d.comb += [words.put.eq(1), words.put_word.eq(numbers.word)]
            m.d.sync += numbers.loose.eq(numbers.loose - 1)
        came, dealt = Signal(init=1), Signal(init=1)
        self._beats(m, parts, came)
        deals = Signal()
        m.d.comb += deals.eq(~dealt & ~reading & ~failed & (bodies.known | front.empty))
        with m.FSM() as fsm:
            with m.State("REST"):
                # Lengths are the fields until the front is there.
                numbers.follows("length")
                m.d.sync += numbers.loose.eq(front.header["front"] << exact_log2(front.words))
                with m.If(deals):
                    numbers.follows("tail")
                    m.next = "TAIL"
            self._directories(m, parts)
            self._ends(m, parts)
            with m.State("CHECK"):
                m.d.sync += dealt.eq(1)
                m.next = "REST"
        with m.If(self.start):
            m.d.sync += [came.eq(0), dealt.eq(0)]
            self._begin(m, parts)
        m.d.comb += [
            self.busy.eq(~fsm.ongoing("REST") | deals),
            self.complete.eq(came & dealt),
            # A beat behind the last body, however long it takes to come.
            faults.late.eq(came),
        ]
        return m

    def _begin(self, m: Module, parts: _Parts) -> None:
        """The first cycle of a tile."""
        front, numbers, words, bodies, _ = parts
        banks_end = self._params.bank_bus_words
        begin = Signal.like(words.base)
        m.d.comb += begin.eq(Mux(self.bank < banks_end, self.bank, banks_end))
        m.d.sync += [
            front.reading.eq(1),
            front.received.eq(0),
            numbers.following.eq(HEADER_WORDS),
            numbers.offset.eq(0),
            bodies.fields.eq(0),
            bodies.looked.eq(0),
            words.body_lane.eq(0),
            words.lane.eq(0),
            words.record.eq(0),
            words.place.eq(0),
            words.base.eq(begin),
            words.address.eq(begin),
            words.first.eq(begin + words.opening),
            words.body_address.eq(begin + words.opening),
        ]

    def _beats(self, m: Module, parts: _Parts, came: Signal) -> None:
        """The tile comes: the front is kept, bodies go to the banks; `came` : all of them."""
        front, _, words, bodies, faults = parts
        kept, received, length = front.kept, front.received, front.header["front"]
        lane = words.body_lane
        with m.If(kept & (received == front.fewest - 1)):
            m.d.comb += faults.wrong.eq(front.is_wrong())
        with m.If(kept & (received >= front.fewest - 1) & (received + 1 == length)):
            m.d.sync += [front.reading.eq(0), came.eq(front.empty)]
        m.d.comb += [
            words.body.eq(bodies.comes & ~front.reading & ~came & ~faults.failed),
            bodies.ends.eq(words.body & (bodies.left == 1)),
        ]
        with m.If(bodies.ends):
            m.d.sync += [lane.eq(lane + 1), words.body_address.eq(words.first)]
            with m.If(lane == self._params.lanes - 1):
                m.d.sync += came.eq(1)

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
            m.d.sync += [
                tail.eq(number),
                thread.eq(0),
                words.behind.eq(words.first + Mux(parts.front.empty, 0, words.length.data)),
            ]
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

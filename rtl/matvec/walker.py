"""Walks through the words of a vector: of a plain one, or of the windows of all positions."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from npu.chip.params import ChipParams
from npu.chip.windows import ROW_BITS
from rtl.matvec.held import held_layout

COLUMN_BITS = 16
POSITION_BITS = 16


def step(params: ChipParams) -> data.StructLayout:
    """One read: the word of SRAM, and what is in it.

    `index` is the word of the copy that begins with it, unless it only ends one (not `begins`).
    `place` is where in a row of the tensor that word's first byte lies, `offset` where in the word
    of SRAM it is; `last` says that the segment ends in it, `inside` that the row is of the tensor.
    """
    bits, bus_bits = params.address_bits, exact_log2(params.bus_bytes)
    return data.StructLayout(
        {
            "word": bits - bus_bits,
            "index": COLUMN_BITS - bus_bits + 1,
            "begins": 1,
            "place": bits,
            "offset": bus_bits,
            "last": 1,
            "inside": 1,
        }
    )


class WindowWalker(wiring.Component):
    """A word per cycle from the cycle behind `start`, or `following`, on.

    A window's last word must be the copy's (`mismatch` else, with `ready`).

    Parameters
    ----------
    params : ChipParams.

    Members
    -------
    clear : In, idle.
    start : In, high for one cycle: begin with the first position.
    following : In, high for one cycle: begin with the next position.
    address, columns, windowed : In, of the command.
    window, positions : In, of `rtl.matvec.held.Held`.
    reading, step : Out.
    ready : Out, from the cycle behind the last read on.
    mismatch : Out.
    more, wraps : Out, while `ready`: a position follows, at the start of a row of positions.
    """

    def __init__(self, params: ChipParams) -> None:
        self._params = params
        super().__init__(
            {
                "clear": In(1),
                "start": In(1),
                "following": In(1),
                "address": In(24),
                "columns": In(COLUMN_BITS),
                "windowed": In(1),
                "window": In(held_layout("WINDOW", params)),
                "positions": In(held_layout("POSITIONS", params)),
                "reading": Out(1),
                "step": Out(step(params)),
                "ready": Out(1),
                "mismatch": Out(1),
                "more": Out(1),
                "wraps": Out(1),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        bus_bits = exact_log2(self._params.bus_bytes)
        window = self.window
        index = Signal(COLUMN_BITS - bus_bits + 1)
        word = Signal(COLUMN_BITS - bus_bits + 1)  # of the segment
        beyond = Signal()  # its last bytes are in a word of their own
        row = self._row(m)
        base, segment = row["base"], row["segment"]

        first = Signal(self._params.address_bits)
        tail = Signal(bus_bits + 1)
        segment_ends, ends = Signal(), Signal()
        # Words of the segment behind this one, and whether there are none, without a comparison
        # on the way from one word to the next.
        rest, last = Signal.like(word), Signal()
        words = window.length >> bus_bits
        # `columns` stands since `start` at least, the cycle before the first read.
        last_index = Signal.like(index)
        m.d.sync += last_index.eq((self.columns - 1) >> bus_bits)
        at_last = index == last_index
        m.d.comb += [
            first.eq(base + segment),
            tail.eq(first[:bus_bits] + window.length[:bus_bits]),
            segment_ends.eq(self.windowed & (beyond | (last & ~tail[-1]))),
            self.step.word.eq(first[bus_bits:] + word),
            self.step.index.eq(index),
            self.step.begins.eq(~beyond),
            self.step.place.eq(segment + (word << bus_bits)),
            self.step.offset.eq(first[:bus_bits]),
            self.step.last.eq(last),
            self.step.inside.eq(row["number"] < window.height),
        ]
        window_ends = row["last_segment"]
        wrong = self.windowed & ~beyond & (at_last ^ (last & window_ends))
        m.d.comb += ends.eq(Mux(self.windowed, wrong | (segment_ends & window_ends), at_last))

        begin = self.start | self.following
        m.d.comb += [
            row["end"].eq(self.reading & segment_ends),
            row["done"].eq(self.reading & ends),
        ]
        with m.If(begin):
            m.d.sync += [index.eq(0), word.eq(0), beyond.eq(0), self.mismatch.eq(0)]
        with m.Elif(self.reading):
            m.d.sync += [
                index.eq(index + ~beyond),
                word.eq(Mux(segment_ends, 0, word + 1)),
                rest.eq(rest - 1),
                last.eq(rest == 1),
                beyond.eq(self.windowed & last & tail[-1]),
                self.mismatch.eq(wrong),
            ]
        with m.If(begin | (self.reading & segment_ends)):
            m.d.sync += [rest.eq(words), last.eq(words == 0)]
        with m.If(begin):
            m.d.sync += [self.reading.eq(1), self.ready.eq(0)]
        with m.Elif(self.clear):
            m.d.sync += [self.reading.eq(0), self.ready.eq(0)]
        with m.Elif(self.reading & ends):
            m.d.sync += [self.reading.eq(0), self.ready.eq(1)]
        return m

    def _row(self, m: Module) -> dict[str, Signal]:
        """Segments, rows of a window, and positions.

        Returns `base`, the address of byte 0 of the row of the tensor, its `number`, `segment`, the
        place of the segment in it, `last_segment` of the window, and two signals that the caller
        drives: `end` of a segment, and `done` with a position.
        """
        window, positions, bits = self.window, self.positions, self._params.address_bits
        # Rows and segments that are left, and whether it is the last one.
        i, j = Signal(len(window.ny)), Signal(len(window.nx))
        last_i, last_j, last_segment = Signal(), Signal(), Signal()
        m.d.comb += last_segment.eq(last_i & last_j)
        base, segment = Signal(bits), Signal(bits)
        number = Signal(ROW_BITS)
        end, done = Signal(), Signal()
        # Of the position at hand, and once it is done, of the next one.
        at, x, y = Signal(bits), Signal(bits), Signal(ROW_BITS)
        count_x, count_y = Signal(POSITION_BITS), Signal(POSITION_BITS)
        plain_x = Mux(self.windowed, window.x, 0)
        first = Signal(bits)
        m.d.comb += first.eq(self.address - plain_x)
        wraps = Signal()
        m.d.comb += wraps.eq(count_x == 1)

        with m.If(self.start | (done & wraps)):
            m.d.sync += [x.eq(window.x), count_x.eq(positions.count_x)]
        with m.Elif(done):
            m.d.sync += [x.eq(x + positions.a_x), count_x.eq(count_x - 1)]
        with m.If(self.start):
            m.d.sync += [at.eq(first), y.eq(window.y), count_y.eq(positions.count_y)]
        with m.Elif(done & wraps):
            m.d.sync += [
                at.eq(at + positions.a_y),
                y.eq(y + positions.y_step),
                count_y.eq(count_y - 1),
            ]
        with m.If(done):
            m.d.sync += [
                self.wraps.eq(wraps),
                self.more.eq(self.windowed & ~(wraps & (count_y == 1))),
            ]

        with m.If(self.start):
            m.d.sync += [base.eq(first), segment.eq(plain_x), number.eq(window.y)]
        with m.Elif(self.following):
            m.d.sync += [base.eq(at), segment.eq(x), number.eq(y)]
        with m.Elif(end & last_j):
            m.d.sync += [
                base.eq(base + window.pitch),
                segment.eq(x),
                number.eq(number + window.dy),
            ]
        with m.Elif(end):
            m.d.sync += segment.eq(segment + window.dx)
        with m.If(self.start | self.following):
            m.d.sync += [i.eq(window.ny), last_i.eq(window.ny == 1)]
        with m.Elif(end & last_j):
            m.d.sync += [i.eq(i - 1), last_i.eq(i == 2)]
        with m.If(self.start | self.following | (end & last_j)):
            m.d.sync += [j.eq(window.nx), last_j.eq(window.nx == 1)]
        with m.Elif(end):
            m.d.sync += [j.eq(j - 1), last_j.eq(j == 2)]
        return {
            "base": base,
            "segment": segment,
            "number": number,
            "last_segment": last_segment,
            "end": end,
            "done": done,
        }

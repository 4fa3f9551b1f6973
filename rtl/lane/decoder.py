"""The decoder of one kind of stream (runs or values) of one lane, shared by the lane's threads."""

from amaranth.hdl import Cat, Module, Mux, Signal, ValueLike
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from npu.chip.weight_format import (
    ENTRY_BITS,
    LENGTHS,
    MAX_CODE_BITS,
    MAX_RAW_BITS,
    MAX_SYMBOL_BITS,
    MAX_SYMBOLS,
    WORD_BITS,
)
from rtl.lane.codetable import CODE
from rtl.memory.parity import block_ram
from rtl.shared.options import PLAIN, Options

RING_WORDS = 4
"""Words of a stream that the decoder holds: two that the window may touch, two read ahead."""
RING_BITS = ceil_log2(RING_WORDS)
OFFSET_BITS = ceil_log2(WORD_BITS)
# One bit more than the ring needs, so that full and empty differ.
WORD_INDEX_BITS = RING_BITS + 1
POSITION_BITS = WORD_INDEX_BITS + OFFSET_BITS

ENTRIES_PER_ROW = 4
TABLE_ROWS = MAX_SYMBOLS // ENTRIES_PER_ROW

ENTRY_LATENCY = 4
LENGTH_LATENCY = 5


def table_write() -> wiring.Signature:
    """ENTRIES_PER_ROW table entries of all decoders of a kind, seen from the loader."""
    return wiring.Signature(
        {"en": Out(1), "row": Out(range(TABLE_ROWS)), "data": Out(ENTRY_BITS * ENTRIES_PER_ROW)}
    )


def ring_write(threads: int) -> wiring.Signature:
    """One word of a thread's stream, seen from what fetches it."""
    return wiring.Signature(
        {
            "en": Out(1),
            "thread": Out(range(threads)),
            "index": Out(RING_BITS),
            "data": Out(WORD_BITS),
        }
    )


class StreamDecoder(wiring.Component):
    """One symbol per cycle, of the thread whose turn it is: any bits, never a bubble.

    The turn of `thread` is every `threads` cycles, when its position is in stage A; the loop takes
    two stages, so threads >= 2. Stages, by cycle after the turn:

    - A (0): read the ring, rotate MAX_SYMBOL_BITS bits to the top;
    - B (1): compare with the code's limits, advance the position;
    - C (2): table index and raw bits;
    - D (3): table entry.

    Equal to `npu.twin.decoder` for a code whose `npu.chip.weight_format.CodeTable.problem` is None.
    The caller keeps each ring ahead of its position (a word every two turns is enough for any bits)
    and checks the lengths against the end of the stream.

    Parameters
    ----------
    threads : turns that take part in the barrel.
    options : Options.

    Members
    -------
    code : In, CODE.
    table : In, `table_write`.
    fill : In, `ring_write`.
    load, start : In, shift in the first position (mod 2^POSITION_BITS) of the next thread, 0 first.
    run : In, the barrel turns: from the cycle of thread 0's first turn on.
    thread : In, whose position is in stage A.
    go : In, decode in this turn; if low, the position stays.
    word : Out, word index of stage A's position: words below it are free.
    entry, raw : Out, ENTRY_LATENCY cycles after the turn.
    length : Out, bits of code and raw bits, LENGTH_LATENCY cycles after the turn; 0 without `go`.
    wrong : Out, only with parity, see `rtl.memory.parity.ParityRam`.
    """

    def __init__(self, threads: int, options: Options = PLAIN) -> None:
        self._threads, self._options = threads, options
        super().__init__(
            {
                "code": In(CODE),
                "table": In(table_write()),
                "fill": In(ring_write(threads)),
                "load": In(1),
                "start": In(POSITION_BITS),
                "run": In(1),
                "thread": In(range(threads)),
                "go": In(1),
                "word": Out(WORD_INDEX_BITS),
                "entry": Out(ENTRY_BITS),
                "raw": Out(MAX_RAW_BITS),
                "length": Out(range(MAX_SYMBOL_BITS + 1)),
                **({"wrong": Out(1)} if options.parity else {}),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        length_bits = range(MAX_CODE_BITS + 1)

        code_length = Signal(length_bits)
        go_b = Signal()
        go_raw = Mux(self.go, self.code.raw_bits, 0)
        position = self._positions(m, go_raw, Mux(go_b, code_length, 0))
        m.d.sync += go_b.eq(self.go)

        window = self._window(m, position)
        window_b = Signal(MAX_SYMBOL_BITS)
        m.d.sync += window_b.eq(window)
        self._measure(m, window_b, code_length)

        window_c = Signal(MAX_SYMBOL_BITS)
        length_c = Signal(length_bits)
        # MAX_SYMBOL_BITS itself wraps to 0, which does no harm: it has no raw bits.
        below_c = Signal(range(MAX_SYMBOL_BITS))
        go_c = Signal()
        m.d.sync += [
            window_c.eq(window_b),
            length_c.eq(code_length),
            below_c.eq(self.code.not_raw - code_length),
            go_c.eq(go_b),
        ]
        self._look_up(m, window_c, length_c, go_c)

        raw_d = Signal(MAX_RAW_BITS)
        total_d = Signal.like(self.length)
        total_e = Signal.like(self.length)
        m.d.sync += [
            raw_d.eq((window_c >> below_c)[:MAX_RAW_BITS] & self.code.raw_mask),
            self.raw.eq(raw_d),
            total_d.eq(Mux(go_c, length_c + self.code.raw_bits, 0)),
            total_e.eq(total_d),
            self.length.eq(total_e),
        ]
        return m

    def _positions(self, m: Module, early: ValueLike, late: ValueLike) -> Signal:
        """The position in stage A: stage A, stage B, then back to A through the other threads.

        It advances by `early` in stage A and by `late` in stage B, which are 0 in a turn without
        `go`.
        """
        position = Signal(POSITION_BITS)
        advanced = Signal(POSITION_BITS)
        chain = [Signal(POSITION_BITS, name=f"position_{i}") for i in range(self._threads - 2)]
        with m.If(self.run | self.load):
            m.d.sync += advanced.eq(Mux(self.load, self.start, position + early))
            source = advanced + late
            for target in [*chain, position]:
                m.d.sync += target.eq(source)
                source = target
        m.d.comb += self.word.eq(position[OFFSET_BITS:])
        return position

    def _window(self, m: Module, position: Signal):
        """MAX_SYMBOL_BITS bits from `position` of the thread's ring, in stage A."""
        half = WORD_BITS // 2
        depth = RING_WORDS << ceil_log2(self._threads)
        word, second_half = position[OFFSET_BITS:][:RING_BITS], position[OFFSET_BITS - 1]
        halves = []
        # The upper half of a word is its first; behind its second half the next word is needed.
        for name, bits, index in (
            ("upper", slice(half, None), (word + second_half)[:RING_BITS]),
            ("lower", slice(None, half), word),
        ):
            ring = Memory(shape=half, depth=depth, init=[])
            m.submodules[name] = ring
            write = ring.write_port()
            read = ring.read_port(domain="comb")
            m.d.comb += [
                write.en.eq(self.fill.en),
                write.addr.eq(Cat(self.fill.index, self.fill.thread)),
                write.data.eq(self.fill.data[bits]),
                read.addr.eq(Cat(index, self.thread)),
            ]
            halves.append(read.data)
        # A ring of two halves, rotated by the offset; every level keeps only what can still show.
        rotated = Cat(halves[1], halves[0])
        for level in reversed(range(OFFSET_BITS)):
            keep = MAX_SYMBOL_BITS + (1 << level) - 1
            width, step = len(rotated), 1 << level
            shifted = rotated.rotate_left(step) if width == WORD_BITS else (rotated << step)[:width]
            stage = Signal(keep, name=f"rotated_{level}")
            m.d.comb += stage.eq(
                Mux(position[level], shifted[width - keep :], rotated[width - keep :])
            )
            rotated = stage
        return rotated

    def _measure(self, m: Module, window: Signal, code_length: Signal) -> None:
        """Code length of the window: how many limits it reaches, in stage B."""
        reached = [self.code.coded]
        for n in range(1, MAX_CODE_BITS):
            limit = self.code.limits[str(n)]
            # Bit by bit: a carry chain would cost more to enter and leave.
            least = 1
            for bit, other in zip(window[MAX_SYMBOL_BITS - n :], limit, strict=False):
                least = Mux(bit ^ other, bit, least)
            reached.append(~limit[n] & least)
        above = Signal(MAX_CODE_BITS)
        m.d.comb += above.eq(Cat(reached))
        # Limits rise, so `above` is a thermometer: exactly one place is its top.
        top = [above[n - 1] & ~(above[n] if n < MAX_CODE_BITS else 0) for n in range(1, LENGTHS)]
        for bit in range(len(code_length)):
            m.d.comb += code_length[bit].eq(
                Cat(top[n - 1] for n in range(1, LENGTHS) if n >> bit & 1).any()
            )

    def _look_up(self, m: Module, window: Signal, code_length: Signal, used: Signal) -> None:
        """Table index in stage C, entry out of the row in stage D, into `entry` for stage E."""
        table = block_ram(
            "codes", ENTRY_BITS, MAX_SYMBOLS, group=ENTRIES_PER_ROW, options=self._options
        )
        m.submodules[table.name] = table
        m.d.comb += [
            table.write_en.eq(self.table.en),
            table.write_addr.eq(self.table.row),
            table.write_data.eq(self.table.data),
            table.read_en.eq(1),
        ]
        m.submodules.offsets = offsets = Memory(
            shape=len(self.code.offset.value), depth=LENGTHS, init=[]
        )
        write_offset, offset = offsets.write_port(), offsets.read_port(domain="comb")
        code = window[MAX_SYMBOL_BITS - MAX_CODE_BITS :] >> (MAX_CODE_BITS - code_length)[:4]
        index = Signal(MAX_SYMBOLS.bit_length() - 1)
        m.d.comb += [
            write_offset.en.eq(self.code.offset.en),
            write_offset.addr.eq(self.code.offset.length),
            write_offset.data.eq(self.code.offset.value),
            offset.addr.eq(code_length),
            index.eq(code + offset.data),
        ]
        m.d.comb += table.read_addr.eq(index)
        m.d.sync += self.entry.eq(table.read_data)
        if self._options.parity:
            m.d.comb += [table.check.eq(used), self.wrong.eq(table.wrong)]

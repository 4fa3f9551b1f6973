"""Table look-ups of one element: sigmoid and tanh by interpolation, and the int8 table."""

from itertools import pairwise

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, ceil_log2

from npu.chip.weight_format import LUT_BYTES, PARAM_WORD
from npu.model.numerics.table import SIGMOID_TABLE

ENTRIES = len(SIGMOID_TABLE)
STEPS = [int(b) - int(a) for a, b in pairwise(SIGMOID_TABLE)]
STEP_BITS = bits_for(max(STEPS))
FRACTION_BITS = 9
LUT_WORDS = LUT_BYTES // PARAM_WORD


def table_write() -> memory.WritePort.Signature:
    """Write port of the int8 table: words of PARAM_WORD entries, the first in the low bits."""
    return memory.WritePort.Signature(addr_width=ceil_log2(LUT_WORDS), shape=8 * PARAM_WORD)


class Function(data.Struct):
    """Which table is read: the int8 table, or the sigmoid, or tanh as 2 sigmoid(2x) - 1."""

    int8: 1
    tanh: 1


class Lookup(wiring.Component):
    """`sigmoid_int16` and `tanh_int16` of an input in the table's scale, or an int8 table's byte.

    One element per cycle, never stalled; `y` belongs to the `x` of LATENCY cycles before. Equal to
    `npu.model.numerics` for every int32 `x` = `scale_table_input(...)`. With `function.int8`, `x`
    is an index 0..255 and `y` the signed byte that was written there.

    Members
    -------
    x : In, cycle 0.
    function : In, held while a command is in the pipeline.
    table : In, see `table_write`.
    y : Out, cycle LATENCY.
    """

    LATENCY = 5

    def __init__(self) -> None:
        super().__init__(
            {
                "x": In(signed(32)),
                "function": In(Function),
                "table": Out(table_write()),
                "y": Out(signed(16)),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        tanh = self.function.tanh

        # Cycle 0: magnitude. Cycle 1: index, fraction. The table ends flat: at 1 - 2^-16 for tanh,
        # 2^-15 lower for the sigmoid, which is its last entry but one.
        magnitude = Signal(32)
        scaled = Signal(33)
        beyond = Signal()
        index, fraction, negative = Signal(8), Signal(FRACTION_BITS), Signal()
        negative_0, byte_0 = Signal(), Signal(8)
        m.d.sync += [
            magnitude.eq(Mux(self.x[-1], -self.x, self.x)),
            negative_0.eq(self.x[-1]),
            byte_0.eq(self.x),
        ]
        m.d.comb += [
            scaled.eq(Mux(tanh, Cat(0, magnitude), magnitude)),
            beyond.eq((scaled >> FRACTION_BITS) >= ENTRIES - 1),
        ]
        m.d.sync += [
            index.eq(Mux(beyond, Mux(tanh, ENTRIES - 1, ENTRIES - 2), scaled[FRACTION_BITS:])),
            # Behind the table, too: the last step is 0, and rounding hides the one before, a 1.
            fraction.eq(scaled),
            negative.eq(negative_0),
        ]
        with m.If(self.function.int8):
            m.d.sync += index.eq(byte_0)

        # Cycle 2: both memories.
        entries = [
            int(left) | step << 16 for left, step in zip(SIGMOID_TABLE, [*STEPS, 0], strict=True)
        ]
        m.submodules.sigmoid = sigmoid = memory.Memory(
            shape=16 + STEP_BITS, depth=ENTRIES, init=entries
        )
        m.submodules.int8 = int8 = memory.Memory(shape=8 * PARAM_WORD, depth=LUT_WORDS, init=[])
        entry, word, write = sigmoid.read_port(), int8.read_port(), int8.write_port()
        fraction_1, negative_1, byte_1 = Signal(FRACTION_BITS), Signal(), Signal(range(PARAM_WORD))
        m.d.comb += [
            entry.addr.eq(index),
            word.addr.eq(index[ceil_log2(PARAM_WORD) :]),
            *(
                getattr(write, name).eq(getattr(self.table, name))
                for name in ("en", "addr", "data")
            ),
        ]
        m.d.sync += [fraction_1.eq(fraction), negative_1.eq(negative), byte_1.eq(index)]

        # Cycle 3: a register behind the memories, which are slow themselves; the byte.
        read, fraction_2, negative_2 = Signal.like(entry.data), Signal(FRACTION_BITS), Signal()
        byte_2 = Signal(signed(8))
        m.d.sync += [
            read.eq(entry.data),
            fraction_2.eq(fraction_1),
            negative_2.eq(negative_1),
            byte_2.eq(word.data.word_select(byte_1, 8)),
        ]

        # Cycle 4: the step's part.
        left, part, negative_3 = Signal(16), Signal(FRACTION_BITS + STEP_BITS), Signal()
        byte = Signal(signed(8))
        m.d.sync += [
            left.eq(read[:16]),
            part.eq(fraction_2 * read[16:]),
            negative_3.eq(negative_2),
            byte.eq(byte_2),
        ]

        # Cycle 5: value is 2^25 sigmoid. Negated as its complement, with the missing one in the
        # rounding.
        value = Signal(25)
        signed_value = Signal(signed(26))
        rounding = Signal(signed(27))
        m.d.comb += [
            value.eq((left << FRACTION_BITS) + part),
            signed_value.eq(Mux(negative_3, ~Cat(value, 0), value).as_signed()),
        ]
        with m.If(tanh):
            m.d.comb += rounding.eq(Mux(negative_3, (1 << 24) + 2 * 0x7F + 1, 0x100 - (1 << 24)))
        with m.Else():
            m.d.comb += rounding.eq(Mux(negative_3, (1 << 25) + 0x1FF + 1, 0x200))
        total = signed_value + rounding
        with m.If(self.function.int8):
            m.d.comb += self.y.eq(byte)
        with m.Elif(tanh):
            m.d.comb += self.y.eq(total >> 9)
        with m.Else():
            m.d.comb += self.y.eq(total >> 10)
        return m

"""A decoder of Golomb-Rice codes of limited length."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from npu.chip.weight_format import ENTRY_BITS, MAX_SYMBOL_BITS
from reports.studies.codecs.barrel import Barrel
from reports.studies.codecs.rice import ESCAPE, NUMBER_BITS, NUMBERS, PARAMETERS
from rtl.memory.ram import BlockRam

ENTRIES_PER_WRITE = 4
TABLE_ROWS = NUMBERS // ENTRIES_PER_WRITE


class RiceDecoder(Barrel):
    """The code of `reports.studies.codecs.rice`; see `Barrel`.

    Parameters
    ----------
    palette : whether a number is an index of a table; else it is a value by `rice.to_number`.

    Members
    -------
    k : In, the parameter.
    rest, mask : In, MAX_SYMBOL_BITS - k, and 2^k - 1.
    table : In, with a palette: ENTRIES_PER_WRITE values side by side.
    value : Out, SYMBOL_LATENCY cycles after the turn.
    """

    SYMBOL_LATENCY = 4

    def __init__(self, threads: int, palette: bool) -> None:
        self._palette = palette
        table = wiring.Signature(
            {
                "en": Out(1),
                "row": Out(range(TABLE_ROWS)),
                "data": Out(ENTRY_BITS * ENTRIES_PER_WRITE),
            }
        )
        super().__init__(
            threads,
            {
                "k": In(range(len(PARAMETERS))),
                "rest": In(range(MAX_SYMBOL_BITS + 1)),
                "mask": In(NUMBER_BITS),
                "value": Out(ENTRY_BITS),
                **({"table": In(table)} if palette else {}),
            },
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        code_length = Signal(range(MAX_SYMBOL_BITS + 1))
        go_b, go_c = Signal(), Signal()
        m.d.sync += [go_b.eq(self.go), go_c.eq(go_b)]
        position = self._positions(m, Mux(self.go, self.k, 0), Mux(go_b, code_length, 0))
        window_b, window_c = Signal(MAX_SYMBOL_BITS), Signal(MAX_SYMBOL_BITS)
        m.d.sync += [window_b.eq(self._window(m, position)), window_c.eq(window_b)]

        # Stage B: where the first zero is, all places at once.
        head = window_b[: -ESCAPE - 1 : -1]
        zero_at = [~head[i] & head[:i].all() for i in range(ESCAPE)]
        escape = head.all()
        quotient = Signal(range(ESCAPE))
        for bit in range(len(quotient)):
            m.d.comb += quotient[bit].eq(
                Cat(z for i, z in enumerate(zero_at) if i >> bit & 1).any()
            )
        for bit in range(len(code_length)):
            m.d.comb += code_length[bit].eq(
                Cat(
                    *(z for i, z in enumerate(zero_at) if i + 1 >> bit & 1),
                    escape & self.rest[bit],
                ).any()
            )

        # Stage C: raw bits below the code; all of a number below an escape.
        below_c = Signal(range(MAX_SYMBOL_BITS))
        quotient_c, escape_c = Signal.like(quotient), Signal()
        length_c = Signal.like(code_length)
        raw_d, high_d = Signal(NUMBER_BITS), Signal(NUMBER_BITS)
        m.d.sync += [
            below_c.eq(self.rest - code_length),
            quotient_c.eq(quotient),
            escape_c.eq(escape),
            length_c.eq(code_length),
            raw_d.eq((window_c >> below_c)[:NUMBER_BITS] & (self.mask | escape_c.replicate(8))),
            high_d.eq(Mux(escape_c, 0, quotient_c << self.k)),
            self.length.eq(Mux(go_c, length_c + self.k, 0)),
        ]

        # Stage D: the number, and what it means.
        number = raw_d | high_d
        if self._palette:
            table = BlockRam("study", ENTRY_BITS, NUMBERS, group=ENTRIES_PER_WRITE)
            m.submodules.table = table
            m.d.comb += [
                table.write_en.eq(self.table.en),
                table.write_addr.eq(self.table.row),
                table.write_data.eq(self.table.data),
                table.read_en.eq(1),
                table.read_addr.eq(number),
                self.value.eq(table.read_data),
            ]
        else:
            half = number[1:]
            m.d.sync += self.value.eq(Mux(number[0], (half + 1)[: len(half)], ~Cat(half, 0)))
        return m

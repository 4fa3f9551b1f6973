"""Loads a matrix block: header, code tables, shared scales."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from npu.format import (
    BLOCK_HEADER_BYTES,
    LENGTHS,
    MAX_SCALES,
    PARAM_WORD,
    RUN_COUNTS_AT,
    SCALES_AT,
    VALUE_COUNTS_AT,
    VERSION,
    VERSION_AT,
)
from npu.params import ChipParams
from rtl import interfaces
from rtl.codetable import CODE, CodeTable
from rtl.decoder import ENTRIES_PER_ROW, table_write
from rtl.requantiser import scale_write

HEADER_WORDS = BLOCK_HEADER_BYTES // PARAM_WORD
ROWS_PER_WORD = PARAM_WORD // ENTRIES_PER_ROW
assert ROWS_PER_WORD == 2
CHECKED = HEADER_WORDS + LENGTHS + 3
# Kinds of words that come back from parameter memory.
NOTHING, HEADER, RUN_TABLE, VALUE_TABLE, SCALE = range(5)


class BlockLoader(wiring.Component):
    """Reads one 64-bit word per cycle, timing.load_block of them from the cycle after `start` on.

    `ready` rises in the cycle behind the last read; the tables are complete two cycles later,
    before the lanes' first look-up. `error` rises CHECKED cycles after `start`, exactly when
    `npu.format.unpack_block` refuses the block.

    Parameters
    ----------
    params : ChipParams.

    Members
    -------
    clear : In, idle: stop, forget an error.
    start : In, high for one cycle.
    address : In, byte address of the block, stable while not `clear`.
    param : read port of parameter memory; all 0 while not used.
    run_table, value_table : Out, `rtl.decoder.table_write`.
    run_code, value_code : Out, CODE.
    scales : Out, `rtl.requantiser.scale_write`.
    n_scales : Out, shared scales.
    ready, error : Out.
    """

    def __init__(self, params: ChipParams) -> None:
        self._params = params
        super().__init__(
            {
                "clear": In(1),
                "start": In(1),
                "address": In(24),
                "param": In(interfaces.param_read(params)),
                "run_table": Out(table_write()),
                "value_table": Out(table_write()),
                "run_code": Out(CODE),
                "value_code": Out(CODE),
                "scales": Out(scale_write()),
                "n_scales": Out(range(MAX_SCALES + 1)),
                "ready": Out(1),
                "error": Out(1),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        header = Signal(data.ArrayLayout(8, BLOCK_HEADER_BYTES))
        n_scales = header[SCALES_AT]

        # Header bytes are here two cycles after their word is read, the table sizes a cycle later,
        # where the tables lie another later: in time for the first table word of each kind. The
        # number of scales comes in time for the last table word.
        run_words, value_words, pairs = Signal(6), Signal(6), Signal(6)
        value_place, scale_place = Signal(range(1 << 7)), Signal(range(1 << 7))
        m.d.sync += [
            run_words.eq((header[1] + PARAM_WORD - 1) >> 3),
            value_words.eq((header[3] + PARAM_WORD - 1) >> 3),
            pairs.eq(Mux(run_words > value_words, run_words, value_words)),
            value_place.eq(HEADER_WORDS + run_words),
            scale_place.eq(HEADER_WORDS + run_words + value_words),
        ]

        kind = Signal(range(SCALE + 1))
        index = Signal(8)
        with m.If(self.start):
            m.d.sync += [kind.eq(HEADER), index.eq(0), self.ready.eq(0)]
        with m.Elif(self.clear):
            m.d.sync += [kind.eq(NOTHING), self.ready.eq(0)]
        with m.Else():
            m.d.sync += index.eq(index + 1)
            with m.Switch(kind):
                with m.Case(HEADER), m.If(index == HEADER_WORDS - 1):
                    m.d.sync += [kind.eq(RUN_TABLE), index.eq(0)]
                with m.Case(RUN_TABLE):
                    m.d.sync += [kind.eq(VALUE_TABLE), index.eq(index)]
                with m.Case(VALUE_TABLE):
                    m.d.sync += kind.eq(RUN_TABLE)
                    with m.If(index + 1 >= pairs):
                        m.d.sync += [
                            *(kind.eq(Mux(n_scales == 0, NOTHING, SCALE)), index.eq(0)),
                            self.ready.eq(n_scales == 0),
                        ]
                with m.Case(SCALE), m.If(index + 1 >= n_scales):
                    m.d.sync += [kind.eq(NOTHING), self.ready.eq(1)]
        wanted = Signal()
        place = Signal(range(1 << 7))
        with m.Switch(kind):
            with m.Case(HEADER):
                m.d.comb += wanted.eq(1)
            with m.Case(RUN_TABLE):
                m.d.comb += [wanted.eq(index < run_words), place.eq(HEADER_WORDS)]
            with m.Case(VALUE_TABLE):
                m.d.comb += [wanted.eq(index < value_words), place.eq(value_place)]
            with m.Case(SCALE):
                m.d.comb += [wanted.eq(1), place.eq(scale_place)]
        m.d.comb += self.param.en.eq(0)  # a read port's enable is 1 where nothing drives it
        with m.If(wanted):
            m.d.comb += [
                self.param.en.eq(1),
                self.param.addr.eq(self.address[3:] + place + index),
            ]

        kind_1, index_1 = Signal.like(kind), Signal.like(index)
        m.d.sync += [kind_1.eq(Mux(wanted & ~self.clear, kind, NOTHING)), index_1.eq(index)]
        for word in range(HEADER_WORDS):
            with m.If((kind_1 == HEADER) & (index_1 == word)):
                m.d.sync += header.as_value().word_select(word, 8 * PARAM_WORD).eq(self.param.data)

        self._tables(m, kind_1, index_1)
        self._check(m, header, kind_1, index_1, scale_place + n_scales)
        m.d.comb += self.n_scales.eq(n_scales)
        return m

    def _tables(self, m: Module, kind_1, index_1) -> None:
        """Table words go out in halves, the upper one while the other table's word comes."""
        kind_2, index_2, word = Signal.like(kind_1), Signal.like(index_1), Signal(8 * PARAM_WORD)
        kind_3, index_3, upper = Signal.like(kind_1), Signal.like(index_1), Signal(4 * PARAM_WORD)
        m.d.sync += [
            *(kind_2.eq(kind_1), index_2.eq(index_1), word.eq(self.param.data)),
            *(kind_3.eq(kind_2), index_3.eq(index_2), upper.eq(word[4 * PARAM_WORD :])),
        ]
        for table, own in ((self.run_table, RUN_TABLE), (self.value_table, VALUE_TABLE)):
            lower_now = kind_2 == own
            m.d.comb += [
                table.en.eq(lower_now | (kind_3 == own)),
                table.row.eq(Mux(lower_now, Cat(0, index_2), Cat(1, index_3))),
                table.data.eq(Mux(lower_now, word, upper)),
            ]
        m.d.comb += [
            self.scales.en.eq(kind_2 == SCALE),
            self.scales.index.eq(index_2),
            self.scales.data.eq(word),
        ]

    def _check(self, m: Module, header, kind_1, index_1, n_words) -> None:
        """The code tables, one length per cycle from the header's last byte on, and the limits."""
        parsed, seen = Signal(), Signal()
        m.d.sync += [
            parsed.eq((kind_1 == HEADER) & (index_1 == HEADER_WORDS - 1)),
            seen.eq(~self.clear & (seen | parsed)),
        ]
        tables = []
        for name, at, counts_at, code in (
            ("run", 0, RUN_COUNTS_AT, self.run_code),
            ("value", 2, VALUE_COUNTS_AT, self.value_code),
        ):
            m.submodules[name] = table = CodeTable()
            tables.append(table)
            m.d.comb += [
                *(table.start.eq(parsed), code.eq(table.code)),
                *(table.raw_bits.eq(header[at]), table.entries.eq(header[at + 1])),
                *(table.counts[n].eq(header[counts_at + n]) for n in range(LENGTHS)),
            ]
        end = self.address[3:] + n_words
        wrong = Signal()
        m.d.sync += wrong.eq(
            (header[VERSION_AT] != VERSION)
            | (header[SCALES_AT] > MAX_SCALES)
            | (self.address[:3] != 0)
            | (end > interfaces.param_words(self._params))
        )
        ready = Cat(table.ready for table in tables).all()
        m.d.comb += self.error.eq(seen & ready & (wrong | tables[0].error | tables[1].error))

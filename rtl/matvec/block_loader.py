"""Loads a matrix block: the headers and tables of its code sets, shared scales."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from npu.chip import timing
from npu.chip.params import ChipParams
from npu.chip.weight_format import (
    BLOCK_HEADER_BYTES,
    COUNTED,
    IN_ORDER,
    LENGTHS,
    MAX_SCALES,
    MAX_SETS,
    PARAM_WORD,
    RAW_BITS_AT,
    RESERVED_AT,
    RUN_COUNTS_AT,
    RUN_ENTRIES_AT,
    SCALES_AT,
    SETS,
    VALUE_COUNTS_AT,
    VALUE_ENTRIES_AT,
    VERSION,
    VERSION_AT,
    set_of_lane,
)
from rtl.lane.codetable import CODE, CodeTable
from rtl.lane.decoder import ENTRIES_PER_ROW, table_write
from rtl.matvec.requantiser import scale_write
from rtl.shared import interfaces

HEADER_WORDS = BLOCK_HEADER_BYTES // PARAM_WORD
ROWS_PER_WORD = PARAM_WORD // ENTRIES_PER_ROW
assert ROWS_PER_WORD == 2
ORDER_BIT = exact_log2(IN_ORDER)
# Cycles from a set's first header word to the end of its checks; nothing starts before it.
CHECKED = HEADER_WORDS + LENGTHS + 3
assert HEADER_WORDS + timing.CODE_CYCLES >= CHECKED
GROUPS = range(MAX_SETS)
# Kinds of words that come back from parameter memory.
NOTHING, HEADER, RUN_TABLE, VALUE_TABLE, SCALE = range(5)


class BlockLoader(wiring.Component):
    """Reads one 64-bit word per cycle, timing.load_block of them from the cycle after `start` on.

    With `held` it reads nothing and is ready at once: codes and scales are those that it read last,
    and stay over a reset.

    The lanes are in MAX_SETS groups; a code set goes to one of them, two or all. `ready` rises in
    the cycle behind the last read; the tables are complete two cycles later, before the lanes'
    first look-up. `error` rises at the end of the checks of the last set, before `ready`, or
    earlier, exactly when `npu.chip.weight_format.unpack_block` refuses the block.

    Parameters
    ----------
    params : ChipParams.

    Members
    -------
    clear : In, idle: stop, forget an error.
    start, held : In, high for one cycle; `held` with `start`.
    address : In, byte address of the block, stable while not `clear`.
    param : read port of parameter memory; all 0 while not used.
    run_table, value_table : Out, `rtl.lane.decoder.table_write` by group.
    run_code, value_code : Out, CODE by group.
    scales : Out, `rtl.matvec.requantiser.scale_write`.
    n_scales : Out, shared scales.
    ready, error : Out.
    failed : Out, `error` from its second cycle on, which is no later than `ready`.
    """

    def __init__(self, params: ChipParams) -> None:
        self._params = params
        super().__init__(
            {
                "clear": In(1),
                "start": In(1),
                "held": In(1),
                "address": In(24),
                "param": In(interfaces.param_read(params)),
                "run_table": Out(table_write()).array(MAX_SETS),
                "value_table": Out(table_write()).array(MAX_SETS),
                "run_code": Out(CODE).array(MAX_SETS),
                "value_code": Out(CODE).array(MAX_SETS),
                "scales": Out(scale_write()),
                "n_scales": Out(range(MAX_SCALES + 1)),
                "ready": Out(1),
                "error": Out(1),
                "failed": Out(1),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        header = Signal(data.ArrayLayout(8, BLOCK_HEADER_BYTES))

        # Header bytes are here two cycles after their word is read, the table sizes a cycle later,
        # where the tables lie another later: in time for the first table word of each kind. What
        # only the first header says is kept when it is complete.
        kind = Signal(range(SCALE + 1))
        index = Signal(8)
        number, parsed_number = Signal(range(MAX_SETS)), Signal(range(MAX_SETS))
        groups = Signal(MAX_SETS)
        # Words of parameter memory, whole: only an index is added to them on the way there.
        place = Signal(len(self.address) - exact_log2(PARAM_WORD) + 1)
        run_words, value_words, pairs = Signal(6), Signal(6), Signal(6)
        run_place, value_place, next_place = (Signal.like(place) for _ in range(3))
        least = timing.CODE_CYCLES // 2
        more = Mux(run_words > value_words, run_words, value_words)
        # Run entries in order are not in the block: their words come from their index.
        in_order, held_words = Signal(), Signal.like(run_words)
        m.d.comb += held_words.eq(Mux(in_order, 0, run_words))
        m.d.sync += [
            run_words.eq((header[RUN_ENTRIES_AT][:ORDER_BIT] + PARAM_WORD - 1) >> 3),
            value_words.eq((header[VALUE_ENTRIES_AT] + PARAM_WORD - 1) >> 3),
            in_order.eq(header[RUN_ENTRIES_AT][ORDER_BIT]),
            pairs.eq(Mux(more > least, more, least)),
            run_place.eq(place + HEADER_WORDS),
            value_place.eq(place + HEADER_WORDS + held_words),
            next_place.eq(place + HEADER_WORDS + held_words + value_words),
        ]
        parsed = Signal()
        n_scales, sets, version = Signal(8, reset_less=True), Signal(4), Signal(4)
        reserved = Signal(8 * (BLOCK_HEADER_BYTES - RESERVED_AT))
        with m.If(parsed):
            # The last half word of a table goes out before that, the first of the next one after.
            m.d.sync += parsed_number.eq(number)
            with m.If(number == 0):
                m.d.sync += [
                    n_scales.eq(header[SCALES_AT]),
                    Cat(version, sets).eq(header[VERSION_AT]),
                    reserved.eq(Cat(header[at] for at in range(RESERVED_AT, BLOCK_HEADER_BYTES))),
                ]
        last = Signal()
        m.d.comb += last.eq(1)
        with m.Switch(sets):
            for count in SETS:
                with m.Case(count):
                    m.d.comb += last.eq(parsed_number == count - 1)
                    for group in GROUPS:
                        mine = set_of_lane(group, MAX_SETS, count)
                        m.d.comb += groups[group].eq(parsed_number == mine)

        with m.If(self.start):
            m.d.sync += [
                kind.eq(Mux(self.held, NOTHING, HEADER)),
                index.eq(0),
                self.ready.eq(self.held),
                number.eq(0),
                place.eq(self.address[exact_log2(PARAM_WORD) :]),
            ]
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
                        m.d.sync += [index.eq(0), place.eq(next_place)]
                        with m.If(~last):
                            m.d.sync += [kind.eq(HEADER), number.eq(number + 1)]
                        with m.Elif(n_scales == 0):
                            m.d.sync += [kind.eq(NOTHING), self.ready.eq(1)]
                        with m.Else():
                            m.d.sync += kind.eq(SCALE)
                with m.Case(SCALE), m.If(index + 1 >= n_scales):
                    m.d.sync += [kind.eq(NOTHING), self.ready.eq(1)]
        wanted = Signal()
        begin = Signal.like(place)
        with m.Switch(kind):
            with m.Case(HEADER, SCALE):
                m.d.comb += [wanted.eq(1), begin.eq(place)]
            with m.Case(RUN_TABLE):
                m.d.comb += [wanted.eq(index < run_words), begin.eq(run_place)]
            with m.Case(VALUE_TABLE):
                m.d.comb += [wanted.eq(index < value_words), begin.eq(value_place)]
        m.d.comb += self.param.en.eq(0)  # a read port's enable is 1 where nothing drives it
        with m.If(wanted & ~((kind == RUN_TABLE) & in_order)):
            m.d.comb += [
                self.param.en.eq(1),
                self.param.addr.eq(begin + index),
            ]

        kind_1, index_1 = Signal.like(kind), Signal.like(index)
        m.d.sync += [kind_1.eq(Mux(wanted & ~self.clear, kind, NOTHING)), index_1.eq(index)]
        for word in range(HEADER_WORDS):
            with m.If((kind_1 == HEADER) & (index_1 == word)):
                m.d.sync += header.as_value().word_select(word, 8 * PARAM_WORD).eq(self.param.data)

        m.d.sync += parsed.eq((kind_1 == HEADER) & (index_1 == HEADER_WORDS - 1))
        self._tables(m, kind_1, index_1, groups, in_order)
        wrong = Signal()
        end = next_place + n_scales
        m.d.sync += wrong.eq(
            (version != VERSION)
            | (reserved != 0)
            | (n_scales > MAX_SCALES)
            | Cat(sets != count for count in SETS).all()
            | (self.address[:3] != 0)
            | (end > interfaces.param_words(self._params))
        )
        self._codes(m, header, parsed, groups, last, wrong)
        m.d.comb += self.n_scales.eq(n_scales)
        return m

    def _tables(self, m: Module, kind_1, index_1, groups, in_order) -> None:
        """Table words go out in halves, the upper one while the other table's word comes."""
        kind_2, index_2, word = Signal.like(kind_1), Signal.like(index_1), Signal(8 * PARAM_WORD)
        kind_3, index_3, upper = Signal.like(kind_1), Signal.like(index_1), Signal(4 * PARAM_WORD)
        m.d.sync += [
            kind_2.eq(kind_1),
            index_2.eq(index_1),
            word.eq(self.param.data),
            kind_3.eq(kind_2),
            index_3.eq(index_2),
            upper.eq(word[4 * PARAM_WORD :]),
        ]
        for tables, own in ((self.run_table, RUN_TABLE), (self.value_table, VALUE_TABLE)):
            lower_now = kind_2 == own
            row = Mux(lower_now, Cat(0, index_2), Cat(1, index_3))
            entries = Mux(lower_now, word, upper)
            if own == RUN_TABLE:
                first = (row * ENTRIES_PER_ROW)[:8]
                counted = Cat((first | n)[:8] for n in range(ENTRIES_PER_ROW))
                entries = Mux(in_order, counted, entries)
            for group in GROUPS:
                m.d.comb += [
                    tables[group].en.eq((lower_now | (kind_3 == own)) & groups[group]),
                    tables[group].row.eq(row),
                    tables[group].data.eq(entries),
                ]
        m.d.comb += [
            self.scales.en.eq(kind_2 == SCALE),
            self.scales.index.eq(index_2),
            self.scales.data.eq(word),
        ]

    def _codes(self, m: Module, header, parsed, groups, last, wrong) -> None:
        """A set's codes, one length per cycle from its header's last byte on, and the checks."""
        seen, was_ready = Signal(), Signal()
        m.d.sync += seen.eq(~self.clear & (seen | parsed))
        tables = []
        run_raw, value_raw = (header[RAW_BITS_AT].word_select(half, 4) for half in range(2))
        run_entries = header[RUN_ENTRIES_AT][:ORDER_BIT]
        for name, raw_bits, entries, counts_at, codes in (
            ("run", run_raw, run_entries, RUN_COUNTS_AT, self.run_code),
            ("value", value_raw, header[VALUE_ENTRIES_AT], VALUE_COUNTS_AT, self.value_code),
        ):
            m.submodules[name] = table = CodeTable()
            tables.append(table)
            m.d.comb += [
                table.start.eq(parsed),
                table.raw_bits.eq(raw_bits),
                table.entries.eq(entries),
                *(table.counts[n].eq(header[counts_at + n]) for n in range(COUNTED)),
            ]
            for group in GROUPS:
                code = Signal.like(codes[group], name=f"{name}_{group}", reset_less=True)
                with m.If(table.ready & ~was_ready & groups[group]):
                    m.d.sync += code.eq(table.code)
                m.d.comb += [
                    codes[group].eq(code),
                    codes[group].offset.eq(table.code.offset),
                    codes[group].offset.en.eq(table.code.offset.en & groups[group]),
                ]
        ready = tables[0].ready & tables[1].ready
        bad = Signal()
        m.d.sync += [was_ready.eq(ready), self.failed.eq(~self.clear & self.error)]
        m.d.comb += [
            bad.eq(tables[0].error | tables[1].error | (last & wrong)),
            self.error.eq(self.failed | (seen & ready & ~was_ready & bad)),
        ]

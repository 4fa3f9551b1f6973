"""One lane: two decoders, the column, the multiplier and the sums of `threads` rows."""

from itertools import pairwise

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import WritePort
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from npu.chip import timing
from npu.chip.params import ChipParams
from npu.chip.weight_format import ENTRY_BITS, MAX_RAW_BITS, ROWS_BITS, STREAM_BITS
from rtl.lane.activations import ACTIVATION_LATENCY, ActivationCopy, activation_write
from rtl.lane.bank import WeightBank
from rtl.lane.barrel import RESOLVE, RUN, VALUE, barrel
from rtl.lane.codetable import CODE
from rtl.lane.decoder import ENTRY_LATENCY, LENGTH_LATENCY, StreamDecoder, table_write
from rtl.lane.fetch import StreamFetch, stream_bits
from rtl.shared import interfaces
from rtl.shared.options import PLAIN, Options

RECORD_BITS = ROWS_BITS + 1
SUM_BITS = 32
PRODUCT_BITS = 17

assert RESOLVE == LENGTH_LATENCY == ENTRY_LATENCY + 1
# A row's sum is on `row` in the cycle after RESOLVE; the products come ACTIVATION_LATENCY after it.
assert timing.LANE_PIPELINE == RESOLVE + 2
assert ACTIVATION_LATENCY == 2


def row_sum() -> wiring.Signature:
    """A finished row, seen from its lane: `sum` of the row with index `record`."""
    return wiring.Signature(
        {"valid": Out(1), "sum": Out(signed(SUM_BITS)), "record": Out(RECORD_BITS)}
    )


EVENTS = data.StructLayout({"symbol": 1, "mac": 1, "gated": 1, "stalled": 1})
"""What a lane did in a turn: a symbol, a weight that is not zero, one that met a zero activation,
or nothing, because it waited for the requantiser."""


class Lane(wiring.Component):
    """A barrel of `threads` rows, one nonzero per cycle: the behaviour of `npu.chip.lanes`.

    A turn that starts while `ready` is low is skipped. A row that ends with a turn in cycle c is on
    `row` in cycle c + timing.LANE_PIPELINE - 1 and so in a FIFO one later. Stages, by cycle after
    the turn: 0 to 3 the decoders; 4 column and weight; 5 row end, counters, checks; 6 the sum of a
    row that ended; 7 multiply and accumulate.

    `error` says that a directory or a stream is corrupt; what the lane does then is arbitrary, but
    it reads only its own memories and never waits for anything.

    Parameters
    ----------
    params : ChipParams.
    options : Options.

    Members
    -------
    control : In, `rtl.lane.barrel.barrel`.
    run_code, value_code : In, CODE; stable from two cycles after the first turn.
    run_table, value_table : In, `rtl.lane.decoder.table_write`.
    bank : `amaranth.lib.memory.WritePort` of bus words, seen from the memory.
    activations : In, `rtl.lane.activations.activation_write`.
    ready : In, the FIFO has room for all rows that may be on their way to it.
    row : Out, `row_sum`.
    working : Out, rows are unfinished.
    busy : Out, or the last one is on `row`.
    error : Out.
    events : Out, EVENTS.
    wrong : Out, only with parity: a word that was asked for WRONG_LATENCY cycles ago has a wrong
        bit (`rtl.memory.parity`).
    """

    def __init__(self, params: ChipParams, options: Options = PLAIN) -> None:
        self._params, self._options = params, options
        self._bits = stream_bits(params)
        super().__init__(
            {
                "control": In(barrel(params)),
                "run_code": In(CODE),
                "value_code": In(CODE),
                "run_table": In(table_write()),
                "value_table": In(table_write()),
                "bank": Out(
                    WritePort.Signature(
                        addr_width=ceil_log2(params.bank_bus_words),
                        shape=interfaces.bus_bits(params),
                    )
                ),
                "activations": In(activation_write(params)),
                "ready": In(1),
                "row": Out(row_sum()),
                "working": Out(1),
                "busy": Out(1),
                "error": Out(1),
                "events": Out(EVENTS),
                **({"wrong": Out(1)} if options.parity else {}),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        p, control = self._params, self.control
        wrong = []

        m.submodules.bank = bank = WeightBank(p, self._options)
        m.submodules.fetch = fetch = StreamFetch(p)
        m.submodules.run = run = StreamDecoder(p.threads, self._options)
        m.submodules.value = value = StreamDecoder(p.threads, self._options)
        m.submodules.activations = copy = ActivationCopy(p, self._options)
        wiring.connect(m, wiring.flipped(self.bank), bank.write)
        wiring.connect(m, wiring.flipped(self.control), fetch.control)
        wiring.connect(m, wiring.flipped(self.run_table), run.table)
        wiring.connect(m, wiring.flipped(self.value_table), value.table)
        wiring.connect(m, wiring.flipped(self.activations), copy.write)
        m.d.comb += [
            bank.en.eq(fetch.en),
            bank.address.eq(fetch.address),
            fetch.word.eq(bank.word),
            fetch.run_word.eq(run.word),
            fetch.value_word.eq(value.word),
            run.code.eq(self.run_code),
            value.code.eq(self.value_code),
            run.fill.en.eq(fetch.fill_run),
            value.fill.en.eq(fetch.fill_value),
        ]

        # Stage 5's state, thread by thread: the front is the thread whose turn was RESOLVE ago.
        turning = control.run | control.align
        starts = control.entry & (control.entry_kind == RUN)
        middles = control.entry & (control.entry_kind == VALUE)
        rows, rows_load, rows_in = self._ring(m, "rows", ROWS_BITS, turning, starts)
        active, active_load, active_in = self._ring(m, "active", 1, turning, starts)
        record, record_load, record_in = self._ring(m, "record", RECORD_BITS, turning, middles)
        run_left, run_load, run_in = self._ring(m, "run_left", self._bits, turning, starts)
        value_left, value_load, value_in = self._ring(m, "value_left", self._bits, turning, middles)

        length, count = bank.word[: self._bits], bank.word[STREAM_BITS:]
        m.d.comb += [
            fetch.length.eq(length),
            rows_load.eq(count),
            active_load.eq(count != 0),
            record_load.eq(count),
            run_load.eq(length),
            value_load.eq(length),
        ]
        wrong += [
            control.entry & bank.word[self._bits : STREAM_BITS].any(),
            starts & (length != 0) & ~active_load,
            middles & (length != 0) & ~active[-1],
            control.end & fetch.past_end,
        ]

        go = control.run & self.ready & active[RESOLVE % p.threads]
        for decoder, load in ((run, starts), (value, middles)):
            m.d.comb += [
                decoder.load.eq(load),
                decoder.start.eq(fetch.position),
                decoder.run.eq(control.run),
                decoder.thread.eq(control.slot_thread),
                decoder.go.eq(go),
                decoder.fill.thread.eq(control.fill_thread),
                decoder.fill.index.eq(fetch.fill_index),
                decoder.fill.data.eq(bank.word),
            ]
        m.d.comb += [
            self.working.eq(Cat(active).any()),
            self.busy.eq(self.working | self.row.valid),
        ]

        go_at = self._delay(m, "go", go, RESOLVE)
        stalled_at = self._delay(m, "stalled", control.run & ~self.ready, RESOLVE)
        valid = go_at[RESOLVE] & active[0]
        wraps, outside = self._column(m, run, copy, go_at[ENTRY_LATENCY], valid)
        weight = Signal(signed(8))
        m.d.sync += weight.eq(value.entry + value.raw)

        # Stage 5.
        row_end, finished = Signal(), Signal()
        run_next, value_next = Signal(self._bits + 1), Signal(self._bits + 1)
        m.d.comb += [
            row_end.eq(valid & wraps),
            finished.eq(row_end & (rows[0] == 1)),
            run_next.eq(run_left[0] - run.length),
            value_next.eq(value_left[0] - value.length),
            rows_in.eq(rows[0] - row_end),
            record_in.eq(record[0] + row_end),
            active_in.eq(active[0] & ~finished),
            run_in.eq(run_next),
            value_in.eq(value_next),
        ]
        wrong.append(valid & (run_next[-1] | (value_next[-1] & ~finished) | outside))
        # What is left over at a slot's end shows in the next cycle.
        was_finished, value_left_over = Signal(), Signal()
        m.d.sync += [was_finished.eq(finished), value_left_over.eq(value_left[0] != 0)]
        wrong.append(was_finished & ((run_left[-1] != 0) | value_left_over))
        m.d.sync += self.error.eq(~control.clear & Cat(wrong).any())
        # For waveforms, which show it by this name.
        stalled = Signal()
        m.d.comb += stalled.eq(stalled_at[RESOLVE] & active[0])
        m.d.sync += self.events.stalled.eq(stalled)

        self._accumulate(m, valid & ~finished, row_end, record[0], weight, copy.activation)
        if self._options.parity:
            memories = (bank, copy, run, value)
            m.d.comb += [
                copy.used.eq(valid),
                self.wrong.eq(Cat(memory.wrong for memory in memories).any()),
            ]
        return m

    def _ring(self, m: Module, name: str, bits: int, turning, loading) -> tuple:
        """Registers of all threads, the front first: (registers, value to load, new last value)."""
        registers = [Signal(bits, name=f"{name}_{i}") for i in range(self._params.threads)]
        load, new = Signal(bits, name=f"{name}_load"), Signal(bits, name=f"{name}_new")
        with m.If(turning | loading):
            for one, other in pairwise(registers):
                m.d.sync += one.eq(other)
            m.d.sync += registers[-1].eq(Mux(loading, load, new))
        return registers, load, new

    def _delay(self, m: Module, name: str, value, cycles: int) -> list:
        """`value` and its delays by 1 to `cycles` cycles; low after `clear`."""
        stages = [value]
        for i in range(1, cycles + 1):
            stage = Signal(name=f"{name}_{i}")
            m.d.sync += stage.eq(stages[-1] & ~self.control.clear)
            stages.append(stage)
        return stages

    def _column(self, m: Module, run, copy, go, valid) -> tuple:
        """Stages 4 and 5: (the column is past the last one, the run is longer than can be).

        The ring of last columns starts at -1; it is two bits wider than a column, so that no run
        within a row and the next one leaves it.
        """
        column_bits = len(copy.column)
        skipped = Signal(ENTRY_BITS + MAX_RAW_BITS)
        ring = [Signal(column_bits + 2, name=f"column_{i}") for i in range(self._params.threads)]
        at = ring[-1]
        too_long = Signal()
        m.d.comb += skipped.eq(
            Mux(go, (run.entry << self.run_code.raw_bits)[: len(skipped)] | run.raw, 0)
        )
        m.d.sync += [
            at.eq(ring[0] + skipped[: column_bits + 1] + go),
            too_long.eq(skipped[column_bits + 1 :].any()),
        ]

        last = self.control.last_column
        remaining = Signal(signed(len(at) + 1))
        wraps, landed = Signal(), Signal.like(at)
        m.d.comb += [
            remaining.eq(last - at),
            wraps.eq(remaining < 0),
            # at - (last + 1)
            landed.eq(Mux(valid & wraps, ~remaining, at)),
            copy.column.eq(landed | Mux(self.control.upper, self._params.half_copy, 0)),
        ]
        m.d.sync += ring[-2].eq(landed)
        for one, other in pairwise(ring[:-1]):
            m.d.sync += one.eq(other)
        with m.If(self.control.clear):
            m.d.sync += [column.eq(~0) for column in ring]
        return wraps, too_long | (at > Cat(1, last))

    def _accumulate(self, m: Module, valid, row_end, record, weight, activation) -> None:
        """The sum of an ended row out in stage 6, a product into its thread's sum in stage 7."""
        waiting, factor = Signal(signed(8)), Signal(signed(8))
        product = Signal(signed(PRODUCT_BITS))
        begins = Signal()
        sums = [Signal(signed(SUM_BITS), name=f"sum_{i}") for i in range(self._params.threads)]
        m.d.sync += [
            waiting.eq(Mux(valid, weight, 0)),
            factor.eq(waiting),
            self.row.valid.eq(row_end & ~self.control.clear),
            self.row.record.eq(record),
            begins.eq(self.row.valid),
            self.events.symbol.eq(valid),
            self.events.mac.eq(factor != 0),
            self.events.gated.eq((factor != 0) & (activation == 0)),
        ]
        m.d.comb += [
            product.eq(factor * activation),
            self.row.sum.eq(sums[1]),
        ]
        for one, other in pairwise(sums):
            m.d.sync += one.eq(other)
        m.d.sync += sums[-1].eq(Mux(begins, 0, sums[0]) + product)
        with m.If(self.control.clear):
            m.d.sync += [one.eq(0) for one in sums]

"""What all lanes do in the same cycle: directories, priming, then the turns of the barrel."""

from itertools import pairwise

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from npu.chip import timing
from npu.chip.params import ChipParams
from npu.chip.weight_format import directory_words
from rtl.lane.bank import word_address_bits

RUN, VALUE = 0, 1
RESOLVE = 5
"""Cycles from a turn to the stage that knows whether it ended a row."""


def barrel(params: ChipParams) -> wiring.Signature:
    """Control of the lanes, seen from its source.

    `clear` is high between commands, and between positions for a cycle. `upper` says that the
    vector is in the upper half of the copies. `base` is the bank word of the sections,
    `last_column` the matrix's last column; both stay. `directory` reads the bank at
    `directory_address`; two cycles later the word is there and `entry`, `entry_kind` and
    `entry_thread` say whose it is; `end` follows the last one. `prime` fetches a word for
    `slot_thread` and `slot_kind` in any case, `run` if there is room; it comes as `fill_thread` and
    `fill_kind`. `run` is high from the first turn on, turns are `slot_thread`'s. `align` turns the
    barrel of results once, so that RESOLVE cycles after a turn its thread is in front.
    """
    address = word_address_bits(params)
    thread = range(params.threads)
    return wiring.Signature(
        {
            "clear": Out(1),
            "base": Out(address),
            "last_column": Out(range(params.activation_entries)),
            "upper": Out(1),
            "directory": Out(1),
            "directory_address": Out(address),
            "entry": Out(1),
            "entry_kind": Out(1),
            "entry_thread": Out(thread),
            "end": Out(1),
            "prime": Out(1),
            "slot_kind": Out(1),
            "slot_thread": Out(thread),
            "fill_kind": Out(1),
            "fill_thread": Out(thread),
            "align": Out(1),
            "run": Out(1),
        }
    )


class Barrel(wiring.Component):
    """Steps all lanes through their directories and first words, then turn by turn.

    From the cycle after `start` on: timing.prime cycles, after which `ready` is high. The turns
    begin in the cycle after one with `go`, and last until `clear`.

    Parameters
    ----------
    params : ChipParams.

    Members
    -------
    clear : In, idle: everything as before the first command.
    start : In, high for one cycle, with or without `clear`.
    base : In, bank word of the sections, stable while not `clear`.
    last_column, upper : In, stable while not `clear`.
    go : In, high for one cycle, once `ready`.
    ready : Out.
    control : Out, `barrel`.
    """

    def __init__(self, params: ChipParams) -> None:
        self._params = params
        super().__init__(
            {
                "clear": In(1),
                "start": In(1),
                "base": In(word_address_bits(params)),
                "last_column": In(range(params.activation_entries)),
                "upper": In(1),
                "go": In(1),
                "ready": Out(1),
                "control": Out(barrel(params)),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        threads = self._params.threads
        control = self.control
        head = directory_words(threads)
        length = timing.prime(threads)
        # The directory is complete before the first stream is read. The last of the first words
        # come during the first turn, which does not touch them yet.
        prime_from = align_from = head + timing.BANK_LATENCY + 1
        prime_to = prime_from + 2 * threads * timing.PRIME_WORDS
        assert prime_to <= length + 1

        cycle = Signal(range(length + 1))
        loading = Signal()
        with m.If(self.start):
            m.d.sync += [cycle.eq(0), loading.eq(1), control.directory_address.eq(self.base)]
        with m.Elif(self.clear | self.go):
            m.d.sync += loading.eq(0)
        with m.Elif(loading & ~self.ready):
            m.d.sync += [
                cycle.eq(cycle + 1),
                control.directory_address.eq(control.directory_address + 1),
            ]

        word = Signal(range(head))
        coming = [Signal(name=f"coming_{i}") for i in range(timing.BANK_LATENCY)]
        m.d.comb += [
            self.ready.eq(loading & (cycle == length)),
            control.clear.eq(self.clear),
            control.base.eq(self.base),
            control.last_column.eq(self.last_column),
            control.upper.eq(self.upper),
            control.directory.eq(loading & (cycle < head)),
            control.prime.eq(loading & (cycle >= prime_from) & (cycle < prime_to)),
            control.align.eq(
                loading & (cycle >= align_from) & (cycle < align_from + -RESOLVE % threads)
            ),
            control.entry.eq(coming[-1]),
            control.entry_kind.eq(word[0]),
            control.entry_thread.eq(word >> 1),
        ]
        m.d.sync += control.end.eq(coming[-1] & (word == head - 1))
        m.d.sync += coming[0].eq(control.directory)
        for one, two in pairwise(coming):
            m.d.sync += two.eq(one)
        with m.If(self.clear | control.end):
            m.d.sync += word.eq(0)
        with m.Elif(coming[-1]):
            m.d.sync += word.eq(word + 1)

        with m.If(self.clear):
            m.d.sync += control.run.eq(0)
        with m.Elif(self.go):
            m.d.sync += control.run.eq(1)
        with m.If(self.clear):
            m.d.sync += [control.slot_thread.eq(0), control.slot_kind.eq(RUN)]
        with m.Elif(control.prime | control.run):
            last = control.slot_thread == threads - 1
            m.d.sync += [
                control.slot_thread.eq(Mux(last, 0, control.slot_thread + 1)),
                control.slot_kind.eq(control.slot_kind ^ last),
            ]

        # The slot, delayed by what the bank takes.
        kind, thread = control.slot_kind, control.slot_thread
        for i in range(timing.BANK_LATENCY - 1):
            kind_after = Signal(name=f"kind_{i}")
            thread_after = Signal(range(threads), name=f"thread_{i}")
            m.d.sync += [kind_after.eq(kind), thread_after.eq(thread)]
            kind, thread = kind_after, thread_after
        m.d.sync += [control.fill_kind.eq(kind), control.fill_thread.eq(thread)]
        return m

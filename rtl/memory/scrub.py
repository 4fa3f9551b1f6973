"""Fills the memories with zeros behind a hardware reset: unwritten words have good parity."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out
from amaranth.utils import ceil_log2

from npu.chip.params import ChipParams
from npu.chip.weight_format import MAX_SYMBOLS, PARAM_WORD


def words(params: ChipParams) -> int:
    """Addresses of the write port that has most; one cycle each.

    A port with fewer bits takes the low ones, and writes its zeros several times.
    """
    param_words = -(-params.param_bytes // (2 * PARAM_WORD)) * 2 * PARAM_WORD // params.bus_bytes
    return max(
        params.bank_bus_words,
        params.sram_bytes // params.bus_bytes,
        params.program_bytes // params.bus_bytes,
        params.activation_entries // params.bus_bytes,
        param_words,
        MAX_SYMBOLS,
    )


def scrub(params: ChipParams) -> wiring.Signature:
    """Zeros go to `address` of every memory while `en` is high, seen from the scrubber."""
    return wiring.Signature({"en": Out(1), "address": Out(ceil_log2(words(params)))})


class Scrubber(wiring.Component):
    """Steps through all addresses once, from the first cycle behind a hardware reset on.

    Parameters
    ----------
    params : ChipParams.

    Members
    -------
    scrub : Out, `scrub`.
    """

    def __init__(self, params: ChipParams) -> None:
        self._words = words(params)
        super().__init__({"scrub": Out(scrub(params))})

    def elaborate(self, platform) -> Module:
        m = Module()
        busy = Signal(init=1)
        with m.If(busy):
            m.d.sync += self.scrub.address.eq(self.scrub.address + 1)
            with m.If(self.scrub.address == self._words - 1):
                m.d.sync += busy.eq(0)
        m.d.comb += self.scrub.en.eq(busy)
        return m

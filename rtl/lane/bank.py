"""The weight bank of one lane."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.memory import WritePort
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from npu.chip.params import ChipParams
from npu.chip.weight_format import WORD_BITS
from rtl.memory.ram import block_ram, read_after, write_group
from rtl.shared import interfaces


def word_address_bits(params: ChipParams) -> int:
    """Width of the address of a WORD_BITS word in a bank."""
    return ceil_log2(params.bank_words)


class WeightBank(wiring.Component):
    """Written in bus words, read in words of WORD_BITS bits: one of each per cycle.

    A word comes timing.BANK_LATENCY = 2 cycles after its address, and stays for that cycle only.
    An address outside the bank, or one that is being written, reads anything and harms nothing.

    Parameters
    ----------
    params : ChipParams.

    Members
    -------
    write : `amaranth.lib.memory.WritePort` of bus words, seen from the memory.
    en, address : In, read this word.
    word : Out.
    """

    def __init__(self, params: ChipParams) -> None:
        self._params = params
        super().__init__(
            {
                "write": Out(
                    WritePort.Signature(
                        addr_width=ceil_log2(params.bank_bus_words),
                        shape=interfaces.bus_bits(params),
                    )
                ),
                "en": In(1),
                "address": In(word_address_bits(params)),
                "word": Out(WORD_BITS),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.memory = memory = block_ram(WORD_BITS, self._params.bank_words)
        words = self._params.bus_words
        write_group(
            m,
            memory,
            self.write.en,
            self.write.addr,
            [self.write.data.word_select(i, WORD_BITS) for i in range(words)],
        )
        m.d.sync += self.word.eq(read_after(m, memory, self.address, self.en))
        return m

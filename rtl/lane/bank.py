"""The weight bank of one lane."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.memory import WritePort
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from npu.chip.params import ChipParams
from npu.chip.weight_format import WORD_BITS
from rtl.memory.parity import block_ram
from rtl.shared import interfaces
from rtl.shared.options import PLAIN, Options


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
    options : Options.

    Members
    -------
    write : `amaranth.lib.memory.WritePort` of bus words, seen from the memory.
    en, address : In, read this word.
    word : Out.
    wrong : Out, only with parity, see `rtl.memory.parity.ParityRam`.
    """

    def __init__(self, params: ChipParams, options: Options = PLAIN) -> None:
        self._params, self._options = params, options
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
                **({"wrong": Out(1)} if options.parity else {}),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        p = self._params
        ram = block_ram("bank", WORD_BITS, p.bank_words, group=p.bus_words, options=self._options)
        m.submodules[ram.name] = ram
        m.d.comb += [
            ram.write_en.eq(self.write.en),
            ram.write_addr.eq(self.write.addr),
            ram.write_data.eq(self.write.data),
            ram.read_en.eq(self.en),
            ram.read_addr.eq(self.address),
        ]
        m.d.sync += self.word.eq(ram.read_data)
        if self._options.parity:
            m.d.comb += self.wrong.eq(ram.wrong)
        return m

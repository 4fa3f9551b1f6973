"""Numbers in vector SRAM: what LOADS and STORES move."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from npu.chip.params import ChipParams
from rtl.shared.interfaces import sram_read, sram_write

BITS = 32
BYTES = BITS // 8
# log2 of bytes: the field `type` of both commands, up to this.
LARGEST_TYPE = exact_log2(BYTES)


class SramNumbers(wiring.Component):
    """Moves a number of 2**kind bytes between a register and vector SRAM.

    Parameters
    ----------
    params : ChipParams.

    Members
    -------
    address, kind : In, the place in bytes; stable from the command's first cycle on.
    bad : Out, the place is misaligned or outside SRAM, or there is no such kind.
    load : In, the command is LOADS; `value` is its result, zero else.
    reads : In, ask SRAM now: `value` follows two cycles later.
    writes, word : In, write the low bytes of the word now.
    value : Out, sign-extended.
    sram, sram_write : ports of the vector SRAM, zero when idle.
    """

    def __init__(self, params: ChipParams) -> None:
        self._params = params
        super().__init__(
            {
                "address": In(32),
                "kind": In(2),
                "bad": Out(1),
                "load": In(1),
                "reads": In(1),
                "writes": In(1),
                "word": In(BITS),
                "value": Out(BITS),
                "sram": In(sram_read(params)),
                "sram_write": In(sram_write(params)),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        p, address = self._params, self.address
        bus_bits = exact_log2(p.bus_bytes)
        is_byte, is_half, is_word = (self.kind == kind for kind in range(LARGEST_TYPE + 1))
        odd = (address[0] & ~is_byte) | (address[1] & is_word)
        m.d.comb += self.bad.eq(odd | (address >= p.sram_bytes) | (self.kind > LARGEST_TYPE))

        # A read port's `en` is 1 where nothing drives it.
        m.d.comb += self.sram.en.eq(self.reads)
        with m.If(self.reads):
            m.d.comb += self.sram.addr.eq(address[bus_bits:])
        found = Signal(BITS)
        with m.If(self.load):
            m.d.sync += found.eq(self.sram.data.word_select(address[2:bus_bits], BITS))
        with m.Else():
            m.d.sync += found.eq(0)
        low = Mux(address[1] & ~is_word, found[16:], found[:16])
        byte = Mux(address[0] & is_byte, low[8:], low[:8])
        sign = Mux(is_byte, byte[-1], low[-1])
        upper = Mux(is_word, found[16:], sign.replicate(16))
        m.d.comb += self.value.eq(Cat(byte, Mux(is_byte, sign.replicate(8), low[8:]), upper))

        with m.If(self.writes):
            first, second, *rest = (self.word[8 * i : 8 * i + 8] for i in range(BYTES))
            odd_byte = Mux(is_byte, first, second)
            pair = Cat(first, odd_byte)
            word = Cat(pair, Mux(is_word, Cat(rest), pair))
            lanes = Mux(is_byte, 1, Mux(is_half, 0b11, 0b1111))
            m.d.comb += [
                self.sram_write.addr.eq(address[bus_bits:]),
                self.sram_write.data.eq(word.replicate(p.bus_bytes // BYTES)),
                self.sram_write.en.eq(lanes << address[:bus_bits]),
            ]
        return m

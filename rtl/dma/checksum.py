"""The checksum of a tile, a beat in every cycle."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib.crc.catalog import CRC32_ETHERNET

from npu.chip.tile import CHECKSUM_WORD
from npu.chip.weight_format import WORD_BITS
from rtl.dma.front import Front


class Checksum:
    """What `npu.chip.tile` calls the checksum, in the dealer's module.

    A CRC is linear. The first 32 bits of a beat are added to the register (the CRC, inverted), and
    each bit that is then set adds a constant of its own to the next register: one tree for both.

    Parameters
    ----------
    m : the dealer's module.
    front : the tile's front.
    start : a tile follows.
    comes : a beat is taken, `data`.

    Attributes
    ----------
    differs : from two cycles behind the tile's last beat until the next start: the tile is not what
        its header says.
    """

    def __init__(self, m: Module, front: Front, start: Signal, comes: Signal, data: Signal) -> None:
        total, met = Signal(WORD_BITS), Signal(WORD_BITS * front.words)
        self.differs = Signal()
        words = [data.word_select(n, WORD_BITS) for n in range(front.words)]
        place = CHECKSUM_WORD % front.words
        words[place] = Mux(front.checks, 0, words[place])
        words[0] = words[0] ^ total
        m.d.comb += met.eq(Cat(*words))
        with m.If(start):
            m.d.sync += total.eq(~0)
        with m.Elif(comes):
            m.d.sync += total.eq(Cat((met & adds).xor() for adds in _adds(len(met))))
        m.d.sync += self.differs.eq(~total != front.header["checksum"])


def _adds(width: int) -> list[int]:
    """For every bit of the register, the bits of a beat of `width` bits that are added for it."""
    crc = CRC32_ETHERNET(data_width=width)
    none = crc.compute([0])
    columns = [crc.compute([1 << n]) ^ none for n in range(width)]
    return [
        sum((column >> bit & 1) << n for n, column in enumerate(columns))
        for bit in range(WORD_BITS)
    ]

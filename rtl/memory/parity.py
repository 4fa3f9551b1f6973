"""Block RAM with a bit of parity for every byte."""

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2, exact_log2

from rtl.memory.ram import BlockRam
from rtl.shared.options import PLAIN, Options

BYTE_BITS = 8
WRONG_LATENCY = 3
"""Cycles from the address of a word to what its parity says."""


class ParityRam(wiring.Component):
    """A `BlockRam` whose bytes have a bit more, which makes their ones even.

    A word of no whole bytes is one byte. On an ECP5 bytes of block RAM have nine bits.

    `wrong` is high WRONG_LATENCY cycles after a word with an odd byte was asked for with `check`:
    not for a byte that was being written then, nor outside the memory. With `stays` it follows what
    is on `read_data` by two cycles instead, as long as that is.

    What nobody has written must have been filled with zeros (`rtl.memory.scrub`).

    Parameters
    ----------
    purpose, width, depth, group : of `BlockRam`, without parity.
    by_bytes : one write enable for every byte; `group` is 1 then.
    stays : see `wrong`.

    Members
    -------
    read_en, read_addr, read_data, write_en, write_addr, write_data : see `BlockRam`.
    check : In, the word that is asked for is used.
    wrong : Out.
    """

    def __init__(
        self,
        purpose: str,
        width: int,
        depth: int,
        *,
        group: int = 1,
        by_bytes: bool = False,
        stays: bool = False,
    ) -> None:
        self._byte = BYTE_BITS if width % BYTE_BITS == 0 else width
        self._bytes = width // self._byte
        self._depth, self._group, self._by_bytes, self._stays = depth, group, by_bytes, stays
        enables = self._bytes if by_bytes else 1
        self._ram = BlockRam(purpose, width + self._bytes, depth, group=group, enables=enables)
        self.name = f"checked_{purpose}"
        super().__init__(
            {
                "read_en": In(1),
                "read_addr": In(ceil_log2(depth)),
                "read_data": Out(width),
                "write_en": In(enables),
                "write_addr": In(ceil_log2(depth // group)),
                "write_data": In(group * width),
                "check": In(1, init=1),
                "wrong": Out(1),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules[self._ram.name] = ram = self._ram
        written = [
            self.write_data.word_select(i, self._byte) for i in range(self._group * self._bytes)
        ]
        for name in ("read_en", "read_addr", "write_en", "write_addr"):
            m.d.comb += getattr(ram, name).eq(getattr(self, name))
        # The result of an operator is one port of the memory's module; parts would be many.
        whole = Cat(Cat(byte, byte.xor()) for byte in written) | Const(0, len(ram.write_data))
        m.d.comb += ram.write_data.eq(whole)
        stored = [ram.read_data.word_select(i, self._byte + 1) for i in range(self._bytes)]
        m.d.comb += self.read_data.eq(Cat(byte[:-1] for byte in stored))
        # In the cycle of the word, as RAM is slow itself; what is told of it in the next one.
        odd = Signal(self._bytes)
        m.d.sync += odd.eq(Cat(byte.xor() for byte in stored))
        if self._stays:
            self._follow(m, odd)
        else:
            self._watch(m, odd)
        return m

    def _follow(self, m: Module, odd: Signal) -> None:
        """`wrong` of the word that stays, once there is one."""
        there, known = Signal(), Signal()
        with m.If(self.read_en):
            m.d.sync += there.eq(self.check)
        m.d.sync += [known.eq(there), self.wrong.eq(known & odd.any())]

    def _watch(self, m: Module, odd: Signal) -> None:
        """`wrong` of the words that are used."""
        asked, used = Signal(), Signal()
        read_at, written_at = Signal.like(self.read_addr), Signal.like(self.write_addr)
        writes, met = Signal.like(self.write_en), Signal.like(odd)
        same = read_at[exact_log2(self._group) :] == written_at
        inside = 1 if self._depth == 1 << len(read_at) else read_at < self._depth
        mine = [writes[i if self._by_bytes else 0] for i in range(self._bytes)]
        m.d.sync += [
            asked.eq(self.read_en & self.check),
            read_at.eq(self.read_addr),
            written_at.eq(self.write_addr),
            writes.eq(self.write_en),
            used.eq(asked & inside),
            met.eq(Cat(same & write for write in mine)),
            self.wrong.eq(used & (odd & ~met).any()),
        ]


def block_ram(
    purpose: str,
    width: int,
    depth: int,
    *,
    group: int = 1,
    by_bytes: bool = False,
    stays: bool = False,
    options: Options = PLAIN,
) -> "BlockRam | ParityRam":
    """A block RAM of the chip, as the options say; with parity it has `check` and `wrong`."""
    if options.parity:
        return ParityRam(purpose, width, depth, group=group, by_bytes=by_bytes, stays=stays)
    enables = width // BYTE_BITS if by_bytes else 1
    return BlockRam(purpose, width, depth, group=group, enables=enables)

"""The one place where the chip has block RAM: on an ASIC, the one to put a macro in."""

from amaranth.hdl import Cat, Const, Module
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2, exact_log2

MACRO = "ram"
"""Modules of memories, and no others, begin with it: `rtl.verilog` calls them by what they are."""


class BlockRam(wiring.Component):
    """A synchronous memory with a port to read and a port to write, on one clock.

    The word comes a cycle after its address, and stays while `read_en` is low. Nobody relies on
    reading a word that is being written, or one that is outside: without that promise
    (`no_rw_check`, Yosys) a read port gets a bypass around the RAM. Contents and output have no
    reset.

    A write has `group` words, which stand side by side; `write_addr` counts groups. Tools merge the
    ports: the RAM is written by groups and read by words, without a multiplexer.

    In the Verilog it is a module of its own, called after its purpose and size, with the members as
    ports (`clk` besides; where it is read in every cycle there is no `read_en`). To put in a macro,
    replace the module's body; pins for BIST, repair and sleep are an option of the export
    (`rtl.verilog.ram_pins`). Bits for ECC or parity are part of the word: see `rtl.memory.parity`.

    Parameters
    ----------
    purpose : what it is for; small letters.
    width, depth : bits of a word, and words.
    group : words of a write, a power of two.
    enables : parts of a word, of equal width, that are written each for itself; 1 with a group.

    Members
    -------
    read_en, read_addr : In.
    read_data : Out.
    write_en, write_addr, write_data : In.
    """

    def __init__(
        self, purpose: str, width: int, depth: int, *, group: int = 1, enables: int = 1
    ) -> None:
        self._depth, self._group, self._enables = depth, group, enables
        self.name = f"{MACRO}_{purpose}_{depth}x{width}"
        super().__init__(
            {
                "read_en": In(1),
                "read_addr": In(ceil_log2(depth)),
                "read_data": Out(width),
                "write_en": In(enables),
                "write_addr": In(ceil_log2(depth // group)),
                "write_data": In(group * width),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        width = len(self.read_data)
        attributes = {"ram_style": "block", "no_rw_check": 1}
        memory = Memory(shape=width, depth=self._depth, init=[], attrs=attributes)
        m.submodules.memory = memory
        place_bits = exact_log2(self._group)
        granularity = width // self._enables if self._enables > 1 else None
        for place in range(self._group):
            port = memory.write_port(granularity=granularity)
            m.d.comb += [
                port.en.eq(self.write_en),
                port.addr.eq(Cat(Const(place, place_bits), self.write_addr)),
                port.data.eq(self.write_data[place * width : (place + 1) * width]),
            ]
        read = memory.read_port()
        m.d.comb += [
            read.en.eq(self.read_en),
            read.addr.eq(self.read_addr),
            self.read_data.eq(read.data),
        ]
        return m

"""Block RAM as synthesis tools build it without logic around it."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Signal, ValueCastable
from amaranth.lib.memory import Memory
from amaranth.utils import exact_log2


def block_ram(shape, depth: int) -> Memory:
    """A memory in block RAM; nobody relies on reading an address that is being written.

    Without that promise (`no_rw_check`, Yosys) a read port gets a bypass around the RAM.
    """
    attributes = {"ram_style": "block", "no_rw_check": 1}
    return Memory(shape=shape, depth=depth, init=[], attrs=attributes)


def read_after(m: Module, memory: Memory, address, en=1) -> Signal | ValueCastable:
    """Contents at `address` one cycle after it, held while `en` is low."""
    port = memory.read_port(domain="comb")
    data = Signal(memory.shape)
    m.d.comb += port.addr.eq(address)
    with m.If(en):
        m.d.sync += data.eq(port.data)
    return data


def write_group(m: Module, memory: Memory, en, address, words: Sequence) -> None:
    """Write 2^n words that stand side by side; `address` counts groups of them.

    Tools merge the ports: the RAM is written by groups and read by words, without a multiplexer.
    """
    place_bits = exact_log2(len(words))
    for place, word in enumerate(words):
        port = memory.write_port()
        m.d.comb += [
            port.en.eq(en),
            port.addr.eq(Cat(Const(place, place_bits), address)),
            port.data.eq(word),
        ]

"""Block RAM as synthesis tools build it without logic around it."""

from amaranth.hdl import Module, Signal, ValueCastable
from amaranth.lib.memory import Memory


def block_ram(shape, depth: int) -> Memory:
    """A memory for `read_after`: in block RAM, and nobody reads an address that is being written.

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

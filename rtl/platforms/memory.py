"""External memory out of block RAM, for boards: an AXI4 subordinate with a port for the host."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2, exact_log2

from rtl.shared import axi


class BoardMemory(wiring.Component):
    """AXI4 memory of a power of two of bytes; a host reads and writes words of 32 bits.

    Bursts of type INCR of whole bus words, one at a time, reads and writes in turns, the host
    between bursts. Write strobes count. Addresses wrap at the memory's size.

    Parameters
    ----------
    bus_bytes : width of the AXI bus.
    memory_bytes : size.

    Members
    -------
    axi : In, AXI4 subordinate.
    address : In, byte address of the host's access, a multiple of 4.
    write, read : In, one of them high, with stable inputs, until `done`.
    write_data : In.
    done : Out, high for one cycle; `read_data` is valid then.
    read_data : Out.
    """

    def __init__(self, bus_bytes: int, memory_bytes: int) -> None:
        self._bus_bytes = bus_bytes
        self._words = memory_bytes // bus_bytes
        super().__init__(
            {
                "axi": In(axi.axi4(bus_bytes)),
                "address": In(ceil_log2(memory_bytes)),
                "write": In(1),
                "read": In(1),
                "write_data": In(32),
                "done": Out(1),
                "read_data": Out(32),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        bus, n_bytes = self.axi, self._bus_bytes
        shift = exact_log2(n_bytes)
        memory = Memory(
            shape=8 * n_bytes,
            depth=self._words,
            init=[],
            attrs={"ram_style": "block", "no_rw_check": 1},
        )
        m.submodules.memory = memory
        read, write = memory.read_port(), memory.write_port(granularity=8)

        at = Signal(range(self._words))
        left = Signal(9)
        place = self.address[2:shift]
        m.d.comb += [
            read.addr.eq(at),
            write.addr.eq(at),
            write.data.eq(bus.w.payload.data),
            bus.r.payload.data.eq(read.data),
            bus.r.payload.last.eq(left == 1),
            self.read_data.eq(read.data.word_select(place, 32)),
        ]

        def take(channel, state: str) -> None:
            m.d.comb += channel.ready.eq(1)
            m.d.sync += [at.eq(channel.payload.addr >> shift), left.eq(channel.payload.len + 1)]
            m.next = state

        with m.FSM():
            with m.State("IDLE"):
                with m.If(self.write | self.read):
                    m.d.sync += at.eq(self.address >> shift)
                    m.next = "HOST"
                with m.Elif(bus.aw.valid):
                    take(bus.aw, "WRITE")
                with m.Elif(bus.ar.valid):
                    take(bus.ar, "FIRST")
            with m.State("HOST"):
                m.d.comb += write.data.eq(self.write_data.replicate(n_bytes // 4))
                with m.If(self.write):
                    m.d.comb += write.en.eq(0xF << (place << 2))
                m.next = "ANSWER"
            with m.State("ANSWER"):
                m.d.comb += self.done.eq(1)
                m.next = "IDLE"
            with m.State("WRITE"):
                m.d.comb += bus.w.ready.eq(1)
                with m.If(bus.w.valid):
                    m.d.comb += write.en.eq(bus.w.payload.strb)
                    m.d.sync += at.eq(at + 1)
                    with m.If(bus.w.payload.last):
                        m.next = "RESPOND"
            with m.State("RESPOND"):
                m.d.comb += bus.b.valid.eq(1)
                with m.If(bus.b.ready):
                    m.next = "IDLE"
            with m.State("FIRST"):
                m.d.sync += at.eq(at + 1)
                m.next = "READ"
            with m.State("READ"):
                m.d.comb += [bus.r.valid.eq(1), read.en.eq(bus.r.ready)]
                with m.If(bus.r.ready):
                    m.d.sync += [left.eq(left - 1), at.eq(at + 1)]
                    m.next = "READ"
                    with m.If(bus.r.payload.last):
                        m.next = "IDLE"
        return m

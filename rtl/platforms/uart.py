"""A host on a serial line: bytes, then accesses to registers and memory."""

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from rtl.platforms.protocol import ANSWER_BYTES, READ, REQUEST_BYTES, WRITE
from rtl.shared import axi


class UartReceiver(wiring.Component):
    """Bytes of a line: one start bit, eight bits, one stop bit; samples in the middle of a bit.

    Parameters
    ----------
    divisor : clock cycles per bit, at least 4.

    Members
    -------
    line : In, synchronised here.
    byte : Out, high `valid` for one cycle; nobody waits.
    """

    def __init__(self, divisor: int) -> None:
        self._divisor = divisor
        super().__init__({"line": In(1, init=1), "valid": Out(1), "byte": Out(8)})

    def elaborate(self, platform) -> Module:
        m = Module()
        stages = Signal(2, init=3)
        timer = Signal(range(self._divisor + self._divisor // 2))
        left = Signal(range(10))
        m.d.sync += [stages.eq(Cat(self.line, stages)), self.valid.eq(0)]
        with m.If(timer != 0):
            m.d.sync += timer.eq(timer - 1)
        with m.Elif(left != 0):
            m.d.sync += [timer.eq(self._divisor - 1), left.eq(left - 1)]
            with m.If(left == 1):
                m.d.sync += [timer.eq(0), self.valid.eq(stages[1])]
            with m.Else():
                m.d.sync += self.byte.eq(Cat(self.byte[1:], stages[1]))
        with m.Elif(~stages[1]):
            m.d.sync += [timer.eq(self._divisor + self._divisor // 2 - 2), left.eq(9)]
        return m


class UartSender(wiring.Component):
    """Bytes onto a line.

    Parameters
    ----------
    divisor : clock cycles per bit.

    Members
    -------
    bytes : In, stream of bytes.
    line : Out.
    """

    def __init__(self, divisor: int) -> None:
        self._divisor = divisor
        super().__init__({"bytes": In(stream.Signature(8)), "line": Out(1, init=1)})

    def elaborate(self, platform) -> Module:
        m = Module()
        timer = Signal(range(self._divisor))
        bits = Signal(10, init=1)
        left = Signal(range(11))
        m.d.comb += [self.bytes.ready.eq(left == 0), self.line.eq(bits[0])]
        with m.If(left == 0), m.If(self.bytes.valid):
            m.d.sync += [
                bits.eq(Cat(0, self.bytes.payload, 1)),
                left.eq(10),
                timer.eq(self._divisor - 1),
            ]
        with m.Elif(timer != 0):
            m.d.sync += timer.eq(timer - 1)
        with m.Else():
            m.d.sync += [timer.eq(self._divisor - 1), left.eq(left - 1), bits.eq(Cat(bits[1:], 1))]
        return m


class SerialHost(wiring.Component):
    """Accesses of 32 bits that a host asks for on a serial line.

    Requests and answers are those of `rtl.platforms.protocol`.

    Parameters
    ----------
    divisor : clock cycles per bit.
    register_bits, memory_bits : widths of the addresses of registers and memory.

    Members
    -------
    receive, send : the line.
    axil : Out, AXI4-Lite manager: the registers.
    address, write, read, write_data, done, read_data : Out, see `rtl.platforms.memory`.
    """

    def __init__(self, divisor: int, register_bits: int, memory_bits: int) -> None:
        self._divisor = divisor
        super().__init__(
            {
                "receive": In(1, init=1),
                "send": Out(1, init=1),
                "axil": Out(axi.axi4_lite(register_bits)),
                "address": Out(memory_bits),
                "write": Out(1),
                "read": Out(1),
                "write_data": Out(32),
                "done": In(1),
                "read_data": In(32),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        bus = self.axil
        m.submodules.receiver = receiver = UartReceiver(self._divisor)
        m.submodules.sender = sender = UartSender(self._divisor)
        m.d.comb += [receiver.line.eq(self.receive), self.send.eq(sender.line)]

        request = Signal(8 * REQUEST_BYTES)
        answer = Signal(8 * ANSWER_BYTES)
        count = Signal(range(REQUEST_BYTES + 1))
        address, data = request[8:40], request[40:]
        writes = request[:8] == WRITE[0]
        m.d.comb += [
            self.address.eq(address),
            self.write_data.eq(data),
            bus.aw.payload.addr.eq(address),
            bus.ar.payload.addr.eq(address),
            bus.w.payload.data.eq(data),
            bus.w.payload.strb.eq(0xF),
            bus.b.ready.eq(1),
            bus.r.ready.eq(1),
            sender.bytes.payload.eq(answer),
        ]
        with m.FSM():
            with m.State("REQUEST"):
                known = (receiver.byte == WRITE[0]) | (receiver.byte == READ[0])
                with m.If(receiver.valid & ((count != 0) | known)):
                    m.d.sync += [
                        request.eq(Cat(request[8:], receiver.byte)),
                        count.eq(count + 1),
                    ]
                    with m.If(count == REQUEST_BYTES - 1):
                        m.next = "START"
            with m.State("START"):
                m.d.sync += count.eq(0)
                with m.If(address[-1]):
                    m.d.sync += [
                        bus.aw.valid.eq(writes),
                        bus.w.valid.eq(writes),
                        bus.ar.valid.eq(~writes),
                    ]
                    m.next = "REGISTER"
                with m.Else():
                    m.next = "MEMORY"
            with m.State("MEMORY"):
                m.d.comb += [self.write.eq(writes), self.read.eq(~writes)]
                with m.If(self.done):
                    m.d.sync += answer.eq(self.read_data << 8)
                    m.next = "ANSWER"
            with m.State("REGISTER"):
                for channel in (bus.aw, bus.w, bus.ar):
                    with m.If(channel.ready):
                        m.d.sync += channel.valid.eq(0)
                with m.If(bus.b.valid):
                    m.d.sync += answer.eq(bus.b.payload.resp[1])
                    m.next = "ANSWER"
                with m.If(bus.r.valid):
                    m.d.sync += answer.eq(
                        Cat(bus.r.payload.resp[1], Const(0, 7), bus.r.payload.data)
                    )
                    m.next = "ANSWER"
            with m.State("ANSWER"):
                m.d.comb += sender.bytes.valid.eq(1)
                with m.If(sender.bytes.ready):
                    m.d.sync += [answer.eq(answer >> 8), count.eq(count + 1)]
                    with m.If(count == ANSWER_BYTES - 1):
                        m.d.sync += count.eq(0)
                        m.next = "REQUEST"
        return m

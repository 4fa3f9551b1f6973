"""Deals the sections of a tile to the weight banks."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from npu.format import tile_directory_bytes
from npu.params import ChipParams
from rtl.interfaces import bank_bus_words, bank_write, bus_bits

LENGTH_BITS = 16


class TileDealer(wiring.Component):
    """Writes a tile into the banks as its beats arrive: directory first, then a section per lane.

    Takes a beat in every cycle and writes it in the same cycle. The directory gives the bus words
    of every lane's section. A tile fits when every section has at least one word, none leaves the
    bank, and the last section ends with the transfer (`npu.format`, "tile in external memory").

    Parameters
    ----------
    params : ChipParams.

    Members
    -------
    start, bank : In, a tile follows, at bus word `bank` of every bank.
    en, data : In, a beat.
    port : Out, the banks' write port.
    error : Out, from the cycle behind the beat that does not fit until the next `start`.
    complete : Out, from the cycle behind the beat that ends the last section until the next
        `start`.
    """

    def __init__(self, params: ChipParams) -> None:
        self._params = params
        super().__init__(
            {
                "start": In(1),
                "bank": In(24),
                "en": In(1),
                "data": In(bus_bits(params)),
                "port": Out(bank_write(params).flip()),
                "error": Out(1),
                "complete": Out(1),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        p = self._params
        words = bank_bus_words(p)
        in_beat = p.bus_bytes // 2
        beats = tile_directory_bytes(p.lanes, p.bus_bytes) // p.bus_bytes

        m.submodules.directory = directory = memory.Memory(shape=bus_bits(p), depth=beats, init=[])
        write = directory.write_port()
        read = directory.read_port(domain="comb")

        reading = Signal()  # the directory
        at = Signal(range(beats))
        lane = Signal(range(p.lanes))
        index = Signal(LENGTH_BITS)
        base = Signal(range(words + 1))
        address = Signal(range(words + 1))
        failed = Signal()
        ended = Signal()
        length = Signal(LENGTH_BITS)
        place = Signal(range(in_beat))
        m.d.comb += [
            Cat(place, read.addr).eq(lane),
            length.eq(read.data.word_select(place, LENGTH_BITS)),
            write.addr.eq(at),
            write.data.eq(self.data),
            write.en.eq(self.en & reading),
        ]

        section = Signal()
        last = Signal()
        misfit = Signal()
        m.d.comb += [
            section.eq(self.en & ~reading & ~failed),
            last.eq(index + 1 == length),
            misfit.eq(section & (ended | (length == 0) | (address >= words))),
            self.port.en.eq(section & ~misfit),
            self.port.addr.eq(address),
            self.port.data.eq(self.data),
            self.port.lane.eq(lane),
            self.error.eq(failed),
            self.complete.eq(ended),
        ]

        with m.If(self.en & reading):
            m.d.sync += at.eq(at + 1)
            with m.If(at == beats - 1):
                m.d.sync += [reading.eq(0), at.eq(0)]
        with m.If(section):
            m.d.sync += [failed.eq(misfit), ended.eq(ended | (last & (lane == p.lanes - 1)))]
            with m.If(last):
                m.d.sync += [lane.eq(lane + 1), index.eq(0), address.eq(base)]
            with m.Else():
                m.d.sync += [index.eq(index + 1), address.eq(address + 1)]
        with m.If(self.start):
            begin = Signal.like(base)
            m.d.comb += begin.eq(Mux(self.bank < words, self.bank, words))
            m.d.sync += [
                *(reading.eq(1), at.eq(0), lane.eq(0), index.eq(0)),
                *(failed.eq(0), ended.eq(0), base.eq(begin), address.eq(begin)),
            ]
        return m

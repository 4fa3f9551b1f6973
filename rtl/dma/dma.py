"""DMA engine: a queue of transfers over AXI4, in their order."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, fifo, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from npu.chip.isa import TAGGED
from npu.chip.params import ChipParams
from npu.chip.status import WATCHDOG_BITS, Status
from rtl.dma.asks import BEATS_BITS, Asks
from rtl.dma.bursts import Bursts
from rtl.dma.tags import count_tags
from rtl.dma.tile import TileDealer
from rtl.dma.watchdog import Watchdog
from rtl.dma.writes import Writes
from rtl.shared import axi
from rtl.shared.interfaces import (
    KINDS,
    PC_BITS,
    STATUS_BITS,
    bank_write,
    bus_bits,
    param_write,
    program_write,
    sram_read,
    sram_write,
    transfer,
)

# The control block's own kind of transfer, behind those of the sequencer.
LOAD_PROGRAM = len(KINDS)
WRITES = ("STORE", "STORE_REG")


def program_load() -> wiring.Signature:
    """The control block's request for a transfer into program memory, seen from the control block.

    `valid` with a stable payload until `done`, which is high for one cycle, or a silent bus.
    """
    return wiring.Signature(
        {
            "valid": Out(1),
            "address": Out(axi.ADDRESS_BITS),
            "beats": Out(BEATS_BITS),
            "done": In(1),
        }
    )


def _entry(params: ChipParams) -> data.StructLayout:
    """What the queue holds of a transfer until it is done."""
    which = exact_log2(params.bus_words)
    return data.StructLayout(
        {"kind": 3, "which": which, "local": 24, "beats": BEATS_BITS, "tag": 3, "word": 32}
    )


class _Turn:
    """The transfer whose beats come, or that writes: the queue's head, in registers.

    Attributes
    ----------
    coming, head : the entry that follows, and its own.
    there : it is a transfer.
    loads : the registers take what is coming, at the end of this cycle.
    fresh : it is in its first cycle as a transfer.
    is_kind : whether it is of the kind, by name.
    tagged, writes : whether it has a tag; whether it writes to external memory.
    local : next bus word in the chip's memory.
    left : beats still to come.
    takes : beats are taken, or a write may start; finish, gap : its last cycle, and the one behind.
    ends : it is dealt, or in its last cycle: it does not wait for the bus.
    received, sent : a beat, in this cycle.
    bad : an error response, in this cycle.
    beat, word : what was received, until it is stored.
    """

    def __init__(self, layout: data.StructLayout, params: ChipParams) -> None:
        self.loads, self.there, self.fresh = Signal(), Signal(), Signal()
        self.coming, self.head = Signal(layout), Signal(layout)
        self.is_kind = {
            name: Signal(name=f"is_{name.lower()}") for name in (*KINDS, "LOAD_PROGRAM")
        }
        self.tagged = self.is_kind["LOAD_BANK"] | self.is_kind["LOAD_PARAM"]
        self.writes = Cat(self.is_kind[name] for name in WRITES).any()
        self.takes, self.gap, self.ends = Signal(), Signal(), Signal()
        self.local = Signal(BEATS_BITS)
        self.left = Signal(BEATS_BITS)
        self.finish, self.received = Signal(), Signal()
        self.sent = Signal()
        self.bad = Signal()
        self.beat = Signal()
        self.word = Signal(bus_bits(params))


class Dma(wiring.Component):
    """Moves bus words between external memory and the chip's memories.

    A transfer is taken while fewer than `dma_queue` are open. A read asks as soon as the addresses
    of the one before are taken (`rtl.dma.asks`), up to `dma_outstanding` bursts at a time, while
    beats of those before it still come: they come in the order in which they were asked for. A
    write waits until everything before it is done, what is behind it until it is. One that is taken
    in cycle S, or may start then, shows its first address in S + DMA_START. Beats are taken in
    every cycle, but for DMA_NEXT between two transfers, while a tile is dealt behind its last beat,
    and where one waits for the banks (`rtl.dma.tile`). The last cycle is DMA_DONE after the last
    beat or response, for a tile after it is dealt (`npu.chip.timing`, `npu.twin.dma`).

    Writes go burst by burst, each with its address and its data on offer from the same cycle on,
    while up to `dma_outstanding` of the transfer's wait for their response (`rtl.dma.writes`). The
    transfer is over when all responses have come.

    After an error (an error response: BUS; a tile that does not fit: TILE; silence: BUS_TIMEOUT)
    what is on the bus is brought to its end there, and nothing is taken, stored or starts any more
    until reset. A beat that comes with an error is not stored.

    Parameters
    ----------
    params : ChipParams.

    Members
    -------
    transfers : In, see `rtl.shared.interfaces.transfer`.
    program : In, see `program_load`.
    hold : In, start no further transfer.
    watchdog : In, silent cycles of the bus that are too many, 0 for none (`rtl.dma.watchdog`).
    active : Out, a transfer is in progress on the bus: a reset now would break AXI.
    axi : Out, AXI4 manager.
    bank, param, sram_write, sram_read, program_memory : Out, memory ports, zero when idle.
    error, error_pc : Out, as `transfers` tells it.
    busy : Out, a transfer of the sequencer's is open; after an error, it is still on the bus.
    read_beat, write_beat : Out, a beat of such a transfer is on the bus.
    """

    def __init__(self, params: ChipParams) -> None:
        self._params = params
        super().__init__(
            {
                "transfers": In(transfer()),
                "program": In(program_load()),
                "hold": In(1),
                "watchdog": In(WATCHDOG_BITS),
                "active": Out(1),
                "axi": Out(axi.axi4(params.bus_bytes)),
                "bank": Out(bank_write(params).flip()),
                "param": Out(param_write(params).flip()),
                "sram_write": Out(sram_write(params).flip()),
                "sram_read": Out(sram_read(params).flip()),
                "program_memory": Out(program_write(params).flip()),
                "error": Out(STATUS_BITS),
                "error_pc": Out(PC_BITS),
                "busy": Out(1),
                "read_beat": Out(1),
                "write_beat": Out(1),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        p = self._params
        status = Signal(STATUS_BITS)
        layout = _entry(p)
        m.submodules.queue = queue = fifo.SyncFIFO(width=layout.size, depth=p.dma_queue)
        entry = data.View(layout, queue.w_data)
        m.submodules.bursts = bursts = Bursts(p, BEATS_BITS)
        asks = Asks(m, p, self.axi, bursts)
        writes = Writes(m, p, self.axi, bursts)
        asked = self._enqueue(m, queue, entry, asks, status)
        accepted = self.transfers.valid & self.transfers.ready
        turn = _Turn(layout, p)
        self._take(m, queue, turn)
        self._address(m, bursts, turn)
        m.submodules.tile = tile = TileDealer(p)
        m.d.comb += [
            asks.may_start.eq(~self.hold & (status == Status.OK)),
            asks.may_write.eq(turn.takes & turn.there & turn.writes),
            asks.over.eq(turn.finish),
        ]
        self._move(m, status, turn, asks, writes, tile)
        self._store(m, status, turn, tile)
        self._send(m, turn, asks)
        waits = asks.active & ~turn.ends & ~turn.gap
        self._end(m, turn, tile, status, Watchdog(m, self.axi, self.watchdog, waits))
        # In error what waits in the queue never has its turn.
        moving = turn.there & ((status == Status.OK) | self.active)
        m.d.comb += self.busy.eq((moving & ~self.program.valid) | accepted)
        with m.If(~self.program.valid | self.program.done):
            m.d.sync += asked.eq(0)
        with m.Elif(queue.w_rdy):
            m.d.sync += asked.eq(1)
        enters, leaves = accepted & (entry.kind < len(TAGGED)), turn.finish & turn.tagged
        open_tags = count_tags(m, p.dma_queue, enters, entry.tag, leaves, turn.head.tag)
        m.d.comb += self.transfers.open_tags.eq(Cat(open_tags))
        return m

    def _enqueue(
        self, m: Module, queue: fifo.SyncFIFO, entry: data.View, asks: Asks, status: Signal
    ) -> Signal:
        """Transfers go into the queues; returns whether the program's has gone."""
        t = self.transfers
        address = Mux(self.program.valid, self.program.address, t.address)
        with m.If(self.program.valid):
            m.d.comb += [entry.kind.eq(LOAD_PROGRAM), entry.beats.eq(self.program.beats)]
        with m.Else():
            names = (name for name, _ in entry.shape() if name != "which")
            m.d.comb += [entry[name].eq(getattr(t, name)) for name in names]
            m.d.comb += t.ready.eq(queue.w_rdy & (status == Status.OK))
        bus_words = self._params.bus_words
        m.d.comb += [
            entry.which.eq(address[2 : 2 + exact_log2(bus_words)]),
            asks.address.eq(address),
            asks.beats.eq(entry.beats),
            asks.writes.eq(Cat(entry.kind == KINDS.index(name) for name in WRITES).any()),
        ]
        asked = Signal()  # the program's transfer is in the queue
        m.d.comb += [
            queue.w_en.eq(Mux(self.program.valid, ~asked, t.valid)),
            asks.enters.eq(queue.w_en & queue.w_rdy),
        ]
        return asked

    def _take(self, m: Module, queue: fifo.SyncFIFO, turn: _Turn) -> None:
        """The queue's head into registers: the entry that comes where none waits."""
        coming = turn.coming
        m.d.comb += [
            turn.there.eq(queue.r_rdy),
            coming.eq(Mux(queue.r_rdy, queue.r_data, queue.w_data)),
            queue.r_en.eq(turn.finish),
        ]
        with m.If(turn.takes & turn.there):
            m.d.sync += turn.fresh.eq(0)
        with m.If(turn.loads):
            m.d.sync += [
                turn.fresh.eq(1),
                turn.head.eq(coming),
                turn.left.eq(coming.beats),
                turn.local.eq(coming.local >> exact_log2(self._params.bus_bytes)),
            ]
            for index, signal in enumerate(turn.is_kind.values()):
                m.d.sync += signal.eq(coming.kind == index)

    def _address(self, m: Module, bursts: Bursts, turn: _Turn) -> None:
        """What both address channels say, and the beats that are on the bus."""
        for channel in (self.axi.ar, self.axi.aw):
            m.d.comb += [
                channel.payload.addr.eq(bursts.burst_address),
                channel.payload.len.eq(bursts.burst_beats - 1),
                channel.payload.size.eq(axi.beat_size(self._params.bus_bytes)),
                channel.payload.burst.eq(axi.BURST_INCR),
                channel.payload.cache.eq(axi.CACHE),
                channel.payload.prot.eq(axi.PROT),
            ]
        m.d.comb += [
            self.read_beat.eq(turn.received & ~turn.is_kind["LOAD_PROGRAM"]),
            self.write_beat.eq(turn.sent),
        ]

    def _move(
        self,
        m: Module,
        status: Signal,
        turn: _Turn,
        asks: Asks,
        writes: Writes,
        tile: TileDealer,
    ) -> None:
        """A transfer from its first beat to its end."""
        r, ends = self.axi.r, turn.ends
        m.d.comb += [self.active.eq(ends | asks.active), turn.sent.eq(writes.sent)]
        with m.FSM(name="taking"):
            with m.State("TAKE"):
                m.d.comb += [
                    turn.takes.eq(1),
                    turn.loads.eq(~turn.there),
                    r.ready.eq(~tile.waits),
                    turn.received.eq(r.valid & r.ready),
                    turn.bad.eq(turn.received & r.payload.resp[1]),
                ]
                with m.If(turn.received):
                    m.d.sync += turn.left.eq(turn.left - 1)
                    with m.If(turn.left == 1):
                        m.next = "FINISH"
                        with m.If(turn.is_kind["LOAD_BANK"]):
                            m.next = "DEAL"
                with m.If(asks.starts_write):
                    m.next = "WRITE"
            with m.State("DEAL"):
                # Its last beat comes to the dealer in the first cycle.
                m.d.comb += ends.eq(1)
                with m.If(~turn.beat & (~tile.busy | tile.error | (status != Status.OK))):
                    m.next = "FINISH"
            with m.State("WRITE"):
                m.d.comb += [writes.offers.eq(1), turn.bad.eq(writes.bad)]
                with m.If(writes.all_sent):
                    m.next = "WRITE_RESPONSE"
            with m.State("WRITE_RESPONSE"):
                m.d.comb += turn.bad.eq(writes.bad)
                with m.If(writes.all_answered):
                    m.next = "FINISH"
            with m.State("FINISH"):
                m.d.comb += [ends.eq(1), turn.finish.eq(1)]
                m.next = "GAP"
            with m.State("GAP"):
                m.d.comb += [turn.gap.eq(1), turn.loads.eq(1)]
                m.next = "TAKE"

    def _store(self, m: Module, status: Signal, turn: _Turn, tile: TileDealer) -> None:
        """What was read, a cycle later, goes into the chip's memories."""
        is_kind, beat, word, local = turn.is_kind, turn.beat, turn.word, turn.local
        with m.If(~tile.waits):
            m.d.sync += beat.eq(turn.received & ~turn.bad & (status == Status.OK))
        with m.If(turn.received):
            m.d.sync += word.eq(self.axi.r.payload.data)
        wiring.connect(m, tile.port, wiring.flipped(self.bank))
        begins = turn.takes & turn.there & turn.fresh & (status == Status.OK)
        m.d.comb += [
            tile.start.eq(begins & is_kind["LOAD_BANK"]),
            tile.bank.eq(turn.head.local),
            tile.en.eq(beat & is_kind["LOAD_BANK"]),
            tile.data.eq(word),
        ]
        for name, port in (
            ("LOAD_PARAM", self.param),
            ("LOAD", self.sram_write),
            ("LOAD_PROGRAM", self.program_memory),
        ):
            with m.If(beat & is_kind[name]):
                m.d.comb += [port.addr.eq(local), port.data.eq(word), port.en.eq(~0)]

    def _send(self, m: Module, turn: _Turn, asks: Asks) -> None:
        """What is written: words of SRAM, or a register."""
        is_kind, local, sent = turn.is_kind, turn.local, turn.sent
        payload, start = self.axi.w.payload, asks.starts_write
        m.d.comb += [
            payload.data.eq(
                Mux(
                    is_kind["STORE"],
                    self.sram_read.data,
                    turn.head.word.replicate(self._params.bus_words),
                )
            ),
            payload.strb.eq(Mux(is_kind["STORE"], ~0, 0xF << (turn.head.which << 2))),
        ]
        m.d.comb += self.sram_read.en.eq(0)
        with m.If(is_kind["STORE"] & (start | sent)):
            # The next beat's word: the first while the burst is prepared, then with each beat.
            m.d.comb += [self.sram_read.addr.eq(local), self.sram_read.en.eq(1)]
        with m.If(turn.beat | sent | (start & is_kind["STORE"])):
            m.d.sync += local.eq(local + 1)

    def _end(self, m: Module, turn: _Turn, tile: TileDealer, status: Signal, dog: Watchdog) -> None:
        """What the sequencer and the control block are told at a transfer's end."""
        is_kind, finish, culprit = turn.is_kind, turn.finish, Signal(PC_BITS)
        # Whether a beat is taken is known late, from the dealer: an error response of one is kept
        # alone, and is the status from the next cycle on.
        failure, answered_badly = Signal(STATUS_BITS), Signal()
        m.d.sync += answered_badly.eq(turn.bad & (status == Status.OK))
        m.d.comb += status.eq(Mux(answered_badly, Status.BUS, failure))
        # Told at the transfer's end, so that an error response on a later beat comes first.
        unfit = tile.error | ~tile.complete | tile.damaged
        misfit = turn.gap & is_kind["LOAD_BANK"] & unfit
        over = finish | (status == Status.BUS_TIMEOUT)  # for the sequencer
        with m.If(status == Status.OK):
            m.d.sync += culprit.eq(turn.head.word)
            with m.If(misfit):
                m.d.sync += failure.eq(Status.TILE)
            with m.Elif(dog.expired):
                m.d.sync += failure.eq(Status.BUS_TIMEOUT)
        with m.If(answered_badly):
            m.d.sync += failure.eq(Status.BUS)
        m.d.comb += [
            self.error.eq(status),
            self.error_pc.eq(culprit),
            self.transfers.error.eq(status),
            self.transfers.error_pc.eq(culprit),
            self.transfers.result.eq(turn.word.word_select(turn.head.which, 32)),
            self.transfers.done.eq(over & ~turn.tagged & ~is_kind["LOAD_PROGRAM"]),
            self.program.done.eq(finish & is_kind["LOAD_PROGRAM"]),
        ]

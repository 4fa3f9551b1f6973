"""DMA engine: a queue of transfers, executed one after the other over AXI4."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, fifo, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from npu.chip.isa import TAGGED, TAGS
from npu.chip.params import ChipParams
from npu.chip.status import Status
from rtl.dma.bursts import Bursts
from rtl.dma.tile import TileDealer
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
BEATS_BITS = 24


def program_load() -> wiring.Signature:
    """The control block's request for a transfer into program memory, seen from the control block.

    `valid` with a stable payload until `done`, which is high for one cycle.
    """
    return wiring.Signature(
        {
            "valid": Out(1),
            "address": Out(axi.ADDRESS_BITS),
            "beats": Out(BEATS_BITS),
            "done": In(1),
        }
    )


def _entry() -> data.StructLayout:
    """What the queue holds of a transfer."""
    return data.StructLayout(
        {"kind": 3, "address": 32, "local": 24, "beats": BEATS_BITS, "tag": 3, "word": 32}
    )


class _Turn:
    """The transfer that has its turn: the queue's head, in registers a cycle before.

    Attributes
    ----------
    coming, head : the entry that follows, and its own.
    loads : the registers take what is coming, at the end of this cycle.
    is_kind : whether it is of the kind, by name.
    tagged, writes : whether it has a tag; whether it writes to external memory.
    local : next bus word in the chip's memory.
    left : beats still to come; all of them until the start.
    start, finish, gap : its first cycle, its last, and the one behind.
    received, sent : a beat, in this cycle.
    bad : an error response, in this cycle.
    beat, word : what was received a cycle ago.
    which : the 32-bit word of a bus word that a register is.
    """

    def __init__(self, layout: data.StructLayout, params: ChipParams) -> None:
        self.loads = Signal()
        self.coming, self.head = Signal(layout), Signal(layout)
        self.is_kind = {
            name: Signal(name=f"is_{name.lower()}") for name in (*KINDS, "LOAD_PROGRAM")
        }
        self.tagged = self.is_kind["LOAD_BANK"] | self.is_kind["LOAD_PARAM"]
        self.writes = self.is_kind["STORE"] | self.is_kind["STORE_REG"]
        self.start = Signal()
        self.gap = Signal()
        self.local = Signal(BEATS_BITS)
        self.left = Signal(BEATS_BITS)
        self.finish, self.received = Signal(), Signal()
        self.sent = Signal()
        self.bad = Signal()
        self.beat = Signal()
        self.word = Signal(bus_bits(params))
        self.which = self.head.address[2 : exact_log2(params.bus_bytes)]


class Dma(wiring.Component):
    """Moves bus words between external memory and the chip's memories.

    A transfer is taken while fewer than `dma_queue` are open; one that is taken in cycle S, or
    waits and has its turn in cycle S, shows its first address in S + DMA_START. Up to
    `dma_outstanding` read bursts are open at a time, an address may follow in every cycle; read
    beats are taken in every cycle. The last cycle is DMA_DONE after the last beat or response,
    for a tile what `npu.twin.tile` counts more (`npu.chip.timing`, `npu.twin.dma`).

    Writes go burst by burst. AWVALID and WVALID rise in the same cycle; each stays until its own
    handshakes are done and waits for nothing on the other channel (AXI4, A3.3.1), so that the
    subordinate may take the address before, between or behind the beats, or want to see both
    first. Beats follow without a gap of the manager's making. The next burst's address and first
    beat are on offer in the cycle behind the response: data is in the order of the addresses, and
    no beat comes before the address that it belongs to is on offer.

    After an error (an error response: BUS; a tile that does not fit: TILE) the transfer in progress
    is brought to its end on the bus, and nothing is taken or starts any more until reset. A beat
    that comes with an error is not stored.

    Parameters
    ----------
    params : ChipParams.

    Members
    -------
    transfers : In, see `rtl.shared.interfaces.transfer`.
    program : In, see `program_load`.
    hold : In, start no further transfer.
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
        layout = _entry()
        m.submodules.queue = queue = fifo.SyncFIFO(width=layout.size, depth=p.dma_queue)
        entry = data.View(layout, queue.w_data)
        asked = self._enqueue(m, queue, entry, status)
        accepted = self.transfers.valid & self.transfers.ready
        turn = _Turn(layout, p)
        self._take(m, queue, turn)
        m.submodules.bursts = bursts = Bursts(p, BEATS_BITS)
        self._address(m, queue, bursts, turn)
        m.submodules.tile = tile = TileDealer(p)
        self._move(m, queue, status, turn, bursts, tile)
        self._store(m, turn, tile)
        self._send(m, turn)
        self._end(m, turn, tile, status)
        # In error what waits in the queue never has its turn.
        moving = queue.r_rdy & ((status == Status.OK) | self.active)
        m.d.comb += self.busy.eq((moving & ~self.program.valid) | accepted)
        with m.If(~self.program.valid | self.program.done):
            m.d.sync += asked.eq(0)
        with m.Elif(queue.w_rdy):
            m.d.sync += asked.eq(1)
        self._count_tags(m, entry, accepted, turn)
        return m

    def _enqueue(self, m: Module, queue: fifo.SyncFIFO, entry: data.View, status: Signal) -> Signal:
        """Transfers go into the queue; returns whether the program's has gone."""
        with m.If(self.program.valid):
            m.d.comb += [
                entry.kind.eq(LOAD_PROGRAM),
                entry.address.eq(self.program.address),
                entry.beats.eq(self.program.beats),
            ]
        with m.Else():
            names = (name for name, _ in entry.shape())
            m.d.comb += [entry[name].eq(getattr(self.transfers, name)) for name in names]
            m.d.comb += self.transfers.ready.eq(queue.w_rdy & (status == Status.OK))
        asked = Signal()  # the program's transfer is in the queue
        m.d.comb += queue.w_en.eq(Mux(self.program.valid, ~asked, self.transfers.valid))
        return asked

    def _take(self, m: Module, queue: fifo.SyncFIFO, turn: _Turn) -> None:
        """The queue's head into registers: the entry that comes where none waits."""
        coming = turn.coming
        m.d.comb += coming.eq(Mux(queue.r_rdy, queue.r_data, queue.w_data))
        with m.If(turn.loads):
            m.d.sync += turn.head.eq(coming)
            for index, signal in enumerate(turn.is_kind.values()):
                m.d.sync += signal.eq(coming.kind == index)

    def _address(self, m: Module, queue: fifo.SyncFIFO, bursts: Bursts, turn: _Turn) -> None:
        """Its bursts: what both address channels say, and the beats that are on the bus."""
        m.d.comb += [
            bursts.start.eq(turn.start),
            bursts.address.eq(turn.head.address),
            bursts.beats.eq(turn.left),
            queue.r_en.eq(turn.finish),
        ]
        coming = turn.coming
        with m.If(turn.loads):
            m.d.sync += [
                turn.left.eq(coming.beats),
                turn.local.eq(coming.local >> exact_log2(self._params.bus_bytes)),
            ]
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
            self.axi.r.ready.eq(1),
            self.axi.b.ready.eq(1),
            self.read_beat.eq(turn.received & ~turn.is_kind["LOAD_PROGRAM"]),
            self.write_beat.eq(turn.sent),
        ]

    def _move(
        self,
        m: Module,
        queue: fifo.SyncFIFO,
        status: Signal,
        turn: _Turn,
        bursts: Bursts,
        tile: TileDealer,
    ) -> None:
        """A transfer from its start to its end."""
        b = self.axi.b
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += [
                    turn.start.eq(queue.r_rdy & ~self.hold & (status == Status.OK)),
                    turn.loads.eq(~queue.r_rdy),
                ]
                with m.If(turn.start):
                    m.next = "READ"
                    with m.If(turn.writes):
                        m.next = "WRITE"
            with m.State("READ"):
                self._read(m, turn, bursts)
            with m.State("DEAL"):
                # Its last beat comes to the dealer in the first cycle.
                m.d.comb += self.active.eq(1)
                with m.If(~turn.beat & (~tile.busy | tile.error)):
                    m.next = "FINISH"
            with m.State("WRITE"):
                self._write(m, turn, bursts)
            with m.State("WRITE_RESPONSE"):
                m.d.comb += [self.active.eq(1), turn.bad.eq(b.valid & b.payload.resp[1])]
                with m.If(b.valid):
                    m.next = "FINISH"
                    with m.If(bursts.valid):
                        m.next = "WRITE"
            with m.State("FINISH"):
                m.d.comb += [self.active.eq(1), turn.finish.eq(1)]
                m.next = "GAP"
            with m.State("GAP"):
                # The cycle in which the next transfer starts: DMA_START counts from here.
                m.d.comb += [turn.gap.eq(1), turn.loads.eq(1)]
                m.next = "IDLE"

    def _read(self, m: Module, turn: _Turn, bursts: Bursts) -> None:
        """The state in which beats come."""
        p, ar, r = self._params, self.axi.ar, self.axi.r
        left = turn.left
        opened = Signal(range(p.dma_outstanding + 1))
        m.d.comb += [
            self.active.eq(1),
            ar.valid.eq(bursts.valid & (opened != p.dma_outstanding)),
            bursts.next.eq(ar.valid & ar.ready),
            turn.received.eq(r.valid),
            turn.bad.eq(r.valid & r.payload.resp[1]),
        ]
        closed = r.valid & r.payload.last
        m.d.sync += opened.eq(opened + bursts.next - closed)
        with m.If(r.valid):
            m.d.sync += left.eq(left - 1)
            with m.If(left == 1):
                m.next = "FINISH"
                with m.If(turn.is_kind["LOAD_BANK"]):
                    m.next = "DEAL"

    def _write(self, m: Module, turn: _Turn, bursts: Bursts) -> None:
        """The state in which a burst is on offer, and the first beat of the next is prepared."""
        aw, w = self.axi.aw, self.axi.w
        # Of the write burst on offer: its address is taken, its last beat is taken, and the beat
        # that is next, counted from 1.
        addressed, filled = Signal(), Signal()
        burst_beat = Signal.like(bursts.burst_beats, init=1)
        now_addressed = addressed | (aw.valid & aw.ready)
        now_filled = filled | (turn.sent & w.payload.last)
        m.d.comb += [
            self.active.eq(1),
            aw.valid.eq(~addressed),
            w.valid.eq(~filled),
            w.payload.last.eq(burst_beat == bursts.burst_beats),
            turn.sent.eq(w.valid & w.ready),
            bursts.next.eq(now_addressed & now_filled),
        ]
        m.d.sync += [addressed.eq(now_addressed), filled.eq(now_filled)]
        with m.If(turn.sent):
            m.d.sync += burst_beat.eq(burst_beat + 1)
        with m.If(bursts.next):
            m.d.sync += [addressed.eq(0), filled.eq(0), burst_beat.eq(1)]
            m.next = "WRITE_RESPONSE"

    def _store(self, m: Module, turn: _Turn, tile: TileDealer) -> None:
        """What was read, a cycle later, goes into the chip's memories."""
        is_kind, beat, word, local = turn.is_kind, turn.beat, turn.word, turn.local
        m.d.sync += beat.eq(turn.received & ~turn.bad)
        with m.If(turn.received):
            m.d.sync += word.eq(self.axi.r.payload.data)
        wiring.connect(m, tile.port, wiring.flipped(self.bank))
        m.d.comb += [
            tile.start.eq(turn.start & is_kind["LOAD_BANK"]),
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

    def _send(self, m: Module, turn: _Turn) -> None:
        """What is written: words of SRAM, or a register."""
        is_kind, local, start, sent = turn.is_kind, turn.local, turn.start, turn.sent
        payload, which = self.axi.w.payload, turn.which
        m.d.comb += [
            payload.data.eq(
                Mux(
                    is_kind["STORE"],
                    self.sram_read.data,
                    turn.head.word.replicate(self._params.bus_words),
                )
            ),
            payload.strb.eq(Mux(is_kind["STORE"], ~0, 0xF << (which << 2))),
        ]
        m.d.comb += self.sram_read.en.eq(0)
        with m.If(is_kind["STORE"] & (start | sent)):
            # The next beat's word: the first while the burst is prepared, then with each beat.
            m.d.comb += [self.sram_read.addr.eq(local), self.sram_read.en.eq(1)]
        with m.If(turn.beat | sent | (start & is_kind["STORE"])):
            m.d.sync += local.eq(local + 1)

    def _end(self, m: Module, turn: _Turn, tile: TileDealer, status: Signal) -> None:
        """What the sequencer and the control block are told at a transfer's end."""
        is_kind, finish = turn.is_kind, turn.finish
        culprit = Signal(PC_BITS)
        # Told at the transfer's end, so that an error response on a later beat comes first.
        misfit = turn.gap & is_kind["LOAD_BANK"] & (tile.error | ~tile.complete)
        with m.If(status == Status.OK):
            m.d.sync += culprit.eq(turn.head.word)
            with m.If(turn.bad):
                m.d.sync += status.eq(Status.BUS)
            with m.Elif(misfit):
                m.d.sync += status.eq(Status.TILE)
        m.d.comb += [
            self.error.eq(status),
            self.error_pc.eq(culprit),
            self.transfers.error.eq(status),
            self.transfers.error_pc.eq(culprit),
            self.transfers.result.eq(turn.word.word_select(turn.which, 32)),
            self.transfers.done.eq(finish & ~turn.tagged & ~is_kind["LOAD_PROGRAM"]),
            self.program.done.eq(finish & is_kind["LOAD_PROGRAM"]),
        ]

    def _count_tags(self, m: Module, entry: data.View, accepted: Value, turn: _Turn) -> None:
        """How many transfers of each tag are open."""
        for tag in range(TAGS):
            count = Signal(range(self._params.dma_queue + 1), name=f"open_{tag}")
            enters = accepted & (entry.kind < len(TAGGED)) & (entry.tag == tag)
            leaves = turn.finish & turn.tagged & (turn.head.tag == tag)
            m.d.sync += count.eq(count + enters - leaves)
            m.d.comb += self.transfers.open_tags[tag].eq(count != 0)

"""The matrix-vector unit: lanes, what loads them, and what takes their rows."""

from typing import NamedTuple

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from npu.chip.isa import OPCODES
from npu.chip.params import ChipParams
from npu.chip.status import Status
from npu.chip.weight_format import MAX_SETS, PARAM_WORD, directory_words, set_of_lane
from rtl.lane.barrel import Barrel
from rtl.lane.lane import Lane
from rtl.matvec.activation_loader import ActivationLoader
from rtl.matvec.block_loader import BlockLoader
from rtl.matvec.collector import Collector
from rtl.matvec.held import Held
from rtl.matvec.positions import Destinations
from rtl.matvec.requantiser import Requantiser
from rtl.memory.scrub import scrub
from rtl.shared import interfaces
from rtl.shared.commands import is_opcode
from rtl.shared.options import PLAIN, Options

FIELDS = {field.name: field for field in OPCODES["MATVEC"].fields}


def events(params: ChipParams) -> wiring.Signature:
    """What the lanes did, for the performance counters: how many of them, cycle by cycle."""
    count = range(params.lanes + 1)
    return wiring.Signature(
        {"symbols": Out(count), "macs": Out(count), "gated": Out(count), "stalled": Out(count)}
    )


class Parts(NamedTuple):
    """The units that a command's control looks at."""

    held: Held
    barrel: Barrel
    block: BlockLoader
    vector: ActivationLoader
    collector: Collector
    requantiser: Requantiser
    lanes: list[Lane]


class Control(NamedTuple):
    """What the control says, each for a cycle: a command begins, the lanes begin anew, the turns of
    a position begin; `clear` between commands. `parity` is that of the position, `ahead` says that
    the next vector loads meanwhile.
    """

    clear: Signal
    start: Signal
    restart: Signal
    go: Signal
    parity: Signal
    ahead: Signal


class MatVec(wiring.Component):
    """Executes MATVEC, WINDOW and POSITIONS, cycle for cycle as `npu.twin.matvec`.

    From the cycle after `start` on, block, activations and streams load side by side; then the
    lanes run until the last element is written, and `done` follows that write. With positions, the
    lanes begin anew as soon as their last row has ended. A command in error
    ends with `done` and the first of its faults in the order of `npu.chip.status.Status`: what is
    refused some cycles after the start, a block behind its checks, a corrupt stream then or when it
    is seen; a wrong record at the end, for a stream that is corrupt further on comes first. Only
    more than MAX_TILE_ROWS rows end it as soon as they are there. Elements may have been written by
    then.

    Parameters
    ----------
    params : ChipParams.
    options : Options.

    Members
    -------
    unit : In, `rtl.shared.interfaces.unit`.
    param : read port of parameter memory, `rtl.shared.interfaces.param_pair`.
    sram_read, sram_write : ports of the vector SRAM.
    bank : `rtl.shared.interfaces.bank_write`, the DMA's port into the banks.
    events : Out, `events`.
    scrub : In, only with parity: `rtl.memory.scrub.Scrubber` fills the lanes' memories with zeros.
    wrong : Out, only with parity, of any lane, see `rtl.lane.lane.Lane`.
    """

    def __init__(self, params: ChipParams, options: Options = PLAIN) -> None:
        self._params, self._options = params, options
        super().__init__(
            {
                "unit": In(interfaces.unit()),
                "param": In(interfaces.param_pair(params)),
                "sram_read": In(interfaces.sram_read(params)),
                "sram_write": In(interfaces.sram_write(params)),
                "bank": Out(interfaces.bank_write(params)),
                "events": Out(events(params)),
                **({"scrub": In(scrub(params)), "wrong": Out(1)} if options.parity else {}),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        p = self._params
        field = {
            name: self.unit.cmd[f.lsb : f.lsb + f.width].as_signed()
            if f.signed
            else self.unit.cmd[f.lsb : f.lsb + f.width]
            for name, f in FIELDS.items()
        }

        m.submodules.held = held = Held(p)
        m.submodules.barrel = barrel = Barrel(p)
        m.submodules.block = block = BlockLoader(p)
        m.submodules.vector = vector = ActivationLoader(p)
        m.submodules.collector = collector = Collector(p)
        m.submodules.requantiser = requantiser = Requantiser(p)
        m.submodules.destinations = destinations = Destinations(p)
        wiring.connect(m, block.scales, requantiser.scales)
        wiring.connect(m, collector.row, requantiser.row)
        wiring.connect(m, wiring.flipped(self.sram_write), requantiser.sram)

        clear, start, restart, go = Signal(), Signal(), Signal(), Signal()
        # Numbers of positions are even or odd; of the one whose lanes run, or load.
        parity = Signal()
        sets_up = ~is_opcode(self.unit.cmd, "MATVEC")
        bus_words = p.bus_words
        # Columns that fit into either half of the copies, so that a vector loads ahead.
        ahead, last_column = Signal(), Signal.like(barrel.last_column)
        m.d.sync += [
            ahead.eq((field["columns"] <= p.ahead_columns) & ~field["add"]),
            last_column.eq(field["columns"] - 1),
        ]
        m.d.comb += [
            start.eq(self.unit.start & ~sets_up),
            held.start.eq(self.unit.start & sets_up),
            held.cmd.eq(self.unit.cmd),
            block.start.eq(start),
            block.held.eq(field["held"]),
            vector.start.eq(start),
            barrel.start.eq(start | restart),
            barrel.clear.eq(clear | restart),
            *(part.clear.eq(clear) for part in (block, vector, collector, requantiser)),
            barrel.go.eq(go),
            barrel.base.eq(field["bank"] << ceil_log2(bus_words)),
            barrel.last_column.eq(last_column),
            barrel.upper.eq(ahead & parity),
            block.address.eq(field["block"]),
            vector.address.eq(field["a"]),
            vector.columns.eq(field["columns"]),
            vector.zero.eq(field["a_zero"]),
            vector.windowed.eq(field["windowed"]),
            vector.window.eq(held.window),
            vector.positions.eq(held.positions),
            collector.parity.eq(parity),
            destinations.start.eq(start),
            destinations.first.eq(field["dst"]),
            destinations.begins.eq(go),
            destinations.parity.eq(parity),
            destinations.wraps.eq(vector.wraps),
            destinations.positions.eq(held.positions),
            requantiser.row_parity.eq(collector.row_parity),
            requantiser.even_begins.eq(go & ~parity),
            requantiser.n_scales.eq(block.n_scales),
            requantiser.rows.eq(field["rows"] >> ceil_log2(PARAM_WORD)),
            requantiser.wide.eq(field["dst_type"]),
            requantiser.raw.eq(field["raw"]),
            requantiser.add.eq(field["add"]),
            requantiser.sums.eq(field["sums"]),
            requantiser.zero.eq(field["dst_zero"]),
            requantiser.lo.eq(field["lo"]),
            requantiser.hi.eq(field["hi"]),
            *(
                mine.eq(its)
                for mine, its in zip(
                    requantiser.destinations, destinations.destinations, strict=True
                )
            ),
        ]
        # Only one of them reads at a time.
        m.d.comb += [
            self.param.en.eq(block.param.en | requantiser.param.en),
            self.param.addr.eq(block.param.addr | requantiser.param.addr),
            block.param.data.eq(self.param.data),
            requantiser.param.data.eq(self.param.data),
            self.sram_read.en.eq(vector.sram.en | requantiser.sram_read.en),
            self.sram_read.addr.eq(vector.sram.addr | requantiser.sram_read.addr),
            vector.sram.data.eq(self.sram_read.data),
            requantiser.sram_read.data.eq(self.sram_read.data),
        ]

        lanes = self._lanes(m, barrel, block, vector, collector)
        refused = self._refused(m, field, held, clear)
        self._run(
            m,
            Parts(held, barrel, block, vector, collector, requantiser, lanes),
            Control(clear, start, restart, go, parity, ahead),
            refused,
            field["held"],
            field["add"],
        )
        return m

    def _run(self, m: Module, parts: Parts, control: Control, refused, held, add) -> None:
        """Load, run the lanes, and again for every position, until the last row is written."""
        block, vector, collector = parts.block, parts.vector, parts.collector
        requantiser, clear, go = parts.requantiser, control.clear, control.go
        running, loading, failed = Signal(), Signal(), Signal()
        # The lanes are through with their rows; the FIFOs are empty, too.
        idle, drained, written = Signal(), Signal(), Signal()
        m.d.comb += clear.eq(~(running | loading | failed))
        m.d.sync += [
            idle.eq(~Cat(lane.working for lane in parts.lanes).any()),
            drained.eq(~(Cat(lane.busy for lane in parts.lanes).any() | collector.busy)),
        ]
        corrupt, bad_record = (
            self._seen(m, name, seen, clear)
            for name, seen in (
                ("corrupt", Cat(lane.error for lane in parts.lanes).any()),
                ("bad_record", requantiser.error),
            )
        )
        # Codes are held from the end of their checks on, until others load.
        known = Signal(reset_less=True)
        missing = held & ~known
        status = Signal(Status)
        problem = self._problem(m, parts, clear, (refused, block.error | missing, corrupt))
        wrong = problem != Status.OK

        # Another position follows that whose lanes run.
        follows = Signal()
        ready = parts.barrel.ready & block.ready & vector.ready & ~collector.left
        m.d.comb += [
            go.eq(loading & ready & ~(wrong | block.failed | missing | corrupt)),
            # Sums are read while rows are on their way, and vectors then are not.
            written.eq(drained & ~requantiser.busy),
            control.restart.eq(running & idle & follows & (written | ~add) & ~(wrong | bad_record)),
            vector.following.eq(Mux(control.ahead, go & vector.more, control.restart)),
        ]
        with m.If(control.start):
            m.d.sync += [loading.eq(1), control.parity.eq(0), known.eq(known & held)]
        with m.Elif(~failed & ~clear & wrong):
            m.d.sync += [loading.eq(0), running.eq(0), failed.eq(1), status.eq(problem)]
            with m.If((problem == Status.STREAM) | (problem == Status.RECORD)):
                m.d.sync += known.eq(1)
        with m.Elif(go):
            m.d.sync += [loading.eq(0), running.eq(1), follows.eq(vector.more)]
        with m.Elif(control.restart):
            m.d.sync += [loading.eq(1), running.eq(0), control.parity.eq(~control.parity)]
        with m.Elif(self.unit.done):
            m.d.sync += [running.eq(0), failed.eq(0)]
        upper = Signal()
        with m.If(control.start):
            m.d.sync += upper.eq(0)
        with m.Elif(vector.following):
            m.d.sync += upper.eq(control.ahead & ~upper)
        m.d.comb += vector.upper.eq(upper)

        last = ~follows | bad_record
        finished = running & ~wrong & written & last
        with m.If(finished):
            m.d.sync += known.eq(1)
        m.d.comb += [
            self.unit.done.eq(failed | finished | parts.held.done),
            self.unit.error.eq(
                Mux(
                    failed,
                    status,
                    Mux(
                        bad_record,
                        Status.RECORD,
                        Mux(parts.held.refused, Status.ADDRESS, Status.OK),
                    ),
                )
            ),
        ]

    def _problem(self, m: Module, parts: Parts, clear: Signal, found: tuple) -> Signal:
        """The first fault of a command that is to end at once, in the order of Status.

        Every check is over long before the lanes could start, that of a window just then. found :
        the command is refused, there are no codes, a stream is corrupt.
        """
        refused, no_codes, corrupt = found
        vector = parts.vector
        problem = Signal(Status)
        loaded = self._seen(m, "loaded", vector.ready, clear)
        with m.If(clear):
            m.d.sync += problem.eq(Status.OK)
        with m.Elif(refused | vector.mismatch):
            m.d.sync += problem.eq(Status.ADDRESS)
        with m.Elif(loaded & no_codes):
            m.d.sync += problem.eq(Status.TABLE)
        with m.Elif(loaded & corrupt & parts.block.ready):
            m.d.sync += problem.eq(Status.STREAM)
        with m.Elif(parts.requantiser.too_many):
            m.d.sync += problem.eq(Status.RECORD)
        return problem

    def _seen(self, m: Module, name: str, error, clear: Signal) -> Signal:
        """High from the cycle behind an error to the command's end."""
        seen = Signal(name=name)
        m.d.sync += seen.eq(~clear & (seen | error))
        return seen

    def _lanes(self, m: Module, barrel, block, vector, collector) -> list:
        p = self._params
        lanes = []
        for i in range(p.lanes):
            m.submodules[f"lane_{i}"] = lane = Lane(p, self._options)
            lanes.append(lane)
            group = set_of_lane(i, p.lanes, MAX_SETS)
            m.d.comb += [
                lane.run_code.eq(block.run_code[group]),
                lane.value_code.eq(block.value_code[group]),
                lane.bank.addr.eq(self.bank.addr),
                lane.bank.data.eq(self.bank.data),
                lane.bank.en.eq(self.bank.en & (self.bank.lane == i)),
                lane.ready.eq(collector.ready[i]),
            ]
            for source, target in (
                (barrel.control, lane.control),
                (block.run_table[group], lane.run_table),
                (block.value_table[group], lane.value_table),
                (vector.write, lane.activations),
            ):
                for name in source.signature.members:
                    m.d.comb += getattr(target, name).eq(getattr(source, name))
            if self._options.parity:
                self._scrub(m, lane)
            wiring.connect(m, lane.row, collector.pushed[i])
        if self._options.parity:
            m.d.comb += self.wrong.eq(Cat(lane.wrong for lane in lanes).any())
        for total, one in (
            (self.events.symbols, "symbol"),
            (self.events.macs, "mac"),
            (self.events.gated, "gated"),
            (self.events.stalled, "stalled"),
        ):
            m.d.sync += total.eq(sum(getattr(lane.events, one) for lane in lanes))
        return lanes

    def _scrub(self, m: Module, lane: Lane) -> None:
        """Zeros into a lane's memories, whose writers are idle and give zeros meanwhile."""
        scrub = self.scrub
        with m.If(scrub.en):
            m.d.comb += [
                lane.bank.en.eq(1),
                lane.bank.addr.eq(scrub.address),
                lane.bank.data.eq(0),
                lane.activations.en.eq(1),
                lane.activations.addr.eq(scrub.address),
                lane.activations.data.eq(Const(0, len(lane.activations.data.as_value()))),
            ]
            for table in (lane.run_table, lane.value_table):
                m.d.comb += [table.en.eq(1), table.row.eq(scrub.address), table.data.eq(0)]

    def _refused(self, m: Module, field: dict, held: Held, clear: Signal) -> Signal:
        """Whether a command's fields leave a memory, 0 while that is not known."""
        p = self._params
        bus_words = p.bus_words
        bus_bits = ceil_log2(p.bus_bytes)
        columns, a, dst = field["columns"], field["a"], field["dst"]
        windowed, odd = field["windowed"], held.positions.dst_x[0] | held.positions.dst_y[0]
        # Sums in a cycle of their own; by the third cycle of a command they are its own.
        end, bank_end = Signal(len(a) + 1), Signal(len(field["bank"]) + bus_words.bit_length())
        wrong, refused = Signal(10), Signal()
        known = [Signal(name=f"known_{i}") for i in range(2)]
        m.d.sync += [
            end.eq(a + columns),
            bank_end.eq(field["bank"] * bus_words + directory_words(p.threads)),
            wrong.eq(
                Cat(
                    columns == 0,
                    columns > p.activation_entries,
                    Mux(windowed, columns[:bus_bits], a[:bus_bits]) != 0,
                    field["dst_type"] & dst[0],
                    dst > p.sram_bytes,
                    field["rows"][: ceil_log2(PARAM_WORD)] != 0,
                    field["rows"] > p.param_bytes,
                    windowed & ~held.complete,
                    windowed & field["dst_type"] & odd,
                    (field["raw"] | field["add"]) & (field["sums"][:2] != 0),
                )
            ),
            refused.eq(
                wrong.any() | (~windowed & (end > p.sram_bytes)) | (bank_end > p.bank_words)
            ),
            known[0].eq(~clear),
            known[1].eq(known[0] & ~clear),
        ]
        return refused & known[1]

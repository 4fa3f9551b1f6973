"""The matrix-vector unit: lanes, what loads them, and what takes their rows."""

from amaranth.hdl import Cat, Module, Mux, Signal
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
from rtl.matvec.requantiser import Requantiser
from rtl.shared import interfaces

FIELDS = {field.name: field for field in OPCODES["MATVEC"].fields}


def events(params: ChipParams) -> wiring.Signature:
    """What the lanes did, for the performance counters: how many of them, cycle by cycle."""
    count = range(params.lanes + 1)
    return wiring.Signature(
        {"symbols": Out(count), "macs": Out(count), "gated": Out(count), "stalled": Out(count)}
    )


class MatVec(wiring.Component):
    """Executes MATVEC, cycle for cycle as `npu.twin.matvec`.

    From the cycle after `start` on, block, activations and streams load side by side; then the
    lanes run until the last element is written, and `done` follows that write. A command in error
    ends with `done` and the first of its faults in the order of `npu.chip.status.Status`: what is
    refused some cycles after the start, a block behind its checks, a corrupt stream then or when it
    is seen; a wrong record at the end, for a stream that is corrupt further on comes first. Only
    more than MAX_TILE_ROWS rows end it as soon as they are there. Elements may have been written by
    then.

    Parameters
    ----------
    params : ChipParams.

    Members
    -------
    unit : In, `rtl.shared.interfaces.unit`.
    param : read port of parameter memory.
    sram_read, sram_write : ports of the vector SRAM.
    bank : `rtl.shared.interfaces.bank_write`, the DMA's port into the banks.
    events : Out, `events`.
    """

    def __init__(self, params: ChipParams) -> None:
        self._params = params
        super().__init__(
            {
                "unit": In(interfaces.unit()),
                "param": In(interfaces.param_read(params)),
                "sram_read": In(interfaces.sram_read(params)),
                "sram_write": In(interfaces.sram_write(params)),
                "bank": Out(interfaces.bank_write(params)),
                "events": Out(events(params)),
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

        m.submodules.barrel = barrel = Barrel(p)
        m.submodules.block = block = BlockLoader(p)
        m.submodules.vector = vector = ActivationLoader(p)
        m.submodules.collector = collector = Collector(p)
        m.submodules.requantiser = requantiser = Requantiser(p)
        wiring.connect(m, block.scales, requantiser.scales)
        wiring.connect(m, collector.row, requantiser.row)
        wiring.connect(m, wiring.flipped(self.sram_write), requantiser.sram)
        wiring.connect(m, wiring.flipped(self.sram_read), vector.sram)

        running, loading, failed, clear = Signal(), Signal(), Signal(), Signal()
        bus_words = p.bus_words
        m.d.comb += [
            clear.eq(~(running | loading | failed)),
            *(unit.start.eq(self.unit.start) for unit in (barrel, block, vector)),
            *(part.clear.eq(clear) for part in (barrel, block, vector, collector, requantiser)),
            barrel.base.eq(field["bank"] << ceil_log2(bus_words)),
            barrel.last_column.eq(field["columns"] - 1),
            block.address.eq(field["block"]),
            vector.address.eq(field["a"]),
            vector.columns.eq(field["columns"]),
            vector.zero.eq(field["a_zero"]),
            collector.per_row.eq(block.n_scales == 0),
            requantiser.n_scales.eq(block.n_scales),
            requantiser.dst.eq(field["dst"]),
            requantiser.rows.eq(field["rows"] >> ceil_log2(PARAM_WORD)),
            requantiser.wide.eq(field["dst_type"]),
            requantiser.zero.eq(field["dst_zero"]),
            requantiser.lo.eq(field["lo"]),
            requantiser.hi.eq(field["hi"]),
        ]
        # Only one of them reads at a time.
        users = (block.param, requantiser.param)
        m.d.comb += [
            self.param.en.eq(users[0].en | users[1].en),
            self.param.addr.eq(users[0].addr | users[1].addr),
            *(user.data.eq(self.param.data) for user in users),
        ]

        lanes = self._lanes(m, barrel, block, vector, collector)

        refused = self._refused(m, field, clear)
        drained = Signal()
        m.d.sync += drained.eq(~(Cat(lane.busy for lane in lanes).any() | collector.busy))
        corrupt, bad_record = (
            self._seen(m, name, error, clear)
            for name, error in (
                ("corrupt", Cat(lane.error for lane in lanes).any()),
                ("bad_record", requantiser.error),
            )
        )
        status = Signal(Status)
        # Every check is over long before a command could end or the lanes could start without it.
        problem = Signal(Status)
        with m.If(clear):
            m.d.sync += problem.eq(Status.OK)
        with m.Elif(refused != Status.OK):
            m.d.sync += problem.eq(refused)
        with m.Elif(block.error):
            m.d.sync += problem.eq(Status.TABLE)
        with m.Elif(corrupt & block.ready):
            m.d.sync += problem.eq(Status.STREAM)
        with m.Elif(requantiser.too_many):
            m.d.sync += problem.eq(Status.RECORD)

        with m.If(self.unit.start):
            m.d.sync += loading.eq(1)
        with m.Elif(~failed & ~clear & (problem != Status.OK)):
            m.d.sync += [loading.eq(0), running.eq(0), failed.eq(1), status.eq(problem)]
        with m.Elif(loading & barrel.ready & block.ready & vector.ready):
            m.d.comb += barrel.go.eq(1)
            m.d.sync += [loading.eq(0), running.eq(1)]
        with m.Elif(self.unit.done):
            m.d.sync += [running.eq(0), failed.eq(0)]
        finished = running & (problem == Status.OK) & drained & ~requantiser.busy
        m.d.comb += [
            self.unit.done.eq(failed | finished),
            self.unit.error.eq(Mux(failed, status, Mux(bad_record, Status.RECORD, Status.OK))),
        ]
        return m

    def _seen(self, m: Module, name: str, error, clear: Signal) -> Signal:
        """High from the cycle behind an error to the command's end."""
        seen = Signal(name=name)
        m.d.sync += seen.eq(~clear & (seen | error))
        return seen

    def _lanes(self, m: Module, barrel, block, vector, collector) -> list:
        p = self._params
        lanes = []
        for i in range(p.lanes):
            m.submodules[f"lane_{i}"] = lane = Lane(p)
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
            wiring.connect(m, lane.row, collector.pushed[i])
        for total, one in (
            (self.events.symbols, "symbol"),
            (self.events.macs, "mac"),
            (self.events.gated, "gated"),
            (self.events.stalled, "stalled"),
        ):
            m.d.sync += total.eq(sum(getattr(lane.events, one) for lane in lanes))
        return lanes

    def _refused(self, m: Module, field: dict, clear: Signal):
        """The status of a command whose fields leave a memory, OK while that is not known."""
        p = self._params
        bus_words = p.bus_words
        columns, a, dst = field["columns"], field["a"], field["dst"]
        # Sums in a cycle of their own; by the third cycle of a command they are its own.
        end, bank_end = Signal(len(a) + 1), Signal(len(field["bank"]) + bus_words.bit_length())
        wrong, refused = Signal(7), Signal()
        known = [Signal(name=f"known_{i}") for i in range(2)]
        m.d.sync += [
            end.eq(a + columns),
            bank_end.eq(field["bank"] * bus_words + directory_words(p.threads)),
            wrong.eq(
                Cat(
                    columns == 0,
                    columns > p.activation_entries,
                    a[: ceil_log2(p.bus_bytes)] != 0,
                    field["dst_type"] & dst[0],
                    dst > p.sram_bytes,
                    field["rows"][: ceil_log2(PARAM_WORD)] != 0,
                    field["rows"] > p.param_bytes,
                )
            ),
            refused.eq(wrong.any() | (end > p.sram_bytes) | (bank_end > p.bank_words)),
            known[0].eq(~clear),
            known[1].eq(known[0] & ~clear),
        ]
        return Mux(refused & known[1], Status.ADDRESS, Status.OK)

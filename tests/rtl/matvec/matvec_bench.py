"""Cases for the matrix-vector unit, and a bench that runs one on unit and twin side by side."""

from dataclasses import dataclass

import numpy as np
from amaranth.hdl import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.sim import Simulator

from compiler.codec import choose_sets
from compiler.codec.arrange import Arrangement
from compiler.codec.deal import deal
from compiler.lowering.ir import Matrix
from compiler.passes.tiles import pack_matrix
from npu.chip import cost, windows
from npu.chip.isa import command, encode
from npu.chip.params import load_params
from npu.chip.weight_format import MAX_STREAM_BITS, WORD_BITS, directory_words
from npu.model.layer import Layer
from npu.twin import matvec
from npu.twin import tile as twin_tile
from npu.twin.sums import sums_of
from rtl.matvec.matvec import MatVec
from rtl.shared import interfaces


def small_params(**changes):
    """A chip of one or a few lanes with memories that simulate quickly."""
    small = {
        "lanes": 2,
        "threads": 2,
        "bank_bytes": 2048,
        "param_bytes": 4096,
        "sram_bytes": 2048,
        "activation_entries": 512,
        "result_fifo": 8,
        "bus_bytes": 8,
    }
    return load_params("tiny").model_copy(update=small | changes)


def sparse(rng, rows, columns, density):
    weights = rng.integers(-128, 128, (rows, columns)) * (rng.random((rows, columns)) < density)
    return weights.astype(np.int8)


@dataclass
class Case:
    """Memories and a command, as the compiler lays them out; weights coded by slot.

    set_up : WINDOW and POSITIONS that the bench runs before it, if any. held : the block that the
    decoders hold, where the command says so.
    """

    params: object
    banks: np.ndarray
    param: np.ndarray
    sram: np.ndarray
    cmd: object
    symbols: np.ndarray
    set_up: tuple = ()
    held: object = None


def make_case(
    params, weights, *, scales=1, wide=False, bank=3, seed=0, sets=1, tables=None, **fields
):
    """A command with random bias, scales and destinations for `weights`.

    scales : distinct scales among the rows; more than MAX_SCALES give every row its own. tables :
        code sets, by default `sets` good ones for the weights.
    """
    rng = np.random.default_rng(seed)
    rows, columns = weights.shape
    pick = rng.integers(0, scales, rows)
    pick[: min(scales, rows)] = np.arange(min(scales, rows))
    matrix = Matrix(
        Layer("main", "m", rows=(rows,)),
        weights,
        rng.integers(-(2**31) // 64, 2**31 // 64, rows),
        rng.permutation(rows),
        rng.integers(1 << 30, 1 << 31, scales)[pick],
        rng.integers(-20, 3, scales)[pick],
        columns,
    )
    bus_words = params.bank_bytes // params.bus_bytes - bank

    def arranged(weights, groups, params):
        dealt = tuple(deal(np.maximum(1, np.count_nonzero(weights, axis=1)), params.slots))
        codes = tables or choose_sets([(weights, dealt)], params.lanes, sets)
        return Arrangement((weights,), (dealt,), tuple(codes), params)

    packed = pack_matrix(matrix, params, bus_words, params.param_bytes // 2, arranged)
    (tile,) = packed.tiles
    banks = rng.integers(0, 1 << 32, (params.lanes, params.bank_words), np.uint32)
    words = banks.reshape(params.lanes, -1, params.bus_bytes // 4)
    image = np.frombuffer(tile.image, np.uint32)
    assert not twin_tile.deal(image, words, bank, params.threads).fault
    param = np.zeros(params.param_bytes, np.uint8)
    block_at, rows_at = 8, params.param_bytes // 2
    param[block_at : block_at + len(packed.block)] = np.frombuffer(packed.block, np.uint8)
    param[rows_at : rows_at + len(tile.records)] = np.frombuffer(tile.records, np.uint8)
    sram = rng.integers(0, 256, params.sram_bytes, np.uint8)
    sram[: columns // 2] *= rng.random(columns // 2) < 0.7
    values = {
        "a": 0,
        "columns": columns,
        "dst": params.sram_bytes // 2 + 2,
        "dst_type": int(wide),
        "bank": bank,
        "lo": -32768 if wide else -128,
        "hi": 32767 if wide else 127,
        "a_zero": int(rng.integers(-128, 128)),
        "dst_zero": int(rng.integers(-128, 128)),
        "block": block_at,
        "rows": rows_at,
    }
    cmd = command("MATVEC", **(values | fields))
    return Case(params, banks, param, sram, cmd, tile.packed.symbols_per_slot)


def run_twin(case):
    """(Work, MACs gated, SRAM afterwards)."""
    sram, held, walk = case.sram.copy(), cost.Held(*case.set_up), None
    if case.cmd.windowed:
        walk = windows.walk(case.cmd, held.window, held.positions, case.params)
    block = matvec.block_of(case.cmd, case.param, case.held)
    reads = matvec.reads(case.cmd, case.params, case.banks, case.param, case.held)
    sums = sums_of(case.cmd, walk, case.params)
    room = matvec.Room(matvec.room_of(case.cmd, sram, walk), sums=sums)
    plan = matvec.plan(case.cmd, case.params, reads, block, case.banks, case.param, room, held)
    product = matvec.bind(case.cmd, plan, sram, walk, sums)
    return plan.work, product.run(), sram


@dataclass
class Outcome:
    """What the unit did: cycles, status, SRAM, writes as (cycle, address, bytes), counters."""

    cycles: int
    status: int
    sram: np.ndarray
    writes: list
    counted: dict
    turns: list


def section_words(case):
    """(lanes,) words that the directories of a case say the sections take, its last one begun."""
    first = case.cmd.bank * case.params.bus_bytes // 4
    head = directory_words(case.params.threads)
    lengths = case.banks[:, first : first + head] & np.uint32(MAX_STREAM_BITS)
    return head + lengths.sum(axis=1, dtype=np.int64) // WORD_BITS


def connect_pair(m, port, memory):
    """Read two words of 64 bits at once from a memory that has one more than parameter memory."""
    first, second = memory.read_port(), memory.read_port()
    m.d.comb += [
        port.data.eq(Cat(first.data, second.data)),
        *(read.en.eq(port.en) for read in (first, second)),
        first.addr.eq(port.addr),
        second.addr.eq(port.addr + 1),
    ]


class Bench:
    """The unit with parameter memory and SRAM; runs cases of the same params one after another."""

    def __init__(self, params):
        self.params = params
        self.unit = MatVec(params)
        self.param = Memory(shape=64, depth=interfaces.param_words(params) + 1, init=[])
        self.sram = Memory(
            shape=interfaces.bus_bits(params), depth=interfaces.sram_words(params), init=[]
        )

    def run(self, cases, limit=20000, vcd=None):
        """An Outcome for every case; a case that does not end within `limit` cycles fails."""
        m = Module()
        m.submodules.unit = self.unit
        m.submodules.param = self.param
        m.submodules.sram = self.sram
        connect_pair(m, self.unit.param, self.param)
        wiring.connect(m, self.unit.sram_read, self.sram.read_port())
        wiring.connect(m, self.unit.sram_write, self.sram.write_port(granularity=8))
        simulator = Simulator(m)
        simulator.add_clock(1e-6)
        outcomes = []

        async def bench(ctx):
            for case in cases:
                await self._load(ctx, case)
                outcomes.append(await self._execute(ctx, case, limit))

        simulator.add_testbench(bench)
        if vcd:
            with simulator.write_vcd(vcd):
                simulator.run()
        else:
            simulator.run()
        return outcomes

    async def _load(self, ctx, case):
        bus = self.params.bus_bytes
        for memory, contents, size in ((self.param, case.param, 8), (self.sram, case.sram, bus)):
            raw = contents.tobytes()
            for i in range(len(raw) // size):
                word = int.from_bytes(raw[i * size : (i + 1) * size], "little")
                ctx.set(memory.data[i], word)
        # The sections, and a few words that may be read ahead behind them.
        first = case.cmd.bank * bus // 4
        longest = int(section_words(case).max())
        all_words = range(self.params.bank_bytes // bus)
        words = all_words[case.cmd.bank : (first + longest) * 4 // bus + 4]
        port = self.unit.bank
        ctx.set(port.en, 1)
        for lane, bank in enumerate(case.banks):
            raw = bank.astype("<u4").tobytes()
            ctx.set(port.lane, lane)
            for i in words:
                ctx.set(port.addr, i)
                ctx.set(port.data, int.from_bytes(raw[i * bus : (i + 1) * bus], "little"))
                await ctx.tick()
        ctx.set(port.en, 0)

    async def _execute(self, ctx, case, limit):
        unit, bus = self.unit, self.params.bus_bytes
        for cmd in case.set_up:
            ctx.set(unit.unit.cmd, int.from_bytes(encode(cmd), "little"))
            ctx.set(unit.unit.start, 1)
            await ctx.tick()
            ctx.set(unit.unit.start, 0)
            assert ctx.get(unit.unit.done)
            assert ctx.get(unit.unit.error) == 0
            await ctx.tick()
        ctx.set(unit.unit.cmd, int.from_bytes(encode(case.cmd), "little"))
        ctx.set(unit.unit.start, 1)
        names = ("symbols", "macs", "gated", "stalled")
        counted, writes, turns = dict.fromkeys(names, 0), [], []
        for cycle in range(limit):
            for name in names:
                counted[name] += ctx.get(getattr(unit.events, name))
            turns.append(ctx.get(unit.events.symbols))
            if enable := ctx.get(unit.sram_write.en):
                at = ctx.get(unit.sram_write.addr) * bus
                data = ctx.get(unit.sram_write.data).to_bytes(bus, "little")
                first = (enable & -enable).bit_length() - 1
                count = enable.bit_count()
                writes.append((cycle, at + first, data[first : first + count]))
            if ctx.get(unit.unit.done):
                status = ctx.get(unit.unit.error)
                await ctx.tick()
                ctx.set(unit.unit.start, 0)
                raw = b"".join(
                    ctx.get(self.sram.data[i]).to_bytes(bus, "little")
                    for i in range(len(case.sram) // bus)
                )
                sram = np.frombuffer(raw, np.uint8)
                return Outcome(cycle + 1, status, sram, writes, counted, turns)
            await ctx.tick()
            ctx.set(unit.unit.start, 0)
        raise AssertionError(f"the unit did not end within {limit} cycles")


def check(case, outcome):
    """The unit equals the twin: cycles, counters, every byte of SRAM, the last write's cycle."""
    work, gated, sram = run_twin(case)
    assert outcome.status == 0
    assert outcome.cycles == work.cycles
    assert outcome.counted == {
        "symbols": work.symbols,
        "macs": work.macs,
        "gated": gated,
        "stalled": work.stalled,
    }
    assert np.array_equal(outcome.sram, sram)
    assert len(outcome.writes) == work.rows
    return work

"""DMA engine: the twin's cycles for every transfer, every byte in its place, AXI's rules kept."""

import random
from dataclasses import dataclass, field

import numpy as np
import pytest
from amaranth.sim import Simulator

import rtl.dma.dma
from compiler.codec.tile import pack_tile
from npu.chip.counters import Counters
from npu.chip.memory import BusSchedule, ExternalMemory, WriteOrder
from npu.chip.params import ChipParams, load_params
from npu.chip.status import Status
from npu.chip.weight_format import MAX_STREAM_BITS, STREAM_BITS, directory_words
from npu.twin.dma import Dma as TwinDma
from npu.twin.tile import deal
from rtl.dma.dma import Dma
from rtl.shared.interfaces import KINDS
from rtl.sim.bus import BusMemory, BusRules, Outputs
from tests.formal.faults import faulty

MEMORY_BYTES = 256 * 1024
TILES = 64 * 1024  # tiles lie from here on, a place for each job
LIMIT = 20_000
SLVERR = 2


def small(rng: random.Random) -> ChipParams:
    """A chip of random size, small enough for Amaranth's simulator."""
    bus = rng.choice([8, 16, 32])
    return load_params("tiny").model_copy(
        update={
            "lanes": rng.choice([1, 2, 3, 5, 9]),
            "threads": rng.choice([2, 2, 3, 5]),
            "bank_bytes": rng.choice([256, 384]),
            "param_bytes": 512,
            "sram_bytes": rng.choice([512, 640]),
            "program_bytes": 1024,
            "bus_bytes": bus,
            "dma_burst_beats": rng.choice([1, 2, 3, 7, 64]),
            "dma_outstanding": rng.choice([1, 2, 3, 4]),
            "dma_queue": rng.choice([1, 2, 3, 4]),
            "memory_latency_cycles": rng.choice([1, 2, 5, 20]),
            "memory_cycles_per_beat": rng.choice([1, 1, 2, 3]),
        }
    )


def random_schedule(rng: random.Random) -> BusSchedule:
    order = rng.choice(list(WriteOrder))
    if rng.random() < 0.3:
        return BusSchedule(order=order)

    def pattern() -> np.ndarray:
        # Sometimes a long silence.
        often = rng.choice([0.6, 0.6, 0.12])
        bits = [rng.random() < often for _ in range(rng.randint(1, 40))]
        bits[rng.randrange(len(bits))] = True
        return np.array(bits)

    return BusSchedule(*(pattern() for _ in range(5)), order)


@dataclass
class Job:
    """A transfer to ask for, `pause` cycles after the one before was taken (or done)."""

    kind: str
    address: int
    local: int = 0
    beats: int = 1
    tag: int = 0
    word: int = 0
    pause: int = 0


class Made:
    """A unit in its simulator, which is built once and reset for every further run."""

    def __init__(self, dut: Dma) -> None:
        self.dut, self._has_run = dut, False
        self._simulator = Simulator(dut)
        self._simulator.add_clock(1e-6)
        self._simulator.add_testbench(self._testbench)

    async def _testbench(self, ctx) -> None:
        await self._now(ctx)

    def run(self, testbench) -> None:
        self._now = testbench
        if self._has_run:
            self._simulator.reset()
        self._has_run = True
        self._simulator.run()


@dataclass
class Bench:
    """The engine with its memories as arrays, stepped cycle by cycle."""

    params: ChipParams
    data: np.ndarray
    schedule: BusSchedule
    unit: type = Dma
    made: Made | None = None
    banks: np.ndarray = field(init=False)
    param: np.ndarray = field(init=False)
    sram: np.ndarray = field(init=False)
    program: np.ndarray = field(init=False)
    error: int = 0

    def __post_init__(self) -> None:
        p = self.params
        self.made = self.made or Made(self.unit(p))
        self.dut = self.made.dut
        self._look_up()
        self.memory = BusMemory(p, self.data, self.schedule)
        self.rules = BusRules(p)
        self.banks = np.zeros((p.lanes, p.bank_bytes), np.uint8)
        self.param = np.zeros(p.param_bytes, np.uint8)
        self.sram = np.zeros(p.sram_bytes, np.uint8)
        self.program = np.zeros(p.program_bytes, np.uint8)
        self.cycle = 0
        self._sram_word = 0

    async def step(self, ctx) -> None:
        """One cycle: the bus, then the memories, then the clock."""
        inputs, o = self.memory.drive(self.cycle), self._outputs
        driven = {name: getattr(inputs, name) for name in self._inputs}
        for name, value in (driven | {"sram": self._sram_word}).items():
            # What a simulator in Python takes its time for is each signal that is set.
            if self._driven.get(name) != value:
                ctx.set(self._sram_data if name == "sram" else self._inputs[name], value)
                self._driven[name] = value
        outputs = Outputs()
        if ctx.get(o["ar_valid"]):
            outputs.ar = (ctx.get(o["ar_addr"]), ctx.get(o["ar_len"]) + 1)
        if ctx.get(o["aw_valid"]):
            outputs.aw = (ctx.get(o["aw_addr"]), ctx.get(o["aw_len"]) + 1)
        if ctx.get(o["w_valid"]):
            outputs.w = (ctx.get(o["w_data"]), ctx.get(o["w_strb"]), ctx.get(o["w_last"]))
        outputs.r_ready = bool(ctx.get(o["r_ready"]))
        self.rules.check(inputs, outputs)
        self.memory.clock(self.cycle, outputs)
        self._write(ctx, "param", self.param)
        self._write(ctx, "sram_write", self.sram)
        self._write(ctx, "program_memory", self.program)
        if ctx.get(self._ports["bank"][0]):
            self._write(ctx, "bank", self.banks[ctx.get(self._bank_lane)])
        read_en, read_addr = self._read
        if ctx.get(read_en):
            at = ctx.get(read_addr) * self.params.bus_bytes
            word = self.sram[at : at + self.params.bus_bytes].tobytes()
            self._sram_word = int.from_bytes(word, "little")
        self.error = ctx.get(self._error)
        await ctx.tick()
        self.cycle += 1
        assert self.cycle < LIMIT

    def _look_up(self) -> None:
        """The signals of every cycle: to find one in an interface takes as long as to read it."""
        dut, axi = self.dut, self.dut.axi
        self._driven: dict[str, int] = {}
        self._inputs = {f"{name}_ready": getattr(axi, name).ready for name in ("ar", "aw", "w")}
        self._inputs |= {f"{name}_valid": getattr(axi, name).valid for name in ("r", "b")}
        self._inputs |= {f"r_{name}": axi.r.payload[name] for name in ("data", "resp", "last")}
        self._inputs["b_resp"] = axi.b.payload.resp
        self._outputs = {f"{name}_valid": getattr(axi, name).valid for name in ("ar", "aw", "w")}
        for name in ("ar", "aw"):
            payload = getattr(axi, name).payload
            self._outputs |= {f"{name}_addr": payload.addr, f"{name}_len": payload.len}
        self._outputs |= {f"w_{name}": axi.w.payload[name] for name in ("data", "strb", "last")}
        self._outputs["r_ready"] = axi.r.ready
        names = ("param", "sram_write", "program_memory", "bank")
        ports = {name: getattr(dut, name) for name in names}
        self._ports = {name: (port.en, port.addr, port.data) for name, port in ports.items()}
        self._bank_lane, self._error = dut.bank.lane, dut.transfers.error
        self._sram_data, self._read = dut.sram_read.data, (dut.sram_read.en, dut.sram_read.addr)

    def _write(self, ctx, name: str, memory: np.ndarray) -> None:
        en, addr, data = self._ports[name]
        if not ctx.get(en):
            assert ctx.get(addr) == 0 and ctx.get(data) == 0, "an idle port drives"
            return
        n = self.params.bus_bytes
        at = ctx.get(addr) * n
        assert at + n <= len(memory)
        memory[at : at + n] = np.frombuffer(ctx.get(data).to_bytes(n, "little"), np.uint8)

    async def ask(self, ctx, job: Job) -> int:
        """Put a job on the queue; returns the cycle in which it was taken."""
        t = self.dut.transfers
        ctx.set(t.valid, 1)
        ctx.set(t.kind, KINDS.index(job.kind))
        for name in ("address", "local", "beats", "tag", "word"):
            ctx.set(getattr(t, name), getattr(job, name))
        while not ctx.get(t.ready):
            await self.step(ctx)
        taken = self.cycle
        await self.step(ctx)
        ctx.set(t.valid, 0)
        return taken

    async def until_done(self, ctx) -> int:
        """The cycle of the next `done`."""
        while not ctx.get(self.dut.transfers.done) and not self.error:
            await self.step(ctx)
        done = self.cycle
        await self.step(ctx)
        return done

    async def until_closed(self, ctx, tags: int) -> int:
        """The first cycle in which no transfer of the masked tags is open."""
        while ctx.get(self.dut.transfers.open_tags) & tags and not self.error:
            await self.step(ctx)
        return self.cycle

    def run(self, testbench) -> None:
        self.made.run(testbench)


def tile(rng: random.Random, p: ChipParams, bus_words: int) -> bytes:
    """A tile with sections of at most `bus_words`, of any bits behind any directories."""
    head, words = directory_words(p.threads), p.bus_bytes // 4
    most = bus_words * words
    # The last whole bus word of a section may be there for others' sake.
    most -= head + -head % words + words if most > 2 * (head + words) else head
    spread = rng.choice([0, 3, most])
    shortest = rng.randint(0, most - min(spread, most))
    sections = []
    rows_left = rng.choice([40, 4096])
    for _ in range(p.lanes):
        size = shortest + rng.randint(0, min(spread, most))
        section = np.frombuffer(rng.randbytes(4 * (head + size)), np.uint32).copy()
        for thread in range(p.threads):
            rows = rng.randint(0, rows_left // p.slots)
            lengths = [rng.randint(0, 1 << rng.randint(0, 20)) & MAX_STREAM_BITS for _ in range(2)]
            section[2 * thread] = rows << STREAM_BITS | (lengths[0] if rows else 0)
            section[2 * thread + 1] = lengths[1] if rows else 0
        sections.append(section)
    return pack_tile(sections, p.threads, words)


def random_job(rng: random.Random, p: ChipParams, data: np.ndarray, place: int) -> Job:
    """A valid transfer; a tile is put into `data` where it is read."""
    kind, bus = rng.choice(KINDS), p.bus_bytes
    pause = rng.choice([0, 0, 0, 1, 2, 7])
    # Near a 4 KiB boundary more often than not.
    near = 4096 * rng.randint(1, 14) + rng.randint(-20, 20) * bus
    address = rng.choice([near, rng.randrange(TILES - 4096) // bus * bus])
    if kind in ("LOAD_REG", "STORE_REG"):
        return Job(kind, address + 4 * rng.randrange(4), word=rng.getrandbits(32), pause=pause)
    if kind == "LOAD_BANK":
        bank = rng.randrange(p.bank_bus_words // 2)
        address = TILES + 6000 // bus * bus * place + bus * rng.randrange(4)
        image = tile(rng, p, min(12, p.bank_bus_words - bank))
        data[address : address + len(image)] = np.frombuffer(image, np.uint8)
        return Job(kind, address, bank, len(image) // bus, tag=rng.randrange(8), pause=pause)
    size = p.param_bytes if kind == "LOAD_PARAM" else p.sram_bytes
    first = rng.randrange(size // bus)
    beats = rng.randint(1, min(40, size // bus - first))
    return Job(kind, address, first * bus, beats, tag=rng.randrange(8), pause=pause)


@dataclass
class Model:
    """What the twin says about the same jobs: contents by hand, cycles by `npu.twin.dma`."""

    params: ChipParams
    data: np.ndarray
    bench: Bench

    def __post_init__(self) -> None:
        p = self.params
        memory = ExternalMemory(p, len(self.data), self.bench.schedule)
        self.dma = TwinDma(p, memory, Counters())
        self.banks = np.zeros((p.lanes, p.bank_bytes), np.uint8)
        self.param = np.zeros(p.param_bytes, np.uint8)
        self.sram = np.zeros(p.sram_bytes, np.uint8)

    def queue(self, job: Job, cycle: int):
        p, bus = self.params, self.params.bus_bytes
        beat = job.address // bus * bus
        n = job.beats * bus
        window = self.data[beat : beat + n]
        match job.kind:
            case "LOAD_BANK":
                banks = self.banks.view(np.uint32).reshape(p.lanes, -1, bus // 4)
                dealt = deal(window.view(np.uint32), banks, job.local, p.threads)
                assert not dealt.fault, dealt.problem
                return self.dma.read(cycle, beat, job.beats, dealt.dealing, tag=job.tag)
            case "LOAD_PARAM":
                self.param[job.local : job.local + n] = window
            case "LOAD":
                self.sram[job.local : job.local + n] = window
            case "STORE":
                window[:] = self.sram[job.local : job.local + n]
            case "STORE_REG":
                self.data[job.address : job.address + 4] = np.array([job.word], "<u4").view(
                    np.uint8
                )
        tag = job.tag if job.kind in ("LOAD_BANK", "LOAD_PARAM") else None
        if job.kind.startswith("STORE"):
            return self.dma.write(cycle, beat, job.beats)
        return self.dma.read(cycle, beat, job.beats, tag=tag)


@pytest.mark.parametrize("seed", range(24))
def test_cycles_and_bytes_equal_the_twin(seed):
    rng = random.Random(seed)
    p = small(rng)
    data = np.frombuffer(rng.randbytes(MEMORY_BYTES), np.uint8).copy()
    jobs = [random_job(rng, p, data, place) for place in range(25)]
    bench = Bench(p, data, random_schedule(rng))
    model = Model(p, data.copy(), bench)

    async def testbench(ctx):
        for job in jobs:
            for _ in range(job.pause):
                await bench.step(ctx)
            wanted = model.dma.slot_free_at(bench.cycle)
            assert await bench.ask(ctx, job) == wanted, job
            transfer = model.queue(job, wanted)
            if transfer.tag is None:
                result = bench.dut.transfers.result
                while not ctx.get(bench.dut.transfers.done):
                    await bench.step(ctx)
                assert bench.cycle == transfer.done, job
                if job.kind == "LOAD_REG":
                    word = model.data[job.address : job.address + 4].tobytes()
                    assert ctx.get(result) == int.from_bytes(word, "little")
                await bench.step(ctx)
            elif rng.random() < 0.3:
                mask = 1 << job.tag | 1 << rng.randrange(8)
                ready = model.dma.wait_until(bench.cycle, mask)
                assert await bench.until_closed(ctx, mask) == ready, job
        ready = model.dma.wait_until(bench.cycle, 0xFF)
        assert await bench.until_closed(ctx, 0xFF) == ready
        assert not ctx.get(bench.dut.active)

    bench.run(testbench)
    assert bench.error == Status.OK
    for name in ("data", "banks", "param", "sram"):
        assert np.array_equal(getattr(bench, name), getattr(model, name)), name


def store(schedule: BusSchedule, **changes: int) -> tuple[int, int]:
    """First and last cycle of a store of three bursts; its bytes are compared."""
    p = small(random.Random(3)).model_copy(
        update={"dma_burst_beats": 4, "sram_bytes": 512, "memory_latency_cycles": 5} | changes
    )
    bench = Bench(p, np.zeros(MEMORY_BYTES, np.uint8), schedule)
    bench.sram[:] = np.frombuffer(random.Random(0).randbytes(len(bench.sram)), np.uint8)
    cycles = []

    async def testbench(ctx):
        cycles.append(await bench.ask(ctx, Job("STORE", 4096 - 2 * p.bus_bytes, beats=7)))
        cycles.append(await bench.until_done(ctx))

    bench.run(testbench)
    n = 7 * p.bus_bytes
    assert np.array_equal(bench.data[4096 - 2 * p.bus_bytes :][:n], bench.sram[:n])
    return cycles[0], cycles[1]


SILENT = np.arange(64) == 63


@pytest.mark.parametrize("order", WriteOrder)
@pytest.mark.parametrize("silent", ["none", "aw", "w", "b"])
def test_a_store_ends_whatever_the_memory_waits_for(order, silent):
    patterns = {} if silent == "none" else {silent: SILENT}
    first, last = store(BusSchedule(**patterns, order=order))
    assert (last - first > 64) == (silent != "none")


@pytest.mark.parametrize("order", WriteOrder)
def test_bursts_of_a_store_wait_for_the_responses_of_others_at_once(order):
    """Three bursts: with three in flight the latency is paid once, with two once more, ..."""
    lasts = [
        store(BusSchedule(order=order), memory_latency_cycles=90, dma_outstanding=n)[1]
        for n in (4, 3, 2, 1)
    ]
    assert lasts[0] == lasts[1]
    # A few cycles more or less: the bursts that are sent meanwhile.
    assert 80 < lasts[2] - lasts[1] < 100
    assert 80 < lasts[3] - lasts[2] < 100


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        # As it once was: such a memory and the chip waited for each other.
        ("may_offer & ~filled", "may_offer & addressed & ~filled", "w: waits for awready"),
        ("may_offer & ~addressed", "may_offer & filled & ~addressed", "aw: waits for wready"),
        ("(unanswered != params.dma_outstanding)", "1", "aw: 1 write bursts are open, 1 may be"),
    ],
)
def test_a_channel_that_waits_for_the_other_is_seen(old, new, said, monkeypatch):
    monkeypatch.setattr(rtl.dma.dma, "Writes", faulty("rtl.dma.writes", old, new).Writes)
    with pytest.raises(AssertionError, match=said):
        store(BusSchedule(order=WriteOrder.TOGETHER), dma_outstanding=1)


@pytest.mark.parametrize("which", range(3))
def test_the_error_of_any_burst_is_the_transfers(which):
    """All bursts of it are sent, and answered, whichever of them the memory refuses."""
    p = small(random.Random(3)).model_copy(
        update={"dma_burst_beats": 1, "dma_outstanding": 2, "memory_latency_cycles": 20}
    )
    bench = Bench(p, np.zeros(MEMORY_BYTES, np.uint8), BusSchedule())
    bench.sram[:] = 1
    drive, answers = bench.memory.drive, []

    def refusing(cycle: int):
        inputs = drive(cycle)
        if inputs.b_valid:
            inputs.b_resp = SLVERR if len(answers) == which else 0
            answers.append(inputs.b_resp)
        return inputs

    bench.memory.drive = refusing

    async def testbench(ctx):
        await bench.ask(ctx, Job("STORE", 0, beats=3))
        for _ in range(100):
            error = ctx.get(bench.dut.error)
            assert error == (Status.BUS if len(answers) > which else Status.OK)
            assert ctx.get(bench.dut.active) or len(answers) in (0, 3)
            await bench.step(ctx)
        assert not ctx.get(bench.dut.active)

    bench.run(testbench)
    assert answers == [SLVERR if burst == which else 0 for burst in range(3)]
    assert (bench.data[: 3 * p.bus_bytes] == 1).all()


def test_the_program_is_loaded():
    rng = random.Random(1)
    p = small(rng)
    data = np.frombuffer(rng.randbytes(MEMORY_BYTES), np.uint8).copy()
    bench = Bench(p, data, random_schedule(rng))

    async def testbench(ctx):
        load = bench.dut.program
        ctx.set(load.valid, 1)
        ctx.set(load.address, 4096)
        ctx.set(load.beats, p.program_bytes // p.bus_bytes)
        while not ctx.get(load.done):
            await bench.step(ctx)
        await bench.step(ctx)
        ctx.set(load.valid, 0)
        for _ in range(10):
            await bench.step(ctx)
        assert not ctx.get(bench.dut.active)

    bench.run(testbench)
    assert np.array_equal(bench.program, data[4096 : 4096 + p.program_bytes])


def _failing(kind: str):
    p = small(random.Random(3))
    data = np.zeros(MEMORY_BYTES, np.uint8)
    beyond = Job(kind, MEMORY_BYTES - p.bus_bytes, beats=3)
    if kind in ("LOAD_REG", "STORE_REG"):
        beyond = Job(kind, MEMORY_BYTES + 8)
    return p, data, beyond


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_response_stops_the_engine(kind):
    p, data, job = _failing(kind)
    p = p.model_copy(update={"dma_queue": 4})
    bench = Bench(p, data, BusSchedule())

    async def testbench(ctx):
        await bench.ask(ctx, job)
        # Those in the queue behind it never have their turn, and are not in progress then.
        for tag in range(3):
            await bench.ask(ctx, Job("LOAD_PARAM", 0, 0, 4, tag=tag))
        while not bench.error:
            await bench.step(ctx)
        assert bench.error == Status.BUS
        while ctx.get(bench.dut.active):
            await bench.step(ctx)
        for cycle in range(50):
            assert not ctx.get(bench.dut.busy), f"busy {cycle} cycles after the end"
            ctx.set(bench.dut.transfers.valid, 1)
            assert not ctx.get(bench.dut.transfers.ready)
            await bench.step(ctx)
            assert not ctx.get(bench.dut.axi.ar.valid) and not ctx.get(bench.dut.axi.aw.valid)
        assert bench.error == Status.BUS

    bench.run(testbench)


@pytest.mark.parametrize(("kind", "memory"), [("LOAD", "sram"), ("LOAD_PARAM", "param")])
def test_a_beat_that_comes_with_an_error_is_not_stored(kind, memory):
    p, data, job = _failing(kind)
    data[:] = 1
    bench = Bench(p, data, BusSchedule())
    stored = getattr(bench, memory)
    stored[:] = 2

    async def testbench(ctx):
        await bench.ask(ctx, job)
        await bench.step(ctx)
        while ctx.get(bench.dut.active):
            await bench.step(ctx)

    bench.run(testbench)
    assert bench.error == Status.BUS
    # The first beat is the last in memory.
    assert np.array_equal(stored == 1, np.arange(len(stored)) < p.bus_bytes)
    assert np.isin(stored, (1, 2)).all()


@pytest.mark.parametrize("tile_fails", [False, True])
def test_what_was_asked_for_behind_an_error_is_not_stored(tile_fails):
    """Its addresses are taken before the error is known; its beats come, and go nowhere."""
    p = small(random.Random(3)).model_copy(update={"dma_queue": 4, "memory_latency_cycles": 20})
    data = np.ones(MEMORY_BYTES, np.uint8)
    data[:64] = 0
    bench = Bench(p, data, BusSchedule())
    bench.param[:] = 2
    asked = set()

    async def testbench(ctx):
        first = Job("LOAD_BANK", 0, beats=8) if tile_fails else Job("LOAD", MEMORY_BYTES)
        await bench.ask(ctx, first)
        await bench.ask(ctx, Job("LOAD_PARAM", 4096, beats=3, tag=1))
        await bench.ask(ctx, Job("LOAD_BANK", 8192, beats=20, tag=1))
        while not bench.error or ctx.get(bench.dut.active):
            if ctx.get(bench.dut.axi.ar.valid):
                asked.add(ctx.get(bench.dut.axi.ar.payload.addr))
            assert not (bench.error and ctx.get(bench.dut.bank.en))
            await bench.step(ctx)

    bench.run(testbench)
    assert bench.error == (Status.TILE if tile_fails else Status.BUS)
    assert 4096 in asked
    assert (bench.param == 2).all()


@pytest.mark.parametrize("more", [-1, 1, -5, -8])
def test_a_tile_that_does_not_fit_its_transfer_is_refused(more):
    """The rest of what can be wrong with a tile: test_tile_dealer.py."""
    p = small(random.Random(3)).model_copy(update={"lanes": 3, "threads": 2, "bus_bytes": 8})
    image = tile(random.Random(0), p, 6)
    data = np.zeros(MEMORY_BYTES, np.uint8)
    data[: len(image)] = np.frombuffer(image, np.uint8)
    bench = Bench(p, data, BusSchedule())

    async def testbench(ctx):
        await bench.ask(ctx, Job("LOAD_BANK", 0, 0, len(image) // p.bus_bytes + more))
        error = 0
        while ctx.get(bench.dut.transfers.open_tags) and not error:
            error = ctx.get(bench.dut.transfers.error)
            await bench.step(ctx)
        await bench.step(ctx)
        assert ctx.get(bench.dut.transfers.error) == Status.TILE

    bench.run(testbench)


def test_hold_keeps_the_next_transfer_waiting():
    p = small(random.Random(3)).model_copy(update={"dma_queue": 4})
    bench = Bench(p, np.zeros(MEMORY_BYTES, np.uint8), BusSchedule())

    async def testbench(ctx):
        ctx.set(bench.dut.hold, 1)
        await bench.ask(ctx, Job("LOAD_PARAM", 0, 0, 4, tag=2))
        for _ in range(30):
            await bench.step(ctx)
            assert not ctx.get(bench.dut.active)
        ctx.set(bench.dut.hold, 0)
        await bench.until_closed(ctx, 4)

    bench.run(testbench)

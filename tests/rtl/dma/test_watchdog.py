"""A bus that goes silent: when the watchdog tells it, and what the DMA does then and later."""

from dataclasses import dataclass
from functools import cache, partial

import numpy as np
import pytest

import rtl.dma.dma
from npu.chip.memory import BusSchedule, WriteOrder
from npu.chip.params import load_params
from npu.chip.status import Status
from rtl.sim.bus import BusMemory, Outputs
from tests.formal.faults import faulty
from tests.rtl.dma.test_dma import MEMORY_BYTES, Bench, Job, Made

PARAMS = load_params("tiny").model_copy(
    update={
        "lanes": 2,
        "sram_bytes": 512,
        "param_bytes": 512,
        "program_bytes": 1024,
        "dma_burst_beats": 4,
        "dma_outstanding": 2,
        "dma_queue": 4,
        "memory_latency_cycles": 3,
    }
)
BEATS, SILENCE, CYCLES, NEVER = 10, 40, 400, 10_000
CULPRIT = 77
WRITES = ("STORE", "STORE_REG")


class Listening(BusMemory):
    """Counts cycles in which something is open and nothing happens, as the bus alone shows them.

    Attributes
    ----------
    run, longest : so many such cycles up to now; in a row at most.
    at : the cycle that was the last of the longest.
    """

    run = longest = at = 0

    def clock(self, cycle: int, outputs: Outputs) -> None:
        i, s = self._inputs, outputs
        taken = (i.ar_ready and s.ar) or (i.aw_ready and s.aw) or (i.w_ready and s.w)
        owed = bool(self._reads) or self._address or self._beats or self._responses
        is_open = owed or s.ar or s.aw or s.w
        self.run = self.run + 1 if is_open and not (taken or i.r_valid or i.b_valid) else 0
        if self.run > self.longest:
            self.longest, self.at = self.run, cycle
        super().clock(cycle, outputs)


@dataclass
class Course:
    """What became of a transfer: its errors and activity by cycle, and what it brought or wrote."""

    errors: list[int]
    active: list[bool]
    bench: Bench
    ready: bool
    error_pc: int

    @property
    def told(self) -> int:
        """The first cycle in which the error shows."""
        assert any(self.errors)
        return next(cycle for cycle, error in enumerate(self.errors) if error)

    @property
    def contents(self) -> tuple[bytes, ...]:
        b = self.bench
        return tuple(part.tobytes() for part in (b.sram, b.param, b.program, b.data))


@cache
def made():
    """The unit without a fault: to build its simulator takes as long as a course does."""
    return Made(rtl.dma.dma.Dma(PARAMS))


def with_made(data, schedule):
    return Bench(PARAMS, data, schedule, made=made())


UNITS = {"bench": with_made}


def course(kind, channel, start, silence=SILENCE, limit=0, order=WriteOrder.EITHER):
    """A transfer of a kind while a channel of the memory rests from a cycle on."""
    awake = np.ones(NEVER, np.bool_)
    awake[start : start + silence] = False
    data = np.random.default_rng(1).integers(0, 256, MEMORY_BYTES, np.uint8)
    schedule = BusSchedule(**{channel: awake}, order=order)
    bench = UNITS["bench"](data, schedule)
    bench.memory = Listening(PARAMS, data, schedule)
    bench.sram[:] = np.arange(len(bench.sram)) % 251
    dut, made = bench.dut, Course([], [], bench, False, 0)

    async def testbench(ctx):
        ctx.set(dut.watchdog, limit)
        loads = kind == "LOAD_PROGRAM"
        if loads:
            ctx.set(dut.program.valid, 1)
            ctx.set(dut.program.address, 64)
            ctx.set(dut.program.beats, BEATS)
        else:
            beats = 1 if kind.endswith("REG") else BEATS
            tag = 3 if kind == "LOAD_PARAM" else 0
            await bench.ask(ctx, Job(kind, 4096 - 24, 0, beats, tag, word=CULPRIT))
        made.errors += [0] * bench.cycle
        made.active += [True] * bench.cycle
        while bench.cycle < CYCLES:
            made.errors.append(ctx.get(dut.error))
            made.active.append(bool(ctx.get(dut.active)))
            if loads and (ctx.get(dut.program.done) or ctx.get(dut.error)):
                await bench.step(ctx)
                ctx.set(dut.program.valid, 0)
                loads = False
                continue
            await bench.step(ctx)
        made.ready, made.error_pc = bool(ctx.get(dut.transfers.ready)), ctx.get(dut.error_pc)

    bench.run(testbench)
    return made


SILENCES = [
    ("LOAD", "ar", 0),
    ("LOAD", "ar", 8),  # the third burst's
    ("LOAD", "r", 0),
    ("LOAD", "r", 11),
    ("LOAD_PARAM", "r", 9),
    ("LOAD_REG", "ar", 0),
    ("LOAD_REG", "r", 0),
    ("LOAD_PROGRAM", "ar", 0),
    ("LOAD_PROGRAM", "r", 12),
    ("STORE", "aw", 0),
    ("STORE", "w", 0),
    ("STORE", "w", 5),
    ("STORE", "b", 0),
    ("STORE_REG", "aw", 0),
    ("STORE_REG", "b", 0),
]
OF_BOTH = [WriteOrder.ADDRESS_FIRST, WriteOrder.DATA_FIRST, WriteOrder.TOGETHER]


@pytest.mark.parametrize(("kind", "channel", "start"), SILENCES)
def test_the_largest_count_that_passes_and_the_smallest_that_tells(kind, channel, start):
    check_limits(kind, channel, start, WriteOrder.EITHER)


@pytest.mark.parametrize("order", OF_BOTH)
@pytest.mark.parametrize("channel", ["aw", "b"])
def test_whatever_a_write_waits_for(order, channel):
    check_limits("STORE", channel, 0, order)


def check_limits(kind, channel, start, order):
    off = course(kind, channel, start, order=order)
    longest, at = off.bench.memory.longest, off.bench.memory.at
    assert SILENCE // 2 < longest < SILENCE + 10
    assert not any(off.errors) and not off.active[-1]
    passes = course(kind, channel, start, limit=longest + 1, order=order)
    assert not any(passes.errors)
    assert (passes.active, passes.contents) == (off.active, off.contents)

    told = course(kind, channel, start, limit=longest, order=order)
    # In the cycle behind the last silent one it is known, in the next one it shows.
    assert told.told == at + 2
    assert set(told.errors) == {Status.OK, Status.BUS_TIMEOUT}
    assert not told.ready and told.error_pc == (0 if kind == "LOAD_PROGRAM" else CULPRIT)
    # All that was on the bus is brought to its end there, in the same cycles; then it rests.
    assert told.active == off.active
    if kind in WRITES:
        assert told.contents == off.contents
    else:
        assert told.contents != off.contents or kind == "LOAD_REG"
    early = course(kind, channel, start, limit=10, order=order)
    assert early.told < told.told and early.active == off.active


def check_reads():
    check_limits("LOAD", "r", 11, WriteOrder.EITHER)


@pytest.mark.parametrize(("kind", "channel", "start"), SILENCES)
def test_a_bus_that_is_dead(kind, channel, start):
    """What is on offer stays there (`BusRules` looks), and the DMA is never off the bus again."""
    off = course(kind, channel, start, NEVER - start - 1)
    assert not any(off.errors) and all(off.active[4:])
    told = course(kind, channel, start, NEVER - start - 1, limit=50)
    assert told.errors[-1] == Status.BUS_TIMEOUT and all(told.active[4:])


def test_of_two_transfers_the_oldest_is_told_and_the_other_never_moves():
    """The address of the second is on the bus already."""
    data = np.random.default_rng(1).integers(1, 256, MEMORY_BYTES, np.uint8)
    awake = np.ones(NEVER, np.bool_)
    awake[5:100] = False
    bench = UNITS["bench"](data, BusSchedule(r=awake))
    dut = bench.dut

    async def testbench(ctx):
        ctx.set(dut.watchdog, 30)
        await bench.ask(ctx, Job("LOAD_PARAM", 0, 0, 2, tag=1, word=4))
        await bench.ask(ctx, Job("LOAD_PARAM", 64, 64, 2, tag=2, word=5))
        while bench.cycle < CYCLES:
            await bench.step(ctx)
        assert ctx.get(dut.error) == Status.BUS_TIMEOUT
        assert ctx.get(dut.error_pc) == 4
        assert not ctx.get(dut.active)

    bench.run(testbench)
    assert not bench.param.any()


def test_a_limit_may_come_when_it_is_silent_already():
    """It counts from then on; a smaller one tells at once."""
    awake = np.ones(NEVER, np.bool_)
    awake[5:300] = False
    told = {}
    for limits in ([(100, 20)], [(50, 200), (100, 20)]):
        bench = UNITS["bench"](np.zeros(MEMORY_BYTES, np.uint8), BusSchedule(r=awake))

        async def testbench(ctx, bench=bench, limits=limits):
            await bench.ask(ctx, Job("LOAD", 0, 0, 2))
            pending = list(limits)
            while bench.cycle < 200:
                if pending and bench.cycle == pending[0][0]:
                    ctx.set(bench.dut.watchdog, pending.pop(0)[1])
                await bench.step(ctx)
                if bench.error:
                    told.setdefault(len(limits), bench.cycle - 1)

        bench.run(testbench)
    assert told == {1: 100 + 20 + 1, 2: 101}


def slow(limit):
    """A store whose beats are taken one in eight cycles."""
    awake = np.arange(NEVER) % 8 == 0
    data = np.zeros(MEMORY_BYTES, np.uint8)
    bench, active = UNITS["bench"](data, BusSchedule(w=awake)), []

    async def testbench(ctx):
        ctx.set(bench.dut.watchdog, limit)
        await bench.ask(ctx, Job("STORE", 0, 0, BEATS))
        while bench.cycle < CYCLES:
            await bench.step(ctx)
            active.append(ctx.get(bench.dut.active))

    bench.run(testbench)
    assert not active[-1]
    return bench.error


def check_slow():
    assert slow(8) == Status.OK
    assert slow(7) == Status.BUS_TIMEOUT


def test_a_slow_bus_is_not_silent():
    check_slow()


def check_rest():
    quiet = course("LOAD", "b", 0, limit=6)
    assert not any(quiet.errors)
    assert not quiet.active[-1] and CYCLES - sum(quiet.active) > 300


def test_no_transfer_is_no_silence():
    check_rest()


@pytest.mark.parametrize(
    ("module", "old", "new", "checks"),
    [
        ("watchdog", "(count >= limit)", "(count > limit)", check_reads),
        ("watchdog", "waits & ~taken", "waits", check_slow),
        ("watchdog", "& watches, count + 1, 0", "& watches, count + 1, count", check_slow),
        ("dma", "asks.active & ~turn.ends & ~turn.gap", "1", check_rest),
        ("dma", "m.Elif(dog.expired)", "m.Elif(dog.expired & ~turn.writes)", check_slow),
    ],
)
def test_faulty_watchdogs_are_seen(monkeypatch, module, old, new, checks):
    fault = faulty(f"rtl.dma.{module}", old, new)
    unit = fault.Dma if module == "dma" else rtl.dma.dma.Dma
    monkeypatch.setitem(UNITS, "bench", partial(Bench, PARAMS, unit=unit))
    if module != "dma":
        monkeypatch.setattr(rtl.dma.dma, "Watchdog", fault.Watchdog)
    with pytest.raises(AssertionError):
        checks()

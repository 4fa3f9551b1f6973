"""Events take the cycles of the stepped twin: every command, every transfer, every count."""

from dataclasses import replace

import numpy as np
import pytest

from compiler import compile_model, load_model
from npu.chip.isa import command, encode
from npu.chip.limit import NO_END, Budget
from npu.chip.memory import BusSchedule, WriteOrder
from npu.chip.params import load_params
from npu.chip.status import Status
from npu.errors import MachineError
from npu.events.machine import EventMachine, events_of
from npu.events.trace import Recorder, Start
from npu.runtime.calls import call, calls_of, open_session
from npu.twin.machine import Machine
from tests.lockstep.compare import CHIPS
from tests.lockstep.programs import Recipe, build
from tests.npu.events import beside
from tests.npu.events.beside import WRITTEN, difference, of_image
from tests.npu.events.long import compared

PROGRAMS = 60
"""Random ones; `python -m tests.npu.events.long --programs 1000` runs more."""
CHIP = CHIPS["three lanes"]
# The banks hold a part of a large layer: the rest is streamed, and comes before its call begins.
STREAMING = {"bank_bytes": 8192, "memory_latency_cycles": 200}


def schedule(order: WriteOrder = WriteOrder.EITHER) -> BusSchedule:
    """A bus that is rarely ready."""
    rng = np.random.default_rng(5)
    patterns = (np.concatenate([[True], rng.random(60) < share]) for share in (0.5, 0.3, 0.4, 0.5))
    ar, r, w, b = patterns
    return BusSchedule(ar=ar, r=r, aw=ar[::-1], w=w, b=b, order=order)


def test_random_programs():
    left_out = 0
    for seed in range(PROGRAMS):
        found, program = compared(seed)
        left_out += found == WRITTEN
        assert found in (None, WRITTEN), f"{program}:\n{found}"
    assert left_out < PROGRAMS / 10


@pytest.mark.long
def test_many_random_programs():
    for seed in range(10_000, 11_000):
        found, program = compared(seed)
        assert found in (None, WRITTEN), f"{program}:\n{found}"


@pytest.mark.parametrize("chip", ["edge", "tiny"])
def test_the_zoo_on_its_utterances(zoo, chip):
    sound = zoo / "commands_rnnt" / "utterances" / "test_fl_093.wav"
    image = compile_model(load_model("commands_rnnt"), load_params(chip))
    assert of_image(image, calls_of(image, audio=str(sound))) is None


@pytest.mark.parametrize("changes", [{}, STREAMING], ids=["edge", "streaming"])
def test_recorded_layers(vectors, changes):
    params = load_params("edge").model_copy(update=changes)
    for path in sorted(vectors.glob("*.tflite")):
        image = compile_model(load_model(path), params)
        assert of_image(image, calls_of(image, limit=3)) is None, path.name


@pytest.mark.parametrize("order", WriteOrder)
def test_a_bus_with_back_pressure(vectors, order):
    params = load_params("edge").model_copy(update=STREAMING)
    image = compile_model(load_model(vectors / "fc_wide.tflite"), params)
    assert of_image(image, calls_of(image, limit=2), schedule(order)) is None


def test_what_is_remembered_is_not_run_again(vectors):
    params = load_params("edge").model_copy(update=STREAMING)
    image = compile_model(load_model(vectors / "fc_wide.tflite"), params)
    machine = events_of(image)
    starts = [Start(entry.pc) for entry in image.header.entries]
    cycles = [machine.run(starts[0]), machine.run(starts[1])]
    cycles += [machine.run(starts[2]) for _ in range(6)]
    assert len(machine._stretches) < 7
    # The first call begins with other tiles on their way than the others.
    assert len(set(cycles[3:])) == 1
    at = machine.cycle
    assert machine.run(starts[2]) == machine.cycle - at - machine._stretches[-1].idle


def raw(*commands) -> bytes:
    return b"".join(map(encode, (*commands, command("HALT"))))


DECIDED = raw(
    command("LOADS", rd=2),
    command("BEQ", rs1=2, target=3),
    command("VFILL", n=400, dst=64),
)


def test_data_decide_only_by_the_trace():
    machine = EventMachine(CHIP, 4096, DECIDED, keep=True)
    assert machine.needs_trace
    short, long = (machine.run(Start(0, (), (value,))) for value in (0, 1))
    assert long > short + 90
    names = [record.name for record in machine.commands()]
    assert names == ["LOADS", "BEQ", "HALT", "LOADS", "BEQ", "VFILL", "HALT"]
    with pytest.raises(MachineError, match="the trace has no further value"):
        machine.run(Start(0))
    assert machine.run(Start(0, (), (1,))) == long


def test_what_decides_nothing_needs_no_trace():
    program = raw(
        command("LOADS", rd=15), command("VMUL", n=8, scaled=1), command("STORES", rs2=15)
    )
    assert EventMachine(CHIP, 4096, program).needs_trace  # r15 may matter to the next start
    machine = EventMachine(CHIP, 4096, program, entries=[0])
    assert not machine.needs_trace
    assert machine.run(Start(0)) > 0


def test_what_the_program_writes_is_no_weight():
    program = raw(command("STORE", beats=2), command("LOAD_PARAM", beats=1, ext=CHIP.bus_bytes))
    with pytest.raises(MachineError, match=WRITTEN):
        EventMachine(CHIP, 4096, program).run(Start(0))


def test_an_error_is_the_twins():
    program = raw(command("LOAD_PARAM", beats=1, ext=1 << 20), command("WAIT", tags=1))
    said = []
    for machine in (Machine(CHIP, 4096, program), EventMachine(CHIP, 4096, program)):
        begin = (
            machine.run if isinstance(machine, Machine) else lambda _, m=machine: m.run(Start(0))
        )
        with pytest.raises(MachineError) as told:
            begin(0)
        said.append((str(told.value), told.value.status))
        with pytest.raises(MachineError, match="in error"):
            begin(0)
        machine.reset()
        with pytest.raises(MachineError, match="bus error"):
            begin(0)
    assert said[0] == said[1] and said[0][1] == Status.BUS


def test_what_is_forgotten_still_counts(vectors, monkeypatch):
    """With room for a few stretches all is run again and again, and counted once each."""
    image = compile_model(load_model(vectors / "joint.tflite"), load_params("edge"))
    monkeypatch.setattr("npu.events.machine.MOST_STRETCHES", 2)
    assert of_image(image, calls_of(image, limit=6)) is None
    image = compile_model(load_model("commands_rnnt"), load_params("edge"))
    assert of_image(image, calls_of(image, limit=6)) is None


def test_a_long_stretch_is_noted_in_parts(vectors, monkeypatch):
    monkeypatch.setattr("npu.events.stretch._PART", 5)
    image = compile_model(load_model(vectors / "joint.tflite"), load_params("edge"))
    assert of_image(image, calls_of(image, limit=3)) is None


@pytest.mark.parametrize("budget", [Budget(1000, 10**9), Budget(NO_END, 100)])
def test_what_does_not_halt_is_stopped(budget):
    machine = EventMachine(CHIP, 4096, raw(command("BEQ")))
    with pytest.raises(MachineError, match="no HALT within"):
        machine.run(Start(0), budget)


def test_a_wrong_cost_is_found(monkeypatch):
    """A transfer that takes a cycle more on the twin is seen by the comparison."""
    told = beside.on_the_twin

    def wrong(*args):
        twin, starts = told(*args)
        start, done, *rest = twin.transfers[-1]
        twin.transfers[-1] = (start, done + 1, *rest)
        return twin, starts

    program = build(Recipe(1, ((6, 3), (0, 5)), (100,) * 5), CHIP)
    assert difference(program) is None
    monkeypatch.setattr(beside, "on_the_twin", wrong)
    assert "transfers" in difference(program)


def test_a_prefetch_goes_on_across_a_halt():
    """The second start waits for what the first one began."""
    program = raw(command("LOAD_PARAM", beats=60))
    machine = EventMachine(CHIP, 4096, program, keep=True)
    for _ in range(3):
        machine.run(Start(0))
    begins = [record.start for record in machine.commands() if record.name == "LOAD_PARAM"]
    ends = [transfer.done for transfer in machine.transfers()]
    assert begins[1] > ends[0] and begins[2] > ends[1]
    assert begins[2] - begins[1] == begins[1] - begins[0]


def test_energy_takes_what_is_counted(vectors):
    image = compile_model(load_model(vectors / "fc_relu.tflite"), load_params("edge"))
    recorder = Recorder(Machine, [entry.pc for entry in image.header.entries])
    session = open_session(image, machine=recorder)
    for inputs in calls_of(image, limit=2):
        call(session, inputs)
    machine = events_of(image)
    for start in recorder.trace.starts:
        machine.run(start)
    twin = session.machine
    assert replace(machine.counters, macs_gated=twin.counters.macs_gated) == twin.counters
    assert machine.events == twin.events

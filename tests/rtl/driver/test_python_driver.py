"""The reference driver on a chip that is a list of answers: what it asks, and in which order."""

import pytest

from npu.chip.status import Status
from npu.chip.weight_format import VERSION
from npu.errors import MachineError
from rtl import driver
from rtl.control.registers import ID
from rtl.driver import Interrupt, Pause, Read, Step, Write

RUNNING, LOADING, RESETTING, MOVING = 1, 2, 4, 8
HALTED, LOADED = 1, 2


class Chip:
    """Answers reads of STATUS from a list, the last for ever, and keeps every step."""

    def __init__(self, *status: int) -> None:
        self.steps: list[Step] = []
        self._status = list(status)
        self.events: list[int] = []

    def __call__(self, step: Step) -> int:
        self.steps.append(step)
        if step == Read("STATUS"):
            return self._status.pop(0) if len(self._status) > 1 else self._status[0]
        if step == Read("IRQ_STATUS"):
            return self.events.pop(0) if self.events else HALTED | LOADED
        return 7 if isinstance(step, Read) else 0

    def kinds(self, *kinds: type) -> list[Step]:
        return [step for step in self.steps if isinstance(step, kinds)]


def test_a_start_sets_arguments_and_waits_for_the_interrupt():
    chip = Chip(0)
    driver.perform(driver.run(5, {3: -1}), chip)
    names = [step.register for step in chip.kinds(Write)]
    assert names == ["R3", "START_PC", "IRQ_STATUS", "IRQ_ENABLE", "CONTROL", "IRQ_STATUS"]
    started = chip.steps.index(Write("CONTROL", 1))
    assert chip.steps[started + 1 : started + 3] == [Interrupt(), Read("IRQ_STATUS")]
    # The event is taken back before STATUS is read: nothing that comes later is lost.
    assert chip.steps[started + 3] == Write("IRQ_STATUS", HALTED | LOADED)


def test_an_interrupt_that_is_not_the_chips_is_waited_out():
    chip = Chip(0)
    chip.events = [0, LOADED, HALTED]
    driver.perform(driver.run(5), chip)
    assert len(chip.kinds(Interrupt)) == 3
    assert chip.kinds(Write)[-2:] == [Write("IRQ_STATUS", LOADED), Write("IRQ_STATUS", HALTED)]


def test_a_start_ends_before_the_program():
    chip = Chip(RUNNING)
    driver.perform(driver.start(5), chip)
    assert not chip.kinds(Interrupt, Read)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"ID": ID, "VERSION": VERSION}, None),
        ({"ID": 0, "VERSION": VERSION}, "no zeroskip: register ID is 0x0"),
        ({"ID": ID, "VERSION": VERSION + 1}, "of another version: register VERSION is"),
    ],
)
def test_a_probe_tells_what_is_there(found, said):
    steps = driver.probe()
    if said is None:
        driver.perform(steps, lambda step: found[step.register])
        return
    with pytest.raises(MachineError, match=said):
        driver.perform(steps, lambda step: found[step.register])


def test_a_transfer_that_fails_behind_the_interrupt_is_told():
    chip = Chip(MOVING, MOVING, MOVING, Status.BUS << 8)
    with pytest.raises(MachineError, match=r"^command 7: BUS$") as caught:
        driver.perform(driver.run(0), chip)
    assert (caught.value.status, caught.value.pc) == (Status.BUS, 7)
    assert chip.kinds(Pause) == [Pause(1), Pause(2), Pause(4)]


def test_an_error_is_read_when_it_is_final():
    chip = Chip(MOVING | Status.TILE << 8, Status.BUS << 8)
    with pytest.raises(MachineError, match="BUS"):
        driver.perform(driver.run(0), chip)


def test_a_load_that_fails_is_told():
    chip = Chip(LOADING, Status.BUS << 8)
    with pytest.raises(MachineError, match=r"^the program load failed: BUS$") as caught:
        driver.perform(driver.load(64, 3), chip)
    assert caught.value.status is Status.BUS
    assert {Write("PROGRAM_ADDRESS", 64), Write("PROGRAM_COMMANDS", 3)} <= set(chip.steps)


def test_a_reset_waits_until_the_chip_is_out_of_it():
    chip = Chip(RESETTING, RESETTING, 0)
    driver.perform(driver.reset(), chip)
    assert chip.kinds(Pause) == [Pause(1), Pause(2)]


@pytest.mark.parametrize(
    ("steps", "status", "said"),
    [
        (driver.reset, RESETTING, "does not come out of reset"),
        (lambda: driver.run(0), MOVING, "a transfer does not end"),
        (lambda: driver.load(0, 1), LOADING, "a transfer does not end"),
    ],
)
def test_what_never_ends_is_given_up(steps, status, said):
    with pytest.raises(MachineError, match=said):
        driver.perform(steps(), Chip(status))

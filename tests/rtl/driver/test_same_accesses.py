"""The drivers in C and in Python ask the same of a chip, in the same order, and say the same."""

import ctypes
import shutil

import numpy as np
import pytest

from npu.chip.status import Status
from npu.chip.weight_format import VERSION
from npu.errors import MachineError
from rtl import driver
from rtl.control.registers import BY_NAME, ID
from rtl.driver import Interrupt, Pause, Read, Step, Write, build
from rtl.driver.binding import ARGUMENT, OKAY, REFUSED, TIMEOUT, TOKENS, CDriver

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")

FINGERPRINT = 0xFEDC_BA98
RUNNING, LOADING, RESETTING, MOVING = 1, 2, 4, 8
HALTED, LOADED = 1, 2


class Chip:
    """Registers that answer from lists, the last for ever; keeps every step.

    `refused`: the register whose accesses are refused.
    """

    def __init__(self, refused: str = "", **answers: list[int]) -> None:
        self.steps: list[Step] = []
        self._refused = refused
        self._answers = {name: list(values) for name, values in answers.items()}

    def __call__(self, step: Step) -> int:
        self.steps.append(step)
        if isinstance(step, Read | Write) and step.register == self._refused:
            raise step.refused()
        if not isinstance(step, Read):
            return 0
        known = self._answers.get(step.register, [7])
        return known.pop(0) if len(known) > 1 else known[0]


BUS, TILE = Status.BUS << 8, Status.TILE << 8
SCALARS = {f"R{i}": [(-i) & 0xFFFFFFFF] for i in range(16)}
CASES = {
    "probe": (driver.probe, (), {"ID": [ID], "VERSION": [VERSION]}),
    "fits": (driver.fits, (FINGERPRINT,), {"PARAMETERS": [FINGERPRINT]}),
    "place_memory": (driver.place_memory, (0x8000_0000,), {}),
    "watch": (driver.watch, (0xFF_FFFF,), {}),
    "load": (driver.load, (64, 3), {"STATUS": [0], "IRQ_STATUS": [LOADED]}),
    "load that lasts": (
        driver.load,
        (64, 3),
        {"STATUS": [LOADING] * 15 + [0], "IRQ_STATUS": [0, LOADED]},
    ),
    "load that fails": (driver.load, (0, 1), {"STATUS": [BUS], "IRQ_STATUS": [LOADED]}),
    "start": (driver.start, (5, {3: -1, 15: 2**31 - 1}), {}),
    "wait": (driver.wait, (), {"STATUS": [MOVING, 0], "IRQ_STATUS": [HALTED]}),
    "run": (driver.run, (5, {1: 4}), {"STATUS": [MOVING, MOVING, 0], "IRQ_STATUS": [HALTED]}),
    "run with an event of another": (
        driver.run,
        (5,),
        {"STATUS": [0], "IRQ_STATUS": [0, LOADED, HALTED | LOADED]},
    ),
    "run into an error": (
        driver.run,
        (5,),
        {"STATUS": [MOVING | TILE, BUS], "IRQ_STATUS": [HALTED], "ERROR_PC": [77]},
    ),
    "reset": (driver.reset, (), {"STATUS": [RESETTING, RESETTING, 0]}),
    "ready": (driver.ready, (), {"STATUS": [RESETTING, RESETTING, 0]}),
    "status": (driver.status, (), {"STATUS": [RUNNING | TILE]}),
    "registers": (driver.registers, (), SCALARS | {"R7": [2**31]}),
    "counters": (driver.counters, (), {"CYCLES": [2**32 - 1], "MACS": [9]}),
    "clear_counters": (driver.clear_counters, (), {}),
}


def outcome(perform, chip: Chip):
    try:
        return perform(), chip.steps
    except MachineError as error:
        return (str(error), error.status, error.pc), chip.steps


@pytest.mark.parametrize("name", CASES)
def test_both_ask_the_same(name):
    action, arguments, answers = CASES[name]
    first, second = Chip(**answers), Chip(**answers)
    python = outcome(lambda: driver.perform(action(*arguments), first), first)
    c = outcome(lambda: CDriver(second).perform(action, *arguments), second)
    assert c == python
    assert first.steps


@pytest.mark.parametrize("name", CASES)
def test_both_stop_at_the_first_refusal(name):
    """Of every register that the action touches, in turn."""
    action, arguments, answers = CASES[name]
    whole = Chip(**answers)
    outcome(lambda: driver.perform(action(*arguments), whole), whole)
    touched = {step.register for step in whole.steps if isinstance(step, Read | Write)}
    for register in touched:
        first, second = Chip(register, **answers), Chip(register, **answers)
        c = CDriver(second)
        python = outcome(lambda chip=first: driver.perform(action(*arguments), chip), first)
        assert outcome(lambda c=c: c.perform(action, *arguments), second) == python
        assert "refused" in python[0][0]
        assert (c.result, c.chip.refused) == (REFUSED, BY_NAME[register].offset)


@pytest.mark.parametrize(("found", "version"), [(0, VERSION), (ID, VERSION + 1)])
def test_a_stranger_is_known(found, version):
    with pytest.raises(MachineError, match="finds no zeroskip of its version"):
        CDriver(Chip(ID=[found], VERSION=[version])).perform(driver.probe)


def test_another_chip_is_known():
    with pytest.raises(MachineError, match="finds no zeroskip of its version and parameters"):
        CDriver(Chip(PARAMETERS=[FINGERPRINT + 1])).perform(driver.fits, FINGERPRINT)
    with pytest.raises(MachineError, match="is 0xfedcba99, must be 0xfedcba98; compile for this"):
        driver.perform(driver.fits(FINGERPRINT), Chip(PARAMETERS=[FINGERPRINT + 1]))


def test_without_an_interrupt_it_polls_and_leaves_the_line_low():
    chip = Chip(STATUS=[0], IRQ_STATUS=[0] * 13 + [HALTED])
    c = CDriver(chip, poll=True)
    c.perform(driver.run, 5)
    assert not [step for step in chip.steps if isinstance(step, Interrupt)]
    assert Write("IRQ_ENABLE", 0) in chip.steps
    pauses = [step.cycles for step in chip.steps if isinstance(step, Pause)]
    assert pauses == [*(2**i for i in range(10)), 1024, 1024, 1024]


@pytest.mark.parametrize(
    ("action", "arguments", "answers"),
    [
        (driver.run, (0,), {"IRQ_STATUS": [0]}),
        (driver.load, (0, 1), {"IRQ_STATUS": [0]}),
        (driver.run, (0,), {"IRQ_STATUS": [HALTED], "STATUS": [MOVING]}),
        (driver.reset, (), {"STATUS": [RESETTING]}),
    ],
)
def test_what_never_ends_is_given_up(action, arguments, answers):
    chip = Chip(**answers)
    c = CDriver(chip, poll=True)
    c.chip.patience = 5000
    with pytest.raises(MachineError, match="has waited too long"):
        c.perform(action, *arguments)
    assert c.result == TIMEOUT
    waited = sum(step.cycles for step in chip.steps if isinstance(step, Pause))
    assert 5000 <= waited < 5000 + 1024


def test_an_interrupt_that_does_not_come_is_given_up():
    def never(step: Step) -> int:
        if isinstance(step, Interrupt):
            raise MachineError("no interrupt")
        return 0

    c = CDriver(never)
    with pytest.raises(MachineError, match="no interrupt"):
        c.perform(driver.run, 0)
    assert c.result == TIMEOUT


def test_a_handler_takes_the_event_first():
    """`zeroskip_interrupt` is called while the driver sleeps: it finds what has happened."""
    steps: list[Step] = []

    def chip(step: Step) -> int:
        steps.append(step)
        if isinstance(step, Interrupt):
            c.call("interrupt")
        return HALTED if step == Read("IRQ_STATUS") else 0

    c = CDriver(chip)
    c.perform(driver.run, 0)
    assert steps.count(Read("IRQ_STATUS")) == steps.count(Interrupt()) == 1
    assert c.chip.events == 0


@pytest.mark.parametrize("index", [0, 16, 2**31])
def test_an_argument_for_no_register_touches_nothing(index):
    chip = Chip()
    c = CDriver(chip)
    with pytest.raises(MachineError, match="zeroskip_start gives"):
        c.perform(driver.start, 0, {1: 1, index: 5})
    assert c.result == ARGUMENT and not chip.steps


class Loop(ctypes.Structure):
    """`struct zeroskip_loop`."""

    _fields_ = tuple(
        (name, ctypes.c_uint32)
        for name in (
            "address",
            "count_register",
            "call_shift",
            "symbols_per_call",
            "symbols",
            "frames_per_call",
        )
    )


class Tensor(ctypes.Structure):
    """`struct zeroskip_tensor`."""

    _fields_ = tuple((name, ctypes.c_uint32) for name in ("address", "bytes", "space"))


LOOP = Loop(64, 3, call_shift=16, symbols_per_call=2, symbols=28, frames_per_call=1)
FRAMES = Loop(64, 3, call_shift=16, symbols_per_call=6, symbols=28, frames_per_call=3)


def heard(words: list[int], count: int, calls: int, room: int = 8, loop: Loop = LOOP):
    """What `zeroskip_tokens` makes of the words that lie in memory: call, symbol, frame."""
    memory = np.zeros(128, np.uint8)
    memory[64 : 64 + 4 * len(words)] = np.array(words, "<u4").view(np.uint8)
    c = CDriver(Chip(R3=[count]), memory)
    found, n = (ctypes.c_uint32 * (3 * room))(), ctypes.c_size_t()
    try:
        c.call("tokens", ctypes.byref(loop), calls, found, ctypes.c_size_t(room), ctypes.byref(n))
    except MachineError:
        return c.result
    return [tuple(found[3 * at : 3 * at + 3]) for at in range(n.value)]


def test_tokens_are_put_to_their_calls():
    words = [3 << 16 | 5, 3 << 16 | 27, 0 << 16 | 1]
    assert heard(words, 3, 4) == [(0, 5, 0), (0, 27, 0), (3, 1, 0)]
    assert heard(words, 0, 4) == []


def test_tokens_are_put_to_their_frames():
    words = [11 << 16 | 5, 7 << 16 | 27, 0 << 16 | 1]
    assert heard(words, 3, 4, loop=FRAMES) == [(0, 5, 0), (1, 27, 1), (3, 1, 2)]
    assert heard([12 << 16], 1, 4, loop=FRAMES) == TOKENS


@pytest.mark.parametrize(
    ("words", "count", "calls", "room", "result"),
    [
        ([0], 3, 1, 8, TOKENS),  # more than its calls may emit
        ([28], 1, 1, 8, TOKENS),  # no such symbol
        ([1 << 16], 1, 1, 8, TOKENS),  # by no call
        ([0], 0xFFFFFFFF, 4, 8, TOKENS),
        ([0, 0, 0], 3, 4, 2, ARGUMENT),  # more than the caller has room for
    ],
)
def test_tokens_that_cannot_be_are_refused(words, count, calls, room, result):
    assert heard(words, count, calls, room) == result


def test_inputs_and_outputs_lie_where_they_belong():
    memory = np.zeros(256, np.uint8)
    c = CDriver(Chip(), memory)
    tensor = Tensor(address=32, bytes=5, space=8)
    for index in range(3):
        c.call("feed", ctypes.byref(tensor), index, bytes([10 * index + i for i in range(5)]))
        at = 32 + 8 * index
        assert memory[at : at + 8].tolist() == [*(10 * index + i for i in range(5)), 0, 0, 0]
    out = ctypes.create_string_buffer(5)
    c.call("fetch", ctypes.byref(tensor), out)
    assert out.raw == bytes(range(5))
    assert c.result == OKAY


# What a slip in the C driver would be: old text, new text.
SLIPS = {
    "a transfer is not waited for": ("     ZEROSKIP_STATUS_MOVING_MASK)", "     0u)"),
    "events are left behind": (
        "result = write_register(chip, ZEROSKIP_IRQ_STATUS_OFFSET, EVENTS);",
        "result = ZEROSKIP_OK;",
    ),
    "the event is not taken back": (
        "happened & EVENTS);\n    chip->events",
        "0u);\n    chip->events",
    ),
    "another event is enabled": ("? event : 0u", "? EVENTS : 0u"),
    "started before it is set up": ("ZEROSKIP_START_PC_OFFSET, pc", "ZEROSKIP_R1_OFFSET, pc"),
    "an argument in the register beside": ("* arguments[i].index;", "* (arguments[i].index - 1u);"),
    "no place of the error": ("chip->error_pc = pc;", "(void)pc;"),
    "the wrong bits of STATUS": ("(status & ZEROSKIP_STATUS_ERROR_MASK)", "(status & 0x500u)"),
    "a reset that is not waited for": (
        "return until_quiet(chip, ZEROSKIP_STATUS_RESETTING_MASK);",
        "return ZEROSKIP_OK;",
    ),
    "numbers without their sign": ("-(int32_t)(UINT32_MAX - word) - 1", "INT32_MAX"),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_in_the_c_driver_is_seen(slip, tmp_path, monkeypatch):
    old, new = SLIPS[slip]
    for name, text in build.sources().items():
        assert name != "zeroskip.c" or text.count(old) == 1
        (tmp_path / name).write_text(text.replace(old, new) if name == "zeroskip.c" else text)
    monkeypatch.setattr(build, "FOLDER", tmp_path)
    monkeypatch.setattr(build, "STRICT", ("-std=c99",))
    different = []
    for name, (action, arguments, answers) in CASES.items():
        first, second = Chip(**answers), Chip(**answers)
        python = outcome(lambda a=action, v=arguments, c=first: driver.perform(a(*v), c), first)
        c = CDriver(second)
        if outcome(lambda a=action, v=arguments, c=c: c.perform(a, *v), second) != python:
            different.append(name)
    assert different

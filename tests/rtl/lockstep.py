"""Twin and RTL side by side on a compiled image: the same records, the same results."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from npu.chip.isa import decode_program
from npu.chip.memory import BusSchedule
from npu.chip.trace import Retire, first_difference
from npu.runtime.image import Image
from npu.runtime.sessions import GraphSession
from npu.twin.machine import Machine
from rtl.sim.machine import RtlMachine


@dataclass
class Run:
    """What one engine did: its records, its results, its machine."""

    records: list[Retire] = field(default_factory=list)
    outputs: list[list[np.ndarray]] = field(default_factory=list)
    machine: Machine | RtlMachine | None = None


def run_graph(
    image: Image,
    calls: Sequence[Sequence[np.ndarray]],
    machine: Callable,
    schedule: BusSchedule | None = None,
) -> Run:
    """Run a graph call by call on one engine."""
    run = Run()
    session = GraphSession(
        image,
        schedule=schedule,
        observer=lambda retire, _: run.records.append(retire),
        machine=machine,
    )
    run.machine = session.machine
    run.outputs += (session.invoke(inputs) for inputs in calls)
    return run


def told(image: Image, twin: Sequence[Retire], rtl: Sequence[Retire]) -> str | None:
    """The first record that differs, both sides printed with the command; None if none does."""
    found = first_difference(twin, rtl)
    if found is None:
        return None
    command = decode_program(image.program)[found.known.pc]
    return f"record {found.index}: {command}\n  twin {found.left}\n  rtl  {found.right}"


def assert_equal(image: Image, twin: Run, rtl: Run) -> None:
    """The same records, outputs, memory, registers and counters."""
    assert twin.machine is not None and rtl.machine is not None
    assert told(image, twin.records, rtl.records) is None
    for a, b in zip(twin.outputs, rtl.outputs, strict=True):
        for x, y in zip(a, b, strict=True):
            assert np.array_equal(x, y)
    assert np.array_equal(twin.machine.memory.data, rtl.machine.memory.data)
    assert np.array_equal(twin.machine.sram, rtl.machine.sram)
    assert twin.machine.registers == rtl.machine.registers
    assert twin.machine.counters == rtl.machine.counters

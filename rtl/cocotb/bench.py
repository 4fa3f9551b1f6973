"""The cocotb test: an image on the exported chip, compared with the twin.

Environment: ZEROSKIP_IMAGE names the `.npu` file, ZEROSKIP_INPUT an `.npz` file with `input0`,
`input1`, ... stacked by call, of which the first ZEROSKIP_CALLS (1 unless set) are run; the input
of a transducer are features, and its outputs symbols.
ZEROSKIP_VERDICT is where `rtl.cocotb.verdict` goes. The top module is that of `rtl.export`, for the
image's chip.
"""

import os
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.task import bridge
from cocotb.triggers import ClockCycles

from npu.chip import isa
from npu.chip.machine import Machine, MachineFactory, Observer
from npu.chip.memory import BusSchedule
from npu.chip.params import ChipParams
from npu.chip.trace import Retire, first_difference
from npu.runtime.calls import call, open_session
from npu.runtime.image import Image
from npu.twin.machine import Machine as Twin
from rtl.cocotb.clock import Cycles
from rtl.cocotb.driver import Host
from rtl.cocotb.machine import BenchMachine
from rtl.cocotb.memory import Memory
from rtl.cocotb.scoreboard import Scoreboard
from rtl.cocotb.verdict import Verdict, digest

PERIOD_NS = 10


class Bench:
    """The chip with clock, memory, host and scoreboard around it, for one image."""

    def __init__(self, dut, image: Image, schedule: BusSchedule | None = None) -> None:
        self.dut = dut
        self.image = image
        self.cycles = Cycles(dut)
        self.memory = Memory(dut, image.params, self.cycles, schedule)
        self.scoreboard = Scoreboard(dut, image.program, image.params, self.cycles)
        self.host = Host(dut)

    async def power_on(self) -> None:
        """Clock and reset, then the program: it lies in memory only while it is loaded."""
        self.dut.rst.value = 1
        Clock(self.dut.clk, PERIOD_NS, unit="ns").start()
        cocotb.start_soon(self.cycles.run())
        await ClockCycles(self.dut.clk, 3)
        self.dut.rst.value = 0
        await ClockCycles(self.dut.clk, 2)
        program = self.image.program
        padded = program.ljust(self.image.params.align(len(program)), b"\0")
        self.memory.attach(np.frombuffer(padded, np.uint8))
        await self.host.load(0, len(program) // isa.COMMAND_BYTES)
        self.cycles.arm()

    def machine(
        self,
        params: ChipParams,
        memory_bytes: int,
        program: bytes,
        *,
        schedule: BusSchedule | None = None,
        step: bool = False,
        observer: Observer | None = None,
    ) -> BenchMachine:
        """The chip for a session of its image: an `npu.chip.machine.MachineFactory`."""
        assert (params, program) == (self.image.params, self.image.program), "the bench's image"
        return BenchMachine(
            params,
            memory_bytes,
            self.host,
            self.memory,
            self.scoreboard,
            self.cycles,
            schedule,
            observer,
        )


def read_calls(raw: bytes, most: int) -> list[tuple]:
    """The first calls of an `.npz` file of inputs."""
    with np.load(BytesIO(raw)) as stored:
        inputs = [stored[f"input{i}"][:most] for i in range(len(stored)) if f"input{i}" in stored]
    return list(zip(*inputs, strict=True))


@cocotb.test()
async def image_equals_twin(dut) -> None:
    """Boot, reset and every call: the twin's outputs, memory, registers and retire records."""
    raw = Path(os.environ["ZEROSKIP_IMAGE"]).read_bytes()
    raw_inputs = Path(os.environ["ZEROSKIP_INPUT"]).read_bytes()
    most = int(os.environ.get("ZEROSKIP_CALLS", "1"))
    verdict, place = Verdict(digest(raw), digest(raw_inputs), most), os.environ["ZEROSKIP_VERDICT"]
    verdict.write(Path(place))
    image = Image.from_bytes(raw)
    calls = read_calls(raw_inputs, most)
    expected: list[Retire] = []
    twin = _run(image, calls, Twin, lambda retire, _: expected.append(retire))

    bench = Bench(dut, image)
    await bench.power_on()
    rtl = await bridge(_run)(image, calls, bench.machine)
    bench.scoreboard.check(expected)
    for number, (a, b) in enumerate(zip(twin.outputs, rtl.outputs, strict=True)):
        for index, (x, y) in enumerate(zip(a, b, strict=True)):
            same = x.dtype == y.dtype and np.array_equal(x, y)
            assert same, f"output {index} of call {number}: twin {x}, rtl {y}"
    for what in ("memory", "sram"):
        found = first_difference(getattr(twin, what), getattr(rtl, what))
        assert found is None, f"{what} differs at {found.index:#x}"
    # Not the counters: padding that nobody has set makes one of them undefined.
    for what in ("registers", "cycles"):
        a, b = getattr(twin, what), getattr(rtl, what)
        assert a == b, f"{what}: twin {a}, rtl {b}"
    elements = sum(x.size for outputs in rtl.outputs for x in outputs)
    dut._log.info(
        "%d records, %d outputs, %d cycles: equal to the twin",
        len(expected),
        elements,
        bench.cycles.now,
    )
    replace(verdict, equal=True).write(Path(place))


@dataclass(frozen=True)
class _Run:
    """What a machine made of an image and its calls, and how it looked then."""

    outputs: list[list[np.ndarray]]
    cycles: list[int]
    memory: np.ndarray
    sram: np.ndarray
    registers: list[int]


def _run(
    image: Image,
    calls: list[tuple],
    machine: MachineFactory,
    observer: Observer | None = None,
) -> _Run:
    """Run a session of any kind of image on any machine."""
    session = open_session(image, machine=machine, observer=observer)
    outputs = [call(session, inputs) for inputs in calls]
    made: Machine = session.machine
    return _Run(outputs, session.cycles, made.memory.data, made.sram, made.registers)

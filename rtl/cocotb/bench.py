"""The cocotb test: an image on the exported chip, compared with the twin.

Environment: ZEROSKIP_IMAGE names the `.npu` file, ZEROSKIP_INPUT an `.npz` file with `input0`,
`input1`, ... stacked by call, of which the first ZEROSKIP_CALLS (1 unless set) are run.
ZEROSKIP_VERDICT is where `rtl.cocotb.verdict` goes. The top module is that of `rtl.export`, for the
image's chip.
"""

import os
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.task import bridge, resume
from cocotb.triggers import ClockCycles

from npu.chip import isa
from npu.chip.trace import Retire
from npu.runtime.image import Image
from npu.runtime.sessions import GraphSession
from npu.twin.limit import Budget
from npu.twin.memory import BusSchedule, ExternalMemory
from rtl.cocotb.clock import Cycles
from rtl.cocotb.driver import Host
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
        self.scoreboard = Scoreboard(dut, image.program, image.params.bus_bytes, self.cycles)
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


class BenchMachine:
    """The bench with the interface of the twin's `Machine`, for the sessions of `npu.runtime`.

    For code in a thread of `cocotb.task.bridge`. The scoreboard keeps the records.
    """

    def __init__(self, bench: Bench, memory_bytes: int) -> None:
        self.memory = ExternalMemory(bench.image.params, memory_bytes)
        bench.memory.attach(self.memory.data)
        self._bench = bench

    def run(
        self, pc: int, arguments: dict[int, int] | None = None, budget: Budget | None = None
    ) -> int:
        """Start at `pc`, run to HALT; returns the cycles. Raises MachineError."""
        before = self._bench.cycles.running
        resume(self._bench.host.start)(pc, arguments)
        cycles = self._bench.cycles.running - before
        if budget is not None and cycles > budget.cycles:
            raise budget.used_up()
        return cycles


def run_calls(session: GraphSession, calls: list[tuple]) -> list[list[np.ndarray]]:
    """Outputs of every call."""
    return [session.invoke(inputs) for inputs in calls]


def read_calls(raw: bytes, most: int) -> list[tuple]:
    """The first calls of an `.npz` file of inputs."""
    with np.load(BytesIO(raw)) as stored:
        inputs = [stored[f"input{i}"][:most] for i in range(len(stored)) if f"input{i}" in stored]
    return list(zip(*inputs, strict=True))


@cocotb.test()
async def image_equals_twin(dut) -> None:
    """Boot, reset and every call: the twin's outputs, memory and retire records."""
    raw = Path(os.environ["ZEROSKIP_IMAGE"]).read_bytes()
    raw_inputs = Path(os.environ["ZEROSKIP_INPUT"]).read_bytes()
    most = int(os.environ.get("ZEROSKIP_CALLS", "1"))
    verdict, place = Verdict(digest(raw), digest(raw_inputs), most), os.environ["ZEROSKIP_VERDICT"]
    verdict.write(Path(place))
    image = Image.from_bytes(raw)
    calls = read_calls(raw_inputs, most)
    expected: list[Retire] = []
    twin = GraphSession(image, observer=lambda retire, _: expected.append(retire))
    wanted = run_calls(twin, calls)

    bench = Bench(dut, image)
    await bench.power_on()

    def host_side() -> tuple[GraphSession, list[list[np.ndarray]]]:
        session = GraphSession(
            image, machine=lambda params, size, *_, **__: BenchMachine(bench, size)
        )
        return session, run_calls(session, calls)

    rtl, outputs = await bridge(host_side)()
    bench.scoreboard.check(expected)
    for call, (a, b) in enumerate(zip(wanted, outputs, strict=True)):
        for index, (x, y) in enumerate(zip(a, b, strict=True)):
            assert np.array_equal(x, y), f"output {index} of call {call}: twin {x}, rtl {y}"
    assert np.array_equal(twin.machine.memory.data, rtl.machine.memory.data), "memory differs"
    assert twin.cycles == rtl.cycles, f"cycles per call: twin {twin.cycles}, rtl {rtl.cycles}"
    dut._log.info(
        "%d records, %d outputs, %d cycles: equal to the twin",
        *(len(expected), sum(x.size for a in outputs for x in a), bench.cycles.now),
    )
    replace(verdict, equal=True).write(Path(place))

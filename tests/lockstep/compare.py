"""Twin and RTL on a random program: the first difference, and the shortest program with one."""

from collections.abc import Callable
from dataclasses import replace
from itertools import zip_longest
from typing import Any

import numpy as np

from npu.errors import MachineError
from npu.params import ChipParams, load_params
from npu.trace import Retire
from npu.twin.machine import Machine
from rtl.sim.machine import RtlMachine
from tests.lockstep.programs import Program, Recipe, build

_SMALL: dict[str, Any] = {"sram_bytes": 2048, "memory_bytes": 1 << 20, "result_fifo": 8}
# Small chips that differ in everything that shapes a cycle.
CHIPS: dict[str, ChipParams] = {
    "three lanes": load_params("tiny").model_copy(
        update={**_SMALL, "lanes": 3, "activation_entries": 256}
    ),
    "wide bus": load_params("tiny").model_copy(
        update={
            **_SMALL,
            **{"lanes": 2, "threads": 3, "bus_bytes": 16, "activation_entries": 256},
            **{"dma_burst_beats": 5, "dma_outstanding": 2, "dma_queue": 2, "result_fifo": 12},
            **{"memory_latency_cycles": 3, "memory_cycles_per_beat": 2},
        }
    ),
}


def run(program: Program, engine: Callable[..., Any], **options: Any) -> tuple[list[Retire], Any]:
    """Run a program on an engine; its retire records and the machine. Raises MachineError."""
    machine, records = load(program, engine, **options)
    machine.run(0)
    return records, machine


def stop(program: Program, engine: Callable[..., Any]) -> tuple[list[Retire], MachineError | None]:
    """Run a program that may stop in error: its records, and the error."""
    machine, records = load(program, engine)
    try:
        machine.run(0)
    except MachineError as error:
        return records, error
    finally:
        if isinstance(machine, RtlMachine):
            machine.close()
    return records, None


def load(program: Program, engine: Callable[..., Any], **options: Any) -> tuple[Any, list[Retire]]:
    """A machine that is ready to run a program, and the list that its records will go to."""
    records: list[Retire] = []
    machine = engine(
        program.params,
        len(program.memory),
        program.raw(),
        schedule=program.schedule,
        observer=lambda retire, _: records.append(retire),
        **options,
    )
    machine.memory.data[:] = program.memory
    machine.sram[:] = program.sram
    return machine, records


def difference(recipe: Recipe, params: ChipParams) -> str | None:
    """What twin and RTL do differently on a program, or None."""
    program = build(recipe, params)
    twin_records, twin = run(program, Machine)
    rtl_records, rtl = run(program, RtlMachine)
    try:
        for a, b in zip_longest(twin_records, rtl_records):
            if a != b:
                return f"twin {a}\nrtl  {b}\n" + "\n".join(program.listing)
        for name in ("sram", "memory.data"):
            a, b = (_get(machine, name) for machine in (twin, rtl))
            if not np.array_equal(a, b):
                return f"{name} differs at {int(np.flatnonzero(a != b)[0]):#x}\n" + "\n".join(
                    program.listing
                )
        if twin.registers != rtl.registers:
            return f"registers: twin {twin.registers}, rtl {rtl.registers}"
        return None
    finally:
        rtl.close()


def _get(machine: Any, path: str) -> np.ndarray:
    for name in path.split("."):
        machine = getattr(machine, name)
    return machine


def shrink(recipe: Recipe, fails: Callable[[Recipe], bool]) -> Recipe:
    """Drop steps, then back-pressure, as long as the program still fails."""
    index = 0
    while index < len(recipe.steps):
        steps = recipe.steps[:index] + recipe.steps[index + 1 :]
        smaller = replace(recipe, steps=steps)
        if steps and fails(smaller):
            recipe = smaller
        else:
            index += 1
    calm = replace(recipe, ready_percent=(100,) * 5)
    return calm if fails(calm) else recipe

"""Twin and RTL on a random program: the first difference, and the shortest program with one."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from npu.chip.params import ChipParams, load_params
from npu.chip.status import Status
from npu.chip.trace import Retire, first_difference
from npu.chip.weight_format import MAX_TILE_ROWS
from npu.errors import MachineError
from npu.twin.machine import Machine
from rtl.sim.machine import RtlMachine
from tests.lockstep.programs import Program, Recipe, build

# What a run may take, for programs that do not end by themselves.
MOST_RECORDS = 2_000
MOST_CYCLES = 1_000_000


def _chip(**changes: Any) -> ChipParams:
    small = {"sram_bytes": 2048, "memory_bytes": 1 << 20, "result_fifo": 8}
    return ChipParams(**(load_params("tiny").model_dump() | small | changes))


# Small chips that differ in everything that shapes a cycle, with memories of odd sizes.
CHIPS: dict[str, ChipParams] = {
    "three lanes": _chip(
        lanes=3,
        vector_elements=4,
        activation_entries=248,
        bank_bytes=4072,
        param_bytes=8152,
        sram_bytes=2040,
    ),
    "wide bus": _chip(
        lanes=2,
        threads=3,
        vector_elements=4,
        bus_bytes=16,
        activation_entries=256,
        dma_burst_beats=5,
        dma_outstanding=2,
        dma_queue=2,
        result_fifo=12,
        memory_latency_cycles=3,
        memory_cycles_per_beat=2,
    ),
    "one lane": _chip(
        lanes=1,
        threads=8,
        vector_elements=1,
        dma_burst_beats=1,
        dma_outstanding=1,
        dma_queue=1,
        bank_bytes=5000,
        param_bytes=6008,
        sram_bytes=1800,
        program_bytes=24608,
        activation_entries=200,
        result_fifo=9,
        memory_latency_cycles=1,
    ),
}
# Those of the long run: more to build.
MORE_CHIPS: dict[str, ChipParams] = {
    "widest bus": _chip(
        lanes=2,
        vector_elements=32,
        bus_bytes=64,
        bank_bytes=4160,
        param_bytes=8256,
        sram_bytes=2112,
        activation_entries=320,
        program_bytes=24640,
        dma_burst_beats=3,
    ),
    # Fields and tails of many lanes, as `edge` has them; its bus, too.
    "sixteen lanes": _chip(
        lanes=16,
        threads=4,
        vector_elements=8,
        bus_bytes=16,
        bank_bytes=1040,
        activation_entries=256,
        result_fifo=10,
        dma_burst_beats=7,
    ),
}


class _Enough(Exception):
    """A program has run for long enough to compare it."""


class _Rtl(RtlMachine):
    max_cycles = 20 * MOST_CYCLES


@dataclass
class Run:
    """What an engine made of a program.

    Attributes
    ----------
    ending : how it ended: "halt", a status, "endless" (cut), "undefined" (the twin refuses it).
    at : index of the command in error.
    """

    machine: Any
    records: list[Retire] = field(default_factory=list)
    ending: str = "halt"
    at: int | None = None
    error: str = ""


def run(program: Program, engine: Callable[..., Any], **options: Any) -> Run:
    """Run a program on an engine, start after start, until one does not halt."""
    done = Run(None)

    def observe(retire: Retire, machine: Any) -> None:
        done.records.append(retire)
        if len(done.records) >= MOST_RECORDS or retire.end > MOST_CYCLES:
            raise _Enough

    machine = done.machine = engine(
        program.params,
        len(program.memory),
        program.raw(),
        schedule=program.schedule,
        observer=observe,
        **options,
    )
    machine.memory.data[:] = program.memory
    machine.sram[:] = program.sram
    try:
        for pc, arguments in program.starts:
            machine.run(pc, arguments)
    except _Enough:
        done.ending = "endless"
    except MachineError as error:
        done.ending = "undefined" if error.status is None else error.status.name
        done.at, done.error = error.pc, str(error)
    return done


@dataclass(frozen=True)
class Outcome:
    """How a program ended on the twin, and what the RTL did differently."""

    ending: str
    difference: str | None = None


# What comes from outside a program ends none here.
OUTSIDE = (Status.PARITY, Status.BUS_TIMEOUT)
ENDINGS = (
    "halt",
    *(status.name for status in Status if status and status not in OUTSIDE),
    "endless",
    "undefined",
)


def compare(recipe: Recipe, params: ChipParams) -> Outcome:
    """Run a program on twin and RTL. What is undefined (`npu.twin`) is not run on the RTL."""
    program = build(recipe, params)
    twin = run(program, Machine)
    if twin.ending == "undefined":
        return Outcome(twin.ending)
    return Outcome(twin.ending, against_rtl(program, twin))


def against_rtl(program: Program, twin: Run) -> str | None:
    """What the RTL does differently from the twin's run of a program, with its listing, or None."""
    rtl = run(program, _Rtl)
    try:
        found = _difference(twin, rtl)
    finally:
        rtl.machine.close()
    return found if found is None else "\n".join([found, *program.listing])


def _difference(twin: Run, rtl: Run) -> str | None:
    if found := first_difference(twin.records, rtl.records):
        return f"twin {found.left or twin.error}\nrtl  {found.right or rtl.error}"
    if rtl.at != twin.at or rtl.ending not in _allowed(twin):
        return f"twin {twin.ending}: {twin.error}\nrtl  {rtl.ending}: {rtl.error}"
    # What a command in error has written is undefined.
    if twin.ending != "halt":
        return None
    for name, a, b in (
        ("sram", twin.machine.sram, rtl.machine.sram),
        ("memory", twin.machine.memory.data, rtl.machine.memory.data),
    ):
        if found := first_difference(a, b):
            return f"{name} differs at {found.index:#x}"
    for name, a, b in (
        ("registers", twin.machine.registers, rtl.machine.registers),
        ("counters", twin.machine.counters, rtl.machine.counters),
    ):
        if a != b:
            return f"{name}: twin {a}\nrtl {b}"
    return None


def _allowed(twin: Run) -> set[str]:
    """Endings of the RTL that fit the twin's: the exception that `npu.chip.status.Status` makes."""
    too_many = twin.ending == Status.RECORD.name and f"at most {MAX_TILE_ROWS}" in twin.error
    return {twin.ending, Status.STREAM.name} if too_many else {twin.ending}


def difference(recipe: Recipe, params: ChipParams) -> str | None:
    """What twin and RTL do differently on a program, or None."""
    return compare(recipe, params).difference


def shrink(recipe: Recipe, fails: Callable[[Recipe], bool]) -> Recipe:
    """Drop steps, damage, wildness and back-pressure, as long as the program still fails."""
    for name in ("damage", "steps"):
        index = 0
        while index < len(parts := getattr(recipe, name)):
            rest = {name: parts[:index] + parts[index + 1 :]}
            smaller = replace(recipe, **rest)
            if smaller.steps and fails(smaller):
                recipe = smaller
            else:
                index += 1
    for change in ({"wild": False}, {"ready_percent": (100,) * 5}):
        smaller = replace(recipe, **change)
        if fails(smaller):
            recipe = smaller
    return recipe

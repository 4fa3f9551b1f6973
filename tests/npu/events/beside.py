"""A program, or an image, on the stepped twin and as events: what each says of every cycle."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from npu.chip.limit import NO_END, Budget
from npu.chip.memory import BusSchedule
from npu.chip.trace import first_difference
from npu.errors import MachineError
from npu.events.machine import EventMachine, events_of
from npu.events.stretch import COUNTS
from npu.events.trace import Recorder, Start
from npu.runtime.calls import Inputs, call, open_session
from npu.runtime.image import Image
from npu.twin.machine import Machine
from tests.lockstep.programs import Program

MOST_COMMANDS, MOST_CYCLES = 2_000, 1_000_000
WRITTEN = "are written by the program itself"


@dataclass
class Told:
    """What an engine says.

    Attributes
    ----------
    commands : (pc, name, start, end) of each. transfers : (start, done, bytes, tag).
    cycles : of each start that halted. counts : by the names of COUNTS.
    error : status and text of the one that ended it.
    """

    commands: list[tuple] = field(default_factory=list)
    transfers: list[tuple] = field(default_factory=list)
    cycles: list[int] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    error: tuple[Any, str] | None = None


class _Enough(Exception):
    """It has run for long enough to compare it."""


class Watched(Machine):
    """A twin that steps, and tells every command and transfer."""

    def __init__(self, *args: Any, **options: Any) -> None:
        options |= {"step": True}
        super().__init__(*args, **options)
        self.told = Told()
        dma, bus = self.dma, self.params.bus_bytes

        def watched(queue: Callable[..., Any]) -> Callable[..., Any]:
            def wrapped(cycle: int, address: int, beats: int, *rest: Any, **named: Any) -> Any:
                moved = queue(cycle, address, beats, *rest, **named)
                self.told.transfers.append((moved.start, moved.done, beats * bus, moved.tag))
                return moved

            return wrapped

        dma.read, dma.write = watched(dma.read), watched(dma.write)  # type: ignore[method-assign]


def observer(told: Callable[[Any], Told]) -> Callable[[Any, Any], None]:
    """Notes every command in what `told` finds of the machine, until there are enough."""

    def observe(retire: Any, machine: Any) -> None:
        commands = told(machine).commands
        commands.append((retire.pc, retire.name, retire.start, retire.end))
        if len(commands) >= MOST_COMMANDS or retire.end > MOST_CYCLES:
            raise _Enough

    return observe


def counts_of(machine: Machine) -> dict[str, int]:
    """What a twin has counted, by the names of COUNTS."""
    both = asdict(machine.counters) | asdict(machine.events)
    return {key: both[key] for key in COUNTS}


def on_the_twin(program: Program, runs: int, entries: list[int] | None) -> tuple[Told, list[Start]]:
    """The starts of a program on the stepped twin, `runs` times over, and what was recorded."""
    recorder = Recorder(Watched, entries)
    machine = recorder(
        program.params,
        len(program.memory),
        program.raw(),
        schedule=program.schedule,
        observer=observer(lambda made: made.told),
    )
    machine.memory.data[:] = program.memory
    machine.sram[:] = program.sram
    told = machine.told
    try:
        for _ in range(runs):
            for pc, arguments in program.starts:
                told.cycles.append(machine.run(pc, arguments))
    except _Enough:
        told.error = None, "enough"
    except MachineError as error:
        told.error = error.status, str(error)
    told.counts = counts_of(machine)
    return told, recorder.trace.starts


def as_events(program: Program, starts: list[Start], entries: list[int] | None) -> Told:
    """The same as events."""
    machine = EventMachine(
        program.params,
        len(program.memory),
        program.raw(),
        schedule=program.schedule,
        entries=entries,
        keep=True,
    )
    machine.memory.data[:] = program.memory
    return run_events(machine, starts, Budget(NO_END, 2 * MOST_COMMANDS))


def run_events(machine: EventMachine, starts: list[Start], budget: Budget | None = None) -> Told:
    """What a fresh machine says of some starts."""
    told = Told()
    try:
        for start in starts:
            told.cycles.append(machine.run(start, budget))
    except MachineError as error:
        told.error = error.status, str(error)
    told.commands = [(c.pc, c.name, c.start, c.end) for c in machine.commands()]
    told.transfers = [(t.start, t.done, t.n_bytes, t.tag) for t in machine.transfers()]
    told.counts = dict(zip(COUNTS, machine.tally().counts.sum(axis=0).tolist(), strict=True))
    return told


def difference(program: Program, runs: int = 2, entries: list[int] | None = None) -> str | None:
    """What events and the stepped twin say differently; WRITTEN where events say nothing."""
    twin, starts = on_the_twin(program, runs, entries)
    events = as_events(program, starts, entries)
    if events.error is not None and WRITTEN in events.error[1]:
        return WRITTEN
    if twin.error == (None, "enough"):
        # It was cut amid a start.
        events.commands = events.commands[: len(twin.commands)]
        events.transfers = events.transfers[: len(twin.transfers)]
        events.cycles = events.cycles[: len(twin.cycles)]
        events.error, events.counts = twin.error, twin.counts
    return first_of(twin, events)


def first_of(twin: Told, events: Told) -> str | None:
    """The first difference of two engines."""
    for name in ("commands", "transfers", "cycles"):
        if found := first_difference(getattr(twin, name), getattr(events, name)):
            return f"{name}[{found.index}]: twin {found.left}, events {found.right}"
    for name in ("error", "counts"):
        if getattr(twin, name) != getattr(events, name):
            return f"{name}: twin {getattr(twin, name)}\nevents {getattr(events, name)}"
    return None


def of_image(image: Image, inputs: list[Inputs], schedule: BusSchedule | None = None) -> str | None:
    """`first_of` the calls of an image."""
    entries = [entry.pc for entry in image.header.entries]
    recorder, machines = Recorder(Watched, entries), []

    def made(*args: Any, **options: Any) -> Any:
        machines.append(recorder(*args, **options))
        return machines[0]

    def observe(retire: Any, machine: Any) -> None:
        machine.told.commands.append((retire.pc, retire.name, retire.start, retire.end))

    session = open_session(image, machine=made, observer=observe, schedule=schedule)
    for each in inputs:
        call(session, each)
    twin = machines[0]
    twin.told.counts = counts_of(twin)
    starts = recorder.trace.starts
    events = run_events(events_of(image, schedule=schedule, keep=True), starts)
    twin.told.cycles = list(events.cycles)
    if twin.cycle != twin.told.commands[-1][3] + 1:
        return "the twin has not halted with its last command"
    return first_of(twin.told, events)

"""Engines on the same program and inputs: how fast they are, and whether they say the same."""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from npu.analysis.lockstep import Clocked
from npu.analysis.results import EventsReport, HeardEventsReport, SpeedReport, SpeedupReport
from npu.analysis.utterance import SoundFrames
from npu.chip.summary import summary
from npu.events.machine import EventMachine, events_of
from npu.events.trace import Start
from npu.runtime.calls import Inputs, call, open_session
from npu.runtime.header import BOOT
from npu.runtime.image import Image


def run_timed(image: Image, inputs: list[Inputs], machine: Clocked) -> dict[str, Any]:
    """What an engine answered, how many cycles each start took, and what it holds at the end.

    The first call is not timed.
    """
    session = open_session(image, machine=machine)
    answers = [call(session, inputs[0])]
    machine.clear()
    answers += [call(session, each) for each in inputs[1:]]
    made = machine.machine
    return {
        "outputs": [[array.tolist() for array in answer] for answer in answers],
        "cycles": [session.boot_cycles, session.reset_cycles, *session.cycles],
        "memory": hashlib.sha256(made.memory.data).hexdigest(),
        "sram": hashlib.sha256(made.sram).hexdigest(),
        "registers": list(made.registers),
    }


def speedup_report(
    image: Image, machines: Mapping[str, Clocked], results: Mapping[str, dict[str, Any]]
) -> SpeedupReport:
    """Both speeds, from what `run_timed` found of "twin" and "rtl"."""
    twin, rtl = results["twin"], results["rtl"]
    speeds = {name: machine.report() for name, machine in machines.items()}
    return {
        "model": image.header.model,
        "chip": summary(image.params),
        "calls": len(twin["outputs"]) - 1,
        "equal": twin == rtl,
        "differ": [key for key in twin if twin[key] != rtl[key]],
        "twin": speeds["twin"],
        "rtl": speeds["rtl"],
        "speedup": speeds["twin"]["cycles_per_second"] / speeds["rtl"]["cycles_per_second"],
    }


def run_events(
    machine: EventMachine, starts: Sequence[Start], seconds: float
) -> tuple[list[int], SpeedReport, SpeedReport]:
    """Starts as events: the cycles of each, the speed of the first time, and of all others.

    starts : the first one boots. seconds : how long at least the others run, from the second start
        on, over and over.
    """
    began = time.perf_counter()
    cycles = [machine.run(start) for start in starts]
    first = _speed(sum(cycles), time.perf_counter() - began)
    again, began = 0, time.perf_counter()
    while (passed := time.perf_counter() - began) < seconds or not again:
        again += sum(machine.run(start) for start in starts[1:])
    return cycles, first, _speed(again, passed)


def hear_events(
    image: Image,
    hear: Callable[[Path], SoundFrames],
    paths: Sequence[Path],
    rtl: SpeedReport,
) -> HeardEventsReport:
    """Sounds, one behind the other, as events on a machine that knows nothing yet.

    hear : says which symbols come in a file; the first one is heard before, unmeasured, for machine
    code may be made then. rtl : the speed to compare with.
    """
    hear(paths[0])
    began = time.perf_counter()
    sounds = [hear(path) for path in paths]
    kernels_seconds = time.perf_counter() - began
    starts = [Start(image.header.entry(BOOT).pc)]
    for sound in sounds:
        starts += [*sound.reset, *(start for frame in sound.frames for start in frame)]
    machine = events_of(image)
    began = time.perf_counter()
    cycles = sum(machine.run(start) for start in starts)
    speed = _speed(cycles, time.perf_counter() - began)
    both = _speed(cycles, speed["seconds"] + kernels_seconds)
    return {
        "files": len(paths),
        "starts": len(starts),
        "kernels_seconds": kernels_seconds,
        "events": speed,
        "speedup": speed["cycles_per_second"] / rtl["cycles_per_second"],
        "with_kernels": both["cycles_per_second"] / rtl["cycles_per_second"],
    }


def _speed(cycles: int, seconds: float) -> SpeedReport:
    rate = cycles / seconds if seconds else 0.0
    return {"cycles": cycles, "seconds": seconds, "cycles_per_second": rate}


def events_report(
    image: Image,
    rtl: SpeedReport,
    rtl_cycles: Sequence[int],
    events: tuple[list[int], SpeedReport, SpeedReport],
    heard: HeardEventsReport | None = None,
) -> EventsReport:
    """Both speeds, from what `run_events` found, and the cycles of each of the RTL's starts."""
    cycles, first, again = events
    return {
        "model": image.header.model,
        "chip": summary(image.params),
        "starts": len(cycles),
        "equal": list(rtl_cycles) == cycles,
        "first": first,
        "events": again,
        "rtl": rtl,
        "first_speedup": first["cycles_per_second"] / rtl["cycles_per_second"],
        "speedup": again["cycles_per_second"] / rtl["cycles_per_second"],
        "heard": heard,
    }

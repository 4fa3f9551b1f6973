"""A model's commands and transfers on the axis of time: as a Perfetto trace, or as waveforms.

Units are tracks, commands slices with their disassembly and layer; what goes over the bus, and how
full the lanes are, are counters. Cycles are those of the chip, from events: as `npu latency`. The
waveforms are the twin's, under the RTL's signal names.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import BinaryIO, cast

import click

from compiler import Model
from npu.analysis.frames import DEFAULT_FRAMES, decided_frames
from npu.analysis.streaming import OnChip
from npu.analysis.timeline import Timeline, timeline_of, timeline_of_sound
from npu.chip.summary import summary, summary_text
from npu.cli._extras import require_extra
from npu.cli._frames import ear_of, frame_options, opened, require_one_source
from npu.cli._models import files_of, first_run_notice
from npu.cli._options import chip_option, model_argument, signature_option
from npu.cli._output import console, progress, require_place
from npu.cli._waves import PACKED, is_vcd
from npu.errors import InputError
from npu.files import write_atomic
from npu.runtime.calls import call, calls_of, open_session
from npu.runtime.frontend import speech_of
from npu.runtime.image import Image
from npu.speech.transcribe import transcribe


@click.command()
@model_argument
@chip_option
@frame_options("call", "Calls")
@signature_option
@click.option(
    "-o",
    "--output",
    metavar="OUT",
    required=True,
    help="The trace to write, in Perfetto's format; OUT.vcd: waveforms, 10 ps a cycle. With .gz "
    "behind it, packed.",
)
def command(
    model: str,
    chip: str | None,
    audio: str | None,
    calls: int | None,
    symbols: int | None,
    signature: str | None,
    output: str,
) -> None:
    """Write what MODEL does on a chip, cycle by cycle, as a trace for ui.perfetto.dev.

    With --audio, calls stand where their sound has come. As OUT.vcd it is waveforms of the signals
    that the RTL has by the same names, of a twin that computes: without --audio on random inputs.
    """
    require_place(output, inputs=files_of(model, chip, audio))
    require_one_source("call", audio, calls, symbols)
    waves = is_vcd(output)
    if waves and symbols is not None:
        raise InputError("the twin of waveforms computes its symbols: leave --symbols out")
    with first_run_notice():
        loaded, image = opened(model, chip, signature)
        if waves:
            write, told = _waves(image, audio, calls)
        else:
            write, told = _perfetto(loaded, image, audio, calls, symbols)

    def packed(file: BinaryIO) -> None:
        with _packed(file, output) as out:
            write(out)

    write_atomic(output, packed)
    console().print(f"{output}: {told}", markup=False)


Written = tuple[Callable[[BinaryIO], None], str]
"""What writes a trace, and what is said of it."""


def _perfetto(
    loaded: Model | None, image: Image, audio: str | None, calls: int | None, symbols: int | None
) -> Written:
    require_extra("trace", "a Perfetto trace", "perfetto")
    from npu.analysis.perfetto import write_trace

    with progress("running"):
        if audio is not None:
            timeline = timeline_of_sound(image, ear_of(loaded, image).hear(audio))
        else:
            count = DEFAULT_FRAMES if calls is None else calls
            timeline = timeline_of(image, decided_frames(image, count, symbols))
    return partial(write_trace, timeline), f"{_told(timeline)}; open it in ui.perfetto.dev"


def _waves(image: Image, audio: str | None, calls: int | None) -> Written:
    require_extra("trace", "a file of waveforms", "vcd")
    from npu.waves.watch import Watch

    watch = Watch(image.params)
    with progress("running"):
        if audio is not None:
            transcribe(speech_of(image), OnChip(image, watch.machine), audio)
        else:
            session = open_session(image, machine=watch.machine)
            for inputs in calls_of(image, limit=DEFAULT_FRAMES if calls is None else calls):
                call(session, inputs)
    chip = summary_text(summary(image.params))
    told = f"{image.header.model} on {chip}, {len(watch.widths)} signals, {watch.cycles:,} cycles"
    return watch.write, told


@contextmanager
def _packed(file: BinaryIO, name: str) -> Iterator[BinaryIO]:
    """What is written into it stands in `file`, packed where the name says so."""
    if not name.endswith(PACKED):
        yield file
        return
    # Neither a time nor a name in it: the same trace is the same file.
    with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
        yield cast(BinaryIO, packed)


def _told(timeline: Timeline) -> str:
    commands = sum(1 for _ in timeline.commands())
    transfers = sum(1 for _ in timeline.transfers())
    chip = summary_text(summary(timeline.params))
    milliseconds = timeline.params.milliseconds(timeline.cycles)
    return (
        f"{timeline.image.header.model} on {chip}, {len(timeline.parts)} starts, "
        f"{commands:,} commands, {transfers:,} transfers, {timeline.cycles:,} cycles "
        f"({milliseconds:.3f} ms)"
    )

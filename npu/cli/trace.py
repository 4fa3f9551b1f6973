"""A model's commands and transfers on the axis of time, as a trace that opens in Perfetto.

Units are tracks, commands slices with their disassembly and layer; what goes over the bus, and how
full the lanes are, are counters. Cycles are those of the chip, from events: as `npu latency`.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

import click

from npu.analysis.frames import DEFAULT_FRAMES, decided_frames
from npu.analysis.timeline import Timeline, timeline_of, timeline_of_sound
from npu.analysis.utterance import SoundFrames
from npu.chip.summary import summary, summary_text
from npu.cli._frames import ear_of, frame_options, opened, require_one_source
from npu.cli._models import files_of, first_run_notice
from npu.cli._options import chip_option, model_argument, signature_option
from npu.cli._output import console, progress, require_place
from npu.errors import NpuError
from npu.files import write_atomic

PACKED = ".gz"


@click.command()
@model_argument
@chip_option
@frame_options("call", "Calls")
@signature_option
@click.option(
    "-o",
    "--output",
    metavar="OUT.pftrace",
    required=True,
    help="The trace to write, in Perfetto's format; with .gz behind it, packed.",
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

    With --audio, calls stand where their sound has come.
    """
    require_place(output, inputs=files_of(model, chip, audio))
    require_one_source("call", audio, calls, symbols)
    try:
        from npu.analysis.perfetto import write_trace
    except ImportError as error:
        raise NpuError(
            "perfetto, whose format the trace has, is not installed; install the extra: "
            "pip install 'zeroskip[trace]'"
        ) from error
    with first_run_notice():
        loaded, image = opened(model, chip, signature)
        with progress("running"):
            if audio is not None:
                ear = ear_of(loaded, image)
                sound = SoundFrames.hear(image, ear.speech, ear.engine, audio)
                timeline = timeline_of_sound(image, sound)
            else:
                count = DEFAULT_FRAMES if calls is None else calls
                timeline = timeline_of(image, decided_frames(image, count, symbols))

    def write(file: BinaryIO) -> None:
        with _packed(file, output) as out:
            write_trace(timeline, out)

    write_atomic(output, write)
    console().print(f"{output}: {_told(timeline)}; open it in ui.perfetto.dev")


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

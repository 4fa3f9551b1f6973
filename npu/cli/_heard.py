"""What the commands that hear share: from a MODEL to what hears, and what is shown of the chip."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from compiler import load_model, reference
from npu.analysis.heard_results import TranscribeReport
from npu.analysis.streaming import OnChip, OnTwin
from npu.chip.params import ChipParams
from npu.chip.summary import summary_text
from npu.cli._models import is_image, machine_of, open_image, refuse_image
from npu.cli._options import Seconds
from npu.cli._output import table
from npu.runtime.frontend import speech_of
from npu.speech.audio import MOST_CHANNELS
from npu.speech.gate import END_SECONDS
from npu.speech.host import Speech
from npu.speech.phrases import Engine

if TYPE_CHECKING:
    from rich.console import Console


silence_option = click.option(
    "--silence",
    "end_seconds",
    type=Seconds(min=0, max=3600, min_open=True),
    metavar="SECONDS",
    default=END_SECONDS,
    show_default=True,
    help="Silence that ends a phrase, rounded to encoder calls. From 1.2 on, also so long a sound "
    "of which nothing is understood.",
)

channel_option = click.option(
    "--channel",
    type=click.IntRange(1, MOST_CHANNELS),
    metavar="N",
    help="Hear channel N, from 1; without it the mean of all.",
)


def engine_of(
    model: str, engine: str, chip: str | None, max_cycles: int | None
) -> tuple[Speech, Engine, ChipParams | None]:
    """The host's part of a model, what runs its networks, and the chip if that is one."""
    if engine == "kernels":
        refuse_image(model, "transducer's folder")
        loaded = load_model(model)
        return reference.speech_of(loaded), reference.search_of(loaded), None
    machine = machine_of(engine)
    if not is_image(model):
        reference.speech_of(load_model(model))
    image = open_image(model, chip)
    speech = speech_of(image)
    runner = (
        OnChip(image, machine, max_cycles=max_cycles)
        if engine == "rtl"
        else OnTwin(image, max_cycles=max_cycles)
    )
    return speech, runner, image.params


def show_chip(report: TranscribeReport, out: Console) -> None:
    """How long the chip takes for each encoder call; nothing of the kernels."""
    if "chip" not in report:
        return
    chip, energy = report["chip"], "energy_uj_per_second" in report["chip"]
    rows = []
    for entry in report["files"]:
        c = entry["chip"]
        row = [
            entry["file"],
            f"{entry['audio_ms']:,.0f}",
            f"{entry['calls']:,}",
            f"{c['mean_ms']:.4f}",
            f"{c['p99_ms']:.4f}",
            f"{c['max_ms']:.4f}",
            f"{c['max_cycles']:,.0f}",
            f"{c['cycles']:,}",
            f"{100 * c['real_time_factor']:.3f} %",
        ]
        rows.append([*row, f"{c['energy_uj_per_second']:,.0f}"] if energy else row)
    columns = [
        "file",
        "audio ms",
        "calls",
        "mean ms",
        "p99 ms",
        "max ms",
        "max cycles",
        "cycles",
        "busy",
    ]
    columns += ["uJ/s"] if energy else []
    out.print(table(columns, rows, title=f"per encoder call on {summary_text(chip)}"))
    deadline = report["deadline_ms"]
    verdict = "in time" if report["in_time"] else "TOO LATE"
    out.print(
        f"deadline: a call every {deadline:g} ms, the slowest takes {chip['max_ms']:.4f} ms: "
        f"{verdict}"
    )

"""WAV or FLAC in, text out, with the latency on the chip.

A phrase ends where it is silent for a while; each is printed with its times in seconds. Files are
streamed: an hour of sound takes no more memory than a second. Nothing is printed unless every file
could be transcribed.
"""

from __future__ import annotations

import click

from compiler import load_model, reference
from npu.analysis.memory import peak_memory_mib
from npu.analysis.results import TranscribeReport
from npu.analysis.streaming import Answer, OnChip, OnTwin, transcribe_report
from npu.chip.params import ChipParams
from npu.chip.summary import summary_text
from npu.cli._models import (
    files_of,
    first_run_notice,
    is_image,
    machine_of,
    open_image,
    refuse_image,
)
from npu.cli._options import (
    Seconds,
    chip_option,
    engine_option,
    json_option,
    max_cycles_option,
    model_argument,
)
from npu.cli._output import console, emit_json, progress, require_place, say, table
from npu.runtime.frontend import speech_of
from npu.speech.audio import MOST_CHANNELS, stream_audio
from npu.speech.host import Speech
from npu.speech.phrases import END_SECONDS, Engine
from npu.speech.transcribe import transcribe

TOO_LATE = 1


@click.command()
@model_argument
@click.argument("audio", nargs=-1, required=True)
@chip_option
@engine_option
@click.option(
    "--silence",
    "end_seconds",
    type=Seconds(min=0, max=3600, min_open=True),
    metavar="SECONDS",
    default=END_SECONDS,
    show_default=True,
    help="Silence that ends a phrase, rounded to encoder calls. From 1.2 on, also so long a sound "
    "of which nothing is understood.",
)
@click.option(
    "--channel",
    type=click.IntRange(1, MOST_CHANNELS),
    metavar="N",
    help="Hear channel N, from 1; without it the mean of all.",
)
@max_cycles_option
@json_option
def command(
    model: str,
    audio: tuple[str, ...],
    chip: str | None,
    engine: str,
    end_seconds: float,
    channel: int | None,
    max_cycles: int | None,
    json_path: str | None,
) -> int:
    """Transcribe AUDIO files (WAV, FLAC) with a transducer MODEL.

    With twin or RTL, also says how long the chip takes for each encoder call, against the time in
    which the next one is due. Exit status 1 if it takes longer.
    """
    require_place(json_path, inputs=files_of(model, chip, *audio))
    speech, runner, params = _engine(model, engine, chip, max_cycles)
    for path in audio:
        next(stream_audio(path, speech.rate, channel=channel), None)
    with (
        first_run_notice(),
        progress("transcribing", total=len(audio) if len(audio) > 1 else None) as advance,
    ):
        answers = []
        for path in audio:
            heard = transcribe(speech, runner, path, end_seconds, channel)
            use = runner.use() if isinstance(runner, OnChip) else None
            answers.append(Answer(path, heard, use))
            advance(1)
    for note in (note for answer in answers for note in answer.heard.notes):
        say(f"note: {note}")
    report = transcribe_report(answers, speech, engine, params, peak_memory_mib())
    report["end_seconds"] = end_seconds
    emit_json(report, json_path)
    _show(report, json_path)
    return 0 if report.get("in_time", True) else TOO_LATE


def _engine(
    model: str, engine: str, chip: str | None, max_cycles: int | None
) -> tuple[Speech, Engine, ChipParams | None]:
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


def _show(report: TranscribeReport, json_path: str | None) -> None:
    out = console(json_path)
    for entry in report["files"]:
        prefix = f"{entry['file']}: " if len(report["files"]) > 1 else ""
        for phrase in entry["phrases"]:
            times = f"[{phrase['start']:.2f} - {phrase['end']:.2f}]"
            out.print(f"{prefix}{times} {phrase['text']}", markup=False)
        if not entry["phrases"]:
            out.print(prefix, markup=False)
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

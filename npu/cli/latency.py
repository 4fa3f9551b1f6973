"""Where a model's time goes on a chip: layer by layer, what limits it, and how far from ideal.

Cycles are those of the chip, from commands and transfers as events: no element is computed. Where
data decide how a program goes on, they are told: by the kernels for --audio, or by the twin where
more than symbols decides, as in a softmax; by the twin on random inputs; or by the assumption that
every frame emits --symbols symbols.
"""

from __future__ import annotations

import click

from compiler import Model
from npu.analysis.frames import DEFAULT_FRAMES
from npu.analysis.gates import with_open
from npu.analysis.latency import Frames, Ideal, ideals_of, latency_of
from npu.analysis.latency_report import (
    LatencyReport,
    latency_report,
    pace_figures,
    utterance_figures,
)
from npu.analysis.utterance import utterance_latency
from npu.cli._decoding import Decoding, decoding_options
from npu.cli._frames import ear_of, frame_options, opened, require_one_source, require_sound
from npu.cli._latency_show import show
from npu.cli._models import files_of, first_run_notice
from npu.cli._options import chip_option, json_option, model_argument, signature_option
from npu.cli._output import console, emit_json, progress, require_place
from npu.errors import InputError
from npu.events.machine import events_of
from npu.runtime.frontend import speech_of
from npu.runtime.image import Image

TOO_LATE = 1


@click.command()
@model_argument
@chip_option
@frame_options("frame", "Frames (calls)")
@click.option(
    "--open-gates",
    type=click.IntRange(0, 1_000_000),
    metavar="N",
    help="So many of a model's gates are open whatever comes, the others closed; without it, "
    "they decide on random inputs.",
)
@decoding_options
@click.option("--commands", is_flag=True, help="Also show every command of the program.")
@signature_option
@json_option
def command(
    model: str,
    chip: str | None,
    audio: str | None,
    frames: int | None,
    symbols: int | None,
    open_gates: int | None,
    decoding: Decoding,
    commands: bool,
    signature: str | None,
    json_path: str | None,
) -> int:
    """Say where the time of MODEL goes on a chip, and what limits it.

    A frame is a call of a graph, or an encoder call of a transducer with its symbols. With --audio
    the exit status is 1 where the chip is too late.
    """
    require_place(json_path, inputs=files_of(model, chip, audio, decoding.hotwords_file))
    require_one_source("frame", audio, frames, symbols)
    if audio is not None and open_gates is not None:
        raise InputError("a sound opens gates by itself: leave --audio or --open-gates out")
    require_sound(decoding, audio)
    with first_run_notice():
        loaded, image = opened(model, chip, signature, decoding)
        if open_gates is not None:
            image = with_open(image, open_gates)
        if audio is not None:
            report = _of_sound(loaded, image, audio, decoding, commands)
        else:
            count = DEFAULT_FRAMES if frames is None else frames
            ideals = _ideals_of(loaded, image)
            with progress("running", total=count) as advance:
                found = latency_of(image, ideals, frames=count, symbols=symbols, advance=advance)
            report = latency_report(found, commands=commands)
            if image.header.transducer is not None:
                every = 1e3 * speech_of(image).seconds_per_call
                report["pace"] = pace_figures(found, every)
    emit_json(report, json_path)
    show(report, console(json_path))
    return 0 if report.get("utterance", {}).get("in_time", True) else TOO_LATE


def _ideals_of(loaded: Model | None, image: Image) -> dict[str, Ideal] | None:
    return None if loaded is None else ideals_of(loaded.graphs, image.params)


def _of_sound(
    loaded: Model | None, image: Image, audio: str, decoding: Decoding, commands: bool
) -> LatencyReport:
    ear = ear_of(loaded, image, decoding)
    runner = Frames(image, events_of(image), _ideals_of(loaded, image))
    with progress("listening"):
        sound = ear.hear(audio)
        of = utterance_latency(runner, sound, ear.decided)
    report = latency_report(of.latency, commands=commands)
    report["utterance"] = utterance_figures(audio, of)
    return report

"""What the commands that hear share: from a MODEL to what hears, and what is shown of the chip."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from compiler import Model, load_model, reference
from compiler.programs import Program, branching
from npu.analysis.heard_results import TranscribeReport
from npu.analysis.streaming import BeamOnChip, BeamOnTwin, OnChip, OnTwin
from npu.chip.params import ChipParams
from npu.chip.summary import summary_text
from npu.cli._decoding import Decoding
from npu.cli._models import (
    compile_for,
    is_image,
    load_chip,
    machine_of,
    open_image,
    refuse_image,
)
from npu.cli._output import table
from npu.model.recording import Recorder
from npu.runtime.frontend import speech_of
from npu.runtime.host_beam import BeamSession, most_slots
from npu.runtime.image import Image
from npu.speech.audio import MOST_CHANNELS
from npu.speech.beam import BeamRules
from npu.speech.host import Speech
from npu.speech.phrases import Beam, Engine
from npu.speech.search import SearchRules

if TYPE_CHECKING:
    from rich.console import Console


channel_option = click.option(
    "--channel",
    type=click.IntRange(1, MOST_CHANNELS),
    metavar="N",
    help="Hear channel N, from 1; without it the mean of all.",
)


def engine_of(
    model: str, engine: str, chip: str | None, max_cycles: int | None, decoding: Decoding
) -> tuple[Speech, Engine | Beam, ChipParams | None]:
    """The host's part of a model, what runs its networks, and the chip if that is one."""
    if engine == "kernels":
        refuse_image(model, "transducer's folder")
        loaded = load_model(model)
        return reference.speech_of(loaded), on_kernels(loaded, decoding), None
    machine = machine_of(engine)
    image = image_for(model, chip, decoding)
    speech = speech_of(image)
    if engine == "rtl":
        made, options = session_of(decoding, speech, OnChip, BeamOnChip), {"machine": machine}
    else:
        made, options = session_of(decoding, speech, OnTwin, BeamOnTwin), {}
    return speech, made(image, max_cycles=max_cycles, **options), image.params


def on_kernels(
    model: Model, decoding: Decoding, recording: Recorder | None = None
) -> Engine | Beam:
    """A transducer on the kernels."""
    if decoding.beam is None:
        return reference.search_of(model, recording)
    assert model.tokens is not None, "a transducer"
    scoring = decoding.scoring(model.tokens)
    return reference.beam_of(model, decoding.beam, recording=recording, **scoring)


def on_twin(image: Image, decoding: Decoding, recording: Recorder | None = None) -> OnTwin:
    """An image on the twin."""
    made = session_of(decoding, speech_of(image), OnTwin, BeamOnTwin)
    twin: OnTwin = made(image, recording=recording)
    return twin


def session_of(
    decoding: Decoding, speech: Speech, greedily: Callable[..., Any], beam: Callable[..., Any]
) -> Callable[..., Any]:
    """What makes a chip that is decoded so, of `OnChip` and its like."""
    if decoding.beam is None:
        return greedily
    scoring = decoding.scoring(speech.tokens)
    return partial(beam, session=partial(BeamSession, beam=decoding.beam, **scoring))


def image_for(model: str, chip: str | None, decoding: Decoding) -> Image:
    """MODEL as an image that can be decoded so: read, or compiled for `--chip`."""
    if is_image(model):
        return open_image(model, chip)
    loaded = load_model(model)
    reference.speech_of(loaded)
    program = None if decoding.beam is None else program_for(loaded, decoding.beam)
    return compile_for(loaded, load_chip(chip), program)


def program_for(model: Model, beam: BeamRules) -> Program:
    """A transducer's, with slots for the hypotheses of a beam."""
    assert model.config is not None, "a transducer"
    return branching(model, most_slots(beam, SearchRules.of(model.config)))


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

"""WAV or FLAC in, text out, with the latency on the chip.

A phrase ends where it is silent for a while; each is printed with its times in seconds. Files are
streamed: an hour of sound takes no more memory than a second. Nothing is printed unless every file
could be transcribed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from npu.analysis.heard_results import TranscribeReport
from npu.analysis.memory import peak_memory_mib
from npu.analysis.streaming import Answer, OnChip, transcribe_report
from npu.cli._decoding import Decoding, decoding_options
from npu.cli._ending import ending_options
from npu.cli._heard import (
    channel_option,
    engine_of,
    show_chip,
)
from npu.cli._lattices import (
    labels_option,
    require_place_of_lattices,
    with_lattice,
    write_lattices,
)
from npu.cli._models import files_of, first_run_notice
from npu.cli._options import (
    chip_option,
    engine_option,
    json_option,
    max_cycles_option,
    model_argument,
)
from npu.cli._output import STDOUT, console, emit_json, emit_text, progress, require_place, say
from npu.errors import InputError
from npu.speech.audio import stream_audio
from npu.speech.captions import ctm, nbest, require_names, srt
from npu.speech.ends import Ending
from npu.speech.lattice_files import named
from npu.speech.transcribe import transcribe

if TYPE_CHECKING:
    from rich.console import Console

TOO_LATE = 1


@click.command()
@model_argument
@click.argument("audio", nargs=-1, required=True)
@chip_option
@engine_option
@ending_options(early=False)
@decoding_options
@channel_option
@max_cycles_option
@click.option("--ctm", "ctm_path", metavar="FILE", help="Write the words with their times, as CTM.")
@click.option("--srt", "srt_path", metavar="FILE", help="Write the phrases as subtitles, as SRT.")
@click.option("--nbest", "nbest_path", metavar="FILE", help="Write all that a beam found.")
@click.option(
    "--lattice",
    "lattice_path",
    metavar="FILE",
    help="Write what a beam holds for possible as graphs of words: FILE.lat (Kaldi), .json, .dot "
    "(Graphviz), or FOLDER/ for OpenFst.",
)
@labels_option
@json_option
def command(
    model: str,
    audio: tuple[str, ...],
    chip: str | None,
    engine: str,
    ending: Ending,
    decoding: Decoding,
    channel: int | None,
    max_cycles: int | None,
    ctm_path: str | None,
    srt_path: str | None,
    nbest_path: str | None,
    lattice_path: str | None,
    lattice_labels: int | None,
    json_path: str | None,
) -> int:
    """Transcribe AUDIO files (WAV, FLAC) with a transducer MODEL.

    With twin or RTL, also says how long the chip takes for each encoder call, against the time in
    which the next one is due. Exit status 1 if it takes longer.
    """
    if srt_path is not None and len(audio) > 1:
        raise InputError(
            f"--srt takes the phrases of one file, not of {len(audio)}; give one AUDIO"
        )
    if nbest_path is not None and decoding.beam is None:
        raise InputError("--nbest is of a beam: add --decoding-method beam")
    told = not (json_path is ctm_path is nbest_path is None)
    decoding = with_lattice(decoding, lattice_path is not None, lattice_labels, texts=told)
    texts: dict[str | None, Callable[[Answer], str]] = {
        ctm_path: lambda answer: ctm(answer.file, channel or 1, answer.heard.phrases),
        srt_path: lambda answer: srt(answer.heard.phrases),
        nbest_path: lambda answer: nbest(answer.file, answer.heard.phrases),
    }
    inputs = files_of(model, chip, decoding.hotwords_file, *audio)
    places = (json_path, ctm_path, srt_path, nbest_path, require_place_of_lattices(lattice_path))
    require_place(*places, inputs=inputs)
    if not (ctm_path is nbest_path is lattice_path is None):
        require_names(audio)
    speech, runner, params = engine_of(model, engine, chip, max_cycles, decoding)
    for path in audio:
        next(stream_audio(path, speech.rate, channel=channel), None)
    with (
        first_run_notice(),
        progress("transcribing", total=len(audio) if len(audio) > 1 else None) as advance,
    ):
        answers = []
        for path in audio:
            heard = transcribe(speech, runner, path, ending, channel, min_score=decoding.min_score)
            use = runner.use() if isinstance(runner, OnChip) else None
            answers.append(Answer(path, heard, use))
            advance(1)
    for note in (note for answer in answers for note in answer.heard.notes):
        say(f"note: {note}")
    report = transcribe_report(answers, speech, engine, params, peak_memory_mib())
    report["end_seconds"] = ending.silence_of(speech.silence_s)
    report["decoding"] = decoding.report()
    for place, text in texts.items():
        if place is not None:
            emit_text("".join(map(text, answers)), place)
    if lattice_path is not None:
        phrases = ((answer.file, answer.heard.phrases) for answer in answers)
        write_lattices(lattice_path, dict(each for of in phrases for each in named(*of)))
    emit_json(report, json_path)
    is_taken = STDOUT in (json_path, *texts)
    _show(report, console(STDOUT if is_taken else None))
    return 0 if report.get("in_time", True) else TOO_LATE


def _show(report: TranscribeReport, out: Console) -> None:
    for entry in report["files"]:
        prefix = f"{entry['file']}: " if len(report["files"]) > 1 else ""
        for phrase in entry["phrases"]:
            times = f"[{phrase['start']:.2f} - {phrase['end']:.2f}]"
            out.print(f"{prefix}{times} {phrase['text']}", markup=False)
        if not entry["phrases"]:
            out.print(prefix, markup=False)
    show_chip(report, out)

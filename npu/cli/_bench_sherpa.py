"""`npu bench sherpa`: sherpa-onnx beside our searches, on the same network in floats."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from rich.console import Console

from compiler import load_model
from npu.cli._ears import place_of_set
from npu.cli._extras import require_extra
from npu.cli._models import files_of
from npu.cli._options import json_option
from npu.cli._output import console, emit_json, progress, require_place, table
from npu.speech.hotwords import read_hotwords
from npu.speech.spoken_sets import read_set, set_file

if TYPE_CHECKING:
    from compiler.train.sherpa.results import CaseReport, SherpaReport

UNEXPLAINED = 1


@click.command()
@click.argument("model", metavar="MODEL")
@click.argument("set_", metavar="SET")
@click.option(
    "--every",
    type=click.IntRange(1, 1_000_000),
    default=1,
    show_default=True,
    metavar="N",
    help="Every N-th utterance of SET alone.",
)
@click.option(
    "--hotwords-file",
    metavar="FILE",
    help="Phrases to hear more readily, for a case with them; as of `npu transcribe`.",
)
@json_option
def sherpa(
    model: str, set_: str, every: int, hotwords_file: str | None, json_path: str | None
) -> int:
    """Texts of sherpa-onnx beside ours, both on the transducer MODEL in floats.

    sherpa-onnx, of the extra `sherpa`, runs MODEL's weights as a float network of ONNX in its own
    loops: NeMo's greedy search and, if the predictor is stateless, icefall's greedy and modified
    beam search. SET is as of `npu evaluate`. sherpa-onnx makes features of its own: it is given our
    features, as a tone whose loudness spells them, and in one case the sound itself. Where texts
    differ, rules of sherpa-onnx are tried as the reason. Exit status 1 where none of them is it.
    """
    require_extra("sherpa", "npu bench sherpa", "sherpa_onnx", "onnx")
    from compiler.train.sherpa.compare import compare, count_of_cases

    place = place_of_set(set_)
    utterances = read_set(place)[::every]
    inputs = [*files_of(model, hotwords_file), set_file(place), *(each.path for each in utterances)]
    require_place(json_path, inputs=inputs)
    loaded = load_model(model)
    hotwords = [] if hotwords_file is None else read_hotwords(hotwords_file)
    total = count_of_cases(loaded, hotwords) * len(utterances)
    with progress("listening", total=total) as advance:
        report = compare(loaded, utterances, hotwords, advance)
    emit_json(report, json_path)
    _show(report, console(json_path))
    return UNEXPLAINED if any(case["unexplained"] for case in report["cases"]) else 0


def _show(report: SherpaReport, out: Console) -> None:
    columns = ("sherpa-onnx", "ours", "equal", "in the same calls", "wrong words", "of theirs")
    rows = [
        (
            case["case"],
            case["search"],
            f"{case['equal']:,} of {report['utterances']:,}",
            f"{case['calls']:,}",
            f"{case['errors']:,} of {case['words']:,}",
            f"{case['their_errors']:,}",
        )
        for case in report["cases"]
    ]
    title = f"{report['model']} in floats beside sherpa-onnx {report['version']}"
    out.print(table(columns, rows, title=title))
    for case in report["cases"]:
        for line in _notes(case):
            out.print(f"{case['case']}: {line}", markup=False)


def _notes(case: CaseReport) -> list[str]:
    """What is to be said of a case, beside the table."""
    lines = []
    if case["features"] is not None:
        equal, near = case["features"]
        lines.append(f"{equal:.1%} of its features are ours, {near:.1%} at most a step off")
    if case["apart"] is not None:
        lines.append(f"scores of symbols are at most {case['apart']:.1e} nat apart")
    for reason, count in case["reasons"].items():
        lines.append(f"differs by a rule of theirs, {reason}: {count:,}")
    if case["unexplained"]:
        lines.append(f"NO RULE EXPLAINS {case['unexplained']:,}")
    lines += [
        f"{each['audio']}: ours {each['ours']!r}, theirs {each['theirs']!r}"
        for each in case["examples"]
        if each["reason"] is None
    ]
    return lines

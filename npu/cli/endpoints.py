"""Where a transducer's phrases are found to end, in recordings of many with pauses between them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import click

from npu.analysis.endpoints import endpoints_report, hear_session
from npu.analysis.endpoints_results import (
    DelaysReport,
    EndpointsOfModel,
    EndpointsReport,
    ShareReport,
)
from npu.cli._decoding import Decoding, decoding_options
from npu.cli._ears import opener, place_of_set
from npu.cli._ending import ending_options
from npu.cli._models import files_of, first_run_notice
from npu.cli._options import json_option, model_argument
from npu.cli._output import console, emit_json, progress, require_place, table
from npu.errors import InputError
from npu.speech.ends import Ending
from npu.speech.spoken_sets import read_set, set_file

if TYPE_CHECKING:
    from rich.console import Console

CURVE_SECONDS = (0.36, 0.42, 0.48, 0.54, 0.6, 0.66, 0.72, 0.78, 0.84)
ENDED_SECONDS = (0.0, 0.06, 0.12, 0.18, 0.24, 0.3, 0.36)

_Curve = Literal["rules", "timers", "ends"]
_TITLES: dict[_Curve, str] = {
    "rules": "more silence behind a pause",
    "timers": "a silence timer",
    "ends": "time behind </s>",
}


@click.command()
@model_argument
@click.argument("set_", metavar="SET")
@ending_options(early=True)
@decoding_options
@click.option(
    "--curve",
    is_flag=True,
    help=f"Other silences as well, {CURVE_SECONDS[0]:g} to {CURVE_SECONDS[-1]:g} s; each once with "
    "more silence behind a pause, and once without; of a model with </s> also other times behind "
    "it.",
)
@json_option
def command(
    model: str,
    set_: str,
    ending: Ending,
    decoding: Decoding,
    curve: bool,
    json_path: str | None,
) -> int:
    """Count what of SET a transducer MODEL cuts off, misses, or takes to be over too early.

    SET is a folder with a set.jsonl whose words have times, and whose recordings may have many
    phrases: `npu train` writes such sets to FOLDER/sessions. Each is heard as by `npu listen`.
    """
    place = place_of_set(set_)
    utterances = read_set(place)
    file = set_file(place)
    for each in utterances:
        if each.words and not each.phrases:
            raise InputError(
                f"{file}: line {each.line}: does not say when its words end; give words their times"
            )
    require_place(
        json_path,
        inputs=[*files_of(model, decoding.hotwords_file), file, *(u.path for u in utterances)],
    )
    ear = opener(model, "kernels", None, decoding)()
    curves: dict[_Curve, list[Ending]] = {}
    if curve:
        curves["rules"] = [replace(ending, silence=each) for each in CURVE_SECONDS]
        curves["timers"] = [replace(each, hesitant=0.0) for each in curves["rules"]]
        if ear.speech.tokens.end is not None:
            curves["ends"] = [replace(ending, ended=each) for each in ENDED_SECONDS]
    per_call = ear.speech.seconds_per_call
    points = sum(map(len, curves.values())) + 1
    with (
        first_run_notice(),
        progress("listening", total=len(utterances) * points) as advance,
    ):

        def heard(by: Ending) -> tuple[EndpointsReport, float]:
            rule = ear.speech.rule(by)
            sessions = []
            for each in utterances:
                sessions.append(hear_session(ear, each, rule))
                advance(1)
            told = endpoints_report(sessions, rule, per_call)
            return told, sum(session.seconds for session in sessions)

        found, seconds = heard(ending)
        report: EndpointsOfModel = {
            "model": model,
            "set": set_,
            "decoding": decoding.report(),
            "seconds": seconds,
            "found": found,
        }
        for name, endings in curves.items():
            report[name] = [heard(each)[0] for each in endings]
    emit_json(report, json_path)
    _show(report, console(json_path))
    return 0


def _show(report: EndpointsOfModel, out: Console) -> None:
    found = report["found"]
    minutes, seconds = divmod(round(report["seconds"]), 60)
    title = (
        f"{report['set']}: {found['phrases']:,} phrases in {found['recordings']:,} recordings, "
        f"{minutes:,}:{seconds:02d} of sound"
    )
    out.print(table(["", report["model"]], list(_figures(found)), title=title))
    for name in _TITLES:
        if name in report:
            _show_curve(report[name], name, out)
    out.print(
        "delays: of sound, from the end of the last word to the end of the encoder call in which "
        "the news came"
    )


def _figures(found: EndpointsReport) -> list[list[str]]:
    cut_off, taken_back = found["cut_off"], found["taken_back"]
    return [
        ["found once", f"{found['found_once']:,}"],
        ["missed", f"{found['missed']:,}"],
        ["split", f"{found['split']:,}"],
        ["merged", f"{found['merged']:,}"],
        ["extra segments", f"{found['extra']:,}"],
        ["cut off", _share(cut_off)],
        ["end told", _delays(found["final_delay_ms"])],
        ["taken to be over", _delays(found["speculative_delay_ms"])],
        ["  and taken back", _share(taken_back)],
        ["error of the end", _delays(found["end_error_ms"])],
    ]


def _share(share: ShareReport) -> str:
    if share["percent"] is None:
        return "none"
    told = f"{share['count']:,} of {share['of']:,}, {share['percent']:.1f} %"
    if share["interval"]:
        low, high = share["interval"]
        told += f" ({low:.1f} to {high:.1f})"
    return told


def _delays(delays: DelaysReport | None) -> str:
    if delays is None:
        return "never"
    return f"p50 {delays['p50']:,.0f} ms, p95 {delays['p95']:,.0f} ms"


def _show_curve(points: list[EndpointsReport], name: _Curve, out: Console) -> None:
    columns = [
        "behind </s> ms" if name == "ends" else "silence ms",
        "found once",
        "extra",
        "cut off",
        "p50 ms",
        "over p50 ms",
        "taken back",
    ]
    rows = [
        [
            f"{each['ended_ms']:.0f}" if name == "ends" else _silence(each),
            f"{each['found_once']:,}",
            f"{each['extra']:,}",
            _percent(each["cut_off"]),
            _p50(each["final_delay_ms"]),
            _p50(each["speculative_delay_ms"]),
            _percent(each["taken_back"]),
        ]
        for each in points
    ]
    out.print(table(columns, rows, title=_TITLES[name]))


def _silence(of: EndpointsReport) -> str:
    told = f"{of['quiet_ms']:.0f}"
    return told if of["quiet_ms"] == of["hesitant_ms"] else f"{told} / {of['hesitant_ms']:.0f}"


def _percent(share: ShareReport) -> str:
    return "" if share["percent"] is None else f"{share['percent']:.1f} %"


def _p50(delays: DelaysReport | None) -> str:
    return "" if delays is None else f"{delays['p50']:.0f}"

"""What is installed, what each missing piece would enable, and how to get it."""

from __future__ import annotations

import click
from rich.console import Console

from npu.analysis.environment import doctor_report, missing
from npu.analysis.results_beside import DoctorReport
from npu.cli._options import json_option
from npu.cli._output import console, emit_json, require_place, table


@click.command()
@json_option
def command(json_path: str | None) -> int:
    """Look at extras, programs and caches. Nothing is installed or changed."""
    require_place(json_path)
    report = doctor_report()
    emit_json(report, json_path)
    _show(report, console(json_path))
    return 0


def _show(report: DoctorReport, out: Console) -> None:
    out.print(f"zeroskip {report['zeroskip']} on Python {report['python']}")
    rows = [
        (piece["name"], piece["kind"], "yes" if piece["found"] else "no", piece["what"])
        for piece in report["pieces"]
    ]
    out.print(table(("piece", "kind", "there", "what"), rows, left=("kind", "there", "what")))
    absent = missing(report)
    for piece in absent:
        out.print(f"{piece['name']} would give {piece['enables']}")
        out.print(f"    {piece['get']}")
    if not absent:
        out.print("nothing is missing")

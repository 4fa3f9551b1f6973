"""Regenerate `reports/operators.md`: `tests.on_the_twin --json reports/operators.json`, then

python -m reports.operators_page
"""

import json
from pathlib import Path
from typing import TypedDict

PAGE = Path(__file__).with_name("operators.md")
RUN = Path(__file__).with_name("operators.json")


class KindReport(TypedDict):
    """Random models of a kind of operator; `elements` were compared, on kernels and on the twin."""

    models: int
    equal: int
    elements: int
    differ: dict[str, int]
    refused: dict[str, int]
    broken: list[str]


class OperatorsReport(TypedDict):
    """What `tests.on_the_twin` writes."""

    seed: int
    calls: int
    kinds: dict[str, KindReport]


def page(run: OperatorsReport) -> str:
    """The page as Markdown."""
    kinds = run["kinds"]
    models = sum(kind["models"] for kind in kinds.values())
    elements = sum(kind["elements"] for kind in kinds.values())
    lines = [
        "# Random models of every operator beside TensorFlow Lite Micro",
        "",
        (
            "Written by `python -m reports.operators_page` from `operators.json`, which"
            " `python -m tests.on_the_twin --json reports/operators.json` wrote:"
            f" {models:,} models, {run['calls']} calls of each with extreme and random inputs,"
            f" {elements:,} elements compared with TensorFlow Lite Micro on the kernels, and as"
            " many on the twin of a small chip."
        ),
        "",
        "| operator | models | equal | elements | differ on kernels | differ on twin |",
        "|---|---:|---:|---:|---:|---:|",
        *(
            f"| {name} | {kind['models']} | {kind['equal']} | {kind['elements']:,} |"
            f" {kind['differ']['kernels']} | {kind['differ']['twin']} |"
            for name, kind in kinds.items()
        ),
    ]
    refused = [(name, *why) for name, kind in kinds.items() for why in kind["refused"].items()]
    if refused:
        lines += ["", "Refused:", ""]
        lines += [f"- {name}, {count} models: {why}" for name, why, count in refused]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(json.loads(RUN.read_text(encoding="utf-8"))), encoding="utf-8")

"""The README's table of other people's models, from `reports/models.json`.

`python -m tests.public FOLDER... --json reports/models.json` compares models with TensorFlow Lite
Micro, element by element, and writes what became of each.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypedDict

RUN = Path(__file__).with_name("models.json")
CHIPS = ("edge", "max")


class EngineReport(TypedDict):
    """What an engine did with a model.

    Attributes
    ----------
    refused : why it did not run; None where it did.
    elements, differ : compared with TensorFlow Lite Micro, and of those different.
    cycles : of a call, the mean; sram, program, image : bytes. Of the twin alone.
    """

    refused: str | None
    elements: int
    differ: int
    cycles: float | None
    sram: int | None
    program: int | None
    image: int | None


class ModelReport(TypedDict):
    """What became of a model.

    Attributes
    ----------
    calls, real : inputs it was tried with, and of these real ones.
    operators : how many of each kind.
    oracle : why TensorFlow Lite Micro does not run it; None where it does.
    engines : by name, "kernels" and the chips.
    reasons : (operator, why it does not run here).
    stage, broken : what it was about when it broke, and what ended it; None where nothing did.
    """

    model: str
    stage: str
    operators: dict[str, int]
    calls: int
    real: int
    oracle: str | None
    engines: dict[str, EngineReport]
    reasons: list[tuple[str, str]]
    broken: str | None


def table(run: Sequence[ModelReport], chips: Sequence[str] = CHIPS) -> str:
    """Markdown: every model that TensorFlow Lite Micro runs, then what is refused, and why."""
    head = ["model", "operators", "calls", "elements", "differ"]
    for chip in chips:
        head += [f"cycles, {chip}", f"SRAM, {chip}"]
    head += ["program", "image"]
    lines = [f"| {' | '.join(head)} |", f"|---|---|{'---:|' * (len(head) - 2)}"]
    taken = [model for model in run if model["oracle"] is None]
    lines += [f"| {' | '.join(_row(model, chips))} |" for model in taken]
    refused = [
        f"- `{model['model']}` on {', '.join(engines)}: {reason}"
        for model in taken
        for reason, engines in _refusals(model).items()
    ]
    if refused:
        lines += ["", "Refused:", "", *refused]
    return "\n".join(lines) + "\n"


def _row(model: ModelReport, chips: Sequence[str]) -> list[str]:
    engines = model["engines"]
    compared = [engine for engine in engines.values() if engine["refused"] is None]
    operators = (f"{n} {name}" if n > 1 else name for name, n in model["operators"].items())
    figures: list[float | None] = []
    for chip in chips:
        figures += _figures(engines.get(chip), ("cycles", "sram"))
    figures += _figures(engines.get(chips[0]), ("program", "image"))
    return [
        f"`{model['model']}`",
        ", ".join(operators),
        str(model["calls"]),
        f"{sum(engine['elements'] for engine in compared):,}",
        f"{sum(engine['differ'] for engine in compared):,}",
        *("-" if figure is None else f"{figure:,.0f}" for figure in figures),
    ]


def _figures(
    engine: EngineReport | None, names: Sequence[Literal["cycles", "sram", "program", "image"]]
) -> list[float | None]:
    return [None if engine is None else engine[name] for name in names]


def _refusals(model: ModelReport) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, engine in model["engines"].items():
        if engine["refused"] is not None:
            reason = engine["refused"].partition("; supported: ")[0]
            found.setdefault(reason, []).append(name)
    return found


def read() -> list[ModelReport]:
    """The run that the README shows."""
    run: list[ModelReport] = json.loads(RUN.read_text(encoding="utf-8"))
    return run

"""What is printed of all models: the table, what is missing where, and totals."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.public.compare import Engine, Outcome

KERNELS = "kernels"


def lines(outcome: Outcome) -> Iterator[str]:
    """A model: what it is made of, and what each engine did."""
    operators = ", ".join(
        name if count == 1 else f"{name} x {count}" for name, count in outcome.operators.items()
    )
    yield f"{outcome.model}: {outcome.calls} calls ({outcome.real} real); {operators}"
    if outcome.oracle is not None:
        yield f"    TensorFlow Lite Micro refuses it: {outcome.oracle}"
    for name, engine in outcome.engines.items():
        yield f"    {name:8} {_verdict(engine, outcome.oracle is None)}"
    if outcome.broken is not None:
        yield f"    BROKEN at {outcome.stage}: {outcome.broken}"


def _verdict(engine: Engine, compared: bool) -> str:
    if engine.refused is not None:
        return f"refused: {engine.refused.partition('; supported: ')[0]}"
    found = f"{engine.differ:,} of {engine.elements:,} differ" if compared else "runs, not compared"
    if engine.image is not None:
        cycles = "" if engine.cycles is None else f"; {engine.cycles:,.0f} cycles a call"
        found += (
            f"{cycles}; SRAM {engine.sram:,}, program {engine.program:,}, image {engine.image:,} "
            "bytes"
        )
    return found


def runs(outcome: Outcome, engine: str) -> bool:
    """Whether an engine ran a model to its end."""
    found = outcome.engines.get(engine)
    at_fault = outcome.broken is not None and outcome.stage == engine
    return found is not None and found.refused is None and not at_fault


def missing(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Operators and forms that keep models from running, those of most models first."""
    models: dict[tuple[str, str], set[str]] = defaultdict(set)
    alone: dict[tuple[str, str], set[str]] = defaultdict(set)
    for outcome in outcomes:
        if outcome.oracle is not None:
            continue
        reasons = outcome.reasons or _whole(outcome)
        for reason in reasons:
            models[reason].add(outcome.model)
        if len(reasons) == 1:
            alone[reasons[0]].add(outcome.model)
    for reason in sorted(models, key=lambda key: (-len(models[key]), key)):
        operator, why = reason
        yield (
            f"{len(models[reason]):4} models, of {len(alone[reason])} the only reason: "
            f"{operator}: {why}"
        )


def _whole(outcome: Outcome) -> list[tuple[str, str]]:
    """Why a model is refused that no operator is refused for, by engine."""
    file = f"{Path(outcome.model).name}: "
    return [
        (name, engine.refused.removeprefix(file))
        for name, engine in outcome.engines.items()
        if engine.refused is not None
    ]


def totals(outcomes: Sequence[Outcome], chips: Sequence[str]) -> Iterator[str]:
    """What ran, and what differed."""
    taken = [each for each in outcomes if each.oracle is None]
    yield f"{len(outcomes)} models, {len(taken)} of them run in TensorFlow Lite Micro"
    for engine in (KERNELS, *chips):
        ran = [each.engines[engine] for each in taken if runs(each, engine)]
        yield (
            f"{engine}: {len(ran)} of {len(taken)} run, {sum(e.elements for e in ran):,} elements "
            f"compared, {sum(e.differ for e in ran):,} differ"
        )
    beyond = [each.model for each in outcomes if each.oracle is not None and runs(each, KERNELS)]
    yield f"run here and not there: {', '.join(beyond) or 'none'}"
    broken = [f"{each.model} at {each.stage}" for each in outcomes if each.broken is not None]
    yield f"broken: {', '.join(broken) or 'none'}"


def write_json(path: Path, outcomes: Sequence[Outcome]) -> None:
    """Everything, for other programs."""
    report: list[dict[str, Any]] = [asdict(outcome) for outcome in outcomes]
    path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")

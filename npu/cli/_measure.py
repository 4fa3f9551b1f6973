"""Measure a model's figures, and keep them in its folder."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path

from compiler import compile_model, load_model
from compiler.frontends.models import Model
from npu import __version__
from npu.analysis.evaluation import evaluate_report, score
from npu.analysis.hearing import hear_set
from npu.analysis.latency import latency_of
from npu.analysis.model_figures import (
    FILE_NAME,
    Figures,
    Heard,
    OnChip,
    heard,
    on_chip,
    read_figures,
    write_figures,
)
from npu.chip.params import load_params
from npu.cli._ears import jobs_for, opener
from npu.cli._output import progress, require_place, say
from npu.errors import CapacityError
from npu.speech.spoken_sets import read_set, set_digest, set_file
from npu.speech.whole import TAIL_SECONDS

MEASURED_CHIPS = ("tiny", "edge")


def measure(folder: Path, name: str, sets: Mapping[str, Path], *, again: bool = True) -> Figures:
    """Word errors on sets and frames on `MEASURED_CHIPS`: everything first, then the file, whole.

    Parameters
    ----------
    folder, name : the model, and what commands call it.
    sets : where each set is, by what commands call it.
    again : what was measured with this version on the same files, too.
    """
    require_place(folder / FILE_NAME)
    before = read_figures(folder)
    model = load_model(folder)
    known = {
        (each.set, each.set_sha256): each
        for each in before.sets
        if not again and each.sources == model.sources and each.version == __version__
    }
    heards = [_heard(folder, name, model, *each, known) for each in sets.items()]
    chips = [found for chip in MEASURED_CHIPS if (found := _on_chip(name, model, chip)) is not None]
    figures = before.with_new(heards, chips)
    write_figures(folder, figures)
    return figures


def _heard(
    folder: Path,
    name: str,
    model: Model,
    label: str,
    place: Path,
    known: Mapping[tuple[str, str], Heard],
) -> Heard:
    utterances = read_set(place)
    digest = set_digest(place, utterances)
    if (label, digest) in known:
        return known[label, digest]
    with progress(f"listening to {label}", total=len(utterances)) as advance:
        found = hear_set(
            utterances,
            opener(str(folder), "kernels", None),
            where=set_file(place),
            tail_seconds=TAIL_SECONDS,
            jobs=jobs_for(utterances),
            advance=advance,
        )
    report = evaluate_report(label, {name: score(utterances, found)}, "kernels", TAIL_SECONDS)
    return heard(report, name, model.sources, digest, _today())


def _on_chip(name: str, model: Model, chip: str) -> OnChip | None:
    """None for a chip that does not hold the model, which is told."""
    try:
        image = compile_model(model, load_params(chip))
    except CapacityError as error:
        say(f"note: {name} on {chip}: {error}")
        return None
    with progress(f"running on {chip}"):
        return on_chip(latency_of(image), name, model.sources, _today())


def _today() -> date:
    return datetime.now(UTC).date()

"""The models that come with it: how each was made, its figures; and the recipes for more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime

import click
from click.shell_completion import CompletionItem

from compiler import compile_model, load_model
from compiler.frontends.models import Model
from npu import zoo
from npu.analysis.evaluation import evaluate_report, score
from npu.analysis.hearing import hear_set
from npu.analysis.latency import latency_of
from npu.analysis.model_figures import (
    FILE_NAME,
    Heard,
    OnChip,
    heard,
    on_chip,
    read_figures,
    write_figures,
)
from npu.chip.params import load_params
from npu.cli._chips import DEFAULT_CHIP
from npu.cli._ears import jobs_for, opener, place_of_set
from npu.cli._models import first_run_notice
from npu.cli._options import json_option
from npu.cli._output import console, emit_json, progress, require_place, say
from npu.cli._zoo_report import entry, inputs_of, shown_model, zoo_report
from npu.cli._zoo_show import show, show_model
from npu.errors import CapacityError, ModelError
from npu.speech.spoken_sets import read_set, set_digest, set_file
from npu.speech.whole import TAIL_SECONDS

MEASURED_CHIPS = ("tiny", "edge")


def _complete(context: click.Context, param: click.Parameter, text: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in zoo.names() if name.startswith(text)]


@click.command()
@click.argument("name", required=False, shell_complete=_complete)
@click.option(
    "--measure",
    is_flag=True,
    help=f"Measure the model NAME here, and keep it in {FILE_NAME} in its folder: word errors on "
    f"the utterances that it comes with, frames on {' and '.join(MEASURED_CHIPS)}.",
)
@click.option(
    "--on",
    "sets",
    metavar="SET",
    multiple=True,
    help="With --measure, word errors on this set, too; may be given several times.",
)
@json_option
def command(name: str | None, measure: bool, sets: tuple[str, ...], json_path: str | None) -> None:
    """List the models of the zoo and the recipes for more, or show the model NAME.

    What is kept in the model's folder is shown with the command that measures it again; figures
    of other files, sets or chips than those of today are told as stale.
    """
    if sets and not measure:
        raise click.UsageError("--on is for --measure")
    if name is None:
        if measure:
            raise click.UsageError("--measure needs the NAME of a model")
        require_place(json_path, inputs=inputs_of(zoo.names()))
        _list(json_path)
        return
    _require_model(name)
    # NAME's figures are written; whoever has a set there reads it.
    require_place(json_path, inputs=inputs_of([name]))
    with first_run_notice():
        if measure:
            _measure(name, sets)
        with progress("compressing"):
            report = shown_model(name, entry(name, load_params(DEFAULT_CHIP)))
    emit_json(report, json_path)
    show_model(report, console(json_path))


def _list(json_path: str | None) -> None:
    from compiler.train.summary import listed_recipes

    params, names = load_params(DEFAULT_CHIP), zoo.names()
    entries = []
    with first_run_notice(), progress("compressing", total=len(names)) as advance:
        for name in names:
            entries.append(entry(name, params))
            advance(1)
    made = {
        each["name"]: (recipe, each["recipe_sha256"])
        for each in entries
        if (recipe := each["recipe"]) is not None
    }
    report = zoo_report(entries, listed_recipes(made))
    emit_json(report, json_path)
    show(report, console(json_path))


def _require_model(name: str) -> None:
    """Raises ModelError for a name that is none, with the way where a recipe is called so."""
    if name in zoo.names():
        return
    from compiler.train.recipe import shipped

    if name in shipped():
        raise ModelError(
            f"{name} is a recipe, no model of the zoo; make one with npu train {name} -o FOLDER"
        )
    zoo.path(name)


def _measure(name: str, sets: Sequence[str]) -> None:
    """Everything first, then the file: it is written whole."""
    folder = zoo.path(name)
    require_place(folder / FILE_NAME)
    before = read_figures(folder)
    model = load_model(folder)
    own = [name] if zoo.utterance_set(name).is_file() else []
    # Each set once, however often it is given.
    heards = [_heard(name, model, each) for each in dict.fromkeys([*own, *sets])]
    chips = [found for chip in MEASURED_CHIPS if (found := _on_chip(name, model, chip)) is not None]
    write_figures(folder, before.with_new(heards, chips))


def _heard(name: str, model: Model, set_: str) -> Heard:
    place = zoo.utterance_set(name) if set_ == name else place_of_set(set_)
    utterances = read_set(place)
    digest = set_digest(place, utterances)
    with progress(f"listening to {set_}", total=len(utterances)) as advance:
        found = hear_set(
            utterances,
            opener(str(zoo.path(name)), "kernels", None),
            where=set_file(place),
            tail_seconds=TAIL_SECONDS,
            jobs=jobs_for(utterances),
            advance=advance,
        )
    # A path of this machine says nothing to others.
    label = place.name if place.is_absolute() and set_ not in zoo.names() else set_
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

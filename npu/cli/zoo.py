"""The models that come with it: how each was made, its figures; and the recipes for more."""

from __future__ import annotations

from collections.abc import Sequence

import click
from click.shell_completion import CompletionItem

from npu import zoo
from npu.analysis.model_figures import FILE_NAME
from npu.chip.params import load_params
from npu.cli._chips import DEFAULT_CHIP
from npu.cli._ears import place_of_set
from npu.cli._measure import MEASURED_CHIPS, measure
from npu.cli._models import first_run_notice
from npu.cli._options import json_option
from npu.cli._output import console, emit_json, progress, require_place
from npu.cli._zoo_report import entry, inputs_of, shown_model, zoo_report
from npu.cli._zoo_show import show, show_model
from npu.errors import ModelError


def _complete(context: click.Context, param: click.Parameter, text: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in zoo.names() if name.startswith(text)]


@click.command()
@click.argument("name", required=False, shell_complete=_complete)
@click.option(
    "--measure",
    "measure_",
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
def command(name: str | None, measure_: bool, sets: tuple[str, ...], json_path: str | None) -> None:
    """List the models of the zoo and the recipes for more, or show the model NAME.

    What is kept in the model's folder is shown with the command that measures it again; figures
    of other files, sets or chips than those of today are told as stale.
    """
    if sets and not measure_:
        raise click.UsageError("--on is for --measure")
    if name is None:
        if measure_:
            raise click.UsageError("--measure needs the NAME of a model")
        require_place(json_path, inputs=inputs_of(zoo.names()))
        _list(json_path)
        return
    _require_model(name)
    # NAME's figures are written; whoever has a set there reads it.
    require_place(json_path, inputs=inputs_of([name]))
    with first_run_notice():
        if measure_:
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
    own = zoo.utterance_set(name)
    places = {name: own} if own.is_file() else {}
    for each in sets:
        if each != name:
            place = place_of_set(each)
            # A path of this machine says nothing to others.
            outside = place.is_absolute() and each not in zoo.names()
            places[place.name if outside else each] = place
    measure(zoo.path(name), name, places)

"""A transducer from a recipe: corpus, learning with zeros on the chip's grid, export."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from npu.cli._extras import require_extra
from npu.cli._measure import measure
from npu.cli._models import first_run_notice
from npu.cli._output import be_quiet, console, is_quiet, say
from npu.files import require_place_of_folder
from npu.pools import cores

if TYPE_CHECKING:
    from compiler.frontends.models import Model
    from compiler.train.learn.loop import Progress
    from compiler.train.queue import Run
    from npu.analysis.model_figures import Heard


_BATCHES = "batches"
"""Of the run's folder: what more than one run of a queue learns from; goes when all are done."""


@click.command()
@click.argument("recipe_path", metavar="RECIPE")
@click.option(
    "-o", "--output", metavar="FOLDER", required=True, help="Folder of the run; goes on in it."
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 1024),
    metavar="N",
    help="Processes that speak and disturb clips; by default one a core.",
)
@click.option(
    "--at-once",
    type=click.IntRange(1, 1024),
    metavar="N",
    help="Runs of a queue that learn at once; by default one a core, of a GPU one.",
)
@click.option(
    "--device",
    type=click.Choice(["cpu", "cuda"]),
    help="Where it learns; by default a GPU where there is one.",
)
def command(
    recipe_path: str, output: str, jobs: int | None, at_once: int | None, device: str | None
) -> int:
    """Train a transducer by RECIPE, a TOML file or the name of one that is shipped.

    The run's folder gets the corpus, a checkpoint every few minutes, and FOLDER/model: the folder
    that compile, transcribe and evaluate take, with its figures on FOLDER/sets, which nothing is
    learnt from; FOLDER/sessions is for endpoints. A run that was stopped goes on where it was.

    RECIPE may be a queue as well: runs of one recipe with some keys changed, on one corpus, each in
    a folder of its own in FOLDER, some at once.
    """
    require_extra("train", "npu train", "torch", "scipy", "names")
    from compiler.frontends.models import load_model
    from compiler.train.corpus.build import build
    from compiler.train.corpus.sessions import write_sessions
    from compiler.train.corpus.sets import write_sets
    from compiler.train.queue import Queue, Run, is_queue, load_queue, shipped_queues
    from compiler.train.recipe import load_recipe, shipped
    from compiler.train.sound.kept import shared_steps
    from compiler.train.together import run_together
    from compiler.train.train import begin, device_of, require_start

    path = Path(recipe_path)
    if not path.exists():
        path = (shipped() | shipped_queues()).get(recipe_path, path)
    folder = require_place_of_folder(output)
    if is_queue(path):
        queue = load_queue(path)
    else:
        recipe = load_recipe(path)
        queue = Queue(recipe, None, (Run("", recipe, None),))
    jobs, device = jobs or cores(), device_of(device)
    at_once = min(at_once or (cores() if device == "cpu" else 1), len(queue.runs))
    for run in queue.runs:
        # What is of another recipe, or no model, is told before long work.
        begin(run.recipe, folder / run.name)
        if run.model is not None:
            require_start(run.recipe, load_model(run.model))
    build(queue.recipe, folder / "corpus", jobs, _made)
    sets = write_sets(
        queue.recipe,
        folder / "corpus",
        folder / "sets",
        queue.sets,
        lambda name: say(f"writing {name}"),
    )
    if not is_queue(path):
        write_sessions(
            queue.recipe,
            folder / "corpus",
            folder / "sessions",
            lambda name: say(f"writing the session {name}"),
        )
    work = partial(
        _run,
        names=[run.name for run in queue.runs],
        folder=folder,
        shared=shared_steps(run.recipe for run in queue.runs),
        sets=sets,
        jobs=max(1, jobs // at_once),
        device=device,
        quiet=is_quiet(),
    )
    run_together(queue.runs, at_once, work, _print)
    shutil.rmtree(folder / _BATCHES, ignore_errors=True)
    return 0


def _print(lines: Sequence[str]) -> None:
    out = console()
    for line in lines:
        out.print(line)


def _run(
    run: Run,
    *,
    names: Sequence[str],
    folder: Path,
    shared: Mapping[str, int],
    sets: Sequence[Path],
    jobs: int,
    device: str,
    quiet: bool,
) -> list[str]:
    """Train, and measure on the sets; what came out, in lines."""
    from compiler.frontends.models import load_model
    from compiler.train.compare import compare
    from compiler.train.sound.kept import key
    from compiler.train.train import train

    be_quiet(quiet)
    if run.name:
        say(f"run {names.index(run.name) + 1} of {len(names)}: {run.name}")
    place = folder / run.name
    start: Path | Model | None = None if run.start is None else folder / run.start
    if run.model is not None:
        start = load_model(run.model)
    batches = key(run.recipe)
    made = train(
        run.recipe,
        place,
        corpus=folder / "corpus",
        start=start,
        jobs=jobs,
        device=device,
        kept=(folder / _BATCHES / batches, shared[batches]),
        made=lambda there, of: None,
        learnt=partial(_learnt, run.name),
    )
    model = place / "model"
    places = {f"sets/{each.name}": each for each in sets}
    with first_run_notice():
        figures = measure(model, str(model), places, again=False)
    lines = [f"model         {model}"]
    for record in figures.sets:
        told = _told(record)
        # Of the first set the network itself, too: what the chip's arithmetic costs. Not of a
        # queue's runs, for it takes as long as the set takes.
        if record.speech and record.set == next(iter(places)) and not run.name:
            found = compare(run.recipe, place, made, places[record.set])
            told += f"; simulated {found['simulated']:.2f} %, in floats {found['floats']:.2f} %"
        lines.append(told)
    return lines


def _told(record: Heard) -> str:
    """A set in a line."""
    told = f"{Path(record.set).name:<14}{record.utterances:,} utterances"
    if record.speech:
        errors = record.speech.word_errors
        told += f", {errors.percent:.2f} % of {record.speech.words:,} words wrong"
        if errors.interval:
            told += f" ({errors.interval[0]:.2f} to {errors.interval[1]:.2f})"
    if record.delay:
        told += f", {record.delay.p50_ms:.0f} ms late (p95 {record.delay.p95_ms:.0f})"
    if record.rejection:
        quiet = record.rejection
        told += f", {quiet.phrases} false phrases in {quiet.hours:.1f} h"
    return told


def _made(there: int, of: int) -> None:
    if there in (0, of) or there % 10 == 0:
        say(f"corpus: {there} of {of} shards")


def _learnt(run: str, done: Progress) -> None:
    whose = f"{run}: " if run else ""
    counted = "" if done.word_errors is None else f"{done.word_errors:.1%} of words wrong, "
    say(
        f"{whose}step {done.step} of {done.steps}: loss {done.loss:.3f} a symbol, "
        f"{done.zeros:.1%} zeros, {counted}{done.left_s / 60:.0f} min left"
    )

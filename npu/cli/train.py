"""A transducer from a recipe: corpus, learning with zeros on the chip's grid, export."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from npu.analysis.process import cores
from npu.cli._extras import require_extra
from npu.cli._measure import measure
from npu.cli._models import first_run_notice
from npu.cli._output import console, say
from npu.files import require_place_of_folder

if TYPE_CHECKING:
    from compiler.train.learn.loop import Progress
    from compiler.train.queue import Queue, Run
    from npu.analysis.model_figures import Heard


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
    "--device",
    type=click.Choice(["cpu", "cuda"]),
    help="Where it learns; by default a GPU where there is one.",
)
def command(recipe_path: str, output: str, jobs: int | None, device: str | None) -> int:
    """Train a transducer by RECIPE, a TOML file or the name of one that is shipped.

    The run's folder gets the corpus, a checkpoint every few minutes, and FOLDER/model: the folder
    that compile, transcribe and evaluate take, with its figures on FOLDER/sets, which nothing is
    learnt from. A run that was stopped goes on where it was.

    RECIPE may be a queue as well: runs of one recipe with some keys changed, on one corpus, each in
    a folder of its own in FOLDER.
    """
    require_extra("train", "npu train", "torch", "scipy", "names")
    from compiler.train.queue import Queue, Run, is_queue, load_queue, shipped_queues
    from compiler.train.recipe import load_recipe, shipped

    path = Path(recipe_path)
    if not path.exists():
        path = (shipped() | shipped_queues()).get(recipe_path, path)
    folder = require_place_of_folder(output)
    if is_queue(path):
        queue = load_queue(path)
    else:
        recipe = load_recipe(path)
        queue = Queue(recipe, None, (Run("", recipe, None),))
    for number, run in enumerate(queue.runs, 1):
        if run.name:
            say(f"run {number} of {len(queue.runs)}: {run.name}")
        _run(run, queue, folder, jobs or cores(), device)
    return 0


def _run(run: Run, queue: Queue, folder: Path, jobs: int, device: str | None) -> None:
    from compiler.train.compare import compare
    from compiler.train.corpus.sets import write_sets
    from compiler.train.train import train

    corpus, place = folder / "corpus", folder / run.name
    start = None if run.start is None else folder / run.start
    made = train(
        run.recipe,
        place,
        corpus=corpus,
        start=start,
        jobs=jobs,
        device=device,
        made=_made,
        learnt=_learnt,
    )
    model, out = place / "model", console()
    out.print(f"model         {model}", highlight=False, soft_wrap=True)
    sets = write_sets(
        queue.recipe, corpus, folder / "sets", queue.sets, lambda name: say(f"writing {name}")
    )
    places = {f"sets/{each.name}": each for each in sets}
    with first_run_notice():
        figures = measure(model, str(model), places, again=False)
    for record in figures.sets:
        told = _told(record)
        # Of the first set the network itself, too: what the chip's arithmetic costs.
        if record.speech and record.set == next(iter(places)):
            found = compare(run.recipe, place, made, places[record.set])
            told += f"; simulated {found['simulated']:.2f} %, in floats {found['floats']:.2f} %"
        out.print(told, highlight=False, soft_wrap=True)


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


def _learnt(done: Progress) -> None:
    counted = "" if done.word_errors is None else f"{done.word_errors:.1%} of words wrong, "
    say(
        f"step {done.step} of {done.steps}: loss {done.loss:.3f} a symbol, {done.zeros:.1%} zeros, "
        f"{counted}{done.left_s / 60:.0f} min left"
    )

"""From a recipe to a transducer's folder: corpus, features, learning, export."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from compiler.frontends.models import Model, load_model
from compiler.train.corpus.build import build
from compiler.train.corpus.store import Part
from compiler.train.export import write_transducer
from compiler.train.export.reading import trained_of
from compiler.train.learn.check import Check
from compiler.train.learn.convert import take, trained
from compiler.train.learn.decode import MOST_SYMBOLS
from compiler.train.learn.loop import Learner, Progress, run
from compiler.train.recipe import Recipe, require_same
from compiler.train.sound.batches import Listener, alone
from compiler.train.sound.features import frontend, in_floats, log_mel
from compiler.train.sound.kept import KeptBatches
from compiler.train.summary import digest
from compiler.train.symbols import END, SYMBOLS
from npu import __version__
from npu.errors import RecipeError
from npu.files import write_atomic
from npu.model.config import FrontendConfig

_HEARD = 500
"""Clips whose features are averaged, for the front end."""


def train(
    recipe: Recipe,
    folder: Path,
    *,
    corpus: Path | None = None,
    start: Path | Model | None = None,
    jobs: int,
    device: str | None = None,
    kept: tuple[Path, int] | None = None,
    made: Callable[[int, int], object],
    learnt: Callable[[Progress], object],
) -> Model:
    """Make a transducer, from where an earlier run in the folder was left.

    Parameters
    ----------
    recipe : how.
    folder : gets `corpus`, `recipe.json`, `checkpoint.pt` and at last `model`.
    corpus : where the corpus is, or shall be, if not there.
    start : the folder of a run that is done: its weights, where they fit, are the first ones. Or a
        transducer as this trains one. The front end is that of what it starts from.
    jobs : processes that make the corpus and the batches.
    device : "cpu" or "cuda"; None for a GPU where there is one.
    kept : a folder for batches that other runs learn from, too, and of how many steps.
    made, learnt : are called with shards that are there and all of them; with the learning's
        progress.

    Returns
    -------
    Model
        As it is read from `folder/model`.

    Raises
    ------
    RecipeError
        A synthesiser is missing, the folder has a run of another recipe, or the transducer to start
        from is another one than the recipe's.
    ModelError
        It is none.
    """
    begin(recipe, folder)
    corpus = corpus or folder / "corpus"
    build(recipe, corpus, jobs, made)
    # Sums come in one order, whatever machine; the other core makes batches.
    torch.set_num_threads(1)
    alone()
    learner = Learner(recipe, device_of(device))
    mean, std = _normal(corpus) if start is None else _begin_with(learner, start)
    listener = Listener(corpus, "train", recipe, mean, std)
    batches: Listener | KeptBatches = listener
    if kept is not None:
        heard = hashlib.sha256(json.dumps([mean, std]).encode()).hexdigest()[:16]
        batches = KeptBatches(listener, kept[0] / heard, kept[1])
    check = Check(Listener(corpus, "develop", recipe, mean, std))
    run(learner, batches, folder / "checkpoint.pt", learnt, jobs, check=check)
    learner.finish()
    if recipe.sound.ended is not None:
        with torch.no_grad():
            logits = learner.network.joiner.bias
            assert logits is not None, "a joiner has one"
            logits[END] -= recipe.sound.ended.handicap
    return write_transducer(
        folder / "model",
        trained(learner.network.cpu()),
        SYMBOLS,
        frontend(mean, std),
        recipe.name,
        _provenance(recipe, learner, start),
        max_symbols_per_frame=MOST_SYMBOLS,
        silence_s=None if recipe.sound.ended is None else recipe.sound.ended.silence_s,
        replace=True,
    )


def _provenance(recipe: Recipe, learner: Learner, start: Path | Model | None) -> dict[str, Any]:
    """What model.json tells of how it was made."""
    told: dict[str, Any] = {
        "training": f"npu train: {recipe.learning.steps} steps, {recipe.pruning.zeros:.0%} zeros, "
        f"{recipe.quantisation.bits} bits, seed {recipe.seed}",
        "recipe": recipe.name,
        "recipe_sha256": digest(recipe),
        "seed": recipe.seed,
        "version": __version__,
        "torch": torch.__version__,
        "parameters": sum(value.numel() for value in learner.network.parameters()),
    }
    if start is not None:
        model = load_model(start / "model") if isinstance(start, Path) else start
        told["started_from"] = {"model": start.name, "sha256": model.sources}
    return told


def begin(recipe: Recipe, folder: Path) -> None:
    """Make the folder of a run. Raises RecipeError if it has one of another recipe."""
    folder.mkdir(parents=True, exist_ok=True)
    require_same(
        folder / "recipe.json", recipe.model_dump_json(indent=1, exclude_none=True) + "\n", "a run"
    )


def require_start(recipe: Recipe, model: Model) -> None:
    """Raise RecipeError or ModelError where a recipe's network cannot begin with a model."""
    _begin_with(Learner(recipe, "cpu"), model)


def device_of(device: str | None) -> str:
    """The device; for None a GPU where there is one."""
    return device or ("cuda" if torch.cuda.is_available() else "cpu")


def _begin_with(
    learner: Learner, start: Model | Path
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Take the weights of a model or a run that is done; mean and deviation of its features."""
    if isinstance(start, Path):
        learner.begin_with(start / "checkpoint.pt")
        # It may have begun with a model whose features are others than the corpus'.
        return _normal_of(load_model(start / "model"))
    weights = trained_of(start)
    found = _normal_of(start)
    take(learner.network, weights)
    return found


def _normal_of(model: Model) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of the features of a model that hears as this trains them."""
    assert model.config is not None and model.tokens is not None, "trained_of takes no other"
    given = model.config.frontend
    if not isinstance(given, FrontendConfig) or frontend(given.mean, given.std) != given:
        raise RecipeError(f"{model.name} has another front end than models that are trained here")
    if len(model.tokens) != len(SYMBOLS):
        raise RecipeError(
            f"{model.name} has {len(model.tokens)} symbols; models that are trained here have "
            f"{len(SYMBOLS)}"
        )
    return given.mean, given.std


def _normal(corpus: Path) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of the features, for each bin; kept beside the corpus."""
    file = corpus.with_name("normal.json")
    if not file.is_file():
        part = Part(corpus, "train")
        if not len(part):
            raise RecipeError("no clip is as short as corpus.longest_s; let clips be longer")
        heard = [log_mel(in_floats(part[n].samples)) for n in range(min(_HEARD, len(part)))]
        features = np.concatenate(heard)
        mean = [round(float(value), 6) for value in features.mean(0)]
        std = [round(float(value), 6) for value in features.std(0)]
        write_atomic(file, (json.dumps([mean, std]) + "\n").encode())
    mean, std = json.loads(file.read_text(encoding="utf-8"))
    return tuple(mean), tuple(std)

"""Makes a corpus: shard by shard, on all cores, from where it was left."""

import json
import os
from collections.abc import Callable, Container, Iterable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path

from compiler.train.corpus.clip import put_together
from compiler.train.corpus.engines import ENGINES, Espeak, Spoken
from compiler.train.corpus.engines.speech import RATE_HZ
from compiler.train.corpus.plan import FOREIGN, Planner, by_engine, parts
from compiler.train.corpus.sides import digest
from compiler.train.corpus.store import Part, has_shard, write_shard
from compiler.train.recipe import CORPUS_KEYS, Recipe, require_same
from npu.files import write_atomic
from npu.pools import end_with_parent

SHARD = 200
"""Clips of a shard, at most."""
Told = Callable[[int, int], object]


def sizes(recipe: Recipe) -> dict[str, int]:
    """Clips of each part."""
    corpus = recipe.corpus
    clips = {
        "train": corpus.clips,
        "develop": corpus.develop,
        "test": corpus.test,
        "speakers": corpus.test // 4,
        FOREIGN: corpus.test // 2,
        "engine": corpus.test // 4,
    }
    return {part: clips[part] for part in parts(recipe)}


def build(recipe: Recipe, folder: Path, jobs: int | None = None, told: Told = print) -> None:
    """Make what is missing of a corpus.

    Parameters
    ----------
    recipe : what to make; the same recipe gives the same corpus on the same machine, whatever the
        number of processes.
    folder : is made if missing.
    jobs : processes; None for one a core.
    told : is called with the shards that are there, and all of them.

    Raises
    ------
    RecipeError
        A synthesiser is missing, or the folder has a corpus of another recipe.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # Keys that are not given stay out: a recipe without them is the recipe that it was.
    text = recipe.model_dump_json(include=set(CORPUS_KEYS), exclude_none=True, indent=1) + "\n"
    require_same(folder / "corpus.json", text, "the corpus")
    wanted = [
        (part, number)
        for part, clips in sizes(recipe).items()
        for number in range(-(-clips // SHARD))
    ]
    missing = [each for each in wanted if not has_shard(folder, *each)]
    there = len(wanted) - len(missing)
    told(there, len(wanted))
    if missing:
        planner(recipe)  # what is missing is told before processes start
        jobs = min(jobs or os.cpu_count() or 1, len(missing))
        with ThreadPoolExecutor(jobs) as pool:
            work = [pool.submit(_alone, recipe, folder, *each) for each in missing]
            try:
                for done in as_completed(work):
                    done.result()
                    there += 1
                    told(there, len(wanted))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    known = set(planner(recipe).names)
    for part in parts(recipe):
        split = split_of(Part(folder, part), known)
        write_atomic(folder / f"{part}.split.json", (json.dumps(split, indent=1) + "\n").encode())


@lru_cache(maxsize=2)
def _planner(text: str) -> Planner:
    recipe = Recipe.model_validate_json(text)
    wanted: set[str] = {entry.engine for entry in recipe.voices}
    engines = {name: ENGINES[name]() for name in sorted(wanted)}
    if recipe.foreign and isinstance(espeak := engines.get("espeak"), Espeak):
        for language in (*recipe.foreign.train, *recipe.foreign.test):
            espeak.take(f"{language}+f1")  # what is missing is told before anything is spoken
    return Planner(recipe, engines)


def planner(recipe: Recipe) -> Planner:
    """The planner of a recipe, with its engines in this process."""
    return _planner(recipe.model_dump_json())


def _alone(recipe: Recipe, folder: Path, part: str, number: int) -> None:
    """A shard, in a process that makes no other: eSpeak NG goes on from what it said before (its
    noise, its flutter), and nothing sets it back.
    """
    context = get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, initializer=end_with_parent) as pool:
        pool.submit(_shard, recipe, folder, part, number).result()


def _shard(recipe: Recipe, folder: Path, part: str, number: int) -> None:
    made = planner(recipe)
    first = number * SHARD
    plans = [made.plan(part, n) for n in range(first, min(first + SHARD, sizes(recipe)[part]))]
    spoken: dict[tuple[int, int], Spoken] = {}
    for engine, places in by_engine(plans).items():
        requests = [plans[n].requests[k][1] for n, k in places]
        spoken |= zip(places, made.engines[engine].speak(requests), strict=True)
    clips = [
        put_together(plan, [spoken[n, k] for k in range(len(plan.requests))], recipe.corpus)
        for n, plan in enumerate(plans)
    ]
    longest = recipe.corpus.longest_s * RATE_HZ
    write_shard(folder, part, number, [clip for clip in clips if len(clip.samples) <= longest])


def split_of(clips: Iterable, names: Container[str] = ()) -> dict[str, list[str]]:
    """Hashes of the speakers, sentences and names of a part, sorted."""
    found: dict[str, set[str]] = {"speaker": set(), "sentence": set(), "name": set()}
    for clip in clips:
        found["speaker"].add(digest("speaker", clip.speaker))
        if clip.text:
            found["sentence"].add(digest("sentence", clip.text))
        found["name"] |= {digest("name", word) for word in clip.text.split() if word in names}
    return {kind: sorted(hashes) for kind, hashes in found.items()}

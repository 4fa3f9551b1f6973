"""Queues: runs of one recipe with some keys changed, one after the other, on one corpus.

recipe = "commands"            # a TOML file beside the queue, or one that is shipped
sets = ["test-30db"]           # that every model hears; all of them if missing

[[runs]]
name = "lstm-0-8"
set = { "pruning.zeros" = 0.0 }

[[runs]]
name = "lstm-75-8"
start = "lstm-0-8"             # an earlier run: its weights are the first ones
changes = ["short"]
set = { "pruning.zeros" = 0.75 }

[[runs]]
name = "ended"
model = "commands"             # one of the zoo, or a folder: its weights, and its front end

[changes.short]                # keys that some runs set alike; a run's own come behind
"learning.steps" = 2_500
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from compiler.train.corpus.sets import wanted
from compiler.train.recipe import (
    CORPUS_KEYS,
    Recipe,
    load_recipe,
    read_toml,
    shipped,
    validated,
)
from npu.errors import RecipeError

_Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,59}$")]


class _Run(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: _Name
    start: str | None = None
    model: str | None = None
    changes: list[str] = []
    set: dict[str, JsonValue] = {}


class _Queue(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    recipe: str
    sets: list[str] | None = None
    changes: dict[str, dict[str, JsonValue]] = {}
    runs: Annotated[list[_Run], Field(min_length=1, max_length=1_000)]


@dataclass(frozen=True)
class Run:
    """A run of a queue.

    Attributes
    ----------
    name : of its folder.
    recipe : with its changes.
    start : the name of the run whose weights it begins with, or None.
    model : the transducer whose weights it begins with, and whose front end it has, or None.
    """

    name: str
    recipe: Recipe
    start: str | None
    model: str | None = None


@dataclass(frozen=True)
class Queue:
    """Runs, each behind the one that it starts from.

    Attributes
    ----------
    recipe : without any change: of the corpus.
    sets : what every model hears; None for all.
    """

    recipe: Recipe
    sets: tuple[str, ...] | None
    runs: tuple[Run, ...]


def shipped_queues() -> dict[str, Path]:
    """The queues here, by name."""
    return {path.stem: path for path in sorted((Path(__file__).parent / "queues").glob("*.toml"))}


def is_queue(path: Path) -> bool:
    """Whether a file is meant as a queue; of what is no TOML a recipe's reader tells more."""
    try:
        return "runs" in json.loads(read_toml(path))
    except RecipeError:
        return False


def load_queue(path: Path) -> Queue:
    """Read a queue.

    Raises
    ------
    RecipeError
        A wrong key or value of the queue, or of what it makes of its recipe.
    """
    queue = validated(_Queue, read_toml(path), path)
    beside = path.parent / queue.recipe
    recipe = load_recipe(beside if beside.is_file() else shipped().get(queue.recipe, beside))
    wanted(recipe, queue.sets)
    runs: dict[str, Run] = {}
    for each in queue.runs:
        where = f"{path}: run {each.name}"
        if each.name in runs:
            raise RecipeError(f"{where}: is there twice; give each run a name of its own")
        if each.start is not None and each.start not in runs:
            raise RecipeError(
                f"{where}: starts from {each.start!r}, which is no run before it; there are: "
                f"{', '.join(runs) or 'none'}"
            )
        if each.start is not None and each.model is not None:
            raise RecipeError(f"{where}: starts from a run and from a model; give one of the two")
        changes: dict[str, JsonValue] = {}
        for name in each.changes:
            if name not in queue.changes:
                raise RecipeError(
                    f"{where}: there are no changes {name!r}; there are: "
                    f"{', '.join(queue.changes) or 'none'}"
                )
            changes |= queue.changes[name]
        made = changed(recipe, changes | each.set, where)
        runs[each.name] = Run(each.name, made, each.start, each.model)
    return Queue(recipe, None if queue.sets is None else tuple(queue.sets), tuple(runs.values()))


def changed(recipe: Recipe, changes: Mapping[str, JsonValue], where: str) -> Recipe:
    """A recipe with other values, by keys as `pruning.zeros`.

    Raises RecipeError for a key that is none, that belongs to the corpus, or a wrong value.
    """
    table: dict[str, Any] = recipe.model_dump(mode="json")
    for key, value in changes.items():
        *above, last = key.split(".")
        if key.split(".")[0] in CORPUS_KEYS:
            raise RecipeError(f"{where}: {key!r} is of the corpus, which all runs share")
        place: Any = table
        for part in above:
            place = place.get(part) if isinstance(place, dict) else None
        if not isinstance(place, dict) or last not in place:
            raise RecipeError(f"{where}: the recipe has no key {key!r}")
        place[last] = value
    return validated(Recipe, json.dumps(table), where)

"""The recipes that are shipped, in a few words each."""

import hashlib
from collections.abc import Mapping
from typing import TypedDict

from compiler.train.recipe import Recipe, load_recipe, shipped


class RecipeReport(TypedDict):
    """A recipe, and the model that it makes.

    Attributes
    ----------
    name : what `npu train` takes. model : the name of what comes out.
    sha256 : see `digest`.
    command : that makes the model.
    layers : units of the encoder's layers. predictor, units : of the prediction network.
    zeros : share of the weights. clips : in the training side of the corpus.
    """

    name: str
    model: str
    sha256: str
    command: str
    kind: str
    layers: list[int]
    predictor: str
    units: int
    zeros: float
    bits: int
    seed: int
    steps: int
    clips: int
    engines: list[str]


class ListedRecipe(RecipeReport):
    """A recipe beside the models that there are.

    Attributes
    ----------
    models : made by a recipe of this name.
    outdated : those of them that another version of the recipe made, or nobody knows which.
    """

    models: list[str]
    outdated: list[str]


def digest(recipe: Recipe) -> str:
    """SHA-256 of what a recipe says; comments of its file do not count, nor keys that it lacks."""
    return hashlib.sha256(recipe.model_dump_json(exclude_none=True).encode()).hexdigest()


def recipe_reports() -> list[RecipeReport]:
    """Of all that are shipped, by name. Raises RecipeError for one that is wrong."""
    return [_report(name, load_recipe(path)) for name, path in sorted(shipped().items())]


def listed_recipes(made: Mapping[str, tuple[str, str | None]]) -> list[ListedRecipe]:
    """The same beside models. made : by model, its recipe's name and `digest`."""
    found: list[ListedRecipe] = []
    for recipe in recipe_reports():
        models = [name for name, (of, _) in made.items() if of == recipe["model"]]
        outdated = [name for name in models if made[name][1] != recipe["sha256"]]
        found.append({**recipe, "models": models, "outdated": outdated})
    return found


def _report(name: str, recipe: Recipe) -> RecipeReport:
    return {
        "name": name,
        "model": recipe.name,
        "sha256": digest(recipe),
        "command": f"npu train {name} -o FOLDER",
        "kind": "transducer",
        "layers": list(recipe.network.layers),
        "predictor": recipe.network.predictor,
        "units": recipe.network.units,
        "zeros": recipe.pruning.zeros,
        "bits": recipe.quantisation.bits,
        "seed": recipe.seed,
        "steps": recipe.learning.steps,
        "clips": recipe.corpus.clips,
        "engines": [voices.engine for voices in recipe.voices],
    }

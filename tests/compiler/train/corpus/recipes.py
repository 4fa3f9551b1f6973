"""Recipes of the tests: the shipped one, made small."""

from pathlib import Path

import compiler.train
from compiler.train.recipe import Recipe, load_recipe

SHIPPED = Path(compiler.train.__file__).parent / "recipes" / "commands.toml"
SPEAKERS = {"espeak f1": "train", "espeak m1": "develop", "espeak m2": "test"}


def tiny(**corpus) -> Recipe:
    """A few clips of eSpeak NG's; keywords replace keys of [corpus]."""
    recipe = load_recipe(SHIPPED)
    few = {
        "clips": 12,
        "develop": 6,
        "test": 8,
        "spliced": 0.5,
        "start": ["command", "words", "open"],
    }
    shares = recipe.corpus.shares.model_copy(update={"develop": 0.2, "test": 0.2})
    return recipe.model_copy(
        update={
            "corpus": recipe.corpus.model_copy(update={**few, "shares": shares, **corpus}),
            "voices": recipe.voices[:1],
            "speakers": SPEAKERS,
        }
    )

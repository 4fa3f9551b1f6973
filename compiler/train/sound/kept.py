"""Batches that several runs learn from: made once, by whichever comes to them first."""

import hashlib
import io
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from compiler.train.recipe import Recipe
from compiler.train.sound.batches import Batch, Listener
from npu import __version__
from npu.files import write_atomic

_OF_NETWORK = ("name", "network", "pruning", "quantisation")
"""Tables that no batch depends on."""
_OF_BATCHES = ("batch", "together", "window_s")
"""Of the table `learning`, the only ones that a batch depends on."""


def key(recipe: Recipe) -> str:
    """The same for recipes that make the same batches of one corpus."""
    table: dict[str, Any] = recipe.model_dump(mode="json")
    for name in _OF_NETWORK:
        del table[name]
    table["learning"] = {name: table["learning"][name] for name in _OF_BATCHES}
    return hashlib.sha256(json.dumps([__version__, table]).encode()).hexdigest()[:16]


def shared_steps(recipes: Iterable[Recipe]) -> dict[str, int]:
    """How many steps from the first on at least two runs take, by `key`; of none, 0."""
    steps: dict[str, list[int]] = {}
    for recipe in recipes:
        steps.setdefault(key(recipe), []).append(recipe.learning.steps)
    return {name: sorted(each)[-2] if len(each) > 1 else 0 for name, each in steps.items()}


@dataclass(frozen=True)
class KeptBatches:
    """A listener whose batches are kept for other runs; small, for other processes.

    Attributes
    ----------
    listener : makes those that are not there.
    folder : of the files; for each `key` another one. Two processes may write the same batch.
    steps : how many, from the first on, are kept.
    """

    listener: Listener
    folder: Path
    steps: int

    def batch(self, step: int) -> Batch:
        """The batch of a training step, as of the listener."""
        if step >= self.steps:
            return self.listener.batch(step)
        path = self.folder / f"{step:06}.npz"
        if path.is_file():
            with np.load(path) as there:
                return Batch(**there)
        batch = self.listener.batch(step)
        buffer = io.BytesIO()
        np.savez(buffer, **asdict(batch))
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomic(path, buffer.getvalue())
        return batch

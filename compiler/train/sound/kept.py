"""Batches that several runs learn from: made once, by whichever comes to them first."""

import hashlib
import io
import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from compiler.train import corpus
from compiler.train.recipe import Recipe
from compiler.train.sound.batches import Batch, Listener
from npu.errors import NpuError
from npu.files import write_atomic

MOST_STEPS = 2_000
"""A batch of the shipped recipe takes 2.3 MB."""

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
    told = json.dumps([_sources(), table])
    return hashlib.sha256(told.encode()).hexdigest()[:16]


@lru_cache
def _sources() -> str:
    """A digest of the code that makes batches."""
    found = hashlib.sha256()
    for room in (Path(__file__).parent, Path(corpus.__file__).parent):
        for path in sorted(room.rglob("*.py")):
            found.update(path.read_bytes())
    return found.hexdigest()


def shared_steps(recipes: Iterable[Recipe]) -> dict[str, int]:
    """How many steps from the first on at least two runs take, by `key`: of none 0, of many
    MOST_STEPS.
    """
    steps: dict[str, list[int]] = {}
    for recipe in recipes:
        steps.setdefault(key(recipe), []).append(recipe.learning.steps)
    shared = {name: sorted(each)[-2] if len(each) > 1 else 0 for name, each in steps.items()}
    return {name: min(MOST_STEPS, count) for name, count in shared.items()}


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
        # Nothing depends on its being kept; a full disk ends what cannot do without.
        with suppress(OSError, NpuError):
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomic(path, buffer.getvalue())
        return batch

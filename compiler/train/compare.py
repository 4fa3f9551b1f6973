"""A trained network beside its integers: as it is in training, and in floats without any grid."""

import json
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from compiler.frontends.models import Model
from compiler.train.learn.check import errors_of, grouped
from compiler.train.learn.loop import Learner
from compiler.train.learn.network import FEATURE_SCALE
from compiler.train.recipe import Recipe
from npu.errors import ModelError
from npu.files import write_atomic
from npu.model.config import FrontendConfig
from npu.speech.features import FeatureExtractor
from npu.speech.spoken_sets import Utterance, read_set, set_digest
from npu.speech.whole import calls_of


def compare(recipe: Recipe, folder: Path, model: Model, place: Path) -> dict[str, float]:
    """Words wrong of a set, in percent, by the network that `folder` has a checkpoint of.

    It hears the very features that the integers hear (`npu.speech.whole`). What was counted is kept
    beside the checkpoint, and not counted again.

    Parameters
    ----------
    recipe, folder : a run that is done.
    model : what it has become: its front end is taken.
    place : the set.

    Returns
    -------
    "simulated": on the chip's grid, in floats; "floats": the same weights, no value on a grid.
    """
    utterances = [each for each in read_set(place) if each.words]
    file = folder / "compared.json"
    known = f"{set_digest(place, utterances)} {model.sources['encoder.tflite']}"
    kept = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    if known in kept:
        return dict(kept[known])
    learner = Learner(recipe, "cpu")
    learner.restore(torch.load(folder / "checkpoint.pt", map_location="cpu", weights_only=True))
    learner.finish()
    groups = grouped(
        [(_steps(model, each), " ".join(each.words)) for each in utterances], silence=0
    )
    found = {"simulated": 100 * errors_of(learner.network, groups)}
    learner.network.loosen()
    found["floats"] = 100 * errors_of(learner.network, groups)
    kept[known] = found
    write_atomic(file, (json.dumps(kept, indent=1) + "\n").encode())
    return found


def _steps(model: Model, utterance: Utterance) -> NDArray[np.float32]:
    """(steps, features): an utterance with the silence behind it, as the chip gets it."""
    assert model.config is not None, "a transducer"
    frontend, frames = model.config.frontend, model.config.encoder.frames_per_call
    if not isinstance(frontend, FrontendConfig):
        raise ModelError(f"{model.name}: its front end is {frontend.type}; training has another")
    extractor = FeatureExtractor(frontend, FEATURE_SCALE, 0, frames)
    heard = calls_of(extractor, utterance.path, frontend.sample_rate_hz)
    calls = np.concatenate([calls for _, calls in heard])
    return calls.reshape(len(calls) * frames, -1) * np.float32(FEATURE_SCALE)

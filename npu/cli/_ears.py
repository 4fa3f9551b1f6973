"""From a MODEL and a SET as users name them to what hears, and what is heard."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from compiler import Model, load_model, reference
from npu import zoo
from npu.analysis.hearing import UTTERANCES_PER_PROCESS, Ear
from npu.analysis.process import cores
from npu.analysis.streaming import OnTwin
from npu.cli._models import is_image, open_image, refuse_image
from npu.errors import InputError
from npu.runtime.frontend import speech_of
from npu.runtime.image import Image
from npu.speech.spoken_sets import Utterance


def place_of_set(set_: str) -> Path:
    """Where a set lies. Raises InputError for what is neither a path nor a model of the zoo."""
    if Path(set_).exists():
        return Path(set_)
    if set_ in zoo.names():
        return zoo.utterance_set(set_)
    raise InputError(
        f"no set {set_!r}: give a folder with a set.jsonl, such a file, or a zoo model "
        f"({', '.join(zoo.names())})"
    )


def jobs_for(utterances: Sequence[Utterance]) -> int:
    """Processes that are worth their start."""
    return max(1, min(cores(), len(utterances) // UTTERANCES_PER_PROCESS))


def opener(model: str, engine: str, chip: str | None) -> Callable[[], Ear]:
    """What makes an ear, in any process. Raises ModelError for what is no transducer."""
    if engine == "kernels":
        refuse_image(model, "transducer's folder")
        loaded = load_model(model)
        reference.speech_of(loaded)
        return partial(_on_kernels, loaded)
    if not is_image(model):
        reference.speech_of(load_model(model))
    image = open_image(model, chip)
    speech_of(image)
    return partial(_on_twin, image)


def _on_kernels(model: Model) -> Ear:
    return reference.speech_of(model), reference.search_of(model)


def _on_twin(image: Image) -> Ear:
    return speech_of(image), OnTwin(image)

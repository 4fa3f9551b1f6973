"""From a MODEL and a SET as users name them to what hears, and what is heard."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from compiler import Model, load_model, reference
from npu import zoo
from npu.analysis.hearing import UTTERANCES_PER_PROCESS, Ear
from npu.analysis.ties import Ties
from npu.cli._decoding import Decoding
from npu.cli._heard import image_for, on_kernels, on_twin
from npu.cli._models import refuse_image
from npu.errors import InputError
from npu.pools import cores
from npu.runtime.frontend import speech_of
from npu.runtime.host_search import rules_of
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


def opener(
    model: str, engine: str, chip: str | None, decoding: Decoding | None = None
) -> Callable[[], Ear]:
    """What makes an ear, in any process. Raises ModelError for what is no transducer."""
    decoding = decoding or Decoding()
    if engine == "kernels":
        refuse_image(model, "transducer's folder")
        loaded = load_model(model)
        reference.speech_of(loaded)
        return partial(_on_kernels, loaded, decoding)
    image = image_for(model, chip, decoding)
    speech_of(image)
    return partial(_on_twin, image, decoding)


def _on_kernels(model: Model, decoding: Decoding) -> Ear:
    assert model.config is not None, "a transducer"
    speech, ties = reference.speech_of(model), Ties(model.config.blank_id)
    return Ear(speech, on_kernels(model, decoding, ties), decoding.min_score, ties)


def _on_twin(image: Image, decoding: Decoding) -> Ear:
    speech, ties = speech_of(image), Ties(rules_of(image).blank)
    return Ear(speech, on_twin(image, decoding, ties), decoding.min_score, ties)

"""What the commands share that run frames as events: a model with its image, and who hears."""

from __future__ import annotations

from typing import NamedTuple

from compiler import Model, load_model, reference
from npu.analysis.frames import searches_on_chip
from npu.analysis.streaming import OnTwin
from npu.cli._models import compile_for, is_image, load_chip, open_image
from npu.errors import InputError
from npu.runtime.frontend import speech_of
from npu.runtime.image import Image
from npu.speech.host import Speech
from npu.speech.phrases import Engine


class Ear(NamedTuple):
    """What hears a sound, and says which symbols come.

    Attributes
    ----------
    decided : who that was, in words.
    """

    speech: Speech
    engine: Engine
    decided: str


def opened(model: str, chip: str | None, signature: str | None) -> tuple[Model | None, Image]:
    """MODEL compiled for `--chip`; no model of an image."""
    if is_image(model):
        return None, open_image(model, chip, signature)
    loaded = load_model(model, signature)
    return loaded, compile_for(loaded, load_chip(chip))


def ear_of(loaded: Model | None, image: Image) -> Ear:
    """The kernels, or the twin where only the image is there.

    Raises InputError for what is no transducer, and for one that searches on the host.
    """
    speech = speech_of(image)
    if not searches_on_chip(image):
        raise InputError(f"{image.header.model} searches on the host: leave --audio out")
    if loaded is None:
        return Ear(speech, OnTwin(image), "the twin heard the sound")
    return Ear(speech, reference.search_of(loaded), "the kernels heard the sound")

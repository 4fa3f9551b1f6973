"""What the commands share that run frames as events: a model with its image, and who hears."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import click

from compiler import Model, load_model, reference
from npu.analysis.frames import DEFAULT_FRAMES, DEFAULT_SYMBOLS, has_loop, searches_on_chip
from npu.analysis.streaming import OnTwin
from npu.analysis.utterance import SoundFrames
from npu.cli._decoding import Decoding
from npu.cli._heard import on_kernels, on_twin, program_for
from npu.cli._models import compile_for, is_image, load_chip, open_image
from npu.cli._options import Command
from npu.errors import InputError
from npu.model.config import MAX_SYMBOLS_PER_FRAME
from npu.runtime.calls import MOST_CALLS
from npu.runtime.frontend import speech_of
from npu.runtime.host_beam import BeamSession
from npu.runtime.image import Image
from npu.speech.host import Speech
from npu.speech.phrases import Beam, Engine


def frame_options(one: str, many: str) -> Callable[[Command], Command]:
    """`--audio`, and without one how many frames and of how many symbols: see `require_one_source`.

    one : what a frame is called, and gives the second option its name. many : in words.
    """
    options = (
        click.option("--audio", metavar="FILE", help=f"The {one}s of a sound, for a transducer."),
        click.option(
            f"--{one}s",
            type=click.IntRange(1, MOST_CALLS),
            metavar="N",
            help=f"{many} without a sound; {DEFAULT_FRAMES} unless said otherwise.",
        ),
        click.option(
            "--symbols",
            type=click.IntRange(0, MAX_SYMBOLS_PER_FRAME),
            metavar="N",
            help=f"Symbols that a {one} without a sound emits, where a transducer searches on the "
            f"chip; {DEFAULT_SYMBOLS} unless said otherwise.",
        ),
    )

    def added(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return added


def require_one_source(one: str, audio: str | None, count: int | None, symbols: int | None) -> None:
    """Raises InputError where a sound is given, and frames (called `one`s) or symbols."""
    if audio is not None and (count is not None or symbols is not None):
        raise InputError(f"--audio brings its own {one}s: leave --{one}s and --symbols out")


class Ear(NamedTuple):
    """What hears a sound, and says which symbols come.

    Attributes
    ----------
    decided : who that was, in words.
    hear : the frames of a file, from its path.
    """

    speech: Speech
    engine: Engine | Beam
    decided: str
    hear: Callable[[str | Path], SoundFrames]


def opened(
    model: str, chip: str | None, signature: str | None, decoding: Decoding | None = None
) -> tuple[Model | None, Image]:
    """MODEL compiled for `--chip`, and to be decoded so; no model of an image."""
    if is_image(model):
        return None, open_image(model, chip, signature)
    loaded = load_model(model, signature)
    if decoding is None or decoding.beam is None:
        return loaded, compile_for(loaded, load_chip(chip))
    reference.speech_of(loaded)
    return loaded, compile_for(loaded, load_chip(chip), program_for(loaded, decoding.beam))


def require_sound(decoding: Decoding, audio: str | None) -> None:
    """Raises InputError for a beam without a sound."""
    if decoding.beam is not None and audio is None:
        raise InputError("--decoding-method beam is of a sound: give one with --audio")


def ear_of(loaded: Model | None, image: Image, decoding: Decoding | None = None) -> Ear:
    """The kernels, or the twin where only the image is there; of a beam, the twin says which starts
    it takes.

    Raises InputError for what is no transducer, and for one that searches on the host but with no
    beam.
    """
    speech = speech_of(image)
    if decoding is not None and decoding.beam is not None:
        engine = on_twin(image, decoding) if loaded is None else on_kernels(loaded, decoding)
        paths = decoding.beam.active_paths
        decided = f"the twin heard the sound, with {paths} hypotheses on the host"
        session = partial(BeamSession, beam=decoding.beam, **decoding.scoring(speech.tokens))
        hear = partial(SoundFrames.hear_beam, image, speech, session, min_score=decoding.min_score)
        return Ear(speech, engine, decided, hear)
    if not has_loop(image):
        raise InputError(
            f"{image.header.model} searches on the host: leave --audio out, or hear with "
            "--decoding-method beam what was compiled for it"
        )
    engine = OnTwin(image) if loaded is None else reference.search_of(loaded)
    if not searches_on_chip(image):
        # Symbols do not say how long a softmax takes, or which gates are open.
        hear = partial(SoundFrames.hear_on_twin, image, speech)
        return Ear(speech, engine, "the twin heard the sound", hear)
    decided = f"the {'twin' if loaded is None else 'kernels'} heard the sound"
    return Ear(speech, engine, decided, partial(SoundFrames.hear, image, speech, engine))

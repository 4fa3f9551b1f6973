"""A file of sound to its phrases, on any engine, in memory that does not grow with the file."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from npu.speech.audio import require_samples, stream_audio
from npu.speech.host import Speech
from npu.speech.phrases import END_SECONDS, EndRule, Engine, Phrase, PhraseSearch


@dataclass(frozen=True)
class Spoken:
    """A phrase: what was said, and between which seconds of the sound it was not quiet."""

    text: str
    tokens: list[int]
    start: float
    end: float


@dataclass(frozen=True)
class Heard:
    """What an engine made of a file.

    Attributes
    ----------
    phrases : in their order.
    notes : what was odd about the file.
    samples : of the file, at the model's rate.
    calls : those that the engine ran: silence between phrases and behind the end is not run.
    simulation_seconds : that all this took.
    """

    phrases: list[Spoken]
    notes: list[str]
    samples: int
    calls: int
    simulation_seconds: float

    @property
    def text(self) -> str:
        """All phrases."""
        return " ".join(phrase.text for phrase in self.phrases if phrase.text)

    @property
    def tokens(self) -> list[int]:
        """Of all phrases."""
        return [token for phrase in self.phrases for token in phrase.tokens]


def transcribe(
    speech: Speech,
    engine: Engine,
    path: str | Path,
    end_seconds: float | None = END_SECONDS,
    channel: int | None = None,
    told: Callable[[int], None] | None = None,
) -> Heard:
    """A file from beginning to end; the engine is reset first.

    Parameters
    ----------
    channel : the channel to hear, from 1; None hears the mean of all.
    end_seconds : silence that ends a phrase. The file's own end is followed by silence, so that
        the last word is heard to its end. None: the file is one phrase, every call is run, and
        nothing is added.
    told : as `npu.speech.phrases.PhraseSearch` takes it.

    Raises AudioError for what is no sound, or too little of it.
    """
    began = time.perf_counter()
    extractor, samples = speech.extractor(), 0
    per_call = extractor.samples_per_call
    default = EndRule.of(speech.seconds_per_call)
    rule = None if end_seconds is None else EndRule.of(speech.seconds_per_call, end_seconds)
    search = PhraseSearch(engine, rule, speech.scale, speech.zero_point, told)
    notes: list[str] = []
    for block in stream_audio(path, speech.rate, channel=channel, note=notes.append):
        samples += len(block)
        search.accept(extractor.accept(block))
    require_samples(path, samples, extractor.first_call_samples, speech.rate)
    # The calls in which the last sample is heard, and the silence in which the last symbols come.
    behind = extractor.first_call_samples + per_call * default.quiet_calls
    while search.is_open and behind > 0:
        search.accept(extractor.accept(np.zeros(per_call)))
        behind -= per_call
    phrases = [_spoken(speech, phrase, samples) for phrase in search.finish()]
    return Heard(phrases, notes, samples, search.calls, time.perf_counter() - began)


def _spoken(speech: Speech, phrase: Phrase, samples: int) -> Spoken:
    length = samples / speech.rate
    start, end = (
        min(call * speech.seconds_per_call, length) for call in (phrase.first_call, phrase.end_call)
    )
    return Spoken(speech.tokens.decode(phrase.tokens), list(phrase.tokens), start, end)

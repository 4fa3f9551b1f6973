"""What is heard in a sound while it comes: partial texts, and phrases as they end."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import numpy as np

from npu.speech.audio import stream_audio
from npu.speech.resample import Samples
from npu.speech.stream import Spoken, Stream


class Kind(StrEnum):
    """Of news."""

    PARTIAL = "partial"
    """The phrase goes on."""
    SPECULATIVE = "speculative"
    """It is taken to be over: what follows from it can begin."""
    FINAL = "final"
    """It has ended."""


@dataclass(frozen=True)
class Event:
    """News of a phrase.

    Attributes
    ----------
    phrase : its number, from 0.
    at : seconds of sound that had been accepted.
    revises : whether words that were told are others now.
    resets : whether the phrase was told as taken to be over, and that was wrong: what followed from
        it is to be taken back. The text is the new one.
    spoken : the phrase so far.
    """

    kind: Kind
    phrase: int
    at: float
    revises: bool
    resets: bool
    spoken: Spoken


class Listening:
    """Hears a stream as it comes.

    Of a phrase in which nothing was understood there is no event; where something was told of it
    before, its final text is empty. So it is of one whose score is below `min_score`.
    """

    def __init__(self, stream: Stream, min_score: float | None = None) -> None:
        self._stream, self._min_score = stream, min_score
        self._phrase = 0
        self._begin()

    def accept(self, rate_hz: int, samples: Samples) -> Iterator[Event]:
        """Take the next samples; events as soon as the stream knows them."""
        self._stream.accept_waveform(rate_hz, samples)
        yield from self._decoded()

    def finish(self) -> Iterator[Event]:
        """No more samples come. Raises AudioError where there were too few."""
        self._stream.input_finished()
        yield from self._decoded()
        yield from self._ended()

    def _begin(self) -> None:
        self._told = ""
        self._tokens: list[int] = []
        # As it was told as taken to be over; None where it was not, or was taken back.
        self._over: str | None = None

    def _decoded(self) -> Iterator[Event]:
        stream = self._stream
        while stream.is_ready:
            stream.decode()
            if stream.is_endpoint:
                yield from self._ended()
                stream.reset()
            elif stream.is_speculative_endpoint and self._over is None:
                yield from self._over_early(self._heard())
            elif (tokens := stream.tokens) != self._tokens:
                self._tokens = tokens
                spoken = stream.result
                if spoken.text != self._told:
                    yield self._event(Kind.PARTIAL, spoken)

    def _over_early(self, spoken: Spoken) -> Iterator[Event]:
        if spoken.text:
            self._tokens = self._stream.tokens
            yield self._event(Kind.SPECULATIVE, spoken)
            self._over = spoken.text

    def _ended(self) -> Iterator[Event]:
        spoken = self._heard()
        if spoken.text or self._told:
            yield self._event(Kind.FINAL, spoken)
            self._phrase += 1
        self._begin()

    def _heard(self) -> Spoken:
        """The phrase as it is told if it is over."""
        spoken = self._stream.result
        if spoken.is_below(self._min_score):
            return replace(
                spoken, text="", tokens=[], times=[], words=[], alternatives=[], lattice=None
            )
        return spoken

    def _event(self, kind: Kind, spoken: Spoken) -> Event:
        revises = not spoken.text.startswith(self._told)
        resets = self._over is not None and spoken.text != self._over
        if resets:
            self._over = None
        self._told = spoken.text
        return Event(kind, self._phrase, self._stream.seconds, revises, resets, spoken)


def events_of(stream: Stream, path: str | Path, min_score: float | None = None) -> Iterator[Event]:
    """What is told of a file that comes call by call, as it would in real time.

    Raises AudioError for what is no sound, or too little of it.
    """
    listening = Listening(stream, min_score)
    waiting, wanted = np.empty(0), stream.first_call_samples
    for block in stream_audio(path, stream.rate_hz, stream.seconds_per_call):
        waiting = np.concatenate([waiting, block])
        while len(waiting) >= wanted:
            yield from listening.accept(stream.rate_hz, waiting[:wanted])
            waiting, wanted = waiting[wanted:], stream.samples_per_call
    yield from listening.accept(stream.rate_hz, waiting)
    yield from listening.finish()

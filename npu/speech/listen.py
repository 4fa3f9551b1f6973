"""What is heard in a sound while it comes: partial texts, and phrases as they end."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from npu.speech.resample import Samples
from npu.speech.stream import Spoken, Stream


@dataclass(frozen=True)
class Event:
    """News of a phrase.

    Attributes
    ----------
    phrase : its number, from 0.
    at : seconds of sound that had been accepted.
    is_final : whether the phrase has ended.
    revises : whether words that were told are others now.
    spoken : the phrase so far.
    """

    phrase: int
    at: float
    is_final: bool
    revises: bool
    spoken: Spoken


class Listening:
    """Hears a stream as it comes.

    A phrase in which nothing was understood is no event. One whose score is below `min_score` when
    it has ended is taken back: its final text is empty.
    """

    def __init__(self, stream: Stream, min_score: float | None = None) -> None:
        self._stream, self._min_score = stream, min_score
        self._phrase, self._told = 0, ""

    def accept(self, rate_hz: int, samples: Samples) -> Iterator[Event]:
        """Take the next samples; events as soon as the stream knows them."""
        self._stream.accept_waveform(rate_hz, samples)
        yield from self._decoded()

    def finish(self) -> Iterator[Event]:
        """No more samples come. Raises AudioError where there were too few."""
        self._stream.input_finished()
        yield from self._decoded()
        if (last := self._stream.result).tokens:
            yield self._event(last, True)

    def _decoded(self) -> Iterator[Event]:
        stream = self._stream
        while stream.is_ready:
            stream.decode()
            spoken, ended = stream.result, stream.is_endpoint
            if spoken.tokens and (ended or spoken.text != self._told):
                yield self._event(spoken, ended)
                self._told = spoken.text
            if ended:
                self._phrase, self._told = self._phrase + bool(spoken.tokens), ""
                stream.reset()

    def _event(self, spoken: Spoken, is_final: bool) -> Event:
        if is_final and spoken.is_below(self._min_score):
            spoken = replace(spoken, text="", tokens=[], times=[], words=[])
        revises = not spoken.text.startswith(self._told)
        return Event(self._phrase, self._stream.seconds, is_final, revises, spoken)

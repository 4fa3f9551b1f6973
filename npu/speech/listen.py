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

    Of a phrase in which nothing was understood there is no event; where something was told of it
    before, its final text is empty. So it is of one whose score is below `min_score`.
    """

    def __init__(self, stream: Stream, min_score: float | None = None) -> None:
        self._stream, self._min_score = stream, min_score
        self._phrase = 0
        self._told = ""
        self._tokens: list[int] = []

    def accept(self, rate_hz: int, samples: Samples) -> Iterator[Event]:
        """Take the next samples; events as soon as the stream knows them."""
        self._stream.accept_waveform(rate_hz, samples)
        yield from self._decoded()

    def finish(self) -> Iterator[Event]:
        """No more samples come. Raises AudioError where there were too few."""
        self._stream.input_finished()
        yield from self._decoded()
        yield from self._ended()

    def _decoded(self) -> Iterator[Event]:
        stream = self._stream
        while stream.is_ready:
            stream.decode()
            if stream.is_endpoint:
                yield from self._ended()
                stream.reset()
            elif (tokens := stream.tokens) != self._tokens:
                self._tokens = tokens
                spoken = stream.result
                if spoken.text != self._told:
                    yield self._event(spoken, False)

    def _ended(self) -> Iterator[Event]:
        spoken = self._stream.result
        if spoken.is_below(self._min_score):
            spoken = replace(spoken, text="", tokens=[], times=[], words=[], alternatives=[])
        if spoken.text or self._told:
            yield self._event(spoken, True)
            self._phrase += 1
        self._told, self._tokens = "", []

    def _event(self, spoken: Spoken, is_final: bool) -> Event:
        revises = not spoken.text.startswith(self._told)
        self._told = spoken.text
        return Event(self._phrase, self._stream.seconds, is_final, revises, spoken)

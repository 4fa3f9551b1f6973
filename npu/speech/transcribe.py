"""A file of sound to its phrases, on any engine, in memory that does not grow with the file."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from npu.speech.audio import stream_audio
from npu.speech.ends import COMMANDS, Ending
from npu.speech.host import Speech
from npu.speech.phrases import Beam, Engine
from npu.speech.stream import Spoken, Stream


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
    engine: Engine | Beam,
    path: str | Path,
    ending: Ending | None = COMMANDS,
    channel: int | None = None,
    min_score: float | None = None,
    told: Callable[[int], None] | None = None,
) -> Heard:
    """A file from beginning to end; the engine is reset first.

    Parameters
    ----------
    channel : the channel to hear, from 1; None hears the mean of all.
    ending : when a phrase ends. The file's own end is followed by silence, so that the last word
        is heard to its end. None: the file is one phrase, every call is run, and nothing is added.
    min_score : phrases of a lower `Spoken.score` are left out.
    told : as `npu.speech.phrases.PhraseSearch` takes it.

    Raises AudioError for what is no sound, or too little of it.
    """
    began = time.perf_counter()
    rule = None if ending is None else speech.rule(ending)
    stream = Stream(speech, engine, rule, told, name=str(path))
    notes: list[str] = []
    phrases: list[Spoken] = []
    for block in stream_audio(path, speech.rate, channel=channel, note=notes.append):
        stream.accept_waveform(speech.rate, block)
        phrases += ended(stream)
    stream.input_finished()
    phrases += ended(stream)
    if (last := stream.result).tokens:
        phrases.append(last)
    phrases = [phrase for phrase in phrases if not phrase.is_below(min_score)]
    return Heard(phrases, notes, stream.samples, stream.calls, time.perf_counter() - began)


def ended(stream: Stream) -> Iterator[Spoken]:
    """Run all calls that are ready; the phrases that ended in them."""
    while stream.is_ready:
        stream.decode()
        if stream.is_endpoint:
            if (phrase := stream.result).tokens:
                yield phrase
            stream.reset()

"""Sound as it comes, frame by frame in real time: when a chip has found each of its symbols."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

from npu.analysis.energy import listening
from npu.analysis.frames import Frame, entries_of, reset_frame, symbol_frame
from npu.analysis.latency import Frames, Latency
from npu.analysis.streaming import BeamOnChip, OnChip
from npu.events.trace import Recorder
from npu.model.tokens import Tokens
from npu.runtime.host_beam import BeamSession
from npu.runtime.image import Image
from npu.runtime.sessions import TransducerSession
from npu.speech.ends import COMMANDS, Ending
from npu.speech.gate import Features
from npu.speech.host import Speech
from npu.speech.nbest import alternatives, best, score_a_word
from npu.speech.phrases import Engine, found_by
from npu.speech.transcribe import Heard, transcribe
from npu.twin.machine import Machine


@dataclass
class Told:
    """An engine that also notes what it answers: an `Engine` of `npu.speech.phrases`.

    Attributes
    ----------
    calls : of every call, the symbols of each frame that the encoder gave.
    begins : the numbers of the calls before which a phrase began.
    came : for each call that was run, the number of the one of the stream that had come by then.
    """

    engine: Engine
    calls: list[list[list[int]]] = field(default_factory=list)
    begins: list[int] = field(default_factory=list)
    came: list[int] = field(default_factory=list)

    def reset(self) -> None:
        self.engine.reset()
        self.calls, self.begins, self.came = [], [], []

    def restart(self) -> None:
        self.engine.restart()
        self.begins.append(len(self.calls))

    def accept_calls(self, features: Features) -> list[list[int]]:
        answers = self.engine.accept_calls(features)
        frames_out = len(answers) // max(1, len(features))
        self.calls += [
            answers[at : at + frames_out] for at in range(0, len(answers), frames_out or 1)
        ]
        return answers

    def note(self, call: int) -> None:
        """A call was run, as `npu.speech.phrases.PhraseSearch` tells it."""
        self.came.append(call)


class ToldByTwin(OnChip):
    """A transducer on the twin that also notes its starts, with what data decide in them.

    Parameters
    ----------
    image : a transducer's. session : makes the session of it.

    Attributes
    ----------
    calls : the symbols of every call. begins, came : as of `Told`.
    first : the starts of the reset. frames : those of every call, a restart before it among them.
    """

    def __init__(
        self, image: Image, session: Callable[..., TransducerSession | BeamSession]
    ) -> None:
        self._recorder = Recorder(Machine, entries_of(image))
        self._forget()
        super().__init__(image, self._recorder, session=session)
        self.first: Frame = []

    def reset(self) -> None:
        self._forget()
        self._done = len(self._recorder.trace.starts)
        super().reset()
        self.first = self._new()

    def restart(self) -> None:
        super().restart()
        self.begins.append(len(self.calls))

    def accept_calls(self, features: Features) -> list[Any]:
        """Call by call, so that each has starts of its own."""
        answers: list[Any] = []
        for number in range(len(features)):
            found = super().accept_calls(features[number : number + 1])
            self.frames.append(self._new())
            self.calls.append(self._symbols(found))
            answers += found
        return answers

    def note(self, call: int) -> None:
        """As of `Told`."""
        self.came.append(call)

    def _symbols(self, answers: list[Any]) -> list[int]:
        """What a call has emitted, of its answers."""
        return [*chain(*answers)]

    def _forget(self) -> None:
        self.calls: list[list[int]] = []
        self.begins: list[int] = []
        self.came: list[int] = []
        self.frames: list[Frame] = []

    def _new(self) -> Frame:
        """The starts since the last time."""
        starts = self._recorder.trace.starts[self._done :]
        self._done += len(starts)
        return starts


class ToldBeam(ToldByTwin, BeamOnChip):
    """A beam on the twin that also notes its starts, and what it answers in the end.

    Parameters
    ----------
    image : compiled for a beam. session : makes a `BeamSession` of it.
    tokens : of the model.
    min_score : as `npu.speech.transcribe.transcribe` takes it.

    Attributes
    ----------
    calls : the symbols of every call, those of the likeliest text of each phrase that has ended.
    """

    def __init__(
        self,
        image: Image,
        session: Callable[..., BeamSession],
        tokens: Tokens,
        min_score: float | None = None,
    ) -> None:
        self._tokens, self._min_score = tokens, min_score
        assert image.header.transducer is not None, "an image for a beam has a transducer"
        self._frames_out = image.header.transducer.frames_out
        super().__init__(image, session)

    def restart(self) -> None:
        self.end_phrase()
        super().restart()

    def end_phrase(self) -> None:
        """Nothing comes behind it: note its symbols."""
        found = found_by(self)
        texts = alternatives(found, self._tokens)
        score = score_a_word(texts)
        if self.beam.hypotheses[0].emission is None:
            return
        if self._min_score is not None and score is not None and score < self._min_score:
            return
        first = self.begins[-1] if self.begins else 0
        string = best(found, texts, self._tokens)
        for symbol, frame in zip(string.symbols, string.frames, strict=True):
            self.calls[first + frame // self._frames_out].append(symbol)

    def _symbols(self, answers: list[Any]) -> list[int]:
        """None before the phrase ends."""
        return []


@dataclass(frozen=True)
class SoundFrames:
    """A file of sound as frames of a chip.

    Attributes
    ----------
    reset : the starts that begin the file.
    frames : the starts of each encoder call, those that begin a phrase in it among them.
    comes_ms : when the last sample of each has come, from the sound's begin.
    symbols : that each emits. begins : the numbers of the frames before which a phrase began.
    """

    speech: Speech
    heard: Heard
    reset: Frame
    frames: Sequence[Frame]
    comes_ms: Sequence[float]
    symbols: Sequence[Sequence[int]]
    begins: Sequence[int]

    @classmethod
    def hear(
        cls,
        image: Image,
        speech: Speech,
        engine: Engine,
        path: str | Path,
        ending: Ending | None = COMMANDS,
    ) -> "SoundFrames":
        """`engine` says which symbols come. Raises what `npu.speech.transcribe` raises."""
        told = Told(engine)
        heard = transcribe(speech, told, path, ending, told=told.note)
        reset, begins, frames = reset_frame(image), set(told.begins), []
        for index, symbols in enumerate(told.calls):
            starts = symbol_frame(image, symbols)
            frames.append([*reset, *starts] if index in begins else starts)
        comes = _comes_ms(speech, told.came)
        emitted = [[*chain(*of_frames)] for of_frames in told.calls]
        return cls(speech, heard, reset, frames, comes, emitted, told.begins)

    @classmethod
    def hear_on_twin(
        cls, image: Image, speech: Speech, path: str | Path, ending: Ending | None = COMMANDS
    ) -> "SoundFrames":
        """The twin searches, and says what else data decide, as the sums of a softmax.

        For an image with a loop of its own. Raises what `npu.speech.transcribe` raises.
        """
        told = ToldByTwin(image, TransducerSession)
        heard = transcribe(speech, told, path, ending, told=told.note)
        comes = _comes_ms(speech, told.came)
        return cls(speech, heard, told.first, told.frames, comes, told.calls, told.begins)

    @classmethod
    def hear_beam(
        cls,
        image: Image,
        speech: Speech,
        session: Callable[..., BeamSession],
        path: str | Path,
        ending: Ending | None = COMMANDS,
        min_score: float | None = None,
    ) -> "SoundFrames":
        """The twin says which starts a beam takes; `session` makes one of the image.

        Raises what `npu.speech.transcribe` raises, ImageError for an image of another search.
        """
        told = ToldBeam(image, session, speech.tokens, min_score)
        heard = transcribe(speech, told, path, ending, min_score=min_score, told=told.note)
        told.end_phrase()
        comes = _comes_ms(speech, told.came)
        return cls(speech, heard, told.first, told.frames, comes, told.calls, told.begins)


def _comes_ms(speech: Speech, came: Sequence[int]) -> list[float]:
    """When the last sample of calls of a stream has come."""
    extractor = speech.extractor()
    return [
        1e3 * (extractor.first_call_samples + n * extractor.samples_per_call) / speech.rate
        for n in came
    ]


@dataclass(frozen=True)
class PhraseLatency:
    """A phrase.

    Attributes
    ----------
    text : what was said.
    end_ms : when its sound ends.
    last_symbol_ms : when the chip has found its last symbol.
    """

    text: str
    end_ms: float
    last_symbol_ms: float

    @property
    def perceived_ms(self) -> float:
        """From the end of the sound to the last symbol; negative where that comes before."""
        return self.last_symbol_ms - self.end_ms


@dataclass(frozen=True)
class UtteranceLatency:
    """A file of sound on a chip.

    Attributes
    ----------
    latency : of its frames.
    deadline_ms : from one frame to the next. audio_ms : of the sound.
    busy_ms : that the chip works. span_ms : from the sound's begin until chip and sound have ended.
    comes_ms, finished_ms : of each frame, when it could begin and when it has ended.
    """

    latency: Latency
    comes_ms: Sequence[float]
    finished_ms: Sequence[float]
    deadline_ms: float
    audio_ms: float
    busy_ms: float
    span_ms: float
    phrases: Sequence[PhraseLatency]

    @property
    def real_time_factor(self) -> float:
        return self.busy_ms / self.audio_ms

    @property
    def busy_share(self) -> float:
        return self.busy_ms / self.span_ms


def utterance_latency(frames: Frames, sound: SoundFrames, decided: str) -> UtteranceLatency:
    """A sound on the chip of `frames`; `decided`: who heard it, in words."""
    image = frames.image
    speech, heard = sound.speech, sound.heard
    frames.reset(sound.reset)
    finished: list[float] = []
    for starts, comes in zip(sound.frames, sound.comes_ms, strict=True):
        cycles = frames.run(starts)
        begin = max([comes, *finished[-1:]])
        finished.append(begin + image.params.milliseconds(cycles))
    audio_ms = 1e3 * heard.samples / speech.rate
    busy_ms = image.params.milliseconds(sum(frames.cycles))
    return UtteranceLatency(
        latency=frames.latency(
            decided, listening(audio_ms / 1e3, busy_ms / 1e3, len(frames.cycles))
        ),
        deadline_ms=1e3 * speech.seconds_per_call,
        audio_ms=audio_ms,
        busy_ms=busy_ms,
        span_ms=max([audio_ms, *finished[-1:]]),
        comes_ms=sound.comes_ms,
        finished_ms=finished,
        phrases=[
            PhraseLatency(phrase.text, 1e3 * phrase.end, end)
            for phrase, end in zip(heard.phrases, _ends(sound, finished), strict=True)
        ],
    )


def _ends(sound: SoundFrames, finished: Sequence[float]) -> Iterator[float]:
    """When the chip has found the last symbol of each phrase.

    Between two restarts there may be symbols that are no phrase, as they were too faint.
    """
    speaking = [i for i, symbols in enumerate(sound.symbols) if symbols]
    stretches = [*pairwise([0, *sound.begins, len(sound.frames)])]
    behind = 0
    for phrase in sound.heard.phrases:
        # A call is run when its sound has come, or later.
        at_ms = 1e3 * phrase.times[-1] - 1e-6
        last = next(i for i in speaking if i >= behind and sound.comes_ms[i] >= at_ms)
        first, behind = next(each for each in stretches if each[0] <= last < each[1])
        yield max(finished[i] for i in speaking if first <= i < behind)

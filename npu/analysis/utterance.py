"""Sound as it comes, frame by frame in real time: when a chip has found each of its symbols."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from npu.analysis.energy import listening
from npu.analysis.frames import reset_frame, symbol_frame
from npu.analysis.latency import Frames, Latency
from npu.speech.host import Speech
from npu.speech.phrases import END_SECONDS, Engine, Features
from npu.speech.transcribe import transcribe


@dataclass
class Told:
    """An engine that also notes what it answers: an `Engine` of `npu.speech.phrases`.

    Attributes
    ----------
    calls : the symbols of every call. begins : the numbers of those before which a phrase began.
    numbers : of the calls in the stream: silence between phrases is not run.
    """

    engine: Engine
    calls: list[list[int]] = field(default_factory=list)
    begins: list[int] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)

    def reset(self) -> None:
        self.engine.reset()
        self.calls, self.begins, self.numbers = [], [], []

    def restart(self) -> None:
        self.engine.restart()
        self.begins.append(len(self.calls))

    def accept_calls(self, features: Features) -> list[list[int]]:
        answers = self.engine.accept_calls(features)
        self.calls += answers
        return answers

    def note(self, call: int) -> None:
        """A call was run: its number in the stream."""
        self.numbers.append(call)


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
    """

    latency: Latency
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


def utterance_latency(
    frames: Frames,
    speech: Speech,
    engine: Engine,
    path: str | Path,
    decided: str,
    end_seconds: float | None = END_SECONDS,
) -> UtteranceLatency:
    """A file of sound; `engine` says which symbols come (`decided`: in words), and `frames` when.

    Raises what `npu.speech.transcribe.transcribe` raises.
    """
    told = Told(engine)
    heard = transcribe(speech, told, path, end_seconds, told=told.note)
    image = frames.image
    reset = reset_frame(image)
    frames.reset(reset)
    extractor = speech.extractor()
    begins = set(told.begins)
    finished: list[float] = []
    for index, (number, symbols) in enumerate(zip(told.numbers, told.calls, strict=True)):
        starts = symbol_frame(image, symbols)
        cycles = frames.run([*reset, *starts] if index in begins else starts)
        samples = extractor.first_call_samples + number * extractor.samples_per_call
        comes = 1e3 * samples / speech.rate
        begin = max([comes, *finished[-1:]])
        finished.append(begin + image.params.milliseconds(cycles))
    audio_ms = 1e3 * heard.samples / speech.rate
    busy_ms = image.params.milliseconds(sum(frames.cycles))
    ends = []
    for first, behind in pairwise([0, *told.begins, len(told.calls)]):
        speaking = [i for i in range(first, behind) if told.calls[i]]
        ends += [finished[i] for i in speaking[-1:]]
    return UtteranceLatency(
        latency=frames.latency(
            decided, listening(audio_ms / 1e3, busy_ms / 1e3, len(frames.cycles))
        ),
        deadline_ms=1e3 * speech.seconds_per_call,
        audio_ms=audio_ms,
        busy_ms=busy_ms,
        span_ms=max([audio_ms, *finished[-1:]]),
        phrases=[
            PhraseLatency(phrase.text, 1e3 * phrase.end, end)
            for phrase, end in zip(heard.phrases, ends, strict=True)
        ],
    )

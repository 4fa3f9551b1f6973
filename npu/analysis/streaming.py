"""Sound on the chip: the engines that keep its figures, and the report of a stretch of sound."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any, TypedDict

import numpy as np

from npu.analysis.energy import Activity, Costs, energy_uj, listening
from npu.analysis.heard_results import (
    FileReport,
    HeardReport,
    PhraseReport,
    StreamReport,
    TranscribeReport,
    WordReport,
)
from npu.chip.machine import MachineFactory, Observer
from npu.chip.params import ChipParams
from npu.chip.summary import summary
from npu.chip.work import Work
from npu.model.recording import Recorder
from npu.runtime.host_beam import BeamSession
from npu.runtime.image import Image
from npu.runtime.sessions import TransducerSession
from npu.speech.beam import BeamSearch
from npu.speech.host import Speech
from npu.speech.listen import Event
from npu.speech.stream import Spoken, Word
from npu.speech.transcribe import Heard
from npu.twin.machine import Machine


@dataclass(frozen=True)
class ChipUse:
    """What the chip did over a stretch of sound.

    Attributes
    ----------
    cycles : (calls,) int64, of each encoder call.
    work : the counts.
    activity : what costs energy; of the twin only, else None.
    """

    cycles: np.ndarray
    work: Work
    activity: Activity | None


class OnChip:
    """A transducer on the simulated chip, with its cycles: an `Engine` of `npu.speech.phrases`.

    Parameters
    ----------
    image : the compiled transducer.
    machine : what it runs on.
    session : makes the session that runs the image.
    observer, recording, max_cycles : as the session takes them.
    """

    def __init__(
        self,
        image: Image,
        machine: MachineFactory = Machine,
        *,
        session: Callable[..., TransducerSession | BeamSession] = TransducerSession,
        observer: Observer | None = None,
        recording: Recorder | None = None,
        max_cycles: int | None = None,
    ) -> None:
        self.params = image.params
        self._session = session(
            image,
            machine=machine,
            observer=observer,
            recording=recording,
            max_cycles=max_cycles,
        )
        self._begin()

    def reset(self) -> None:
        """Begin a stream, and count anew."""
        self._session.reset()
        self._begin()

    def restart(self) -> None:
        self._session.restart()

    def accept_calls(self, features: np.ndarray) -> list[Any]:
        return self._session.accept_calls(features)

    def use(self) -> ChipUse:
        """What the chip did since the reset."""
        activity = self._activity()
        return ChipUse(
            np.array(self._session.cycles[self._calls :], np.int64),
            Work.of(self._session.machine.counters) - self._work,
            activity - self._before if activity and self._before else None,
        )

    def _begin(self) -> None:
        self._calls = len(self._session.cycles)
        self._work = Work.of(self._session.machine.counters)
        self._before = self._activity()

    def _activity(self) -> Activity | None:
        """What happened so far, of a machine that counts it."""
        return None


class OnTwin(OnChip):
    """A transducer on the twin, which also counts what costs energy."""

    def __init__(
        self,
        image: Image,
        recording: Recorder | None = None,
        max_cycles: int | None = None,
        session: Callable[..., TransducerSession | BeamSession] = TransducerSession,
    ) -> None:
        super().__init__(image, session=session, recording=recording, max_cycles=max_cycles)

    def _activity(self) -> Activity:
        machine = self._session.machine
        assert isinstance(machine, Machine), "it made none of another kind"
        return Activity.of(machine)


class BeamOnChip(OnChip):
    """With a beam search on the host: a `Beam` of `npu.speech.phrases`. Its session makes one."""

    @property
    def beam(self) -> BeamSearch:
        """The search."""
        assert isinstance(self._session, BeamSession), "it was made with one"
        return self._session.search


class BeamOnTwin(OnTwin, BeamOnChip):
    """The same on the twin."""


class Latency(TypedDict):
    """As in `StreamReport`."""

    mean_cycles: float
    p99_cycles: float
    max_cycles: float
    mean_ms: float
    p99_ms: float
    max_ms: float


def latency(cycles: np.ndarray, params: ChipParams) -> Latency:
    """Mean, 99th percentile and maximum of the calls' cycles, in cycles and in milliseconds."""
    mean, p99, most = float(np.mean(cycles)), float(np.percentile(cycles, 99)), float(cycles.max())
    return {
        "mean_cycles": mean,
        "p99_cycles": p99,
        "max_cycles": most,
        "mean_ms": params.milliseconds(mean),
        "p99_ms": params.milliseconds(p99),
        "max_ms": params.milliseconds(most),
    }


def stream_report(
    seconds: Sequence[float], uses: Sequence[ChipUse], params: ChipParams
) -> StreamReport:
    """The chip's figures over one or more files, each of so many seconds of sound."""
    cycles = np.concatenate([use.cycles for use in uses])
    audio_seconds = sum(seconds)
    busy_ms = params.milliseconds(float(cycles.sum()))
    report: StreamReport = {
        **latency(cycles, params),
        "cycles": int(cycles.sum()),
        "busy_ms": busy_ms,
        "real_time_factor": busy_ms / 1e3 / audio_seconds,
        **reduce(add, (use.work for use in uses)).report(params.lanes),
    }
    activities = [use.activity for use in uses if use.activity is not None]
    if activities:
        # File by file: one that keeps the chip for longer than it sounds borrows of no other.
        powered = reduce(
            add,
            (
                listening(each, params.milliseconds(float(use.cycles.sum())) / 1e3, len(use.cycles))
                for each, use in zip(seconds, uses, strict=True)
            ),
        )
        energy = energy_uj(Costs.of(params), reduce(add, activities), powered)
        report["powered_seconds"] = powered.seconds
        report["idle_state"] = params.technology.idle
        report["energy_uj"] = energy
        report["energy_uj_per_second"] = energy["total"] / audio_seconds
    return report


@dataclass(frozen=True)
class Answer:
    """What became of a file; `use` is None where the kernels ran it."""

    file: str
    heard: Heard
    use: ChipUse | None


def transcribe_report(
    answers: Sequence[Answer],
    speech: Speech,
    engine: str,
    params: ChipParams | None,
    peak_memory_mib: float,
) -> TranscribeReport:
    """Every file, and the chip over all of them; without the chip where `params` is None."""
    report: TranscribeReport = {
        "model": speech.name,
        "engine": engine,
        "deadline_ms": 1e3 * speech.seconds_per_call,
        "files": [_file_report(answer, speech, params) for answer in answers],
        "peak_memory_mib": peak_memory_mib,
    }
    uses = [answer.use for answer in answers if answer.use is not None]
    if params is not None:
        seconds = [answer.heard.samples / speech.rate for answer in answers]
        report["chip"] = {**summary(params), **stream_report(seconds, uses, params)}
        report["in_time"] = report["chip"]["max_ms"] <= report["deadline_ms"]
    return report


def phrase_report(spoken: Spoken) -> PhraseReport:
    """A phrase with its words, and what else a beam found."""
    report: PhraseReport = {
        "text": spoken.text,
        "tokens": spoken.tokens,
        "start": spoken.start,
        "end": spoken.end,
        "times": spoken.times,
        "words": [_word_report(word) for word in spoken.words],
    }
    if spoken.alternatives:
        report["alternatives"] = [
            {
                "text": each.text,
                "score": each.score,
                "bonus": each.bonus,
                "probability": each.probability,
            }
            for each in spoken.alternatives
        ]
    return report


def _word_report(word: Word) -> WordReport:
    report: WordReport = {"text": word.text, "start": word.start, "end": word.end}
    if word.confidence is not None:
        report["confidence"] = word.confidence
    return report


def heard_report(event: Event) -> HeardReport:
    """News of a phrase."""
    return {
        "event": event.kind.value,
        "phrase": event.phrase,
        "at": event.at,
        "revises": event.revises,
        "resets": event.resets,
        **phrase_report(event.spoken),
    }


def _file_report(answer: Answer, speech: Speech, params: ChipParams | None) -> FileReport:
    heard, use = answer.heard, answer.use
    seconds = heard.samples / speech.rate
    report: FileReport = {
        "file": answer.file,
        "text": heard.text,
        "tokens": heard.tokens,
        "phrases": [phrase_report(phrase) for phrase in heard.phrases],
        "notes": heard.notes,
        "audio_ms": 1e3 * heard.samples / speech.rate,
        "calls": heard.calls,
        "simulation_real_time_factor": heard.simulation_seconds * speech.rate / heard.samples,
    }
    if params is not None and use is not None:
        report["chip"] = stream_report([seconds], [use], params)
    return report

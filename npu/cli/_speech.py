"""Speech recognition on either engine, file by file, in memory that does not grow with a file."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from compiler import Model
from compiler.model import TRANSDUCER_GRAPHS
from kernels import Transducer
from npu.analysis.energy import Activity, energy_uj, powered_seconds
from npu.analysis.profile import Profile
from npu.chip.params import ChipParams
from npu.chip.work import Work
from npu.errors import ImageError, ModelError
from npu.model.config import FrontendConfig, ModelConfig, Tokens
from npu.model.recording import Recording
from npu.runtime.image import Image
from npu.runtime.sessions import MachineFactory, Observer, TransducerSession
from npu.speech.audio import require_samples, stream_audio
from npu.speech.features import FeatureExtractor
from npu.speech.phrases import END_SECONDS, EndRule, Engine, Phrase, PhraseSearch
from npu.speech.search import GreedySearch, SearchRules
from npu.twin.machine import Machine


class OnChip:
    """A transducer on the simulated chip, with its cycles.

    Parameters
    ----------
    image : the compiled transducer.
    machine : what it runs on.
    observer, recording, max_cycles : as the session takes them.
    """

    def __init__(
        self,
        image: Image,
        machine: MachineFactory = Machine,
        *,
        observer: Observer | None = None,
        recording: Recording | None = None,
        max_cycles: int | None = None,
    ) -> None:
        self.params = image.params
        self._session = TransducerSession(
            image,
            machine=machine,
            observer=observer,
            recording=recording,
            max_cycles=max_cycles,
        )

    def reset(self) -> None:
        self._session.reset()

    def restart(self) -> None:
        self._session.restart()

    def accept_calls(self, features: np.ndarray) -> list[list[int]]:
        return self._session.accept_calls(features)

    def work(self) -> Work:
        """What the chip did so far."""
        return self._session.machine.work()

    @property
    def calls(self) -> int:
        """Encoder calls so far."""
        return len(self._session.cycles)

    def cycles_since(self, call: int) -> np.ndarray:
        """Cycles of the encoder calls from number `call` on."""
        return np.array(self._session.cycles[call:], np.int64)


class Twin(OnChip):
    """A transducer on the twin, which also counts what costs energy."""

    def __init__(
        self, image: Image, recording: Recording | None = None, max_cycles: int | None = None
    ) -> None:
        self._profile = Profile(image)
        super().__init__(image, observer=self._profile, recording=recording, max_cycles=max_cycles)

    def activity(self) -> Activity:
        """What happened so far."""
        return Activity.of(self._session.machine, self._profile.bank_words())


def kernels_engine(model: Model, recording: Recording | None = None) -> GreedySearch:
    """A transducer on the kernels."""
    assert model.config is not None
    encoder, decoder, joiner = (model.graphs[role] for role in TRANSDUCER_GRAPHS)
    return GreedySearch(
        Transducer(encoder, decoder, joiner, recording), SearchRules.of(model.config)
    )


@dataclass(frozen=True)
class Speech:
    """The host's part of a transducer: its front end and its symbols."""

    name: str
    frontend: FrontendConfig
    frames_per_call: int
    scale: float
    zero_point: int
    tokens: Tokens

    @staticmethod
    def of_model(model: Model) -> Speech:
        """Raises ModelError for a single graph."""
        if model.config is None or model.tokens is None:
            raise ModelError(
                f"{model.name} is a single graph, not a transducer; run it with npu run"
            )
        encoder = model.graphs["encoder"]
        quantization = encoder.tensors[encoder.inputs[0]].quantization
        assert quantization is not None, "load_model requires a quantised input"
        return Speech(
            *(model.name, model.config.frontend, model.config.encoder.frames_per_call),
            *(float(quantization.scale[0]), quantization.zero_point, model.tokens),
        )

    @staticmethod
    def of_image(image: Image) -> Speech:
        """Raises ModelError for a single graph, ImageError for a front end that is not ours."""
        header, info = image.header, image.header.transducer
        if info is None:
            raise ModelError(
                f"{header.model} is a single graph, not a transducer; run it with npu run"
            )
        features = header.features
        try:
            config = ModelConfig.model_validate_json(json.dumps(info.config))
        except ValidationError as error:
            key = ".".join(map(str, error.errors()[0]["loc"]))
            raise ImageError(
                f"{header.model}: damaged header: transducer.config.{key}; compile the model again"
            ) from error
        shape = (
            1,
            config.encoder.frames_per_call,
            config.frontend.mel.bins * config.frontend.stack,
        )
        if features.shape != shape or features.scale is None:
            raise ImageError(
                f"{header.model}: damaged header: features are {list(features.shape)}, the "
                f"front end makes {list(shape)}; compile the model again"
            )
        return Speech(
            *(header.model, config.frontend, config.encoder.frames_per_call),
            *(features.scale, features.zero_point, Tokens(info.tokens)),
        )

    @property
    def rate(self) -> int:
        return self.frontend.sample_rate_hz

    def extractor(self) -> FeatureExtractor:
        """A fresh front end."""
        return FeatureExtractor(self.frontend, self.scale, self.zero_point, self.frames_per_call)

    def features(self, path: str | Path) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (samples heard so far, the encoder calls that they complete), block by block.

        Raises AudioError, at the end also for a file that completes no call.
        """
        extractor, heard = self.extractor(), 0
        for block in stream_audio(path, self.rate):
            heard += len(block)
            yield heard, extractor.accept(block)
        require_samples(path, heard, extractor.first_call_samples, self.rate)

    @property
    def seconds_per_call(self) -> float:
        """From one encoder call to the next."""
        return self.frontend.samples_per_call(self.frames_per_call) / self.rate


@dataclass(frozen=True)
class Spoken:
    """A phrase: what was said, and between which seconds of the sound it was not quiet."""

    text: str
    tokens: list[int]
    start: float
    end: float


@dataclass(frozen=True)
class Heard:
    """What an engine made of a file. `cycles`, `work`: the chip's, `activity`: the twin's, or None.

    `calls` are those that the engine ran: silence between phrases and behind the end is not run.
    `notes` say what was odd about the file.
    """

    phrases: list[Spoken]
    notes: list[str]
    samples: int
    calls: int
    simulation_seconds: float
    cycles: np.ndarray | None
    work: Work | None
    activity: Activity | None

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
) -> Heard:
    """A file from beginning to end.

    Parameters
    ----------
    channel : the channel to hear, from 1; None hears the mean of all.
    end_seconds : silence that ends a phrase. The file's own end is followed by silence, so that
        the last word is heard to its end. None: the file is one phrase, every call is run, and
        nothing is added.
    """
    chip = engine if isinstance(engine, OnChip) else None
    twin = engine if isinstance(engine, Twin) else None
    began = time.perf_counter()
    extractor, samples = speech.extractor(), 0
    step = extractor.samples_per_call
    default = EndRule.of(speech.seconds_per_call)
    rule = None if end_seconds is None else EndRule.of(speech.seconds_per_call, end_seconds)
    search = PhraseSearch(engine, rule, speech.scale, speech.zero_point)
    first, idle = chip.calls if chip else 0, chip.work() if chip else None
    before = twin.activity() if twin else None
    notes: list[str] = []
    for block in stream_audio(path, speech.rate, channel=channel, note=notes.append):
        samples += len(block)
        search.accept(extractor.accept(block))
    require_samples(path, samples, extractor.first_call_samples, speech.rate)
    # The calls in which the last sample is heard, and the silence in which the last symbols come.
    behind = extractor.first_call_samples + step * default.quiet_calls
    while search.is_open and behind > 0:
        search.accept(extractor.accept(np.zeros(step)))
        behind -= step
    phrases = search.finish()
    seconds = time.perf_counter() - began
    return Heard(
        [_spoken(speech, phrase, samples) for phrase in phrases],
        notes,
        samples,
        search.calls,
        seconds,
        chip.cycles_since(first) if chip else None,
        chip.work() - idle if chip and idle else None,
        twin.activity() - before if twin and before else None,
    )


def _spoken(speech: Speech, phrase: Phrase, samples: int) -> Spoken:
    length = samples / speech.rate
    start, end = (
        min(call * speech.seconds_per_call, length) for call in (phrase.first_call, phrase.end_call)
    )
    return Spoken(speech.tokens.decode(phrase.tokens), list(phrase.tokens), start, end)


def latency(cycles: np.ndarray, params: ChipParams) -> dict[str, float]:
    """Mean, 99th percentile and maximum of the calls' cycles, in cycles and in milliseconds."""
    figures = {
        "mean": float(np.mean(cycles)),
        "p99": float(np.percentile(cycles, 99)),
        "max": float(np.max(cycles)),
    }
    return {
        **{f"{name}_cycles": value for name, value in figures.items()},
        **{f"{name}_ms": params.milliseconds(value) for name, value in figures.items()},
    }


def chip_report(heard: Sequence[Heard], params: ChipParams, rate: int) -> dict[str, Any]:
    """The chip's figures over one or more files; energy only of the twin."""
    cycles = np.concatenate([h.cycles for h in heard if h.cycles is not None])
    audio_seconds = sum(h.samples for h in heard) / rate
    busy_ms = params.milliseconds(float(cycles.sum()))
    report = {
        **latency(cycles, params),
        "cycles": int(cycles.sum()),
        "busy_ms": busy_ms,
        "real_time_factor": busy_ms / 1e3 / audio_seconds,
        **reduce(add, (h.work for h in heard if h.work is not None)).report(params.lanes),
    }
    activities = [h.activity for h in heard if h.activity is not None]
    if not activities:
        return report
    total = reduce(add, activities)
    # File by file: one that keeps the chip for longer than it sounds does not borrow of another.
    seconds = sum(
        powered_seconds(h.samples / rate, params.milliseconds(float(h.cycles.sum())) / 1e3)
        for h in heard
        if h.cycles is not None
    )
    energy = energy_uj(params.energy_pj, total, seconds)
    return {
        **report,
        "powered_seconds": seconds,
        "energy_uj": energy,
        "energy_uj_per_second": energy["total"] / audio_seconds,
    }


def peak_memory_mib() -> float:
    """The most memory that this process has held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)

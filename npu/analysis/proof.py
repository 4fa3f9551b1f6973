"""Engines on recorded features, element by element against the recording; the demo's report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from npu.analysis.layers import totals
from npu.analysis.results import Compared, DemoReport, Features, UtteranceReport
from npu.analysis.streaming import ChipUse, stream_report
from npu.chip.params import ChipParams
from npu.chip.summary import summary
from npu.model.recording import Recording
from npu.runtime.image import Image
from npu.speech.host import Speech
from npu.speech.phrases import Engine
from npu.speech.transcribe import Heard

COMPARED = ("encoder_out", "logits", "tokens")
"""What is compared, by its name in the recording."""


@dataclass(frozen=True)
class Watched:
    """An engine, and the recording of the vectors that it makes, by the names of COMPARED."""

    engine: Engine
    recording: Recording


class Proof:
    """Compares engines with recordings, utterance by utterance.

    Attributes
    ----------
    report : by name of COMPARED.
    """

    def __init__(self, kernels: Watched, twin: Watched) -> None:
        self._engines = {"kernels": kernels, "twin": twin}
        self.report: dict[str, Compared] = {
            key: {"compared": 0, "kernels_differ": 0, "twin_differ": 0} for key in COMPARED
        }

    def add(self, recorded: Mapping[str, np.ndarray], features: np.ndarray) -> None:
        """One utterance: what was recorded, and (calls, frames, features) int8."""
        answers: dict[str, dict[str, Any]] = {}
        for name, watched in self._engines.items():
            watched.recording.clear()
            watched.engine.reset()
            tokens = np.array(list(chain(*watched.engine.accept_calls(features))), np.int64)
            answers[name] = {"tokens": tokens, **watched.recording.vectors}
        for key, right in recorded.items():
            found = self.report[key]
            found["compared"] += right.size
            found["kernels_differ"] += differences(answers["kernels"].get(key, []), right)
            found["twin_differ"] += differences(answers["twin"].get(key, []), right)

    @property
    def differ(self) -> int:
        """Elements that differ in all."""
        return sum(p["kernels_differ"] + p["twin_differ"] for p in self.report.values())


def differences(answer: Any, right: np.ndarray) -> int:
    """Elements that differ; all of them where the shapes do."""
    found = np.array(answer).reshape(-1)
    if found.size != right.size:
        return max(found.size, right.size)
    return int(np.count_nonzero(found != right.reshape(-1)))


@dataclass(frozen=True)
class Utterance:
    """A bundled utterance: what was heard, and what TensorFlow Lite Micro heard."""

    name: str
    heard: Heard
    use: ChipUse
    tflm_text: str
    features: Features


def demo_report(
    image: Image, speech: Speech, utterances: Sequence[Utterance], proof: Proof
) -> DemoReport:
    """The proof, and the chip over all utterances."""
    params = image.params
    entries = [_entry(utterance, params, speech) for utterance in utterances]
    samples = sum(u.heard.samples for u in utterances)
    simulation = sum(u.heard.simulation_seconds for u in utterances)
    durations = [u.heard.samples / speech.rate for u in utterances]
    stream = stream_report(durations, [u.use for u in utterances], params)
    return {
        "model": image.header.model,
        "chip": {**summary(params), **stream},
        "equal": proof.differ == 0 and all(e["equal"] for e in entries),
        "proof": proof.report,
        "texts_equal": sum(e["equal"] for e in entries),
        "features": {
            "elements": sum(e["features"]["elements"] for e in entries),
            "differ": sum(e["features"]["differ"] for e in entries),
        },
        "audio_seconds": samples / speech.rate,
        "deadline_ms": 1e3 * speech.seconds_per_call,
        "simulation_seconds": simulation,
        "simulation_real_time_factor": simulation / (samples / speech.rate),
        "weights": totals(image.header.layers),
        "utterances": entries,
    }


def _entry(utterance: Utterance, params: ChipParams, speech: Speech) -> UtteranceReport:
    heard = utterance.heard
    return {
        "utterance": utterance.name,
        "text": heard.text,
        "tflm_text": utterance.tflm_text,
        "equal": heard.text == utterance.tflm_text,
        "audio_ms": 1e3 * heard.samples / speech.rate,
        "calls": heard.calls,
        "features": utterance.features,
        "chip": stream_report([heard.samples / speech.rate], [utterance.use], params),
    }

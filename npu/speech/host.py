"""The host's part of a transducer: its front end and its symbols, whatever runs the networks."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from npu.model.config import AnyFrontend
from npu.model.tokens import Tokens
from npu.speech.audio import require_samples, stream_audio
from npu.speech.ends import Ending, EndRule
from npu.speech.extractor import Extractor
from npu.speech.kaldi import extractor_of


@dataclass(frozen=True)
class Speech:
    """What stands before and behind the networks of a transducer.

    Attributes
    ----------
    name : the model's.
    frontend, frames_per_call : how sound becomes encoder calls.
    scale, zero_point : quantisation of the features.
    tokens : the symbols.
    frames_out : frames that an encoder call gives.
    silence_s : silence that the model wants at the end of a phrase; None for that of most.
    """

    name: str
    frontend: AnyFrontend
    frames_per_call: int
    scale: float
    zero_point: int
    tokens: Tokens
    frames_out: int = 1
    silence_s: float | None = None

    @property
    def rate(self) -> int:
        """Samples per second."""
        return self.frontend.sample_rate_hz

    @property
    def seconds_per_call(self) -> float:
        """From one encoder call to the next."""
        return self.frontend.samples_per_call(self.frames_per_call) / self.rate

    @property
    def seconds_per_frame(self) -> float:
        """From one frame that the encoder gives to the next."""
        return self.seconds_per_call / self.frames_out

    @property
    def loudness(self) -> tuple[float, float]:
        """Scale and zero point with which features are loudness, as `npu.speech.gate` has it."""
        mean, step = self.frontend.loudness
        return self.scale / step, self.zero_point + mean / self.scale

    def rule(self, ending: Ending) -> EndRule:
        """In the model's encoder calls, with the silence that it wants."""
        return ending.rule(self.seconds_per_call, self.silence_s)

    def extractor(self) -> Extractor:
        """A fresh front end."""
        return extractor_of(self.frontend, self.scale, self.zero_point, self.frames_per_call)

    def features(self, path: str | Path) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (samples heard so far, the encoder calls that they complete), block by block.

        Calls are (calls, frames, features) int8. Raises AudioError, at the end also for a file that
        completes no call.
        """
        extractor, heard = self.extractor(), 0
        for block in stream_audio(path, self.rate):
            heard += len(block)
            yield heard, extractor.accept(block)
        require_samples(path, heard, extractor.first_call_samples, self.rate)

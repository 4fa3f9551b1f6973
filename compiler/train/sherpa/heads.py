"""What stands before an encoder that sherpa-onnx runs: our features out of its own.

sherpa-onnx makes log-mel features of samples itself, others than ours, and takes none from outside.

    Spelt   samples are no speech but a tone whose loudness spells our features, one integer after
            the other; they are read back without an error. So all behind the features is compared,
            and the front end is not.
    Heard   samples are speech. sherpa-onnx's features are made as fine as it lets them be, and
            ours, which are coarser, are put together of them. They are within a step or two of
            ours: its window has another length by a sample, and its bands are as wide as 8 lines
            of the spectrum at the top.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

from compiler.quantise.parts import TimeStack
from compiler.train.export.network import TrainedTransducer
from compiler.train.sherpa.graph import Graph
from npu.errors import ModelError
from npu.model.config import FrontendConfig
from npu.speech.features import CLIP, LOG_FLOOR, mel_filters

RATE_HZ, HOP, WINDOW, FFT = 16000, 160, 400, 512
"""Of sherpa-onnx's features: samples are 16 kHz, frames 10 ms apart, windows 25 ms long."""


class Head(Protocol):
    """What makes features.

    Attributes
    ----------
    bins : of sherpa-onnx's features.
    """

    @property
    def bins(self) -> int: ...

    def frames(self, trained: TrainedTransducer) -> int:
        """Frames of sherpa-onnx that an encoder call takes."""

    def features(self, g: Graph, sound: str, trained: TrainedTransducer) -> str:
        """Adds nodes that make features (frames, 1, width) of `sound` (frames, bins), of one
        encoder call or of several.
        """


def _width(trained: TrainedTransducer) -> int:
    first = trained.encoder[0]
    assert not isinstance(first, TimeStack), "check() the network first"
    return first.inputs


# --- spelt ----------------------------------------------------------------------------------------
_HELD = 3
"""Frames that a value is held: the window of the middle one lies within it."""
_TONE_HZ = 1000
_STEP = 0.05
"""Nats of power between integers: a window hears thousands of times less."""
_LOUDNESS = 0.02


@dataclass(frozen=True)
class Spelt:
    """Features as a tone's loudness. Each call begins with a tone that stands for 0."""

    bins: int = 4

    def frames(self, trained: TrainedTransducer) -> int:
        """Frames of sherpa-onnx that an encoder call takes."""
        return _HELD * (1 + trained.frames_per_call * _width(trained))

    def features(self, g: Graph, sound: str, trained: TrainedTransducer) -> str:
        """Adds nodes that make features (frames, 1, width) of `sound` (frames, bins)."""
        loud = g.one("ReduceMax", sound, axes=[1], keepdims=0)
        values = trained.frames_per_call * _width(trained)
        held = g.reshaped(loud, -1, 1 + values, _HELD)
        middle = g.one("Gather", held, g.constant(_HELD // 2), axis=2)
        zero, spelt = g.split(middle, [1, values], 1)
        steps = g.one("Div", g.one("Sub", spelt, zero), g.constant(_STEP))
        return _real(g, g.one("Round", steps), trained, shift=0)


def spell(calls: NDArray[np.int8]) -> NDArray[np.float32]:
    """The samples that spell the features (calls, frames, width) of encoder calls, at RATE_HZ.

    Behind the last call comes one more tone: sherpa-onnx decodes when a frame is left over.
    """
    values = np.pad(calls.reshape(len(calls), -1).astype(np.float64), ((0, 0), (1, 0)))
    loudness = _LOUDNESS * np.exp(_STEP / 2 * np.append(values.ravel(), 0))
    held = np.repeat(loudness, _HELD * HOP)
    tone = np.sin(2 * np.pi * _TONE_HZ / RATE_HZ * np.arange(_HELD * HOP))
    return (held * np.tile(tone, len(loudness))).astype(np.float32)


# --- heard ----------------------------------------------------------------------------------------
HEARD_BINS = 185
"""As many as no band is without a line of the spectrum, which sherpa-onnx does not take."""


@dataclass(frozen=True, eq=False)
class Heard:
    """Features of speech, out of those that sherpa-onnx makes for models of NeMo.

    Raises ModelError for a front end that is too far from it.
    """

    config: FrontendConfig
    bins: int = HEARD_BINS

    def __post_init__(self) -> None:
        if not self.takes(self.config):
            raise ModelError(
                f"rate, hop, window and FFT must be {RATE_HZ}, {HOP}, {WINDOW} and {FFT}, and "
                "stacked frames must not overlap, for sherpa-onnx to hear them"
            )

    @staticmethod
    def takes(config: FrontendConfig) -> bool:
        """Whether a front end is near enough."""
        c = config
        shape = c.sample_rate_hz, c.hop_length, c.window_length, c.fft_length
        return shape == (RATE_HZ, HOP, WINDOW, FFT) and c.stack == c.stack_hop

    def frames(self, trained: TrainedTransducer) -> int:
        """Frames of sherpa-onnx that an encoder call takes."""
        return trained.frames_per_call * self.config.stack

    def features(self, g: Graph, sound: str, trained: TrainedTransducer) -> str:
        """Adds nodes that make features (frames, 1, width) of `sound` (frames, bins)."""
        ours = mel_filters(self.config.mel, FFT, RATE_HZ)
        # Power by sum(window) ** 2, as ours.
        mixed = mixture(ours, slaney_filters(self.bins)) / (WINDOW / 2) ** 2
        power = g.one("MatMul", g.one("Exp", sound), g.constant(mixed.T))
        least = g.one("Max", power, g.constant(0.0))
        log_mel = g.one("Log", g.one("Add", least, g.constant(LOG_FLOOR)))
        mean, std = (np.array(each, np.float32) for each in (self.config.mean, self.config.std))
        scaled = g.one("Div", g.one("Sub", log_mel, g.constant(mean)), g.constant(std))
        clipped = g.one("Clip", scaled, g.constant(-CLIP), g.constant(CLIP))
        steps = g.one("Div", clipped, g.constant(np.float32(trained.features.scale)))
        return _real(g, g.one("Round", steps), trained, shift=trained.features.zero_point)


def slaney_filters(bins: int) -> NDArray[np.float64]:
    """The bands of librosa, (bins, FFT / 2 + 1): triangles between 0 and 8 kHz on the mel scale of
    Slaney's Auditory Toolbox (1998), linear up to 1 kHz and logarithmic above; each of area 1 in
    hertz.
    """
    top = 15 + 27 * np.log(8.0) / np.log(6.4)
    mel = np.linspace(0, top, bins + 2)
    edges = np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((mel - 15) * np.log(6.4) / 27))
    hz = np.arange(FFT // 2 + 1) * RATE_HZ / FFT
    low, peak, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (hz - low) / (peak - low), (high - hz) / (high - peak)
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return np.asarray(triangles * 2 / (high - low))


def mixture(wanted: NDArray[np.float64], bands: NDArray[np.float64]) -> NDArray[np.float64]:
    """How bands (n, lines) are added up to those that are wanted (m, lines), as near as they can
    be: (m, n).
    """
    return np.asarray(np.linalg.lstsq(bands.T, wanted.T, rcond=None)[0].T, np.float64)


def _real(g: Graph, integers: str, trained: TrainedTransducer, shift: int) -> str:
    """Integers plus `shift`, within int8, as features (frames, 1, width)."""
    grid = trained.features
    whole = g.one("Add", integers, g.constant(float(shift)))
    inside = g.one("Clip", whole, g.constant(-128.0), g.constant(127.0))
    steps = g.one("Sub", inside, g.constant(float(grid.zero_point)))
    real = g.one("Mul", steps, g.constant(float(grid.scale)))
    return g.reshaped(real, -1, 1, _width(trained))


def heard_features(
    head: Head, trained: TrainedTransducer, frames: NDArray[np.float32]
) -> NDArray[np.int8]:
    """What a head makes of sherpa-onnx's frames, (frames, bins), as our encoder takes it:
    (calls, frames of ours, width) int8. Frames that fill no call are left out.
    """
    g, each = Graph("head"), head.frames(trained)
    sound = g.input("sound", (each, head.bins))
    width = _width(trained)
    made = head.features(g, sound, trained)
    g.output("features", made, (trained.frames_per_call, 1, width))
    model = ReferenceEvaluator(onnx.load_model_from_string(g.written({})))
    calls = frames[: len(frames) // each * each].reshape(-1, each, head.bins)
    outputs: list[Any] = [model.run(None, {"sound": call}) for call in calls]
    real = [features[0][:, 0] for features in outputs]
    return trained.features.quantised(np.array(real).reshape(-1, trained.frames_per_call, width))

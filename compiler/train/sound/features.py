"""Log-mel features as `npu.speech.features` makes them, in float32 and with a voice bent.

How long a hop is stretches time without the pitch; the mel filters' frequencies, scaled, make the
vocal tract longer or shorter; a gain for each bin of the spectrum is an equaliser. So these three
cost nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from compiler.train.corpus.engines.speech import RATE_HZ
from npu.model.config import FrontendConfig, MelConfig
from npu.speech.features import CLIP, LOG_FLOOR, hz_to_mel, mel_filters, mel_to_hz

Floats = NDArray[np.float32]

MEL = MelConfig(
    bins=40,
    low_hz=60,
    high_hz=7600,
    scale="2595*log10(1+hz/700)",
    filters="triangles with peak 1, evaluated at the FFT bin frequencies",
)
WINDOW, HOP, FFT = 400, 160, 512
PREEMPHASIS = 0.97
FULL_SCALE = 32768.0
STACK = 3
"""Frames that the network takes at once, none twice."""
SPECTRUM = FFT // 2 + 1
_WARPS = 33
_WIDEST = 1.2


@dataclass(frozen=True)
class Bend:
    """How a voice is bent.

    Attributes
    ----------
    tract : factor of all frequencies, 1 / _WIDEST .. _WIDEST.
    stretch : how much longer it takes.
    gain : of the power of each bin of the spectrum, (SPECTRUM,); None for 1.
    """

    tract: float = 1.0
    stretch: float = 1.0
    gain: Floats | None = None


def in_floats(samples: NDArray[np.int16]) -> Floats:
    """Samples with a full scale of 1."""
    return samples.astype(np.float32) / np.float32(FULL_SCALE)


def log_mel(samples: Floats, bend: Bend | None = None) -> Floats:
    """Log-mel features.

    Parameters
    ----------
    samples : (n,) float32, full scale 1.
    bend : how the voice is bent.

    Returns
    -------
    (frames, bins) float32; no frame where n is below a window.
    """
    bend = bend or Bend()
    hop = round(HOP / bend.stretch)
    if len(samples) < WINDOW:
        return np.empty((0, MEL.bins), np.float32)
    emphasised = samples.copy()
    emphasised[1:] -= np.float32(PREEMPHASIS) * samples[:-1]
    frames = np.lib.stride_tricks.sliding_window_view(emphasised, WINDOW)[::hop]
    spectrum = fft.rfft(frames * _window(), FFT)
    power = spectrum.real**2 + spectrum.imag**2
    if bend.gain is not None:
        power *= bend.gain
    return np.log(power @ _filters(_warp(bend.tract)) + np.float32(LOG_FLOOR))


def steps(features: Floats, mean: Floats, std: Floats) -> Floats:
    """Features as the network takes them: (frames, bins) to (steps, STACK * bins), an even number
    of steps, normalised and clipped; frames that fill no two steps are dropped.
    """
    count = len(features) // (2 * STACK) * 2
    normal = np.clip((features[: count * STACK] - mean) / std, -CLIP, CLIP)
    return normal.reshape(count, STACK * features.shape[1])


def frontend(mean: Sequence[float], std: Sequence[float]) -> FrontendConfig:
    """The front end as `model.json` has it; `mean` and `std` of each bin."""
    return FrontendConfig(
        sample_rate_hz=RATE_HZ,
        preemphasis=PREEMPHASIS,
        preemphasis_first_sample="kept as it is",
        samples="int16 / 32768",
        window="hann, symmetric (N-1 in the denominator)",
        window_length=WINDOW,
        hop_length=HOP,
        fft_length=FFT,
        padding="none: the first window starts at sample 0",
        mel=MEL,
        power="abs(rfft)^2 / sum(window)^2",
        log="natural log of (mel power + 1e-8)",
        normalise="(x - mean) / std, then clip to +-4",
        mean=tuple(mean),
        std=tuple(std),
        stack=STACK,
        stack_hop=STACK,
        tail="feature frames that do not fill one encoder call are dropped",
        quantise="round half to even of x/scale, plus zero point, clipped to int8; scale and zero "
        "point of the encoder's input tensor",
    )


def end_of_calls(count: int) -> NDArray[np.float64]:
    """When the last sample of each encoder call's last window is heard, in seconds."""
    hop = 2 * STACK * HOP
    return (np.arange(count) * hop + (2 * STACK - 1) * HOP + WINDOW) / RATE_HZ


@lru_cache
def _window() -> Floats:
    window = np.hanning(WINDOW)
    return (window / window.sum()).astype(np.float32)


def _warp(tract: float) -> int:
    place = np.log(tract) / np.log(_WIDEST)
    return round((np.clip(place, -1, 1) + 1) / 2 * (_WARPS - 1))


@lru_cache(maxsize=_WARPS)
def _filters(warp: int) -> Floats:
    """(SPECTRUM, bins): of filters whose edges are scaled, up to the highest that there is."""
    factor = _WIDEST ** (2 * warp / (_WARPS - 1) - 1)
    if warp == (_WARPS - 1) // 2:
        return mel_filters(MEL, FFT, RATE_HZ).T.astype(np.float32).copy()
    edges = mel_to_hz(np.linspace(hz_to_mel(MEL.low_hz), hz_to_mel(MEL.high_hz), MEL.bins + 2))
    # A straight line to 6 kHz, then another to the end of the scale (Jaitly and Hinton 2013).
    knee = 6000 * min(1, 1 / factor)
    top = RATE_HZ / 2
    rest = top - (top - factor * knee) / (top - knee) * (top - edges)
    edges = np.where(edges <= knee, edges * factor, rest)
    hz = np.arange(SPECTRUM) * (RATE_HZ / FFT)
    low, peak, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    filters = np.maximum(0.0, np.minimum((hz - low) / (peak - low), (high - hz) / (high - peak)))
    return filters.T.astype(np.float32).copy()

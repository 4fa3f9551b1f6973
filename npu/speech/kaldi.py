"""Streaming features as Kaldi's fbank makes them, for models of icefall and sherpa-onnx.

The method is Kaldi's (feature-window.cc, mel-computations.cc, feature-fbank.cc): of each frame the
mean is taken away, pre-emphasis stays within the frame, then come window, FFT of the next power of
two, triangles that are linear in mel, and the logarithm of at least float32's epsilon. Kaldi counts
in float32; here it is float64 up to the logarithm, which is rounded to float32.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npu.model.config import AnyFrontend, FrontendConfig
from npu.model.kaldi_frontend import KaldiFrontendConfig
from npu.speech.extractor import Extractor, nonzero_bins
from npu.speech.features import FeatureExtractor

FLOOR = float(np.finfo(np.float32).eps)
_POVEY = 0.85


def kaldi_mel(hz: ArrayLike) -> NDArray[np.float64]:
    """The mel scale 1127 * ln(1 + hz / 700)."""
    return 1127.0 * np.log(1.0 + np.asarray(hz, np.float64) / 700.0)


def slaney_mel(hz: ArrayLike) -> NDArray[np.float64]:
    """The mel scale of Slaney's Auditory Toolbox: 200/3 Hz each up to 1 kHz, 27 a factor of 6.4."""
    hz = np.asarray(hz, np.float64)
    above = 15 + 27 * np.log(np.maximum(hz, 1000.0) / 1000) / np.log(6.4)
    return np.where(hz <= 1000, hz * 3 / 200, above)


def slaney_hz(mel: ArrayLike) -> NDArray[np.float64]:
    """The inverse of `slaney_mel`."""
    mel = np.asarray(mel, np.float64)
    above = 1000 * np.exp((np.maximum(mel, 15.0) - 15) * np.log(6.4) / 27)
    return np.where(mel <= 15, mel * 200 / 3, above)


def kaldi_filters(config: KaldiFrontendConfig) -> NDArray[np.float64]:
    """Triangular filters, equally spaced in mel: of peak 1 and linear in mel, or as librosa has
    them, linear in Hz and of area 1.

    Returns
    -------
    (bins, fft_length // 2) float64, 0 .. 1
        At the FFT bin frequencies below half the sample rate: the bin at it has no part.
    """
    slaney = config.mel == "slaney"
    ends = (slaney_mel if slaney else kaldi_mel)([config.low_hz, config.highest_hz])
    edges = np.linspace(ends[0], ends[1], config.bins + 2)
    hz = np.arange(config.fft_length // 2) * (config.sample_rate_hz / config.fft_length)
    edges, at = (slaney_hz(edges), hz) if slaney else (edges, kaldi_mel(hz))
    low, peak, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    found = np.maximum(0.0, np.minimum((at - low) / (peak - low), (high - at) / (high - peak)))
    return found * 2 / (high - low) if slaney else found


def kaldi_window(kind: str, length: int) -> NDArray[np.float64]:
    """(length,) 0 .. 1: povey (hanning to the power 0.85), hamming, hanning, rectangular, or hann,
    which would begin anew behind its end.
    """
    if kind == "rectangular":
        return np.ones(length)
    if kind == "hamming":
        return np.hamming(length)
    period = length if kind == "hann" else length - 1
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / period)
    return window**_POVEY if kind == "povey" else window


class KaldiExtractor(Extractor):
    """Samples in, quantised encoder inputs out, by Kaldi's fbank; any chunking gives the same bits.

    Without `snip_edges` the first frames hear the begin of the sound mirrored, as Kaldi's do. The
    end is not mirrored: a stream hears silence behind it.

    Parameters
    ----------
    config : KaldiFrontendConfig
    scale, zero_point, frames_per_call : as `npu.speech.extractor.Extractor` takes them.
    """

    def __init__(
        self, config: KaldiFrontendConfig, scale: float, zero_point: int, frames_per_call: int
    ) -> None:
        super().__init__(config, scale, zero_point, frames_per_call, config.first_sample)
        self._full_scale = config.full_scale
        self._remove_dc_offset = config.remove_dc_offset
        self._preemphasis = config.preemphasis
        self._window = kaldi_window(config.window, config.window_length)
        self._fft_length = config.fft_length
        self._bin_index, self._bin_weights = nonzero_bins(kaldi_filters(config))
        self.reset()

    def _prepared(self, samples: NDArray[np.float64]) -> NDArray[np.float64]:
        return samples * self._full_scale

    def _features(self, heard: NDArray[np.float64]) -> NDArray[np.float32]:
        frames = heard[self._sample_index]
        if self._remove_dc_offset:
            frames = frames - frames.mean(axis=1, keepdims=True)
        # The sample before the first counts as the first.
        before = np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
        emphasised = frames - self._preemphasis * before
        spectrum = np.fft.rfft(emphasised * self._window, self._fft_length)
        power = spectrum.real**2 + spectrum.imag**2
        energy = (power[:, self._bin_index] * self._bin_weights).sum(axis=-1)
        return np.log(np.maximum(energy, FLOOR)).astype(np.float32)


def extractor_of(
    config: AnyFrontend, scale: float, zero_point: int, frames_per_call: int
) -> Extractor:
    """A fresh front end of a model's kind; parameters as `Extractor` takes them."""
    if isinstance(config, FrontendConfig):
        return FeatureExtractor(config, scale, zero_point, frames_per_call)
    return KaldiExtractor(config, scale, zero_point, frames_per_call)

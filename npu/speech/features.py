"""Streaming log-mel features, exactly as a transducer's `model.json` describes them.

Power spectra and mel sums are float64; normalising and quantising are float32, the type of the
model's input tensor before quantisation.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npu.model.config import FrontendConfig, MelConfig
from npu.speech.extractor import Extractor, nonzero_bins

LOG_FLOOR = 1e-8
CLIP = 4.0


def hz_to_mel(hz: ArrayLike) -> NDArray[np.float64]:
    """The mel scale 2595 * log10(1 + hz / 700)."""
    return 2595.0 * np.log10(1.0 + np.asarray(hz, np.float64) / 700.0)


def mel_to_hz(mel: ArrayLike) -> NDArray[np.float64]:
    """The inverse of `hz_to_mel`."""
    return 700.0 * (10.0 ** (np.asarray(mel, np.float64) / 2595.0) - 1.0)


def mel_filters(mel: MelConfig, fft_length: int, sample_rate_hz: int) -> NDArray[np.float64]:
    """Triangular filters with peak 1, equally spaced in mel and linear in hertz.

    Returns
    -------
    (bins, fft_length // 2 + 1) float64, 0 .. 1
        The triangles' values at the FFT bin frequencies; a triangle narrower than the bin
        spacing may hold none.
    """
    edges = mel_to_hz(np.linspace(hz_to_mel(mel.low_hz), hz_to_mel(mel.high_hz), mel.bins + 2))
    hz = np.arange(fft_length // 2 + 1) * (sample_rate_hz / fft_length)
    low, peak, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    return np.maximum(0.0, np.minimum((hz - low) / (peak - low), (high - hz) / (high - peak)))


class FeatureExtractor(Extractor):
    """Samples in, quantised encoder inputs out; any chunking gives the same bits.

    Parameters
    ----------
    config : FrontendConfig
    scale, zero_point, frames_per_call : as `npu.speech.extractor.Extractor` takes them.
    """

    def __init__(
        self, config: FrontendConfig, scale: float, zero_point: int, frames_per_call: int
    ) -> None:
        super().__init__(config, scale, zero_point, frames_per_call)
        self._preemphasis = config.preemphasis
        self._fft_length = config.fft_length
        self._mean = np.array(config.mean, np.float32)
        self._std = np.array(config.std, np.float32)
        window = np.hanning(config.window_length)
        self._window = window / window.sum()
        filters = mel_filters(config.mel, config.fft_length, config.sample_rate_hz)
        self._bin_index, self._bin_weights = nonzero_bins(filters)
        self.reset()

    def reset(self) -> None:
        """Forget everything heard: the next sample is the first of an utterance."""
        super().reset()
        self._last = 0.0

    def _prepared(self, samples: NDArray[np.float64]) -> NDArray[np.float64]:
        if not len(samples):
            return samples
        # The sample before the first counts as 0, which keeps the first as it is.
        before = np.concatenate([[self._last], samples[:-1]])
        self._last = float(samples[-1])
        return samples - self._preemphasis * before

    def _features(self, heard: NDArray[np.float64]) -> NDArray[np.float32]:
        spectrum = np.fft.rfft(heard[self._sample_index] * self._window, self._fft_length)
        power = spectrum.real**2 + spectrum.imag**2
        mel_power = (power[:, self._bin_index] * self._bin_weights).sum(axis=-1)
        log_mel = np.log(mel_power + LOG_FLOOR).astype(np.float32)
        return np.clip((log_mel - self._mean) / self._std, -CLIP, CLIP)

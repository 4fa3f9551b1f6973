"""Streaming log-mel features, exactly as a transducer's `model.json` describes them.

Power spectra and mel sums are float64; normalising and quantising are float32, the type of the
model's input tensor before quantisation. A call's features depend on its own samples only and
every call is computed in arrays of one fixed shape without BLAS, so they do not depend on how the
audio was cut into chunks.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npu.model.config import FrontendConfig, MelConfig
from npu.speech.audio import PEAK_LIMIT

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


class FeatureExtractor:
    """Samples in, quantised encoder inputs out; any chunking gives the same bits.

    Stacked frame j holds the `stack` feature frames from j * stack_hop on, and call k the stacked
    frames from k * frames_per_call on. Frames that fill no call are held back, which drops the
    tail at the end of an utterance. Algorithmic delay: a call comes with the last sample of its
    last window.

    Parameters
    ----------
    config : FrontendConfig
    scale, zero_point : float, int
        Quantisation of the encoder's input tensor; scale above 0, zero point -128 .. 127.
    frames_per_call : int
        Stacked frames the encoder takes per call, at least 1.

    Attributes
    ----------
    first_call_samples : int
        Samples until the first call is complete.
    samples_per_call : int
        Samples from one call to the next.
    """

    def __init__(
        self, config: FrontendConfig, scale: float, zero_point: int, frames_per_call: int
    ) -> None:
        if not (np.isfinite(scale) and scale > 0):
            raise ValueError(f"scale must be finite and above 0, not {scale!r}")
        if not -128 <= zero_point <= 127:
            raise ValueError(f"zero_point must be -128 to 127, not {zero_point!r}")
        if frames_per_call < 1:
            raise ValueError(f"frames_per_call must be at least 1, not {frames_per_call!r}")
        self._preemphasis = config.preemphasis
        self._fft_length = config.fft_length
        self._scale = np.float32(scale)
        self._zero_point = zero_point
        self._mean = np.array(config.mean, np.float32)
        self._std = np.array(config.std, np.float32)
        self._call_shape = (frames_per_call, config.stack * config.mel.bins)

        window = np.hanning(config.window_length)
        self._window = window / window.sum()
        frames = (
            config.stack_hop * np.arange(frames_per_call)[:, None] + np.arange(config.stack)
        ).ravel()
        self._sample_index = config.hop_length * frames[:, None] + np.arange(config.window_length)
        self.first_call_samples = int(self._sample_index.max()) + 1
        self.samples_per_call = config.samples_per_call(frames_per_call)

        filters = mel_filters(config.mel, config.fft_length, config.sample_rate_hz)
        self._bin_index, self._bin_weights = _nonzero_bins(filters)
        self.reset()

    def reset(self) -> None:
        """Forget everything heard: the next sample is the first of an utterance."""
        self._last = 0.0
        self._held = np.empty(0)
        self._to_skip = 0

    def accept(self, samples: NDArray[np.floating]) -> NDArray[np.int8]:
        """Take the next samples of the utterance and return the calls they complete.

        Parameters
        ----------
        samples : (n,) float32 or float64, n >= 0
            At the model's rate, full scale [-1, 1).

        Returns
        -------
        (calls, frames_per_call, stack * bins) int8
            calls may be 0. Within a stacked frame the oldest frame comes first.

        Raises
        ------
        ValueError
            `samples` is not a vector of floats, or one is NaN, infinite or beyond `PEAK_LIMIT`.
        """
        if samples.ndim != 1 or not np.issubdtype(samples.dtype, np.floating):
            raise ValueError(
                f"samples must be a vector of floats (full scale 1.0), not {samples.dtype} of "
                f"shape {samples.shape}"
            )
        if not np.all(np.abs(samples) <= PEAK_LIMIT):
            raise ValueError(f"samples must be finite and within +-{PEAK_LIMIT:g} (full scale 1.0)")
        heard = np.concatenate([self._held, self._emphasise(samples.astype(np.float64))])
        skipped = min(self._to_skip, len(heard))
        heard = heard[skipped:]
        self._to_skip -= skipped

        calls = 0
        if len(heard) >= self.first_call_samples:
            calls = 1 + (len(heard) - self.first_call_samples) // self.samples_per_call
        out = np.empty((calls, *self._call_shape), np.int8)
        for call in range(calls):
            out[call] = self._call(heard[call * self.samples_per_call :])
        consumed = calls * self.samples_per_call
        self._held = heard[consumed:].copy()
        # Calls further apart than they are long leave a gap that may not have been heard yet.
        self._to_skip += max(0, consumed - len(heard))
        return out

    def _emphasise(self, samples: NDArray[np.float64]) -> NDArray[np.float64]:
        if not len(samples):
            return samples
        # The sample before the first counts as 0, which keeps the first as it is.
        before = np.concatenate([[self._last], samples[:-1]])
        self._last = float(samples[-1])
        return samples - self._preemphasis * before

    def _call(self, heard: NDArray[np.float64]) -> NDArray[np.int8]:
        spectrum = np.fft.rfft(heard[self._sample_index] * self._window, self._fft_length)
        power = spectrum.real**2 + spectrum.imag**2
        mel_power = (power[:, self._bin_index] * self._bin_weights).sum(axis=-1)
        log_mel = np.log(mel_power + LOG_FLOOR).astype(np.float32)
        normalised = np.clip((log_mel - self._mean) / self._std, -CLIP, CLIP)
        quantised = np.rint(normalised / self._scale) + self._zero_point
        return np.clip(quantised, -128, 127).astype(np.int8).reshape(self._call_shape)


def _nonzero_bins(
    filters: NDArray[np.float64],
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Each filter's bins and weights, padded with weight 0 to the widest filter's count."""
    bins = filters.shape[1]
    first = np.argmax(filters > 0, axis=1)
    width = max(1, int(np.count_nonzero(filters, axis=1).max()))
    index = first[:, None] + np.arange(width)
    inside = index < bins
    index = np.minimum(index, bins - 1)
    return index, np.where(inside, np.take_along_axis(filters, index, axis=1), 0.0)

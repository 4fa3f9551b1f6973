"""What front ends have in common: samples in, quantised encoder calls out.

A call's features depend on its own samples only and every call is computed in arrays of one fixed
shape without BLAS, so they do not depend on how the audio was cut into chunks.
"""

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from npu.model.config import AnyFrontend
from npu.speech.audio import PEAK_LIMIT


class Extractor(ABC):
    """Samples in, quantised encoder inputs out; any chunking gives the same bits.

    Stacked frame j holds the `stack` feature frames from j * stack_hop on, and call k the stacked
    frames from k times `config.calls_apart` on. Frames that fill no call are held back, which drops
    the tail at the end of an utterance. Algorithmic delay: a call comes with the last sample of its
    last window.

    Parameters
    ----------
    config : the front end that the class computes.
    scale, zero_point : float, int
        Quantisation of the encoder's input tensor; scale above 0, zero point -128 .. 127.
    frames_per_call : int
        Stacked frames the encoder takes per call, at least 1.
    first_sample : int
        Where the first frame begins; below 0 in the mirror of the sound's begin.

    Attributes
    ----------
    first_call_samples : int
        Samples until the first call is complete.
    samples_per_call : int
        Samples from one call to the next.
    """

    def __init__(
        self,
        config: AnyFrontend,
        scale: float,
        zero_point: int,
        frames_per_call: int,
        first_sample: int = 0,
    ) -> None:
        if not (np.isfinite(scale) and scale > 0):
            raise ValueError(f"scale must be finite and above 0, not {scale!r}")
        if not -128 <= zero_point <= 127:
            raise ValueError(f"zero_point must be -128 to 127, not {zero_point!r}")
        if frames_per_call < 1:
            raise ValueError(f"frames_per_call must be at least 1, not {frames_per_call!r}")
        self._scale = np.float32(scale)
        self._zero_point = zero_point
        self._call_shape = (frames_per_call, config.frame_size)
        frames = (
            config.stack_hop * np.arange(frames_per_call)[:, None] + np.arange(config.stack)
        ).ravel()
        self._sample_index = config.hop_length * frames[:, None] + np.arange(config.window_length)
        # Of a call, and up to its end from the begin of the sound.
        self._span = int(self._sample_index.max()) + 1
        self._first_sample = first_sample
        self.first_call_samples = self._span + first_sample
        self.samples_per_call = config.samples_per_call(frames_per_call)

    def reset(self) -> None:
        """Forget everything heard: the next sample is the first of an utterance."""
        self._held = np.empty(0)
        self._to_skip = max(0, self._first_sample)
        self._to_mirror = max(0, -self._first_sample)

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
        heard = np.concatenate([self._held, self._prepared(samples.astype(np.float64))])
        if self._to_mirror and len(heard) >= self._to_mirror:
            heard = np.concatenate([heard[self._to_mirror - 1 :: -1], heard])
            self._to_mirror = 0
        skipped = min(self._to_skip, len(heard))
        heard = heard[skipped:]
        self._to_skip -= skipped

        calls = 0
        if not self._to_mirror and len(heard) >= self._span:
            calls = 1 + (len(heard) - self._span) // self.samples_per_call
        out = np.empty((calls, *self._call_shape), np.int8)
        for call in range(calls):
            out[call] = self._quantised(self._features(heard[call * self.samples_per_call :]))
        consumed = calls * self.samples_per_call
        self._held = heard[consumed:].copy()
        # Calls further apart than they are long leave a gap that may not have been heard yet.
        self._to_skip += max(0, consumed - len(heard))
        return out

    def _prepared(self, samples: NDArray[np.float64]) -> NDArray[np.float64]:
        """The samples as frames take them."""
        return samples

    @abstractmethod
    def _features(self, heard: NDArray[np.float64]) -> NDArray[np.float32]:
        """(frames, bins), of the call whose first window begins at heard[0]."""

    def _quantised(self, features: NDArray[np.float32]) -> NDArray[np.int8]:
        quantised = np.rint(features / self._scale) + self._zero_point
        return np.clip(quantised, -128, 127).astype(np.int8).reshape(self._call_shape)


def nonzero_bins(
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

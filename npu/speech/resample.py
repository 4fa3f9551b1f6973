"""Mono samples at another rate, by soxr: whole, in blocks, or as they come."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import soxr

Samples = NDArray[np.float64]

MIN_RATE_HZ = 1_000
MAX_RATE_HZ = 1_000_000

_QUALITY = "VHQ"


def require_rate(name: str, rate_hz: int) -> None:
    """Raise ValueError for a rate out of range."""
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise ValueError(f"{name} must be {MIN_RATE_HZ} to {MAX_RATE_HZ}, not {rate_hz!r}")


class Resampler:
    """Changes the rate of a signal that comes in pieces; what comes out does not depend on them.

    Parameters
    ----------
    from_hz, to_hz : int
        `MIN_RATE_HZ` .. `MAX_RATE_HZ`; where they are equal, samples pass unchanged.

    Raises ValueError for a rate out of range.
    """

    def __init__(self, from_hz: int, to_hz: int) -> None:
        require_rate("from_hz", from_hz)
        require_rate("to_hz", to_hz)
        self.from_hz, self.to_hz = from_hz, to_hz
        self._stream = None if from_hz == to_hz else _stream(from_hz, to_hz)

    def accept(self, samples: Samples) -> Samples:
        """What the next samples, (n,) float64, complete: later ones by some milliseconds."""
        if self._stream is None:
            return samples
        return self._stream.resample_chunk(np.ascontiguousarray(samples))

    def finish(self) -> Samples:
        """What is left when no more samples come."""
        if self._stream is None:
            return np.empty(0)
        return self._stream.resample_chunk(np.empty(0), last=True)


def _stream(from_hz: int, to_hz: int) -> "soxr.ResampleStream":
    import soxr

    return soxr.ResampleStream(from_hz, to_hz, num_channels=1, dtype="float64", quality=_QUALITY)


def resample(samples: Samples, from_hz: int, to_hz: int) -> Samples:
    """Change the rate of a whole signal.

    Parameters
    ----------
    samples : (n,) float64
    from_hz, to_hz : int
        `MIN_RATE_HZ` .. `MAX_RATE_HZ`.

    Returns
    -------
    (m,) float64
        m is about n * to_hz / from_hz, without delay; `samples` itself where the rates are equal.
    """
    if from_hz == to_hz:
        require_rate("from_hz", from_hz)
        return samples
    return np.concatenate([np.empty(0), *resampled([samples], from_hz, to_hz)])


def resampled(blocks: Iterable[Samples], from_hz: int, to_hz: int) -> Iterator[Samples]:
    """Blocks at another rate; none of them is empty."""
    resampler = Resampler(from_hz, to_hz)
    for block in blocks:
        if len(out := resampler.accept(block)):
            yield out
    if len(out := resampler.finish()):
        yield out

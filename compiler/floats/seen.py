"""Ranges and histograms of what was seen of a value."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from compiler.floats.graph import Array
from npu.jit import kernel

BINS = 2048


@dataclass(eq=False)
class Seen:
    """What calls gave a value: `counts` (BINS,) of equal bins between `least` and `most`."""

    least: float = np.inf
    most: float = -np.inf
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(BINS, np.int64))

    def widen(self, values: Array) -> bool:
        """Take more values into the range. Returns whether all of them are finite."""
        least, most = float(np.min(values)), float(np.max(values))
        self.least, self.most = min(self.least, least), max(self.most, most)
        return bool(np.isfinite(least) and np.isfinite(most))

    def count(self, values: Array) -> None:
        """Count values, once the range stands."""
        if self.most > self.least:
            kind = np.float64 if values.dtype == np.float64 else np.float32
            flat = np.ascontiguousarray(values, kind).reshape(-1)
            _count(flat, np.linspace(self.least, self.most, BINS + 1), self.counts)

    @property
    def centres(self) -> NDArray[np.float64]:
        """The middle of each bin."""
        step = (self.most - self.least) / BINS
        return np.asarray(self.least + step * (np.arange(BINS) + 0.5), np.float64)


@kernel
def _count(values, edges, counts):
    """Add the values between `edges` (BINS + 1,) to `counts` (BINS,), the last edge included."""
    bins = counts.shape[0]
    least, most = edges[0], edges[bins]
    rate = bins / (most - least)
    for k in range(values.shape[0]):
        value = np.float64(values[k])
        if not least <= value <= most:
            continue
        at = min(int((value - least) * rate), bins - 1)
        # The product is rounded; the edges are what counts.
        while at > 0 and value < edges[at]:
            at -= 1
        while at < bins - 1 and value >= edges[at + 1]:
            at += 1
        counts[at] += 1

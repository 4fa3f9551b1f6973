"""Ranges and histograms of what was seen of a value."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from compiler.floats.graph import Array

BINS = 2048


@dataclass(eq=False)
class Seen:
    """What calls gave a value: `counts` (BINS,) of equal bins between `least` and `most`."""

    least: float = np.inf
    most: float = -np.inf
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(BINS, np.int64))

    def widen(self, values: Array) -> None:
        """Take more values into the range."""
        self.least = min(self.least, float(np.min(values)))
        self.most = max(self.most, float(np.max(values)))

    def count(self, values: Array) -> None:
        """Count values, once the range stands."""
        if self.most > self.least:
            found, _ = np.histogram(np.asarray(values, np.float64), BINS, (self.least, self.most))
            self.counts += found

    @property
    def centres(self) -> NDArray[np.float64]:
        """The middle of each bin."""
        step = (self.most - self.least) / BINS
        return np.asarray(self.least + step * (np.arange(BINS) + 0.5), np.float64)

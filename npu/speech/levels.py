"""How loud it is in each call of a stream."""

import math
from collections import deque

import numpy as np
from numpy.typing import NDArray

SILENT_DB = -100.0
"""Nothing counts as fainter: below 16 bits there is nothing to tell apart."""

WINDOW_SECONDS = 0.18
"""What is measured together: a click is as loud as a word, but shorter."""


class CallLevels:
    """Samples in, the level of each call that they complete out; any chunking gives the same.

    A call's level is the mean power of `WINDOW_SECONDS` up to its end, rounded to calls, in dB of
    full scale; before the sound it was silent.

    Parameters
    ----------
    first_call_samples, samples_per_call : as of `npu.speech.extractor.Extractor`.
    rate_hz : samples per second.
    """

    def __init__(self, first_call_samples: int, samples_per_call: int, rate_hz: int) -> None:
        window = max(1, round(WINDOW_SECONDS * rate_hz / samples_per_call))
        self._powers = deque([0.0] * window, window)
        self._count = samples_per_call
        self._skip = max(0, first_call_samples - samples_per_call)
        self._first = first_call_samples - self._skip
        self._held: NDArray[np.float64] = np.empty(0)

    def accept(self, samples: NDArray[np.floating]) -> list[float]:
        """Take the next samples, (n,) floats of full scale [-1, 1); a level for each call."""
        skipped = min(self._skip, len(samples))
        self._skip -= skipped
        held = np.concatenate([self._held, samples[skipped:].astype(np.float64)])
        levels = []
        while len(held) >= self._first:
            levels.append(self._level(held[: self._first]))
            held, self._first = held[self._first :], self._count
        self._held = held.copy()
        return levels

    def _level(self, samples: NDArray[np.float64]) -> float:
        # Exact sums, rounded once: the same on every machine.
        self._powers.append(math.fsum(samples * samples) / len(samples))
        power = math.fsum(self._powers) / len(self._powers)
        return max(SILENT_DB, 10 * math.log10(power)) if power > 0 else SILENT_DB

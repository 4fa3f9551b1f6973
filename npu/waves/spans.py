"""Values of a signal in every cycle, from the spans in which it is high."""

from collections.abc import Iterable

import numpy as np


def high(cycles: int, spans: Iterable[tuple[int, int]]) -> np.ndarray:
    """(cycles,) bool: high from the first to the last cycle of every span.

    spans : (first, last); they may overlap, and reach beyond the cycles. One that ends before it
    begins is none.
    """
    ends = np.array([pair for pair in spans if pair[0] <= pair[1]], np.int64).reshape(-1, 2)
    rises = np.zeros(cycles + 1, np.int64)
    np.add.at(rises, np.clip(ends[:, 0], 0, cycles), 1)
    np.add.at(rises, np.clip(ends[:, 1] + 1, 0, cycles), -1)
    return np.cumsum(rises[:-1]) > 0


def pulses(cycles: int, at: Iterable[int]) -> np.ndarray:
    """(cycles,) bool: high in these cycles."""
    return high(cycles, [(cycle, cycle) for cycle in at])


def pattern(cycles: int, repeated: np.ndarray) -> np.ndarray:
    """(cycles,) bool: a pattern by cycle modulo its length."""
    return np.resize(repeated, cycles)

"""From a histogram to the range that integers cover.

`minmax` covers all; `percentile` leaves out the same share of the values on both sides; `mse` takes
the range whose clipping and rounding errors have the least mean square; `entropy` the one whose
histogram, in as many levels as there are integers, has the least Kullback-Leibler divergence from
what was seen (as TensorRT's calibration does it).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from compiler.floats.seen import Seen
from npu.errors import NpuError

PERCENT = 99.99
"""Of the values, what `percentile` covers."""

_LEVELS = 256
_SHARES = np.linspace(0.35, 1.0, 66)

Range = tuple[float, float]
Method = Callable[[Seen], Range]


def _minmax(seen: Seen) -> Range:
    return seen.least, seen.most


def _percentile(seen: Seen) -> Range:
    total = seen.counts.sum()
    if total == 0:
        return _minmax(seen)
    share = np.cumsum(seen.counts) / total
    outside = (100 - PERCENT) / 200
    first = int(np.searchsorted(share, outside, side="right"))
    last = int(np.searchsorted(share, 1 - outside))
    step = (seen.most - seen.least) / len(share)
    last = min(last, len(share) - 1)
    return seen.least + first * step, seen.least + (last + 1) * step


def _mse(seen: Seen) -> Range:
    return _searched(seen, _square_error)


def _entropy(seen: Seen) -> Range:
    return _searched(seen, _divergence)


def _searched(seen: Seen, cost: Callable[[Seen, float, float], float]) -> Range:
    """The best share of the range, the same on both sides of 0."""
    if seen.counts.sum() == 0 or not seen.most > seen.least:
        return _minmax(seen)
    least, most = min(seen.least, 0.0), max(seen.most, 0.0)
    costs = [cost(seen, least * share, most * share) for share in _SHARES]
    share = float(_SHARES[int(np.argmin(costs))])
    return least * share, most * share


def _square_error(seen: Seen, least: float, most: float) -> float:
    x = seen.centres
    step = (most - least) / (_LEVELS - 1)
    beyond = np.maximum(np.maximum(least - x, x - most), 0)
    return float(np.sum(seen.counts * (beyond**2 + step**2 / 12)))


def _divergence(seen: Seen, least: float, most: float) -> float:
    x, counts = seen.centres, seen.counts.astype(np.float64)
    outside = (x < least) | (x > most)
    inner = np.where(outside, 0, counts)
    inside = np.clip(x, least, most)
    level = np.rint((inside - least) / (most - least) * (_LEVELS - 1)).astype(int)
    bins = _sums(level, (inner > 0).astype(np.float64))
    # Each level's share, spread over those of its bins that were seen; what is clipped has none.
    spread = np.where(inner > 0, _sums(level, inner)[level] / np.maximum(bins[level], 1), 0)
    if not np.any(spread):
        return np.inf
    held = inner.copy()
    here = np.flatnonzero(~outside)
    held[here[0]] += np.sum(counts[x < least])
    held[here[-1]] += np.sum(counts[x > most])
    p, q = held / np.sum(held), spread / np.sum(spread)
    # A bin of nothing but what was clipped has to come from somewhere.
    q = np.maximum(q, 1e-4 / len(q))
    seen_here = p > 0
    return float(np.sum(p[seen_here] * np.log(p[seen_here] / q[seen_here])))


def _sums(level: NDArray[np.intp], values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.bincount(level, values, _LEVELS).astype(np.float64)


METHODS: dict[str, Method] = {
    "minmax": _minmax,
    "percentile": _percentile,
    "mse": _mse,
    "entropy": _entropy,
}
DEFAULT = "mse"


def range_of(seen: Seen, method: str = DEFAULT) -> Range:
    """The range of a value. Raises NpuError for a method that there is not."""
    if method not in METHODS:
        raise NpuError(f"no method {method!r}; there are {', '.join(METHODS)}")
    return METHODS[method](seen)

"""How sure an error rate is: the percentile bootstrap, and Poisson's limits for rare events.

What is drawn again, with replacement, are recordings: utterances that were cut or spliced from one
recording err together, and counted as if they did not, an interval would be too narrow. Two models
are compared on the same draws.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
RESAMPLES = 10_000
SEED = 20261127

Interval = tuple[float, float]

_DRAWN_AT_ONCE = 1 << 21


def grouped(values: Sequence[Sequence[float]], groups: Sequence[str]) -> NDArray[np.float64]:
    """Sums over what belongs to one group: (n) numbers of m kinds to (m, groups).

    Groups are in the order in which they first come. `values` : m rows of n, one for each of
    `groups`.
    """
    place = {name: number for number, name in enumerate(dict.fromkeys(groups))}
    index = [place[name] for name in groups]
    return np.stack(
        [np.bincount(index, np.asarray(row, np.float64), minlength=len(place)) for row in values]
    )


def resampled(
    values: NDArray[np.float64], resamples: int = RESAMPLES, seed: int = SEED
) -> NDArray[np.float64]:
    """Sums over draws: (m, groups) to (m, resamples), all m rows on the same draws.

    A draw takes as many groups as there are, at random and with replacement. Whole numbers are
    summed exactly, so that the same seed gives the same bits on any machine.
    """
    groups = values.shape[1]
    generator = np.random.default_rng(seed)
    sums = np.empty((len(values), resamples))
    step = max(1, _DRAWN_AT_ONCE // groups)
    for begin in range(0, resamples, step):
        count = min(step, resamples - begin)
        drawn = generator.integers(0, groups, (count, groups))
        drawn += groups * np.arange(count)[:, None]
        times = np.bincount(drawn.ravel(), minlength=count * groups).reshape(count, groups)
        sums[:, begin : begin + count] = values @ times.T
    return sums


def percentiles(samples: NDArray[np.float64], level: float = LEVEL) -> Interval:
    """The middle `level` of what came of the draws."""
    low, high = np.percentile(samples, [50 * (1 - level), 50 * (1 + level)])
    return float(low), float(high)


def poisson_interval(count: int, level: float = LEVEL) -> Interval:
    """Limits of an expected count, where `count` independent events came: exact, after Garwood.

    Of no event, the upper limit is that of a two-sided interval, 3.69 at 95 %.
    """
    tail = (1 - level) / 2
    low = 0.0 if count == 0 else _solved(lambda rate: 1 - _at_most(count - 1, rate), tail, count)
    high = _solved(lambda rate: -_at_most(count, rate), -tail, count)
    return low, high


def _at_most(count: int, rate: float) -> float:
    """The probability of no more than `count` events where `rate` are expected."""
    if rate == 0:
        return 1.0
    logs = [k * math.log(rate) - rate - math.lgamma(k + 1) for k in range(count + 1)]
    return math.fsum(map(math.exp, logs))


def _solved(rising: Callable[[float], float], wanted: float, count: int) -> float:
    """Where a rising function of an expected count has a value."""
    low, high = 0.0, count + 10 * math.sqrt(count + 1) + 10
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < wanted else (low, middle)
    return (low + high) / 2

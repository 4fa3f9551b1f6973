"""What is silence in a stream of calls, and which calls a phrase takes.

Loudness is measured in the model's own units, the mean of a call's normalised log-mel features, and
quiet is what is quiet in this recording, however far it is turned down (`Loudness`): well below its
loudest speech, or little above the noise of the place.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from npu.speech.ends import EndRule

SPEECH_DEPTH = 1.1
"""Below the loudest call by as much it is quiet."""

QUIET_LEVEL = -0.45
"""No higher than that, however loud it was: well under the mean of the training data."""

FLOOR_MARGIN = 0.17
"""Above the noise by no more it is quiet: what the noise of a place varies by."""

Features = NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class Stretch:
    """Calls to run one after the other.

    Attributes
    ----------
    first : number of the first call in the stream.
    begins : whether the states are reset before it.
    features : (calls, frames, features) int8.
    loud : (calls,) bool, those that are not quiet.
    levels : (calls,) float64, in dB (`npu.speech.levels`).
    """

    first: int
    begins: bool
    features: Features
    loud: NDArray[np.bool_]
    levels: NDArray[np.float64]


class Lowest:
    """The lowest of the last values of a stream.

    Parameters
    ----------
    count : int
        How many are the last ones, at least 1.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._seen = 0
        # Of the last values, with their numbers, those that no later one is below.
        self._rising: deque[tuple[int, float]] = deque()

    def __len__(self) -> int:
        """Values that are held, at most `count`."""
        return len(self._rising)

    def accept(self, value: float) -> float:
        """Take the next value; the lowest of the last ones, this one included."""
        while self._rising and self._rising[-1][1] >= value:
            self._rising.pop()
        self._rising.append((self._seen, value))
        if self._rising[0][0] <= self._seen - self._count:
            self._rising.popleft()
        self._seen += 1
        return self._rising[0][1]


class Loudness:
    """Which calls are not quiet, in a recording of any level.

    A recording that is turned down comes closer to the logarithm's floor: it sinks, and what lies
    between its noise and its speech shrinks. So no level is quiet for all recordings.

    Parameters
    ----------
    rule : EndRule
        How far back the noise of the place and the loudest speech lie.
    """

    def __init__(self, rule: EndRule) -> None:
        self._rule, self._heard = rule, 0
        self._lowest, self._lowest_negated = Lowest(rule.floor_calls), Lowest(rule.peak_calls)

    def __len__(self) -> int:
        """Levels that are held, at most those of the rule's calls."""
        return len(self._lowest) + len(self._lowest_negated)

    def is_loud(self, level: float) -> bool:
        """Take the level of the next call; whether it is not quiet."""
        self._heard += 1
        floor, peak = self._lowest.accept(level), -self._lowest_negated.accept(-level)
        noise = floor + FLOOR_MARGIN
        # Before the noise is known, a steady vowel at the start of a file would pass for it.
        if 4 * self._heard < self._rule.floor_calls:
            noise = min(noise, QUIET_LEVEL)
        return level > max(noise, min(peak - SPEECH_DEPTH, QUIET_LEVEL))


class Gate:
    """Leaves the silence between phrases out of a stream of calls.

    Parameters
    ----------
    rule : EndRule
    scale, zero_point : float, float
        Quantisation of the features.

    Attributes
    ----------
    asleep : bool
        Whether the phrase has ended, the next one not begun.
    """

    def __init__(self, rule: EndRule, scale: float, zero_point: float) -> None:
        self._rule, self._scale, self._zero_point = rule, scale, zero_point
        self._loudness = Loudness(rule)
        self._heard = self._quiet = 0
        # Since it last slept: whether any call was loud, and whether a pause was made behind one.
        self._begun = self._hesitant = False
        # The last quiet calls.
        self._before: deque[tuple[Features, float]] = deque(maxlen=rule.before_calls)

    @property
    def asleep(self) -> bool:
        return self._quiet >= self._needed

    @property
    def nearly_asleep(self) -> bool:
        """Whether it would be asleep after `lead_calls` more."""
        return self._quiet > 0 and self._quiet >= self._needed - self._rule.lead_calls

    def sleep(self) -> None:
        """The phrase has ended, as something else told: until the next call that is not quiet."""
        self._quiet = max(self._quiet, self._needed)

    @property
    def _needed(self) -> int:
        return self._rule.hesitant_calls if self._hesitant else self._rule.quiet_calls

    def accept(self, features: Features, levels: NDArray[np.float64]) -> Iterator[Stretch]:
        """Take the next calls of the stream, (calls, frames, features) int8, and their levels,
        (calls,) dB; yield those to run.
        """
        loud = np.array([self._loudness.is_loud(self._height(call)) for call in features], bool)
        begin = 0
        for index, call in enumerate(features):
            wakes = self.asleep and bool(loud[index])
            self._count(bool(loud[index]))
            if wakes or self._quiet > self._needed:
                if begin < index:
                    yield self._stretch(features, loud, levels, begin, index)
                begin = index + 1
            if wakes:
                yield self._beginning(self._heard + index, call, levels[index])
            if loud[index]:
                self._before.clear()
            else:
                self._before.append((call, levels[index]))
        if begin < len(features):
            yield self._stretch(features, loud, levels, begin, len(features))
        self._heard += len(features)
        copies = [(call.copy(), level) for call, level in self._before]
        self._before = deque(copies, self._rule.before_calls)

    def _count(self, is_loud: bool) -> None:
        if not is_loud:
            self._quiet += 1
            return
        paused = self._begun and self._quiet >= self._rule.pause_calls
        self._hesitant = not self.asleep and (self._hesitant or paused)
        self._begun, self._quiet = True, 0

    def _beginning(self, number: int, call: Features, level: float) -> Stretch:
        """A call that begins a phrase, behind the quiet ones before it."""
        calls, levels = zip(*self._before, (call, level), strict=True)
        is_loud = np.arange(len(calls)) == len(self._before)
        first = number - len(self._before)
        return Stretch(first, True, np.stack(calls), is_loud, np.array(levels))

    def _stretch(
        self,
        features: Features,
        loud: NDArray[np.bool_],
        levels: NDArray[np.float64],
        begin: int,
        end: int,
    ) -> Stretch:
        taken = slice(begin, end)
        first = self._heard + begin
        return Stretch(first, False, features[taken], loud[taken], levels[taken])

    def _height(self, call: Features) -> float:
        # Integers up to the division: the same on every machine.
        return (int(call.sum(dtype=np.int64)) / call.size - self._zero_point) * self._scale

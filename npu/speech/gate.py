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

END_SECONDS = 0.5
"""Silence that ends a phrase. The zoo's model emits the last letters up to 0.36 s late."""

BLANK_SECONDS = 1.2
"""Twice the longest stretch without a symbol inside the zoo's utterances; sherpa-onnx's default."""

FLOOR_SECONDS = 5.0
"""The quietest call of so long is the noise of the place, known after a quarter of that time."""

PEAK_SECONDS = 10.0
"""The loudest call of so long is the speech. A slammed door is forgotten after that time."""

SPEECH_DEPTH = 1.1
"""Below the loudest call by as much it is quiet."""

QUIET_LEVEL = -0.45
"""No higher than that, however loud it was: well under the mean of the training data."""

FLOOR_MARGIN = 0.17
"""Above the noise by no more it is quiet: what the noise of a place varies by."""

TAIL_SECONDS = 0.36
"""The sound of a phrase ends no later behind its last symbol; symbols mostly come behind it."""

Features = NDArray[np.int8]


@dataclass(frozen=True)
class EndRule:
    """When a phrase ends, in encoder calls; see the module.

    Attributes
    ----------
    quiet_calls : quiet calls that end a phrase, at least 1.
    blank_calls : calls without a symbol that end one, at least 1.
    floor_calls : calls whose quietest is the noise of the place, at least 1.
    peak_calls : calls whose loudest is the speech, at least 1.
    tail_calls : calls behind its last symbol that may still belong to a phrase, at least 1.
    """

    quiet_calls: int
    blank_calls: int
    floor_calls: int
    peak_calls: int
    tail_calls: int

    @staticmethod
    def of(seconds_per_call: float, end_seconds: float = END_SECONDS) -> "EndRule":
        """The rule for calls so far apart; a duration is rounded to calls."""

        def calls(seconds: float) -> int:
            return max(1, round(seconds / seconds_per_call))

        blank_seconds = max(BLANK_SECONDS, end_seconds)
        return EndRule(
            quiet_calls=calls(end_seconds),
            blank_calls=calls(blank_seconds),
            floor_calls=calls(FLOOR_SECONDS),
            peak_calls=calls(PEAK_SECONDS),
            tail_calls=calls(TAIL_SECONDS),
        )


@dataclass(frozen=True, eq=False)
class Stretch:
    """Calls to run one after the other.

    Attributes
    ----------
    first : number of the first call in the stream.
    begins : whether the states are reset before it.
    features : (calls, frames, features) int8.
    loud : (calls,) bool, those that are not quiet.
    """

    first: int
    begins: bool
    features: Features
    loud: NDArray[np.bool_]


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
    scale, zero_point : float, int
        Quantisation of the features.

    Attributes
    ----------
    asleep : bool
        Whether the phrase has ended, the next one not begun.
    """

    def __init__(self, rule: EndRule, scale: float, zero_point: int) -> None:
        self._rule, self._scale, self._zero_point = rule, scale, zero_point
        self._loudness = Loudness(rule)
        self._heard = self._quiet = 0
        self._last: Features = np.empty(0, np.int8)

    @property
    def asleep(self) -> bool:
        return self._quiet >= self._rule.quiet_calls

    def accept(self, features: Features) -> Iterator[Stretch]:
        """Take the next calls of the stream, (calls, frames, features) int8; yield those to run."""
        loud = np.array([self._loudness.is_loud(self._level(call)) for call in features], bool)
        begin = 0
        for index, call in enumerate(features):
            was_asleep = self.asleep
            self._quiet = 0 if loud[index] else self._quiet + 1
            wakes = was_asleep and self._quiet == 0
            if wakes or self._quiet > self._rule.quiet_calls:
                if begin < index:
                    yield self._stretch(features, loud, begin, index)
                begin = index + 1
            if wakes:
                lead = np.stack([self._last, call])
                yield Stretch(self._heard + index - 1, True, lead, np.array([False, True]))
            self._last = call
        if begin < len(features):
            yield self._stretch(features, loud, begin, len(features))
        self._heard += len(features)
        self._last = self._last.copy()

    def _stretch(
        self, features: Features, loud: NDArray[np.bool_], begin: int, end: int
    ) -> Stretch:
        return Stretch(self._heard + begin, False, features[begin:end], loud[begin:end])

    def _level(self, call: Features) -> float:
        # Integers up to the division: the same on every machine.
        return (int(call.sum(dtype=np.int64)) / call.size - self._zero_point) * self._scale

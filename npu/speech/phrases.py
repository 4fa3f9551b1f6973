"""Where a phrase ends: the search policy of a stream, for every engine the same.

A recurrent transducer that was trained on single utterances answers with blanks once an utterance
is over, until its states are reset. So the host listens to the encoder's inputs, call by call:

- A phrase ends after a stretch of quiet calls. From there the engine sleeps: calls of silence are
  not run at all. The first call that is not quiet resets the states and begins the next phrase,
  with the quiet call before it, as a soft beginning may lie in that.
- Where noise or music never lets it become quiet, a phrase also ends after BLANK_SECONDS without a
  symbol, or after as long as the silence would have to last.

Loudness is measured in the model's own units, the mean of a call's normalised log-mel features, and
quiet is what is quiet in this recording, however far it is turned down (`Loudness`): well below its
loudest speech, or little above the noise of the place.

Every decision depends on the calls before it alone, never on how they were cut into chunks.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

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


class Engine(Protocol):
    """What runs the networks, call by call."""

    def reset(self) -> None:
        """Begin a stream: states to their start values."""

    def restart(self) -> None:
        """Begin another phrase amid the stream: the same states."""

    def accept_calls(self, features: Features) -> list[list[int]]:
        """Take (calls, frames, features) int8; returns the symbols of each call."""


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


@dataclass(frozen=True)
class Phrase:
    """Symbols between two resets.

    Attributes
    ----------
    tokens : the symbols, at least one.
    first_call, end_call : from the first call that is not quiet to behind the last one, which is
        one of the rule's `tail_calls` behind the last symbol: where nothing was understood for
        long, the phrase does not claim it.
    """

    tokens: tuple[int, ...]
    first_call: int
    end_call: int


class PhraseSearch:
    """Runs an engine over a stream of calls and cuts what it hears into phrases.

    Parameters
    ----------
    engine : Engine
        Is reset.
    rule : EndRule or None
        None takes the whole stream for one phrase and runs every call.
    scale, zero_point : float, int
        Quantisation of the features.
    told : callable or None
        Called with the number of every call in the stream that the engine has run.

    Attributes
    ----------
    phrases : list of Phrase
        Those that have ended and hold symbols.
    calls : int
        Calls that the engine ran.
    """

    def __init__(
        self,
        engine: Engine,
        rule: EndRule | None,
        scale: float,
        zero_point: int,
        told: Callable[[int], None] | None = None,
    ) -> None:
        self._engine, self._rule, self._told = engine, rule, told
        self._gate = Gate(rule, scale, zero_point) if rule is not None else None
        self.phrases: list[Phrase] = []
        self.calls = 0
        self._tokens: list[int] = []
        self._first: int | None = None
        self._end = 0
        self._last_symbol = 0
        self._blanks = 0
        engine.reset()

    @property
    def is_open(self) -> bool:
        """Whether a phrase may still hear something that was said: silence has to follow."""
        return self._gate is not None and not self._gate.asleep

    def accept(self, features: Features) -> None:
        """Take the next calls, (calls, frames, features) int8."""
        if self._gate is None:
            loud = np.ones(len(features), bool)
            self._run(Stretch(self.calls, False, features, loud))
            return
        for stretch in self._gate.accept(features):
            if stretch.begins:
                self._restart()
            self._run(stretch)

    def finish(self) -> list[Phrase]:
        """The stream is over: all its phrases."""
        self._close()
        return self.phrases

    def _run(self, stretch: Stretch) -> None:
        at, count = 0, len(stretch.features)
        while at < count:
            end = count
            if self._rule is not None:
                if self._blanks >= self._rule.blank_calls:
                    self._restart()
                # No further than where the rule may end the phrase: what an engine has run cannot
                # be taken back.
                end = min(count, at + self._rule.blank_calls - self._blanks)
            answers = self._engine.accept_calls(stretch.features[at:end])
            for index, symbols in enumerate(answers, start=at):
                self._note(stretch.first + index, bool(stretch.loud[index]), symbols)
            self.calls += end - at
            at = end

    def _note(self, call: int, is_loud: bool, symbols: list[int]) -> None:
        if self._told is not None:
            self._told(call)
        self._blanks = 0 if symbols else self._blanks + 1
        self._tokens += symbols
        if symbols:
            self._last_symbol = call
        if is_loud:
            self._first = call if self._first is None else self._first
            self._end = call + 1
        elif symbols and self._first is None:
            self._first, self._end = call, call + 1

    def _restart(self) -> None:
        self._close()
        self._engine.restart()

    def _close(self) -> None:
        if self._tokens:
            assert self._first is not None, "a symbol has a call"
            end = self._end
            if self._rule is not None:
                end = min(end, self._last_symbol + 1 + self._rule.tail_calls)
            self.phrases.append(Phrase(tuple(self._tokens), self._first, end))
        self._tokens, self._first, self._end, self._blanks = [], None, 0, 0

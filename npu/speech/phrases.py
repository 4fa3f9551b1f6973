"""Where a phrase ends: the search policy of a stream, for every engine the same.

A recurrent transducer that was trained on single utterances answers with blanks once an utterance
is over, until its states are reset. So the host listens to the encoder's inputs, call by call:

- A phrase ends after a stretch of quiet calls. From there the engine sleeps: calls of silence are
  not run at all. The first call that is not quiet resets the states and begins the next phrase,
  with the last quiet calls before it: a soft beginning may lie in them, and a model that has not
  heard some silence first understands less.
- Where noise or music never lets it become quiet, a phrase also ends after so many calls without a
  symbol, and in the end by its length.
- What is far fainter than a phrase shortly before is none, whatever the model makes of it.

How many `npu.speech.ends` says, what is quiet `npu.speech.gate`.

Every decision depends on the calls before it alone, never on how they were cut into chunks.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from npu.speech.beam import BeamSearch
from npu.speech.emission import Emission, emissions
from npu.speech.ends import EndRule
from npu.speech.faint import Faintness
from npu.speech.gate import Features, Gate, Stretch
from npu.speech.nbest import Found


class Engine(Protocol):
    """What runs the networks, call by call."""

    def reset(self) -> None:
        """Begin a stream: states to their start values."""

    def restart(self) -> None:
        """Begin another phrase amid the stream: the same states."""

    def accept_calls(self, features: Features) -> list[list[int]]:
        """Take (calls, frames, features) int8; returns the symbols of each frame that the encoder
        gives, of every call as many.
        """


class Searching(Protocol):
    """A search whose best string may change from call to call."""

    def reset(self) -> None:
        """As of an engine."""

    def restart(self) -> None:
        """As of an engine."""

    def accept_calls(self, features: Features) -> list[Emission | None]:
        """Take (calls, frames, features) int8; the last symbol of the best string after each."""


@runtime_checkable
class Beam(Searching, Protocol):
    """A search that knows what else may have been said, or what has one."""

    @property
    def beam(self) -> BeamSearch:
        """The search."""


def likeliest(search: Searching, last: Emission | None) -> Emission | None:
    """The last symbol of the best string if nothing comes behind it.

    last : of what is best if something does, as the search has answered.
    """
    return search.beam.hypotheses[0].emission if isinstance(search, Beam) else last


def found_by(search: Searching) -> tuple[Found, ...]:
    """All strings that a beam has kept; nothing of another search."""
    return tuple(search.beam.found) if isinstance(search, Beam) else ()


def as_search(engine: Engine | Beam) -> Searching:
    """What runs the networks, as a search."""
    return engine if isinstance(engine, Beam) else Greedily(engine)


class Greedily:
    """An engine as a search: what has been emitted stays."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._last: Emission | None = None
        self._frames = 0

    def reset(self) -> None:
        """Begin a stream."""
        self._begin()
        self._engine.reset()

    def restart(self) -> None:
        """Begin another phrase."""
        self._begin()
        self._engine.restart()

    def accept_calls(self, features: Features) -> list[Emission | None]:
        """The last symbol after each call."""
        found = []
        answers = self._engine.accept_calls(features)
        frames_out = len(answers) // max(1, len(features))
        for number, symbols in enumerate(answers, 1):
            for symbol in symbols:
                self._last = Emission(self._last, symbol, self._frames)
            self._frames += 1
            if number % frames_out == 0:
                found.append(self._last)
        return found

    def _begin(self) -> None:
        self._last, self._frames = None, 0


@dataclass(frozen=True)
class Phrase:
    """Symbols between two resets.

    Attributes
    ----------
    tokens : the symbols, at least one.
    first_call, end_call : from the first call that is not quiet to behind the last one, which is
        one of the rule's `tail_calls` behind the last symbol: where nothing was understood for
        long, the phrase does not claim it.
    frames : of each symbol, the encoder's frame that gave it; `frames_out` a call of the stream.
    found : all strings that a beam has kept; nothing of a greedy search, or if nobody asked.
    begin : the frame of the stream that is 0 in `found`.
    """

    tokens: tuple[int, ...]
    first_call: int
    end_call: int
    frames: tuple[int, ...]
    found: tuple[Found, ...] = field(default=(), compare=False)
    begin: int = field(default=0, compare=False)


class PhraseSearch:
    """Runs a search over a stream of calls and cuts what it hears into phrases.

    Parameters
    ----------
    search : Searching
        Is reset.
    rule : EndRule or None
        None takes the whole stream for one phrase and runs every call.
    scale, zero_point : float, float
        Quantisation of the features.
    told : callable or None
        Called for every call that the engine has run, with the number of the call of the stream
        that had come by then: one of the silence before a phrase is run when that begins.
    end : int or None
        The symbol with which the model tells that a phrase has ended.
    frames_out : int
        Frames that the encoder gives a call.

    Attributes
    ----------
    phrases : list of Phrase
        Those that have ended and hold symbols.
    calls : int
        Calls that the engine ran.
    restarts : int
        How often it was restarted.
    """

    def __init__(
        self,
        search: Searching,
        rule: EndRule | None,
        scale: float,
        zero_point: float,
        told: Callable[[int], None] | None = None,
        end: int | None = None,
        frames_out: int = 1,
    ) -> None:
        self._search, self._rule, self._told, self._end = search, rule, told, end
        self._frames_out = frames_out
        self._gate = Gate(rule, scale, zero_point) if rule is not None else None
        self.phrases: list[Phrase] = []
        self.calls = self.restarts = 0
        self._last: Emission | None = None
        # Where the phrase's first call lies in the stream, and how many it has.
        self._begin = self._length = 0
        self._blanks = 0
        self._sound = self._no_sound()
        self._levels: list[float] = []
        self._is_loud = False
        self._faintness = Faintness(rule) if rule is not None else None
        self._closed = False
        search.reset()

    @property
    def is_open(self) -> bool:
        """Whether a phrase may still hear something that was said: silence has to follow."""
        return self._gate is not None and not self._gate.asleep

    @property
    def has_ended(self) -> bool:
        """Whether the rule has ended the open phrase: the next call that is run begins another."""
        asleep = self._gate is not None and self._gate.asleep
        return asleep or self._ends_awake

    @property
    def is_nearly_over(self) -> bool:
        """Whether the open phrase, of which something was understood, is taken to be over."""
        if self._rule is None or self._gate is None or self._last is None or self._closed:
            return False
        if self._is_faint:
            return False
        if self._last.symbol == self._end:
            return True
        blank = self._blanks >= self._rule.blank_calls - self._rule.lead_calls
        settled = self._blanks >= self._rule.settled_calls
        return settled and (self._gate.nearly_asleep or blank)

    def heard(self, found: bool = False) -> Phrase | None:
        """The open phrase as far as it was heard; None without a symbol, or while it is faint.

        found : with all that a beam has kept.
        """
        last = None if self._closed else likeliest(self._search, self._last)
        if last is None or self._is_faint:
            return None
        heard = emissions(last)
        begin = self._begin * self._frames_out
        # A symbol may come in a quiet call, before any other one.
        first = self._begin + self._call(heard[0])
        if self._sound.first is not None:
            first = min(self._sound.first, first)
        end = self._sound.end
        if self._rule is not None and (spelt := self._spelt(last)) is not None:
            end = min(end, self._begin + self._call(spelt) + 1 + self._rule.tail_calls)
        return Phrase(
            tuple(each.symbol for each in heard),
            first,
            max(end, first + 1),
            tuple(begin + each.frame for each in heard),
            found_by(self._search) if found else (),
            begin,
        )

    def accept(self, features: Features, levels: NDArray[np.float64]) -> None:
        """Take the next calls, (calls, frames, features) int8, and their levels, (calls,) dB."""
        if self._gate is None:
            loud = np.ones(len(features), bool)
            self._run(Stretch(self.calls, False, features, loud, levels))
            return
        # Whether the model has ended a phrase is known when its call was run.
        size = len(features) if self._end is None else 1
        for at in range(0, len(features), max(1, size)):
            chunk = slice(at, at + size)
            for stretch in self._gate.accept(features[chunk], levels[chunk]):
                if stretch.begins:
                    self.restart()
                self._run(stretch)
            if self._model_ended:
                self._gate.sleep()

    def close(self) -> list[Phrase]:
        """The open phrase is one of those that have ended, which are returned and forgotten."""
        if (phrase := self.heard(found=True)) is not None:
            self.phrases.append(phrase)
            if self._faintness is not None:
                self._faintness.note(self._loudest(), phrase.end_call)
        self._closed = True
        ended, self.phrases = self.phrases, []
        return ended

    def restart(self) -> None:
        """Begin another phrase with the next call, whatever the rule says."""
        self.phrases = self.close()
        self._last, self._closed = None, False
        self._length = self._blanks = 0
        self._sound, self._levels = self._no_sound(), []
        self.restarts += 1
        self._search.restart()

    @property
    def _model_ended(self) -> bool:
        if self._rule is None or self._last is None or self._last.symbol != self._end:
            return False
        # The next word may have begun, whose first symbol comes behind its sound.
        return self._blanks >= self._rule.ended_calls * (2 if self._is_loud else 1)

    @property
    def _is_faint(self) -> bool:
        faintness = self._faintness
        return faintness is not None and faintness.is_faint(self._loudest(), self._begin)

    def _loudest(self) -> float:
        """How loud it was until a pause behind the last symbol; what follows may be another
        phrase.
        """
        if self._rule is None or self._last is None:
            return max(self._levels)
        return max(self._levels[: self._call(self._last) + 1 + self._rule.pause_calls])

    def _spelt(self, last: Emission | None) -> Emission | None:
        """The last symbol that is not the one that tells the end."""
        while last is not None and last.symbol == self._end:
            last = last.before
        return last

    def _call(self, symbol: Emission) -> int:
        """In which call of the phrase it came."""
        return symbol.frame // self._frames_out

    @property
    def _ends_awake(self) -> bool:
        return self._rule is not None and self._left(self._rule) <= 0

    def _no_sound(self) -> "_Sound":
        return _Sound(1 if self._rule is None else self._rule.pause_calls)

    def _left(self, rule: EndRule) -> int:
        """Calls after which the phrase ends without silence, if no symbol comes."""
        most = rule.unheard_calls if self._last is None else rule.blank_calls
        return min(most - self._blanks, rule.longest_calls - self._length)

    def _run(self, stretch: Stretch) -> None:
        at, count = 0, len(stretch.features)
        while at < count:
            end = count
            if self._rule is not None:
                if self._ends_awake:
                    self.restart()
                # No further than where the rule may end the phrase, or earlier with a first symbol:
                # what an engine has run cannot be taken back.
                end = min(count, at + min(self._left(self._rule), self._rule.blank_calls))
            if isinstance(self._search, Beam):
                # Its best string may become one that has ended earlier.
                end = at + 1
            answers = self._search.accept_calls(stretch.features[at:end])
            for index, last in enumerate(answers, start=at):
                came = count - 1 if stretch.begins else index
                if self._told is not None:
                    self._told(stretch.first + came)
                self._levels.append(float(stretch.levels[index]))
                self._is_loud = bool(stretch.loud[index])
                self._note(stretch.first + index, bool(stretch.loud[index]), last)
            self.calls += end - at
            at = end

    def _note(self, call: int, is_loud: bool, last: Emission | None) -> None:
        if not self._length:
            self._begin = call
        self._length += 1
        self._last = last
        # What is likeliest now may have ended earlier than what was before.
        self._blanks = self._length - (0 if last is None else self._call(last) + 1)
        self._sound.note(call, is_loud, self._spelt(last))


class _Sound:
    """Where the sound of a phrase begins and ends.

    A symbol mostly comes behind its sound. So the sound of the last one ends where it last became
    quiet before the symbol came, or, where it came amid a sound, with that. Where a beam's best
    string becomes another, what followed may count, up to the rule's `tail_calls`.

    Parameters
    ----------
    pause_calls : so many quiet calls end a sound.

    Attributes
    ----------
    first : the first call that was not quiet; None without one.
    end : behind the last one that belongs to the phrase.
    """

    def __init__(self, pause_calls: int) -> None:
        self._pause_calls = pause_calls
        self.first: int | None = None
        self.end = 0
        self._loud_end: int | None = None
        self._came: int | None = None
        self._has_ended = False

    def note(self, call: int, is_loud: bool, last: Emission | None) -> None:
        """Take the next call, and the last symbol after it."""
        if self._loud_end is None:
            self._loud_end = call
        if is_loud:
            self.first = call if self.first is None else self.first
            self._loud_end = call + 1
        if (came := None if last is None else last.frame) != self._came:
            self._came, self._has_ended = came, False
        if not self._has_ended:
            self.end = self._loud_end
            self._has_ended = call + 1 - self._loud_end >= self._pause_calls

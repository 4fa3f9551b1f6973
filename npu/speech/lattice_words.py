"""From the ways of a beam to a lattice of words: each text becomes one path, of all its ways.

Determinised as weighted automata are (Mohri 1997), where weights are added as probabilities: a
state is a set of nodes with what each one's ways so far have to the best one's. There is no circle,
so it comes to an end. Texts share what comes behind where nodes and scores are the same: scores are
integers, so that is no matter of rounding.
"""

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from heapq import heappop, heappush
from itertools import chain, count
from typing import NamedTuple

from npu.model.tokens import Tokens
from npu.speech.beam import APART
from npu.speech.lattice import Arc, End, Lattice
from npu.speech.nbest import Found
from npu.speech.scores import LEAST, ONE, log_add
from npu.speech.ways import Node, Text, Way

MOST_STATES = 5_000
"""Where there would be more, a lattice has the texts that the beam has kept, and no others."""

MOST_STEPS = 100_000
"""The same, of steps from symbol to symbol: a model that is unsure of a long phrase would take
hours. Phrases of the zoo's models take a few hundred to some thousand."""

_UNSEEN = 12 * ONE
"""What is so far below is no part of a sum (`log_add`)."""


_ROUNDING = ONE >> 10


class _Place(NamedTuple):
    """Where a way stands.

    Attributes
    ----------
    node : its number; `_Ways.end` behind the last one.
    word : what of a word has come. then : more parts of the last symbol, each behind a space.
    """

    node: int
    word: bytes = b""
    then: tuple[bytes, ...] = ()


class _Mass(NamedTuple):
    """All ways to a place.

    Attributes
    ----------
    score : of all of them, bonus included.
    bonus, first, last, frame : of the likeliest; frames of the first and last symbol of the word,
        and of the last symbol at all. -1 where there is none.
    """

    score: int
    bonus: int = 0
    first: int = -1
    last: int = -1
    frame: int = -1

    def then(self, step: "_Step", is_begun: bool) -> "_Mass":
        """With a step; `is_begun` if it may go on with a word."""
        score, bonus = self.score + step.score, self.bonus + step.bonus
        if not any(step.parts):
            return self._replace(score=score, bonus=bonus)
        first, last = self.first, self.last
        if step.parts[0]:
            first, last = first if is_begun else step.frame, step.frame
        return _Mass(score, bonus, first, last, step.frame)

    def begin(self) -> "_Mass":
        """A word begins with the last symbol."""
        return self._replace(first=self.frame, last=self.frame)

    def less(self, other: "_Mass", place: _Place) -> "_Mass":
        """What is behind a word: nothing of that counts any more."""
        frame = self.frame if place.word or place.then else -1
        return _Mass(self.score - other.score, self.bonus - other.bonus, frame=frame)

    def or_(self, other: "_Mass | None") -> "_Mass":
        """With other ways to the same place."""
        if other is None:
            return self
        likelier = self if self.score > other.score else other
        return likelier._replace(score=log_add(self.score, other.score))


_Subset = tuple[tuple[_Place, _Mass], ...]
"""In order."""


class _Step(NamedTuple):
    """From a node to another: the parts of what is emitted, split at spaces."""

    target: int
    parts: tuple[bytes, ...]
    score: int
    bonus: int
    frame: int


class _Ways:
    """The ways to some strings, forwards.

    Attributes
    ----------
    steps : of each node, all to higher ones. ends : of the last ones, score and bonus.
    behind : of each node, the sum of all ways from it.
    """

    def __init__(self, found: Sequence[Found], tokens: Tokens, others: bool = True) -> None:
        last = {each.node: each for each in found}
        into = _reached(found, _Spelt(found, tokens) if others else None)
        nodes = sorted(into, key=lambda node: (node.frame, node.emitted))
        number = {node: at for at, node in enumerate(nodes)}
        parts: dict[int | None, tuple[bytes, ...]] = {None: (b"",)}
        self.steps: list[list[_Step]] = [[] for _ in nodes]
        self.ends: dict[int, End] = {}
        for at, node in enumerate(nodes):
            for way in into[node]:
                if way.symbol not in parts:
                    parts[way.symbol] = tuple(tokens.piece(way.symbol or 0).split(b" "))
                self.steps[number[way.before]].append(
                    _Step(at, parts[way.symbol], way.score, way.bonus, node.frame)
                )
            if (end := last.get(node)) is not None:
                self.ends[at] = End(end.end, end.end)
        self.end = len(nodes)
        self.behind = [LEAST * 1024] * len(nodes) + [0]
        for at in reversed(range(len(nodes))):
            scores = [self.behind[step.target] + step.score for step in self.steps[at]]
            if at in self.ends:
                scores.append(self.ends[at].score)
            total = scores[0] if scores else self.behind[at]
            for score in scores[1:]:
                total = log_add(total, score)
            self.behind[at] = total


class _Spelt:
    """The texts of what a beam has kept, against those of what it has given up."""

    def __init__(self, found: Iterable[Found], tokens: Tokens) -> None:
        self._tokens = tokens
        self._known: dict[Text, bytes] = {}
        texts = (self._spelt(each.text) for each in found if each.text is not None)
        self._own = [text.rstrip(b" ") + b" " for text in texts]

    def has(self, given_up: Text) -> bool:
        """Whether one of the texts begins with it."""
        return any(text.startswith(self._spelt(given_up)) for text in self._own)

    def _spelt(self, text: Text) -> bytes:
        """Spaces between words are one, and none is before the first."""
        unknown = []
        at: Text | None = text
        while at is not None and at not in self._known:
            unknown.append(at)
            at = at.shorter
        for each in reversed(unknown):
            before = b"" if each.shorter is None else self._known[each.shorter]
            piece = b"" if each.symbol is None else self._tokens.piece(each.symbol)
            self._known[each] = re.sub(rb" +", b" ", before + piece).lstrip(b" ")
        return self._known[text]


def _reached(found: Iterable[Found], own: _Spelt | None) -> dict[Node, list[Way]]:
    """All nodes that lead to strings, and the ways into each.

    own : the texts of these. What the search had given up of them it has found again, or spelt
        otherwise: it is left out as in the search's own scores, or another text could be the best.
        None leaves out all that it has given up.
    """
    waiting = [each.node for each in found if each.node is not None]
    into: dict[Node, list[Way]] = {node: [] for node in waiting}
    while waiting:
        node = waiting.pop()
        others = (ways for text, ways in node.others if own is not None and not own.has(text))
        into[node] = [*node.ways, *chain.from_iterable(others)]
        for way in into[node]:
            if way.before not in into:
                into[way.before] = []
                waiting.append(way.before)
    return into


def lattice_of(
    found: Sequence[Found], tokens: Tokens, apart: float = APART, most: int = MOST_STATES
) -> Lattice | None:
    """The lattice of what a beam has found; None where it has recorded no ways.

    Parameters
    ----------
    apart : nats; texts that are so much less likely than the best one are left out, but for those
        that the beam has kept.
    most : as MOST_STATES.
    """
    if not found or any(each.node is None for each in found):
        return None
    scores = [each.score for each in found]
    # A little less: sums in another order may differ in their last digits.
    least = min(*scores, max(scores) - round(apart * ONE)) - _ROUNDING
    best = _best(found, tokens) + _ROUNDING
    words = _Words(_Ways(found, tokens), least, most, MOST_STEPS)
    if words.is_whole and (lattice := words.lattice()).score(lattice.best) <= best:
        return lattice
    # Ways that were given up may add up to more than the best text has: as good as never.
    return _Words(_Ways(found, tokens, others=False), least, sys.maxsize, sys.maxsize).lattice()


def _best(found: Iterable[Found], tokens: Tokens) -> int:
    """The score of the likeliest text that the beam has kept; spaces between words do not count."""
    scores: dict[tuple[str, ...], int] = {}
    for each in found:
        words = tuple(tokens.decode(each.symbols).split())
        scores[words] = log_add(scores[words], each.score) if words in scores else each.score
    return max(scores.values())


class _Words:
    """The states of a lattice, each made when something leads to it."""

    def __init__(self, ways: _Ways, least: int, most: int, steps: int) -> None:
        self._ways, self._least = ways, least
        self._left = steps
        self._numbers: dict[_Subset, int] = {}
        self._looked: set[int] = set()
        self._waiting: list[tuple[int, int, int, _Subset, int]] = []
        self._arcs: list[Arc] = []
        self._ends: dict[int, End] = {}
        self._order = count()
        self._state(((_Place(0), _Mass(0)),), 0)
        # The likeliest first, so that no other beginning of a state is likelier than its first.
        while self._waiting and len(self._looked) < most and self._left >= 0:
            _, _, state, subset, before = heappop(self._waiting)
            if state not in self._looked:
                self._looked.add(state)
                self._look(state, subset, before)

    @property
    def is_whole(self) -> bool:
        """Whether all states have been looked into."""
        return not self._waiting and self._left >= 0

    def lattice(self) -> Lattice:
        """Without what leads to no end, states in order."""
        return _ordered(self._arcs, self._ends)

    def _state(self, subset: _Subset, before: int) -> int:
        """The number of a state; `before` is the score of a path to it."""
        number = self._numbers.setdefault(subset, len(self._numbers))
        if number not in self._looked:
            entry = (-before - self._sum(subset), next(self._order), number, subset, before)
            heappush(self._waiting, entry)
        return number

    def _sum(self, subset: _Subset) -> int:
        """All that may come of a state."""
        total = LEAST * 1024
        for place, mass in subset:
            total = log_add(total, mass.score + self._ways.behind[place.node])
        return total

    def _look(self, state: int, subset: _Subset, before: int) -> None:
        """Find the words behind a state."""
        words, end = self._words(subset, before)
        if end is not None:
            self._ends[state] = End(end.score, end.bonus)
        for word, reached in words.items():
            behind = self._ways.behind
            likeliest = max(reached.items(), key=lambda each: each[1].score + behind[each[0].node])
            top = max(reached.values(), key=lambda mass: mass.score)
            after = tuple((place, mass.less(top, place)) for place, mass in sorted(reached.items()))
            if before + top.score + self._sum(after) < self._least:
                continue
            target = self._state(after, before + top.score)
            text = word.decode("utf-8", "replace")
            _, mass = likeliest
            self._arcs.append(Arc(state, target, text, top.score, top.bonus, mass.first, mass.last))

    def _words(
        self, begun: _Subset, before: int
    ) -> tuple[dict[bytes, dict[_Place, _Mass]], _Mass | None]:
        """From the places of a state: what is reached with each next word, and what ends here."""
        ways, least = self._ways, self._least - _UNSEEN - before
        words: dict[bytes, dict[_Place, _Mass]] = {}
        end: _Mass | None = None
        # By node, in order, by what of the word has come.
        open_: dict[int, dict[bytes, _Mass]] = {}
        nodes: list[int] = []

        def reach(node: int, word: bytes, then: tuple[bytes, ...], mass: _Mass) -> None:
            if mass.score + ways.behind[node] < least:
                return
            while then:
                if word:
                    places = words.setdefault(word, {})
                    place = _Place(node, then[0], then[1:])
                    places[place] = mass.or_(places.get(place))
                    return
                word, then = then[0], then[1:]
                mass = mass.begin() if word else mass
            if node not in open_:
                open_[node] = {}
                heappush(nodes, node)
            open_[node][word] = mass.or_(open_[node].get(word))

        for place, mass in begun:
            reach(*place, mass.begin() if place.word else mass)
        while nodes and self._left >= 0:
            node = heappop(nodes)
            for word, mass in open_.pop(node).items():
                self._left -= 1
                if node == ways.end:
                    end = mass.or_(end)
                    continue
                for step in ways.steps[node]:
                    reached = mass.then(step, bool(word))
                    reach(step.target, word + step.parts[0], step.parts[1:], reached)
                if node in ways.ends:
                    over = (b"",) if word else ()
                    score, bonus = ways.ends[node]
                    mass = mass._replace(score=mass.score + score, bonus=mass.bonus + bonus)
                    reach(ways.end, word, over, mass)
        return words, end


def _ordered(arcs: Sequence[Arc], ends: dict[int, End]) -> Lattice:
    """States that lead to an end, numbered so that each arc leads to a higher one."""
    into: dict[int, list[int]] = {}
    behind: dict[int, list[Arc]] = {}
    for arc in arcs:
        into.setdefault(arc.target, []).append(arc.source)
    alive, waiting = set(ends), list(ends)
    while waiting:
        for source in into.get(waiting.pop(), ()):
            if source not in alive:
                alive.add(source)
                waiting.append(source)
    open_ = dict.fromkeys(alive, 0)
    for arc in arcs:
        if arc.target in alive:
            behind.setdefault(arc.source, []).append(arc)
            open_[arc.target] += 1
    numbers = {state: at for at, state in enumerate(_topological(behind, open_))}
    kept = [
        arc._replace(source=numbers[arc.source], target=numbers[arc.target])
        for of in behind.values()
        for arc in of
    ]
    kept.sort(key=lambda arc: (arc.source, -arc.score, arc.word))
    return Lattice(tuple(kept), {numbers[state]: ends[state] for state in sorted(ends)})


def _topological(behind: dict[int, list[Arc]], into: dict[int, int]) -> Iterator[int]:
    """From the start; `into` are the arcs into each state that is wanted."""
    waiting = [0]
    while waiting:
        yield (state := waiting.pop())
        for arc in reversed(behind.get(state, ())):
            into[arc.target] -= 1
            if not into[arc.target]:
                waiting.append(arc.target)

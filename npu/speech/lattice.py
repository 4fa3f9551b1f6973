"""All that a beam holds for possible, as a graph of words: each path through it is another text.

States are numbered so that every arc leads to a higher one; 0 is the start. The score of a path is
that of its arcs and of its last state's end: the logarithm of its text's probability, of all ways
to say it (and what phrases that are to be heard have added, as in `npu.speech.nbest`).
"""

import heapq
import itertools
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from typing import NamedTuple, TypeAlias

import numpy as np

from npu.speech.scores import ONE


class Arc(NamedTuple):
    """A word between two states.

    Attributes
    ----------
    score : in units of `npu.speech.scores.ONE`, `bonus` of them for a phrase.
    start, end : when its first and its last symbol came, on the likeliest way through it: numbers
        of frames, or seconds (`Lattice.timed`). The next word may be likeliest a little earlier.
    """

    source: int
    target: int
    word: str
    score: int
    bonus: int
    start: float
    end: float


class End(NamedTuple):
    """What it adds if a text ends in a state, as the score of an arc."""

    score: int
    bonus: int


_Path: TypeAlias = "tuple[Arc, _Path] | None"


@dataclass(frozen=True)
class Lattice:
    """A graph of words without a circle.

    Attributes
    ----------
    arcs : by source; of one source, no two have the same word.
    ends : by the state in which a text may end; every state leads to one.
    """

    arcs: tuple[Arc, ...]
    ends: dict[int, End]

    def timed(self, start: Callable[[int], float], end: Callable[[int], float]) -> "Lattice":
        """With the seconds of frames: where one starts, and up to where it has heard."""
        return replace(
            self,
            arcs=tuple(
                arc._replace(start=start(int(arc.start)), end=end(int(arc.end)))
                for arc in self.arcs
            ),
        )

    @cached_property
    def states(self) -> int:
        """How many there are."""
        return 1 + max((each.target for each in self.arcs), default=0)

    @property
    def paths(self) -> int:
        """How many there are: as many texts."""
        count = [int(state in self.ends) for state in range(self.states)]
        for each in reversed(self.arcs):
            count[each.source] += count[each.target]
        return count[0]

    @property
    def best(self) -> tuple[Arc, ...]:
        """The likeliest path; of equal ones always the same."""
        best: dict[int, tuple[int, Arc | None]] = {0: (0, None)}
        for each in self.arcs:
            score = best[each.source][0] + each.score
            if each.target not in best or score > best[each.target][0]:
                best[each.target] = score, each
        state = max(self.ends, key=lambda state: (best[state][0] + self.ends[state].score, -state))
        found: list[Arc] = []
        while (arc := best[state][1]) is not None:
            found.append(arc)
            state = arc.source
        return tuple(reversed(found))

    def likeliest(self, most: int) -> list[tuple[Arc, ...]]:
        """The likeliest paths, best first, no more than so many; of equal ones always the same.

        A* with the exact score of what is still to come (Soong and Huang 1991): nothing is looked
        at in vain.
        """
        behind = {state: end.score for state, end in self.ends.items()}
        for each in reversed(self.arcs):
            score = each.score + behind[each.target]
            behind[each.source] = max(score, behind.get(each.source, score))
        leaving = {state: list(arcs) for state, arcs in groupby(self.arcs, lambda arc: arc.source)}
        # What is best if a path goes on, the order in which they came, what its arcs have scored,
        # whether it has ended, and its arcs, the last one first.
        count = itertools.count()
        found: list[tuple[Arc, ...]] = []
        waiting: list[tuple[int, int, int, bool, _Path]] = [(-behind[0], 0, 0, False, None)]
        while waiting and len(found) < most:
            _, _, score, has_ended, path = heapq.heappop(waiting)
            if has_ended:
                found.append(_arcs(path))
                continue
            state = 0 if path is None else path[0].target
            if (end := self.ends.get(state)) is not None:
                entry = (-(score + end.score), next(count), score, True, path)
                heapq.heappush(waiting, entry)
            for arc in leaving.get(state, ()):
                whole = score + arc.score
                entry = (-(whole + behind[arc.target]), next(count), whole, False, (arc, path))
                heapq.heappush(waiting, entry)
        return found

    def score(self, path: Sequence[Arc]) -> int:
        """Of a path from the start to an end."""
        last = path[-1].target if path else 0
        return sum(each.score for each in path) + self.ends[last].score

    def bonus(self, path: Sequence[Arc]) -> int:
        """What of a path's score phrases have added."""
        last = path[-1].target if path else 0
        return sum(each.bonus for each in path) + self.ends[last].bonus

    @property
    def total(self) -> float:
        """Of all paths: the logarithm of their sum, in nats."""
        return self._sums[1][0]

    @cached_property
    def posteriors(self) -> list[float]:
        """The share of the paths that lead through each arc, 0 to 1."""
        before, behind = self._sums
        return [
            float(np.exp(before[a.source] + a.score / ONE + behind[a.target] - behind[0]))
            for a in self.arcs
        ]

    @cached_property
    def end_posteriors(self) -> dict[int, float]:
        """The share of the paths that end in each state."""
        before, behind = self._sums
        return {
            state: float(np.exp(before[state] + end.score / ONE - behind[0]))
            for state, end in self.ends.items()
        }

    @cached_property
    def _sums(self) -> tuple[list[float], list[float]]:
        """Of each state: all paths to it, and all from it, in nats."""
        before, behind = [-np.inf] * self.states, [-np.inf] * self.states
        before[0] = 0.0
        for each in self.arcs:
            score = before[each.source] + each.score / ONE
            before[each.target] = float(np.logaddexp(before[each.target], score))
        for state, end in self.ends.items():
            behind[state] = end.score / ONE
        for each in reversed(self.arcs):
            score = behind[each.target] + each.score / ONE
            behind[each.source] = float(np.logaddexp(behind[each.source], score))
        return before, behind


def _arcs(path: _Path) -> tuple[Arc, ...]:
    arcs: list[Arc] = []
    while path is not None:
        arc, path = path
        arcs.append(arc)
    return tuple(reversed(arcs))


def closest(lattice: Lattice, words: Sequence[str]) -> tuple[str, ...]:
    """The text of a lattice with the fewest errors (`npu.speech.word_errors`), `words` being right.

    Of equal ones always the same; case does not count. Takes time of the product of both.
    """
    wanted, places = [word.lower() for word in words], range(len(words) + 1)
    # Of each state, the errors when so many words have been said; and how that was reached.
    errors = [[sys.maxsize] * len(places) for _ in range(lattice.states)]
    errors[0] = list(places)
    taken: dict[tuple[int, int], tuple[Arc, int]] = {}
    for source, arcs in groupby(lattice.arcs, key=lambda arc: arc.source):
        here = errors[source]
        _miss(here, source, taken)
        for arc in arcs:
            there, word = errors[arc.target], arc.word.lower()
            for said in places:
                cost, before = here[said] + 1, said
                if said and (right := here[said - 1] + (wanted[said - 1] != word)) <= cost:
                    cost, before = right, said - 1
                if cost < there[said]:
                    there[said], taken[arc.target, said] = cost, (arc, before)
    for state in lattice.ends:
        _miss(errors[state], state, taken)
    state, said = min(lattice.ends, key=lambda state: (errors[state][-1], state)), len(words)
    found = []
    while state:
        if (state, said) not in taken:
            said -= 1
            continue
        arc, said = taken[state, said]
        found.append(arc.word)
        state = arc.source
    return tuple(reversed(found))


def _miss(errors: list[int], state: int, taken: dict[tuple[int, int], tuple[Arc, int]]) -> None:
    """Words that are said and not heard, in a state into which all arcs have led."""
    for said in range(1, len(errors)):
        if errors[said - 1] + 1 < errors[said]:
            errors[said] = errors[said - 1] + 1
            taken.pop((state, said), None)

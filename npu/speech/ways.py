"""How a beam came to its strings: every step of a search, as a graph that leads back to its start.

A node is where a hypothesis stood: behind so many of the encoder's frames, and so many symbols of
the next one. Who is forgotten by all hypotheses that the beam still has is forgotten here, too.

A hypothesis that is given up may look the same as a better one from there on: the same last
symbols, the same frame, as much of a phrase spelt (`Key`). What will be said of the better one then
goes for it as well, so its ways go on from the better one's node. That is exact where the
prediction network sees no more than these symbols, and a guess where it has a longer memory.
"""

from collections.abc import Iterable
from typing import NamedTuple
from weakref import WeakValueDictionary

from npu.speech.emission import Emission

LABELS = 1
"""Symbols that two hypotheses must have in common at their ends."""

Key = tuple[tuple[int, ...], int]
"""The last symbols, and the state of `npu.speech.hotwords.Boost`."""


class Text:
    """A string of symbols: equal strings are one object, as long as somebody holds it.

    Attributes
    ----------
    shorter, symbol : the string without its last symbol, and that; None where there is none.
    """

    __slots__ = ("__weakref__", "_longer", "shorter", "symbol")

    def __init__(self, shorter: "Text | None" = None, symbol: int | None = None) -> None:
        # It is held: or the next one that is equal would be another object.
        self.shorter, self.symbol = shorter, symbol
        self._longer: WeakValueDictionary[int, Text] = WeakValueDictionary()

    def then(self, symbol: int) -> "Text":
        """This string and a symbol behind it."""
        found = self._longer.get(symbol)
        if found is None:
            found = self._longer[symbol] = Text(self, symbol)
        return found


class Way(NamedTuple):
    """A step into a node.

    Attributes
    ----------
    before : the node that it comes from; always an earlier one.
    symbol : that is emitted; None where a frame ends instead.
    score : of the step, in units of `npu.speech.scores.ONE`, `bonus` of them for a phrase.
    """

    before: "Node"
    symbol: int | None
    score: int
    bonus: int


class Node:
    """Where hypotheses stand that share what may come.

    Attributes
    ----------
    frame, emitted : frames that have ended, and symbols since then.
    ways : into it, in the search's own order; none at the start.
    others : ways of hypotheses that were given up, by the string of each.
    """

    __slots__ = ("emitted", "frame", "others", "ways")

    def __init__(self, frame: int = 0, emitted: int = 0, ways: Iterable[Way] = ()) -> None:
        self.frame, self.emitted, self.ways = frame, emitted, list(ways)
        self.others: list[tuple[Text, list[Way]]] = []

    def then(self, symbol: int, score: int, bonus: int) -> "Node":
        """Behind one more symbol."""
        return Node(self.frame, self.emitted + 1, [Way(self, symbol, score, bonus)])

    def ended(self, score: int) -> "Node":
        """Behind the frame."""
        return Node(self.frame + 1, 0, [Way(self, None, score, 0)])


def key(last: Emission | None, boosted: int, labels: int) -> Key:
    """Of a hypothesis: its last emission, and as much of a phrase as it has spelt."""
    symbols: list[int] = []
    while last is not None and len(symbols) < labels:
        symbols.append(last.symbol)
        last = last.before
    return tuple(symbols), boosted

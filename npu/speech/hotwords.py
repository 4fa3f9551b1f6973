"""Phrases that are to be heard more readily: a bonus for each letter of one, while it is spelt.

An automaton of Aho and Corasick (1975) over the symbols of all phrases, each with a space before
and behind it: a match begins and ends at the borders of words, and two phrases may share the space
between them. What a string is worth is what its phrases are worth, each time that they stand in it,
and for the longest open beginning of one as much as its letters would be. So a bonus comes symbol
by symbol, before the beam is cut to its likeliest hypotheses; where a string leaves a phrase, what
was given for the open part is taken back, and phrases that were completed keep theirs.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from npu.errors import InputError
from npu.files import read_text
from npu.model.tokens import Tokens
from npu.speech.scores import ONE
from npu.text import shown

WEIGHT = 1.5
"""Nats a symbol; sherpa-onnx's default."""

MOST_WEIGHT = 20.0
MOST_PHRASES = 100_000
MOST_SYMBOLS = 200
"""Of a phrase."""

MOST_LETTERS = 1_000_000
"""Of all phrases: each may be a state, of some hundred bytes."""

_MOST_ROWS = 1_000

_MOST_BYTES = 16 << 20
_SPACE = " "


@dataclass(frozen=True)
class Hotword:
    """A phrase and its bonus in nats a symbol, -MOST_WEIGHT to MOST_WEIGHT."""

    phrase: str
    weight: float


def read_hotwords(path: str | Path, weight: float = WEIGHT) -> list[Hotword]:
    """Read a list: a phrase a line, with ` :2.0` behind it for a weight of its own.

    As of sherpa-onnx's `--hotwords-file`. Raises InputError with the line for a weight that is none
    or out of range, a phrase that is there twice, and where there is no phrase or too many.
    """
    text = read_text(path, _MOST_BYTES, InputError)
    found: dict[str, Hotword] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        where = f"{path}: line {number}"
        before, colon, behind = line.rpartition(":")
        own = colon and len(behind.split()) == 1 and (not before or before[-1].isspace())
        phrase, given = (before, behind.strip()) if own else (line, None)
        phrase = " ".join(phrase.split())
        if not phrase:
            if given is not None:
                raise InputError(f"{where}: has a weight and no phrase; write `phrase :{given}`")
            continue
        if phrase in found:
            raise InputError(f"{where}: {shown(phrase)} is there twice; leave one of them out")
        found[phrase] = Hotword(phrase, weight if given is None else _weight(where, given))
        if len(found) > MOST_PHRASES:
            raise InputError(f"{where}: there are more than {MOST_PHRASES:,} phrases; give fewer")
    if not found:
        raise InputError(f"{path}: holds no phrase; write one a line")
    return list(found.values())


def _weight(where: str, text: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        weight = float("nan")
    if not abs(weight) <= MOST_WEIGHT:
        raise InputError(
            f"{where}: a weight must be -{MOST_WEIGHT:g} to {MOST_WEIGHT:g}, not {shown(text)}"
        )
    return weight


@dataclass(slots=True)
class _Node:
    """A beginning of phrases.

    Attributes
    ----------
    letters : in it. open : units that they are worth while a longer phrase may come.
    complete : units of all phrases that end where it ends.
    ends : whether one of them is all of it.
    shorter : the longest other beginning that it ends with. longer : by the next symbol.
    """

    letters: int = 0
    open: int = 0
    complete: int = 0
    ends: bool = False
    shorter: int = 0
    longer: dict[int, int] = field(default_factory=dict)


class Boost:
    """The automaton of some phrases over the symbols of a model.

    Parameters
    ----------
    hotwords : the phrases, each once.
    tokens : of the model; each letter is a symbol.

    Attributes
    ----------
    start : the state in which an utterance begins.
    most : units that a symbol adds at most.

    Raises InputError for a phrase that the symbols cannot spell, or that is there twice but for the
    case of its letters, and for too many letters.
    """

    def __init__(self, hotwords: Sequence[Hotword], tokens: Tokens) -> None:
        self._symbols = len(tokens)
        letters = _letters(tokens)
        self._space, self._end = letters[_SPACE], tokens.end
        self._nodes = [_Node()]
        if sum(len(each.phrase) for each in hotwords) > MOST_LETTERS:
            raise InputError(f"hotwords: have more than {MOST_LETTERS:,} letters; give fewer")
        for each in hotwords:
            self._add(each, letters)
        self._link()
        self.most = max(0, *self._steps())
        self._rows: dict[int, tuple[NDArray[np.int64], NDArray[np.int64]]] = {}
        # An utterance begins as if there had been a space.
        self.start = self._next(0, self._space)[1]

    def __len__(self) -> int:
        """States."""
        return len(self._nodes)

    def row(self, state: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """What each symbol adds to a score in a state, and the state behind it: (symbols,) each."""
        if state not in self._rows:
            if len(self._rows) >= _MOST_ROWS:
                self._rows.clear()
            steps = [self._next(state, symbol) for symbol in range(self._symbols)]
            added, behind = (np.array(each, np.int64) for each in zip(*steps, strict=True))
            self._rows[state] = added, behind
        return self._rows[state]

    def end(self, state: int) -> int:
        """What the end of an utterance adds: a space would come, and nothing behind it."""
        added, behind = self._next(state, self._space)
        return added - self._nodes[behind].open

    def worth(self, symbols: Iterable[int]) -> int:
        """What a whole string gets, its end included."""
        state, total = self.start, 0
        for symbol in symbols:
            added, state = self._next(state, symbol)
            total += added
        return total + self.end(state)

    def _next(self, state: int, symbol: int) -> tuple[int, int]:
        behind = self._follow(state, symbol)
        node = self._nodes[behind]
        return node.open - self._nodes[state].open + node.complete, behind

    def _follow(self, state: int, symbol: int) -> int:
        if symbol == self._end:
            symbol = self._space  # the last word has ended
        while state and symbol not in self._nodes[state].longer:
            state = self._nodes[state].shorter
        return self._nodes[state].longer.get(symbol, 0)

    # --- how it is made --------------------------------------------------------------------------
    def _add(self, hotword: Hotword, letters: dict[str, int]) -> None:
        weight, state = round(hotword.weight * ONE), 0
        for symbol in (self._space, *_spelt(hotword.phrase, letters), self._space):
            node = self._nodes[state]
            # Of phrases that begin alike, the one that is worth most counts while all may come. One
            # that is to be heard less readily costs when it is complete: others may begin so, too.
            node.open = max(node.open, weight * node.letters)
            if symbol not in node.longer:
                node.longer[symbol] = len(self._nodes)
                letters_then = node.letters + (symbol != self._space)
                self._nodes.append(_Node(letters_then))
            state = node.longer[symbol]
        last = self._nodes[state]
        if last.ends:
            raise InputError(
                f"hotword {shown(hotword.phrase)}: is there twice, in letters of another case; "
                "leave one of them out"
            )
        last.ends, last.complete = True, weight * last.letters

    def _link(self) -> None:
        """By length, the shorter ones first."""
        waiting = deque(self._nodes[0].longer.values())
        while waiting:
            state = waiting.popleft()
            node, shorter = self._nodes[state], self._nodes[self._nodes[state].shorter]
            node.complete += shorter.complete
            # It may go on as what it ends with.
            node.open = max(node.open, shorter.open)
            for symbol, behind in node.longer.items():
                self._nodes[behind].shorter = self._follow(node.shorter, symbol)
                waiting.append(behind)

    def _steps(self) -> Iterator[int]:
        """What each step along a phrase adds."""
        for node in self._nodes:
            for behind in node.longer.values():
                yield self._nodes[behind].open + self._nodes[behind].complete - node.open


def _letters(tokens: Tokens) -> dict[str, int]:
    """The symbols that spell words, by letter. Raises InputError where some are more than one."""
    written = {
        symbol: index
        for index, symbol in enumerate(tokens.symbols)
        if index and not (symbol.startswith("<") and symbol.endswith(">"))
    }
    longer = next((symbol for symbol in written if len(symbol) > 1), None)
    if longer is not None or _SPACE not in written:
        raise InputError(
            f"the model's symbols are pieces of words, such as {shown(longer)}; phrases can be "
            "boosted where each letter is a symbol, and a space"
            if longer is not None
            else "the model has no space among its symbols; phrases cannot be told apart"
        )
    return written


def _spelt(phrase: str, letters: dict[str, int]) -> Iterable[int]:
    """The symbols of a phrase, in the case that the model has."""
    if len(phrase) > MOST_SYMBOLS:
        raise InputError(f"hotword {shown(phrase)}: is longer than {MOST_SYMBOLS} symbols")
    for letter in phrase:
        cases = (letter, letter.lower(), letter.upper())
        found = next((each for each in cases if each in letters), None)
        if found is None:
            raise InputError(
                f"hotword {shown(phrase)}: {shown(letter)} is no symbol of the model; it has: "
                f"{' '.join(sorted(each for each in letters if len(each) == 1 and each != _SPACE))}"
            )
        yield letters[found]

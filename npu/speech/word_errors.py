"""Word errors: which words of a text were heard as which, with the fewest errors.

Followed is Levenshtein's count, in which a substitution, a deletion and an insertion are one error
each, as jiwer and Kaldi count. Of alignments with as few errors, one with the fewest substitutions
is taken: it has the most words right, and NIST's sclite takes the same.

sclite minimises something else, 4 a substitution and 3 a deletion or an insertion (`SCLITE`). Where
many words in a row are shifted, it prefers three deletions and three insertions to five
substitutions: "a b c d e" heard as "d e f g h" is 6 errors there and 5 here. sclite never counts
fewer. Where the totals are equal, so are substitutions, deletions and insertions: with E errors its
cost is 4 E less 2 for every insertion (and a constant), so that both take the most insertions, and
with them the fewest substitutions.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Costs(NamedTuple):
    """What an alignment minimises: the cost of a substitution, and of a deletion or insertion."""

    substitution: int
    gap: int


# The second digit counts substitutions; no text has so many words.
LEVENSHTEIN = Costs((1 << 32) + 1, 1 << 32)
SCLITE = Costs(4, 3)

Pair = tuple[str | None, str | None]
"""A word of the text and the one that was heard; None where there is none."""


@dataclass(frozen=True)
class Aligned:
    """A text and what was heard, word beside word.

    Attributes
    ----------
    pairs : in order; equal words are right, None is in the place of a word that is not there.
    """

    pairs: tuple[Pair, ...]

    @property
    def hits(self) -> int:
        return sum(said == heard for said, heard in self.pairs)

    @property
    def substitutions(self) -> int:
        return sum(None not in pair and pair[0] != pair[1] for pair in self.pairs)

    @property
    def deletions(self) -> int:
        return sum(heard is None for _, heard in self.pairs)

    @property
    def insertions(self) -> int:
        return sum(said is None for said, _ in self.pairs)

    @property
    def words(self) -> int:
        """Of the text."""
        return sum(said is not None for said, _ in self.pairs)

    @property
    def errors(self) -> int:
        return sum(said != heard for said, heard in self.pairs)


def align(said: Sequence[str], heard: Sequence[str], costs: Costs = LEVENSHTEIN) -> Aligned:
    """The cheapest alignment; of equal ones always the same.

    Takes time and memory of the product of both lengths.
    """
    table, differs = _table(said, heard, costs)
    pairs: list[Pair] = []
    i, j = len(said), len(heard)
    while i or j:
        here = table[i, j]
        if i and j and here == table[i - 1, j - 1] + costs.substitution * differs[i - 1, j - 1]:
            i, j = i - 1, j - 1
            pairs.append((said[i], heard[j]))
        elif i and here == table[i - 1, j] + costs.gap:
            i -= 1
            pairs.append((said[i], None))
        else:
            j -= 1
            pairs.append((None, heard[j]))
    return Aligned(tuple(reversed(pairs)))


def _table(
    said: Sequence[str], heard: Sequence[str], costs: Costs
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The least cost of every two beginnings, (words + 1, heard + 1), and which words differ."""
    numbers = {word: number for number, word in enumerate({*said, *heard})}
    rows, columns = (np.array([numbers[w] for w in text], np.int64) for text in (said, heard))
    differs = rows[:, None] != columns[None, :]
    insertions = costs.gap * np.arange(len(heard) + 1, dtype=np.int64)
    table = np.empty((len(said) + 1, len(heard) + 1), np.int64)
    table[0] = insertions
    for i in range(len(said)):
        best = table[i] + costs.gap
        best[1:] = np.minimum(best[1:], table[i, :-1] + costs.substitution * differs[i])
        # An insertion after another one, along the whole row at once.
        table[i + 1] = np.minimum.accumulate(best - insertions) + insertions
    return table, differs


def confusions(alignments: Sequence[Aligned]) -> list[tuple[Pair, int]]:
    """Every wrong pair and how often it is there: the most frequent first, then by the alphabet."""
    count = Counter(pair for each in alignments for pair in each.pairs if pair[0] != pair[1])
    return sorted(count.items(), key=lambda item: (-item[1], item[0][0] or "", item[0][1] or ""))

"""What else may have been said: the hypotheses of a beam as texts, and how sure each word is."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from npu.model.tokens import Tokens
from npu.speech.lattice import Lattice
from npu.speech.scores import ONE, log_add, probability
from npu.speech.ways import Node, Text
from npu.speech.word_errors import align

MOST_TEXTS = 100
"""Of a lattice; of `commands`' at 10 dB all the others have but a seventieth of the errors less."""


class Found(NamedTuple):
    """A string that a beam has kept.

    Attributes
    ----------
    symbols : its ids. frames : of which each came, as `npu.speech.emission` counts them.
    score : in units of `npu.speech.scores.ONE`, `bonus` of them for phrases to be heard.
    text : the string as the search knows it, and node : where it stands among all ways; None
        where nobody asked for them.
    end : of the score, what came when nothing came behind the string: a phrase that was over.
    """

    symbols: tuple[int, ...]
    frames: tuple[int, ...]
    score: int
    bonus: int
    text: Text | None = None
    node: Node | None = None
    end: int = 0


@dataclass(frozen=True)
class Alternative:
    """A text that may have been said.

    Attributes
    ----------
    score : logarithm of its probability, in nats; with a blank penalty, of no probability.
    bonus : what phrases that are to be heard have added to rank it, and is not in the score.
    probability : among the texts that a beam has kept, or that a lattice has, 0 to 1, as they were
        ranked.
    """

    text: str
    score: float
    bonus: float
    probability: float


def alternatives(found: Iterable[Found], tokens: Tokens) -> list[Alternative]:
    """The texts of strings, likeliest first; strings of one text are one."""
    ranks: dict[str, int] = {}
    bonuses: dict[str, int] = {}
    for each in found:
        text = tokens.decode(each.symbols)
        ranks[text] = log_add(ranks[text], each.score) if text in ranks else each.score
        bonuses.setdefault(text, each.bonus)
    if not ranks:
        return []
    ordered = sorted(ranks.items(), key=lambda item: -item[1])
    total = ordered[0][1]
    for _, rank in ordered[1:]:
        total = log_add(total, rank)
    return [
        Alternative(
            text, (rank - bonuses[text]) / ONE, bonuses[text] / ONE, probability(rank - total)
        )
        for text, rank in ordered
    ]


def texts_of(lattice: Lattice, most: int = MOST_TEXTS) -> list[Alternative]:
    """The likeliest texts of a lattice, best first, no more than so many."""
    total = lattice.total
    texts = []
    for path in lattice.likeliest(most):
        score, bonus = lattice.score(path), lattice.bonus(path)
        text = " ".join(arc.word for arc in path)
        share = min(1.0, math.exp(score / ONE - total))
        texts.append(Alternative(text, (score - bonus) / ONE, bonus / ONE, share))
    return texts


def texts_told(
    found: Sequence[Found], lattice: Lattice | None, tokens: Tokens
) -> list[Alternative]:
    """The texts of strings, or of their lattice, the beam's own likeliest one first.

    In the last digits of its sums a lattice may have another one before it.
    """
    kept = alternatives(found, tokens)
    if lattice is None or not kept:
        return kept
    own = kept[0].text.split()
    return sorted(texts_of(lattice), key=lambda each: each.text.split() != own)


def best(found: Iterable[Found], texts: Sequence[Alternative], tokens: Tokens) -> Found:
    """The likeliest string of the likeliest text; `texts` are what `texts_told` makes of them."""
    words = texts[0].text.split()
    return next(each for each in found if tokens.decode(each.symbols).split() == words)


def score_a_word(found: Sequence[Alternative]) -> float | None:
    """The score of the likeliest text over its words; None where there is none.

    Low where something else was said than the model knows, or nothing.
    """
    return found[0].score / max(1, len(found[0].text.split())) if found else None


def confidences(words: Sequence[str], found: Iterable[tuple[Sequence[str], float]]) -> list[float]:
    """How sure each word is, 0 to 1: the probability of the texts that have it in its place.

    Places are those of the cheapest alignment with each text (Wessel and others 2001, of n-best
    lists).

    found : the words of each text, and its probability.
    """
    sure = [0.0] * len(words)
    for text, share in found:
        place = 0
        for said, heard in align(words, text).pairs:
            if said is not None:
                sure[place] += share * (said == heard)
                place += 1
    return [min(1.0, each) for each in sure]

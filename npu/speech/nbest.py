"""What else may have been said: the hypotheses of a beam as texts, and how sure each word is."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from npu.model.tokens import Tokens
from npu.speech.scores import ONE, log_add, probability
from npu.speech.word_errors import align

Scored = tuple[tuple[int, ...], int]
"""Symbols, and the score of their string in units of `npu.speech.scores.ONE`."""


@dataclass(frozen=True)
class Alternative:
    """A text that may have been said.

    Attributes
    ----------
    score : logarithm of its probability, in nats; with a blank penalty, of no probability.
    probability : among the texts that a beam has kept, 0 to 1.
    """

    text: str
    score: float
    probability: float


def alternatives(found: Iterable[Scored], tokens: Tokens) -> list[Alternative]:
    """The texts of hypotheses, likeliest first; strings of one text are one."""
    scores: dict[str, int] = {}
    for symbols, score in found:
        text = tokens.decode(symbols)
        scores[text] = log_add(scores[text], score) if text in scores else score
    if not scores:
        return []
    ordered = sorted(scores.items(), key=lambda item: -item[1])
    total = ordered[0][1]
    for _, score in ordered[1:]:
        total = log_add(total, score)
    return [Alternative(text, score / ONE, probability(score - total)) for text, score in ordered]


def confidences(words: Sequence[str], found: Iterable[Alternative]) -> list[float]:
    """How sure each word is, 0 to 1: the probability of the texts that have it in its place.

    Places are those of the cheapest alignment with each text (Wessel and others 2001, of n-best
    lists).
    """
    sure = [0.0] * len(words)
    for each in found:
        place = 0
        for said, heard in align(words, each.text.split()).pairs:
            if said is not None:
                sure[place] += each.probability * (said == heard)
                place += 1
    return [min(1.0, each) for each in sure]

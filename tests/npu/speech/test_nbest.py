"""Texts of hypotheses, and how sure words are."""

import numpy as np
import pytest

from npu.model.tokens import Tokens
from npu.speech.lattice import Arc, End, Lattice
from npu.speech.nbest import (
    Found,
    alternatives,
    best,
    confidences,
    score_a_word,
    texts_of,
    texts_told,
)
from npu.speech.scores import ONE

TOKENS = Tokens(("<blk>", " ", "a", "b", "c"))


def of(*pairs, bonus=0):
    """Strings with their shares; each came in calls 0, 1, ..."""
    return [
        Found(symbols, tuple(range(len(symbols))), round(np.log(share) * ONE) + bonus, bonus)
        for symbols, share in pairs
    ]


def test_strings_of_one_text_are_one():
    found = alternatives(of(((2, 1, 3), 0.3), ((2, 1, 4), 0.2), ((2, 1, 3, 1), 0.1)), TOKENS)
    assert [each.text for each in found] == ["a b", "a c"]
    assert [each.probability for each in found] == pytest.approx([4 / 6, 2 / 6], abs=1e-3)
    assert [each.score for each in found] == pytest.approx(np.log([0.4, 0.2]).tolist(), abs=1e-3)
    assert alternatives([], TOKENS) == []


def test_two_may_become_the_likeliest():
    found = alternatives(of(((2,), 0.4), ((3,), 0.3), ((3, 1), 0.3)), TOKENS)
    assert [each.text for each in found] == ["b", "a"]


def test_the_string_of_the_likeliest_text():
    found = of(((2,), 0.4), ((3,), 0.3), ((3, 1), 0.3))
    assert best(found, alternatives(found, TOKENS), TOKENS) is found[1]


def test_what_phrases_add_ranks_and_is_no_score():
    found = [*of(((2,), 0.5)), *of(((3,), 0.2), bonus=2 * ONE)]
    first, second = alternatives(found, TOKENS)
    assert (first.text, second.text) == ("b", "a")
    assert (first.bonus, second.bonus) == (2.0, 0.0)
    assert first.score == pytest.approx(np.log(0.2), abs=1e-4)
    assert score_a_word([first, second]) == first.score and score_a_word([]) is None


def test_texts_of_a_lattice():
    """A phrase has added 2 nats to "b" and 1 to ending behind it: they rank and are no score."""
    arcs = (
        Arc(0, 1, "a", round(np.log(0.5) * ONE), 0, 0, 0),
        Arc(0, 2, "b", round((np.log(0.2) + 2) * ONE), 2 * ONE, 0, 0),
        Arc(1, 2, "c", round(np.log(0.5) * ONE), 0, 0, 0),
    )
    found = texts_of(Lattice(arcs, {1: End(0, 0), 2: End(ONE, ONE)}))
    assert [each.text for each in found] == ["b", "a c", "a"]
    assert [each.score for each in found] == pytest.approx(
        np.log([0.2, 0.25, 0.5]).tolist(), abs=1e-4
    )
    assert [each.bonus for each in found] == pytest.approx([3, 1, 0])
    ranks = np.exp([each.score + each.bonus for each in found])
    assert [each.probability for each in found] == pytest.approx(ranks / ranks.sum(), abs=1e-3)
    assert [each.text for each in texts_of(Lattice(arcs, {2: End(0, 0)}), most=1)] == ["b"]


def test_the_beams_own_text_is_told_first():
    """The lattice's sums have another one before it, in their last digit."""
    found = of(((2, 1, 3), 0.3), ((2, 1, 4), 0.2))
    score = found[0].score
    arcs = tuple(Arc(0, n, word, score + n, 0, 0, 0) for n, word in ((1, "c"), (2, "d")))
    lattice = Lattice(
        (*arcs, Arc(0, 3, "a", 0, 0, 0, 0), Arc(3, 4, "b", score, 0, 0, 0)),
        {1: End(0, 0), 2: End(0, 0), 4: End(0, 0)},
    )
    texts = texts_told(found, lattice, TOKENS)
    assert [each.text for each in texts] == ["a b", "d", "c"]
    assert best(found, texts, TOKENS) is found[0]
    assert texts_told(found, None, TOKENS) == alternatives(found, TOKENS)
    assert texts_told([], None, TOKENS) == []


def test_words_are_as_sure_as_the_texts_that_have_them():
    found = [
        (["call", "the", "mover"], 0.5),
        (["call", "mover"], 0.3),
        (["tall", "the", "mover", "now"], 0.2),
    ]
    assert confidences(["call", "the", "mover"], found) == pytest.approx([0.8, 0.7, 1.0])
    assert confidences([], found) == [] and confidences(["x"], []) == [0.0]

"""Sentences come from their rules, and a grammar that says nothing sensible is told."""

import random
import time

import pytest

from compiler.train.corpus.grammar import Grammar
from npu.errors import RecipeError


def drawn(rules, count=400) -> set[str]:
    grammar, draw = Grammar(rules), random.Random(5)
    return {grammar.draw("a", draw) for _ in range(count)}


def test_every_sentence_and_no_other():
    assert drawn({"a": ["turn <b?> <c>"], "b": ["the"], "c": ["on", "off"]}) == {
        f"turn {the}{switch}" for the in ("", "the ") for switch in ("on", "off")
    }
    assert drawn({"a": ["<b*3>"], "b": ["x"]}) == {"x", "x x", "x x x"}


def test_references_side_by_side_are_words_of_their_own():
    rules = {"a": ["<b><b>s"], "b": ["x"]}
    assert drawn(rules) == {"x x s"}
    assert Grammar(rules).words() == {"x", "s"}


def test_the_same_draw_gives_the_same_sentence():
    grammar = Grammar({"a": ["<b*9>"], "b": list("abcdefgh")})
    assert grammar.draw("a", random.Random(1)) == grammar.draw("a", random.Random(1))
    assert grammar.draw("a", random.Random(1)) != grammar.draw("a", random.Random(2))


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ({"a": []}, "grammar.a: has no alternative"),
        ({"a": ["<b>"]}, "speaks of <b>"),
        ({"a": ["Go"]}, "has 'G'"),
        ({"a": ["go <b*0>"]}, "has '<'"),
        ({"a": ["go\nnow"]}, r"has '\\n'"),
        ({"a": ["<b>"], "b": ["<a?>"]}, "never ends"),
        ({"a": ["<a>"]}, "never ends"),
        ({"a": ["x " * 201]}, "sentences of 201 words"),
    ],
)
def test_what_is_wrong_is_told(rules, told):
    with pytest.raises(RecipeError, match=told) as error:
        Grammar(rules)
    assert "\n" not in str(error.value)


def test_rules_that_grow_without_end_are_told_soon():
    rules = {f"r{'x' * n}": [f"<r{'x' * (n + 1)}*9>" * 9] for n in range(15)}
    begin = time.monotonic()
    with pytest.raises(RecipeError, match="words, at most 200"):
        Grammar({**rules, "r" + "x" * 15: ["x"]})
    assert time.monotonic() - begin < 1


def test_a_rule_that_is_not_there():
    with pytest.raises(RecipeError, match="no rule 'b'; there are: a"):
        Grammar({"a": ["x"]}).draw("b", random.Random(1))

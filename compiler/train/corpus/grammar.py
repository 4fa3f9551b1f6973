"""Sentences from a recipe's grammar.

A grammar is a table of rules, each a list of alternatives that are taken with equal chance:

    command = ["turn <switch> the <room?> <thing>"]
    switch = ["on", "off"]

`<name>` is replaced by a sentence of the rule, `<name?>` in one of two cases by nothing, and
`<name*3>` by one to three of it.
"""

import random
import re
from collections.abc import Mapping, Sequence

from npu.errors import RecipeError

Rules = Mapping[str, Sequence[str]]

_REFERENCE = re.compile(r"<([a-z_]+)(\?|\*[1-9])?>")
_DEEPEST = 20
_LONGEST = 200


class Grammar:
    """Draws sentences.

    Parameters
    ----------
    rules : as the module says; words of lower-case letters and apostrophes.

    Raises
    ------
    RecipeError
        A rule is empty or missing, never ends or has endless sentences, or has a letter that no
        sentence may have.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        for name, alternatives in rules.items():
            if not alternatives:
                raise RecipeError(f"grammar.{name}: has no alternative; give at least one")
            for text in alternatives:
                self._check(name, text)
        lengths: dict[str, int] = {}
        for name in rules:
            self._longest(name, (), lengths)

    def draw(self, name: str, random: random.Random) -> str:
        """A sentence of a rule: words with one space between them.

        Raises RecipeError if there is no such rule.
        """
        if name not in self._rules:
            raise RecipeError(
                f"grammar: there is no rule {name!r}; there are: {', '.join(self._rules)}"
            )
        text = random.choice(self._rules[name])

        def expanded(found: re.Match[str]) -> str:
            rule, mark = found[1], found[2] or ""
            if mark == "?" and random.random() < 0.5:
                return ""
            count = random.randint(1, int(mark[1:])) if mark.startswith("*") else 1
            # Between spaces, so that a word is a word of some rule (`words`).
            return f" {' '.join(self.draw(rule, random) for _ in range(count))} "

        return " ".join(_REFERENCE.sub(expanded, text).split())

    def words(self) -> set[str]:
        """Every word that a sentence can have."""
        texts = (text for alternatives in self._rules.values() for text in alternatives)
        return {word for text in texts for word in _REFERENCE.sub(" ", text).split()}

    def _check(self, name: str, text: str) -> None:
        for rule, _ in _REFERENCE.findall(text):
            if rule not in self._rules:
                raise RecipeError(
                    f"grammar.{name}: {text!r} speaks of <{rule}>; there are: "
                    f"{', '.join(self._rules)}"
                )
        rest = _REFERENCE.sub("", text)
        if wrong := re.search(r"[^a-z' ]", rest):
            raise RecipeError(
                f"grammar.{name}: {text!r} has {wrong[0]!r}; a sentence has lower-case letters, "
                "spaces and apostrophes, and <rule>, <rule?> or <rule*3>"
            )

    def _longest(self, name: str, above: tuple[str, ...], lengths: dict[str, int]) -> int:
        """The words of its longest sentence; `lengths` of rules that are known already."""
        if name in lengths:
            return lengths[name]
        if name in above or len(above) > _DEEPEST:
            raise RecipeError(
                f"grammar.{name}: never ends ({' -> '.join((*above, name))}); a rule may not "
                "speak of itself"
            )
        longest = 0
        for text in self._rules[name]:
            length = len(_REFERENCE.sub(" ", text).split())
            for rule, mark in _REFERENCE.findall(text):
                times = int(mark[1:]) if mark.startswith("*") else 1
                length += times * self._longest(rule, (*above, name), lengths)
            longest = max(longest, length)
        if longest > _LONGEST:
            raise RecipeError(
                f"grammar.{name}: has sentences of {longest} words, at most {_LONGEST} are spoken; "
                "take shorter rules"
            )
        lengths[name] = longest
        return longest

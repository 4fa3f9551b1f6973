"""Plans keep speakers and sentences on their sides."""

import json

import pytest

from compiler.train.corpus.engines import Request
from compiler.train.corpus.grammar import Grammar
from compiler.train.corpus.plan import FOREIGN, PARTS, Planner, by_engine, parts
from compiler.train.corpus.sides import side
from compiler.train.recipe import Recipe
from npu.errors import RecipeError
from tests.compiler.train.corpus.recipes import tiny


class Silent:
    """The names of voices, and no voice."""

    PACKAGES = "none"
    TELLS_WORDS = True

    def __init__(self, speakers, tells_words=True):
        self.TELLS_WORDS = tells_words
        self._voices = [f"{accent}+{name}" for accent in ("en", "us") for name in speakers]

    def voices(self):
        return self._voices

    def speaker(self, voice):
        return f"espeak {voice.partition('+')[2]}"

    def speak(self, requests):
        raise AssertionError("plans need no speech")


ALL_PARTS = parts(tiny())
NAMES = [f"{sex}{n}" for sex in "fm" for n in range(1, 9)]


@pytest.fixture(scope="module")
def planner():
    return Planner(tiny(other_voice=0.5), {"espeak": Silent(NAMES)})


@pytest.fixture(scope="module")
def plans(planner):
    return {part: [planner.plan(part, n) for n in range(500)] for part in ALL_PARTS}


def speakers(planner, plans):
    engine = planner.engines["espeak"]
    return {engine.speaker(request.voice) for plan in plans for _, request in plan.requests}


def overlaps(speakers, sentences) -> list[tuple[str, str]]:
    """Pairs of parts that share what they may not."""
    held = [("train", "develop"), ("train", "test"), ("train", "speakers"), ("develop", "test")]
    held.append(("develop", "speakers"))
    apart = [("train", "develop"), ("train", "speakers"), ("develop", "speakers")]
    apart += [("test", "speakers"), ("test", "develop")]
    return [(a, b) for a, b in held if sentences[a] & sentences[b]] + [
        (a, b) for a, b in apart if speakers[a] & speakers[b]
    ]


def test_nothing_is_on_two_sides(planner, plans):
    who = {part: speakers(planner, made) for part, made in plans.items()}
    what = {part: {plan.text for plan in made if plan.text} for part, made in plans.items()}
    assert not overlaps(who, what)
    assert who["test"] == who["train"]
    planted = {**who, "speakers": who["speakers"] | set(sorted(who["train"])[:1])}
    assert overlaps(planted, what) == [("train", "speakers"), ("test", "speakers")]
    planted = {**what, "develop": what["develop"] | set(sorted(what["train"])[:1])}
    assert overlaps(who, planted) == [("train", "develop")]


def test_every_plan_is_on_the_side_of_its_part(planner, plans):
    shares = {"develop": 0.2, "test": 0.2}
    for part, made in plans.items():
        sentences, voices = ALL_PARTS[part]
        for plan in made:
            assert not plan.text or side("sentence", plan.text, shares) == sentences
        for speaker in speakers(planner, made) if part != FOREIGN else ():
            assert planner.speaker_side(speaker) == voices


def test_a_name_is_on_one_side(planner, plans):
    names = set(planner.names)
    said = {
        part: {word for plan in made for word in plan.text.split() if word in names}
        for part, made in plans.items()
    }
    assert not names & Grammar(tiny().rules()).words()
    assert said["train"] and said["test"] and said["develop"]
    assert not said["train"] & (said["test"] | said["develop"] | said["speakers"])
    shares = {"develop": 0.2, "test": 0.2}
    for part, (on, _) in ALL_PARTS.items():
        assert {side("name", name, shares) for name in said[part]} <= {on}


def test_in_other_languages_nothing_is_heard(planner, plans):
    foreign = tiny().foreign
    assert all(plan.kind == FOREIGN for plan in plans[FOREIGN])
    some = [plan for plan in plans["train"] if plan.kind == FOREIGN]
    assert 0.5 < len(some) / len(plans["train"]) / foreign.share < 1.5
    for on, made in (("train", some), ("test", plans[FOREIGN])):
        for plan in made:
            ((engine, request),) = plan.requests
            assert engine == "espeak" and not plan.text and request.text
            assert request.voice.partition("+")[0] in getattr(foreign, on)
            assert {
                side("name", name, {"develop": 0.2, "test": 0.2}) for name in request.text.split()
            } == {on}
    others = [plan for part in ("develop", "test", "speakers") for plan in plans[part]]
    assert all(plan.text and plan.kind != FOREIGN for plan in others)


def test_foreign_speech_needs_its_voices_and_words():
    table = tiny().model_dump(mode="json")
    for wrong in ({"names": None}, {"voices": [{**table["voices"][0], "engine": "flite"}]}):
        with pytest.raises(ValueError, match="foreign speech needs"):
            Recipe.model_validate_json(json.dumps(table | wrong))


def test_requests_say_the_text(plans):
    for plan in (plan for plan in plans["train"] if plan.kind != FOREIGN):
        assert " ".join(request.text for _, request in plan.requests) == plan.text
        assert plan.spliced or len(plan.requests) == 1
        for _, request in plan.requests:
            assert 0.8 <= request.pace <= 1.45
            assert 0.75 <= request.pitch <= 1.3
    shares = [plan.spliced for plan in plans["train"] if plan.kind != FOREIGN]
    assert 0.4 < sum(shares) / len(shares) < 0.6


def test_a_number_alone_decides(planner, plans):
    again = Planner(tiny(other_voice=0.5), {"espeak": Silent(NAMES)})
    assert [again.plan("test", n) for n in (7, 3)] == [plans["test"][n] for n in (7, 3)]
    assert plans["test"][3] != plans["test"][7]


def test_named_speakers_are_where_the_recipe_says(planner):
    assert planner.speaker_side("espeak m1") == "develop"
    assert planner.speaker_side("espeak m2") == "test"


def test_a_side_without_a_voice():
    with pytest.raises(RecipeError, match="no voice is on the side of 'develop'"):
        Planner(tiny(), {"espeak": Silent(["f1", "m2"])})


def test_an_engine_that_tells_no_times_speaks_words_alone_to_learn_from():
    planner = Planner(tiny(), {"espeak": Silent(NAMES, tells_words=False)})
    for part, (sentences, _) in PARTS.items():
        made = [planner.plan(part, n) for n in range(100)]
        spliced = [plan.spliced for plan in made if plan.kind != FOREIGN]
        assert all(spliced) is (sentences != "test")


def with_left_out():
    (voices,) = tiny().voices
    left_out = voices.model_copy(update={"engine": "flite", "side": "test"})
    return tiny(other_voice=0.5).model_copy(update={"voices": [voices, left_out]})


def test_an_engine_that_is_left_out_has_a_part_of_its_own(plans):
    # `f2` both have, and the first trains with it; `f9` has only the other.
    assert {**PARTS, FOREIGN: ("test", "train")} == ALL_PARTS
    engines = {"espeak": Silent(NAMES), "flite": Silent([*NAMES, "f9", "m9"])}
    planner = Planner(with_left_out(), engines)
    shares = {"develop": 0.2, "test": 0.2}
    for part in parts(with_left_out()):
        made = [planner.plan(part, n) for n in range(100)]
        said = {engine for plan in made for engine, _ in plan.requests}
        assert said == ({"flite"} if part == "engine" else {"espeak"})
        if part != "engine":
            # What there was before stays what it was.
            assert made == plans[part][:100]
    assert {plan.speaker for plan in made} >= {"espeak f9", "espeak m9"}
    assert all(planner.speaker_side(plan.speaker) == "test" for plan in made)
    assert all(side("sentence", plan.text, shares) == "test" for plan in made)


def test_an_engine_that_is_left_out_has_nobody_of_its_own():
    heard = [name for name in NAMES if tiny_side(name) == "train"]
    with pytest.raises(RecipeError, match="no voice is on the side of 'engine'"):
        Planner(with_left_out(), {"espeak": Silent(NAMES), "flite": Silent(heard)})


def tiny_side(name):
    return Planner(tiny(), {"espeak": Silent(NAMES)}).speaker_side(f"espeak {name}")


def test_a_side_without_a_sentence():
    recipe = tiny()
    grammar = {"command": ["go"], "words": ["go"], "open": ["go"]}
    planner = Planner(
        recipe.model_copy(update={"grammar": grammar, "foreign": None}), {"espeak": Silent(NAMES)}
    )
    part = next(p for p, (on, _) in PARTS.items() if on != planner.sentence_side("go"))
    with pytest.raises(RecipeError, match="none of the side"):
        planner.plan(part, 0)


def test_by_engine(plans):
    made = plans["train"][:20]
    places = by_engine(made)["espeak"]
    assert places == [(n, k) for n, plan in enumerate(made) for k in range(len(plan.requests))]
    assert all(isinstance(made[n].requests[k][1], Request) for n, k in places)

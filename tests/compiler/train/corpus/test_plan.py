"""Plans keep speakers and sentences on their sides."""

import pytest

from compiler.train.corpus.engines import Request
from compiler.train.corpus.plan import PARTS, Planner, by_engine
from compiler.train.corpus.sides import side
from npu.errors import RecipeError
from tests.compiler.train.corpus.recipes import tiny


class Silent:
    """The names of voices, and no voice."""

    PACKAGES = "none"

    def __init__(self, speakers):
        self._voices = [f"{accent}+{name}" for accent in ("en", "us") for name in speakers]

    def voices(self):
        return self._voices

    def speaker(self, voice):
        return f"espeak {voice.partition('+')[2]}"

    def speak(self, requests):
        raise AssertionError("plans need no speech")


NAMES = [f"{sex}{n}" for sex in "fm" for n in range(1, 9)]


@pytest.fixture(scope="module")
def planner():
    return Planner(tiny(other_voice=0.5), {"espeak": Silent(NAMES)})


@pytest.fixture(scope="module")
def plans(planner):
    return {part: [planner.plan(part, n) for n in range(500)] for part in PARTS}


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
    what = {part: {plan.text for plan in made} for part, made in plans.items()}
    assert not overlaps(who, what)
    assert who["test"] == who["train"]
    planted = {**who, "speakers": who["speakers"] | set(sorted(who["train"])[:1])}
    assert overlaps(planted, what) == [("train", "speakers"), ("test", "speakers")]
    planted = {**what, "develop": what["develop"] | set(sorted(what["train"])[:1])}
    assert overlaps(who, planted) == [("train", "develop")]


def test_every_plan_is_on_the_side_of_its_part(planner, plans):
    shares = {"develop": 0.2, "test": 0.2}
    for part, made in plans.items():
        sentences, voices = PARTS[part]
        for plan in made:
            assert side("sentence", plan.text, shares) == sentences
        for speaker in speakers(planner, made):
            assert planner.speaker_side(speaker) == voices


def test_requests_say_the_text(plans):
    for plan in plans["train"]:
        assert " ".join(request.text for _, request in plan.requests) == plan.text
        assert plan.spliced or len(plan.requests) == 1
        for _, request in plan.requests:
            assert 0.8 <= request.pace <= 1.45
            assert 0.75 <= request.pitch <= 1.3
    shares = [plan.spliced for plan in plans["train"]]
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


def test_a_side_without_a_sentence():
    recipe = tiny()
    grammar = {"command": ["go"], "words": ["go"]}
    planner = Planner(recipe.model_copy(update={"grammar": grammar}), {"espeak": Silent(NAMES)})
    part = next(p for p, (on, _) in PARTS.items() if on != planner.sentence_side("go"))
    with pytest.raises(RecipeError, match="none of the side"):
        planner.plan(part, 0)


def test_by_engine(plans):
    made = plans["train"][:20]
    places = by_engine(made)["espeak"]
    assert places == [(n, k) for n, plan in enumerate(made) for k in range(len(plan.requests))]
    assert all(isinstance(made[n].requests[k][1], Request) for n, k in places)

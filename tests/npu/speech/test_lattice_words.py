"""Lattices beside a beam that writes every way to every string down, one by one."""

import re
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npu.model.tokens import Tokens
from npu.speech import beam as beam_module
from npu.speech.beam import BeamRules
from npu.speech.hotwords import Boost, Hotword
from npu.speech.lattice_words import lattice_of
from npu.speech.nbest import Found, alternatives
from npu.speech.scores import ONE, log_add
from npu.speech.ways import Node, Text
from tests.npu.speech.lattices import (
    MOST,
    SCORE,
    TOKENS,
    Stateless,
    all_paths,
    lattice,
    scores,
    searched,
    text_of,
)

SYMBOLS = len(TOKENS)


# --- the beam, with each way by itself ------------------------------------------------------------
@dataclass
class Kept:
    """A string of the beam. ways : by the string that a way has spelt, which is another one where
    it was given up, and by the strings that were; their scores, in units.
    """

    string: tuple[int, ...]
    score: int
    ways: dict[tuple[tuple[int, ...], frozenset, tuple], int]


def written_down(seed, paths, apart, calls, labels, memory):
    """The strings of the beam, and all texts in nats."""
    networks = Stateless(seed, memory)
    kept = [Kept((), 0, {((), frozenset(), ()): 0})]
    for call in range(calls):
        finished: dict[tuple, Kept] = {}
        active = kept
        for _ in range(MOST):
            longer = []
            for each in active:
                of = SCORE(networks.join(call, each.string)).tolist()
                ended(finished, moved(each, None, of[0], call))
                best = sorted(range(SYMBOLS), key=lambda s, of=of: -of[s])[: paths + 1]
                longer += [moved(each, s, of[s], call) for s in best if s][:paths]
            longer.sort(key=lambda each: (-each.score, each.string[-1]))
            done = sorted((each.score for each in finished.values()), reverse=True)
            near = max(done[0], longer[0].score) - round(apart * ONE)
            least = max(near, done[paths - 1]) if len(done) >= paths else near
            active = [each for each in longer[:paths] if each.score > least]
            if not active:
                break
            give_up([each for each in longer[len(active) :] if each.score >= near], active, labels)
        for each in active:
            ended(finished, each)
        order = sorted(finished.values(), key=lambda each: -each.score)
        order = [each for each in order if each.score >= order[0].score - round(apart * ONE)]
        kept = order[:paths]
        give_up(order[paths:], kept, labels)
    return kept, texts(kept)


def moved(each: Kept, symbol, score, call) -> Kept:
    added = () if symbol is None else (symbol,)
    ways = {
        ((*spelt, *added), lost, (*at, *[call for _ in added])): before + score
        for (spelt, lost, at), before in each.ways.items()
    }
    return Kept((*each.string, *added), each.score + score, ways)


def ended(finished, each: Kept) -> None:
    other = finished.get(each.string)
    if other is not None:
        assert not set(other.ways) & set(each.ways), "no way is there twice"
        each = Kept(each.string, log_add(each.score, other.score), {**other.ways, **each.ways})
    finished[each.string] = each


def give_up(lost, kept, labels) -> None:
    for each in lost:
        same = [of for of in kept if of.string[-labels:] == each.string[-labels:]]
        if same:
            for (spelt, before, at), score in each.ways.items():
                same[0].ways[spelt, before | {each.string}, at] = score


def spelt_out(string) -> str:
    return re.sub(" +", " ", "".join(TOKENS.symbols[each] for each in string)).lstrip()


def texts(kept, others=True) -> dict[str, float]:
    own = [spelt_out(each.string).rstrip() + " " for each in kept]
    found: dict[str, float] = {}
    for each in kept:
        for (spelt, lost, _), score in each.ways.items():
            again = any(of.startswith(spelt_out(each)) for of in own for each in lost)
            if not lost or (others and not again):
                text = " ".join(TOKENS.decode(spelt).split())
                found[text] = np.logaddexp(found.get(text, -np.inf), score / ONE)
    likeliest = max(texts(kept, False).values()) if others else np.inf
    return found if max(found.values()) <= likeliest + 1e-3 else texts(kept, False)


CASES = {
    "seed": st.integers(0, 10_000),
    "paths": st.integers(1, 3),
    "calls": st.integers(1, 4),
    "labels": st.integers(1, 3),
    "memory": st.sampled_from([1, 2, None]),
}


@given(**CASES)
@settings(max_examples=60, deadline=None)
def test_every_way_is_in_it_once(seed, paths, calls, labels, memory):
    """The texts, and the sum over all ways of each."""
    kept, wanted = written_down(seed, paths, 50, calls, labels, memory)
    search = searched(seed, BeamRules(paths, 50), calls, labels, memory)
    assert [(f.symbols, f.score) for f in search.found] == [(k.string, k.score) for k in kept]
    found = scores(lattice_of(search.found, TOKENS, 1000, 10**6))
    assert set(found) == set(wanted)
    assert max(abs(found[text] - wanted[text]) for text in wanted) < 1e-3


@pytest.mark.parametrize("fault", ["_recombine", "_recombine_longer"])
def test_a_way_that_is_lost_is_noticed(monkeypatch, fault):
    """The test above is no empty promise."""
    cases = [dict(seed=s, paths=3, calls=4, labels=1, memory=2) for s in range(12)]
    monkeypatch.setattr(beam_module, fault, lambda given_up, kept, labels: list(given_up))
    noticed = 0
    for case in cases:
        try:
            test_every_way_is_in_it_once.hypothesis.inner_test(**case)
        except AssertionError:
            noticed += 1
    assert noticed >= 3


@given(**CASES, apart=st.floats(0.5, 50))
@settings(max_examples=60, deadline=None)
def test_what_the_beam_kept_is_in_it_and_the_best_is_the_best(
    seed, paths, calls, labels, memory, apart
):
    """With the same scores, in the last digit but for texts of several strings."""
    search = searched(seed, BeamRules(paths, apart), calls, labels, memory)
    kept: dict[str, float] = {}
    for each in alternatives(search.found, TOKENS):
        text = " ".join(each.text.split())
        kept[text] = np.logaddexp(kept.get(text, -np.inf), each.score)
    made = lattice_of(search.found, TOKENS)
    assert {text: scores(made)[text] for text in kept} == pytest.approx(kept, abs=1e-3)
    best, *others = sorted(kept, key=lambda text: -kept[text])
    assert made.score(made.best) / ONE == pytest.approx(kept[best], abs=1e-3)
    if not others or kept[best] - kept[others[0]] > 1e-3:
        assert text_of(made.best) == best


def truths(seed, calls, memory) -> dict[str, float]:
    """The logarithm of the sum over all alignments of all strings of each text; no beam."""
    networks, ways = Stateless(seed, memory), {(): 0.0}
    for call in range(calls):
        ended_: dict[tuple, float] = {}
        active = ways
        for here in range(MOST + 1):
            longer: dict[tuple, float] = {}
            for string, score in active.items():
                of = SCORE(networks.join(call, string)) / ONE
                leaves = score if here == MOST else score + of[0]
                ended_[string] = np.logaddexp(ended_.get(string, -np.inf), leaves)
                longer |= {(*string, s): score + of[s] for s in range(1, SYMBOLS)}
            active = longer
        ways = ended_
    found: dict[str, float] = {}
    for string, score in ways.items():
        text = " ".join(TOKENS.decode(string).split())
        found[text] = np.logaddexp(found.get(text, -np.inf), score)
    return found


def above_the_truth(labels, memory) -> int:
    """How many texts of some lattices are likelier than all strings of theirs together."""
    count, others = 0, 0
    for seed in range(15):
        search = searched(seed, BeamRules(3, 50), 3, labels, memory)
        kept = {" ".join(TOKENS.decode(each.symbols).split()) for each in search.found}
        true = truths(seed, 3, memory)
        for text, score in scores(lattice(seed, calls=3, labels=labels, memory=memory)).items():
            count += score > true[text] + 1e-3
            others += text not in kept
    assert others > 25
    return count


def test_it_is_exact_where_the_predictor_sees_no_further():
    """Of real alignments alone, so no text is likelier than it is; else one may be."""
    assert above_the_truth(labels=2, memory=2) == 0
    assert above_the_truth(labels=1, memory=2) > 0


def test_without_a_limit_it_is_the_truth():
    """Where nothing is given up, the scores of all texts."""
    search = searched(3, BeamRules(1000, 1000), 2, 2)
    found = scores(lattice_of(search.found, TOKENS, 1000, 10**6))
    wanted = truths(3, 2, 2)
    assert set(found) == set(wanted)
    assert max(abs(found[text] - wanted[text]) for text in wanted) < 1e-3


# --- what is left out -----------------------------------------------------------------------------
def test_texts_that_are_far_behind_are_left_out():
    wide, narrow = scores(lattice(1, apart=1000)), scores(lattice(1, apart=2))
    best = max(wide.values())
    assert {text for text in wide if wide[text] > best - 2} <= set(narrow) < set(wide)


def test_where_there_are_too_many_states_or_steps_what_the_beam_kept_is_there(monkeypatch):
    search = searched(1, BeamRules(3, 50), 4, 1)
    kept = {" ".join(each.text.split()) for each in alternatives(search.found, TOKENS)}
    assert set(scores(lattice(1, most=3))) == kept < set(scores(lattice(1)))
    monkeypatch.setattr("npu.speech.lattice_words.MOST_STEPS", 5)
    assert set(scores(lattice(1))) == kept


def test_nothing_is_recorded_unless_it_is_asked_for():
    search = searched(1, BeamRules(2, 50), 4, None)
    assert all(each.node is None for each in search.found)
    assert lattice_of(search.found, TOKENS) is None and lattice_of([], TOKENS) is None
    recorded = searched(1, BeamRules(2, 50), 4, 2)
    assert [f[:4] for f in recorded.found] == [f[:4] for f in search.found]
    with pytest.raises(ValueError, match="lattice must be at least 1 symbol, not 0"):
        searched(1, BeamRules(2, 50), 1, 0)


# --- phrases to be heard --------------------------------------------------------------------------
@pytest.mark.parametrize("seed", range(8))
def test_a_bonus_is_told_apart(seed):
    """On every path: what the phrases in its text are worth, and the score that it would have."""
    boost = Boost([Hotword("a", 1.0), Hotword("ab", 0.5)], TOKENS)
    found = searched(seed, BeamRules(1000, 1000), 2, 2, boost=boost).found
    plain = scores(lattice_of(searched(seed, BeamRules(1000, 1000), 2, 2).found, TOKENS, 1000))
    made = lattice_of(found, TOKENS, 1000, 10**6)
    assert len(all_paths(made)) == len(plain)
    for path in all_paths(made):
        last = path[-1].target if path else 0
        bonus = sum(arc.bonus for arc in path) + made.ends[last].bonus
        words = [arc.word for arc in path]
        assert bonus == words.count("a") * ONE + words.count("ab") * ONE
        assert (made.score(path) - bonus) / ONE == pytest.approx(plain[text_of(path)], abs=2e-3)


# --- symbols of other kinds -----------------------------------------------------------------------
def test_pieces_of_words_and_their_times():
    """A word may end within a symbol, two at once, and be spelt in two ways."""
    tokens = Tokens(("<blk>", " the", "re", " there", " a b c", "<unk>"))

    def string(*symbols, share=0.5):
        node = Node()
        for symbol in symbols:
            node = node.then(symbol, 0, 0).ended(0)
        score = round(np.log(share) * ONE)
        node.ways[0] = node.ways[0]._replace(score=score)
        return Found(symbols, tuple(range(len(symbols))), score, 0, Text(), node, 0)

    found = [string(1, 2, 4, share=0.5), string(3, 5, 4, share=0.3), string(1, share=0.2)]
    # One start for all.
    start = Node()
    for each in found:
        node = each.node
        while node.ways[0].before.ways:
            node = node.ways[0].before
        node.ways[0] = node.ways[0]._replace(before=start)
    made = lattice_of(found, tokens)
    assert {text: np.exp(score) for text, score in scores(made).items()} == pytest.approx(
        {"there a b c": 0.8, "the": 0.2}, abs=1e-3
    )
    times = {arc.word: (arc.start, arc.end) for arc in made.arcs}
    assert times == {"there": (0, 1), "the": (0, 0), "a": (2, 2), "b": (2, 2), "c": (2, 2)}
    assert made.timed(lambda c: c / 10, lambda c: (c + 1) / 10).arcs[0] == replace_times(made)


def replace_times(made):
    arc = made.arcs[0]
    return arc._replace(start=arc.start / 10, end=(arc.end + 1) / 10)

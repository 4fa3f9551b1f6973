"""Posteriors, cuts and the closest text of a lattice, beside all of its paths one by one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npu.speech.lattice import Arc, End, Lattice, closest
from npu.speech.scores import ONE
from npu.speech.word_errors import align
from tests.npu.speech.lattices import all_paths, lattice, text_of

CASES = {"seed": st.integers(0, 10_000), "calls": st.integers(1, 4)}


def shares(of: Lattice) -> dict[tuple[Arc, ...], float]:
    """Of each path."""
    scores = {path: of.score(path) / ONE for path in all_paths(of)}
    total = np.logaddexp.reduce(list(scores.values()))
    assert of.total == pytest.approx(total)
    return {path: np.exp(score - total) for path, score in scores.items()}


@given(**CASES)
@settings(max_examples=60, deadline=None)
def test_posteriors_are_those_of_all_paths(seed, calls):
    of = lattice(seed, calls=calls)
    paths = shares(of)
    assert of.paths == len(paths) == len({text_of(path) for path in paths})
    assert sum(paths.values()) == pytest.approx(1)
    for arc, share in zip(of.arcs, of.posteriors, strict=True):
        assert share == pytest.approx(sum(s for path, s in paths.items() if arc in path))
    likeliest = max(paths.values())
    assert paths[of.best] == pytest.approx(likeliest)


@given(**CASES)
@settings(max_examples=60, deadline=None)
def test_posteriors_are_1_on_every_cut(seed, calls):
    """Between any two states: what crosses, and what has ended before."""
    of = lattice(seed, calls=calls)
    assert all(arc.source < arc.target for arc in of.arcs)
    for state in range(of.states):
        crossing = sum(
            share
            for arc, share in zip(of.arcs, of.posteriors, strict=True)
            if arc.source <= state < arc.target
        )
        over = sum(share for at, share in of.end_posteriors.items() if at <= state)
        assert crossing + over == pytest.approx(1)


@given(**CASES, most=st.integers(0, 40))
@settings(max_examples=60, deadline=None)
def test_the_likeliest_come_first(seed, calls, most):
    of = lattice(seed, calls=calls)
    found = of.likeliest(most)
    scores = [of.score(path) for path in found]
    assert scores == sorted(map(of.score, all_paths(of)), reverse=True)[:most]
    assert len(set(found)) == len(found) and found == of.likeliest(most + 1)[:most]
    assert of.score(of.best) == of.score(of.likeliest(1)[0])


@given(**CASES, words=st.lists(st.sampled_from(["a", "B", "ab", "bb", "c"]), max_size=5))
@settings(max_examples=60, deadline=None)
def test_the_closest_text_has_the_fewest_errors(seed, calls, words):
    of = lattice(seed, calls=calls)
    lower = [word.lower() for word in words]
    found = align(lower, closest(of, words)).errors
    texts = [text_of(path).split() for path in all_paths(of)]
    assert list(closest(of, words)) in texts
    assert found == min(align(lower, text).errors for text in texts)


def test_of_a_lattice_without_a_word():
    of = Lattice((), {0: End(-ONE, 0)})
    assert (of.states, of.paths, of.best, of.total) == (1, 1, (), -1)
    assert of.posteriors == [] and of.end_posteriors == {0: 1}
    assert closest(of, ["a", "b"]) == () == closest(of, [])
    assert of.likeliest(5) == [()]

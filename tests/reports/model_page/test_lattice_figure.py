"""Where the words of a lattice are drawn: on whole paths, beside each other, in order."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("jinja2", reason="the extra `reports` is not installed")
pytest.importorskip("matplotlib", reason="the extra `reports` is not installed")

from npu.speech.lattice import Arc, End, Lattice
from npu.speech.scores import ONE
from reports.model_page.canvas import NARROW, WIDE
from reports.model_page.lattices import (
    MOST_ARCS,
    MOST_LATTICES,
    left_out_text,
    placed,
    pruned,
)
from tests.npu.speech.lattices import lattice

CASES = {"seed": st.integers(0, 10_000), "calls": st.integers(1, 5)}
WIDTH = st.sampled_from([WIDE, NARROW])


@given(**CASES, most=st.integers(1, 30))
@settings(max_examples=80, deadline=None)
def test_what_is_kept_lies_on_whole_paths(seed, calls, most):
    of = lattice(seed, calls=calls)
    kept = pruned(of, most)
    assert set(of.best) <= set(kept.arcs) and len(kept.arcs) <= max(most, len(of.best))
    assert len(kept.arcs) + len(kept.left_out) == len(of.arcs)
    sources, targets = {a.source for a in kept.arcs}, {a.target for a in kept.arcs}
    for arc in kept.arcs:
        assert arc.source == 0 or arc.source in targets
        assert arc.target in of.ends or arc.target in sources
    if most >= len(of.arcs):
        assert kept.arcs == of.arcs and not kept.left_out


@given(**CASES, width=WIDTH)
@settings(max_examples=80, deadline=None)
def test_no_word_lies_on_another(seed, calls, width):
    of = lattice(seed, calls=calls)
    if not of.arcs:
        return
    found = placed(of, width)
    assert len(found.pruned.arcs) <= max(MOST_ARCS, len(of.best))
    for arc in found.pruned.arcs:
        assert found.along[arc.source] < found.along[arc.target] < found.length
        for other in found.pruned.arcs:
            if other is not arc and found.lanes[arc] == found.lanes[other]:
                apart = found.along[arc.target] <= found.along[other.source]
                assert apart or found.along[other.target] <= found.along[arc.source]
    assert all(found.lanes[arc] == found.across[arc.target] == 0 for arc in of.best)
    if not found.downwards:
        assert found.length <= width


def test_a_likely_word_that_leads_nowhere_is_left_out():
    """Behind it all are too unlikely, each for itself."""
    ways = [Arc(2, 3, f"w{n}", -ONE * 3, 0, 0.6, 0.9) for n in range(10)]
    behind = [Arc(0, 1, "b", 0, 0, 0, 0.3), Arc(1, 2, "c", 0, 0, 0.3, 0.6)]
    arcs = [*behind[:1], Arc(0, 3, "a", 0, 0, 0, 0.9), *behind[1:], *ways]
    of = Lattice(tuple(arcs), {3: End(0, 0)})
    assert {arc.word for arc in pruned(of, 3).arcs} == {"a"}
    assert {arc.word for arc in pruned(of, 4).arcs} == {"a", "b", "c", "w0"}
    assert max(pruned(of, 3).left_out) == pytest.approx(10 / (10 + np.e**3))


def chain(words: int) -> Lattice:
    arcs = [Arc(n, n + 1, f"word{n}", 0, 0, 0.3 * n, 0.3 * n + 0.2) for n in range(words)]
    return Lattice(tuple(arcs), {words: End(0, 0)})


def test_a_long_phrase_goes_downwards():
    assert not placed(chain(5), WIDE).downwards
    assert placed(chain(5), NARROW).downwards
    long = placed(chain(60), WIDE)
    assert long.downwards and len(long.pruned.arcs) == 60


def test_what_is_left_out_is_told():
    assert left_out_text([("a", chain(1))] * MOST_LATTICES) == ""
    told = left_out_text([("a", chain(1))] * (MOST_LATTICES + 2))
    assert told == f"The last 2 of {MOST_LATTICES + 2} phrases are not drawn."

"""Batches that several runs learn from: the same as made alone, and shared by no others."""

import numpy as np
import pytest

from compiler.train.corpus.store import write_shard
from compiler.train.queue import changed, load_queue, shipped_queues
from compiler.train.sound.batches import Listener
from compiler.train.sound.features import MEL
from compiler.train.sound.kept import KeptBatches, key, shared_steps
from tests.compiler.train.corpus.recipes import tiny
from tests.compiler.train.sound.test_batches import clip, same

OTHER = {
    "network.dropout": 0.3,
    "pruning.zeros": 0.25,
    "quantisation.bits": 4,
    "learning.steps": 77,
    "learning.rate": 1e-4,
    "learning.precision": "float32",
}
"""What no batch depends on."""
ITS_OWN = {
    "seed": 99,
    "learning.batch": 3,
    "learning.together": 2,
    "learning.window_s": [-0.1, 0.6],
    "sound.untouched": 0.9,
    "sound.respliced.joined": 0.9,
    "sound.ramp_steps": [0, 1],
}
STEPS = 6


def listener(folder, recipe) -> Listener:
    return Listener(folder, "train", recipe, (-9.0,) * MEL.bins, (2.0,) * MEL.bins)


@pytest.fixture
def recipe():
    return changed(tiny(), {"learning.batch": 4, "learning.together": 3}, "here")


@pytest.fixture
def corpus(tmp_path):
    folder = tmp_path / "corpus"
    folder.mkdir()
    write_shard(folder, "train", 0, [clip(n) for n in range(11)])
    return folder


def test_a_kept_batch_is_the_one_that_any_run_of_its_key_makes(recipe, corpus, tmp_path):
    other = changed(recipe, OTHER, "here")
    assert key(other) == key(recipe)
    kept = KeptBatches(listener(corpus, recipe), tmp_path / "kept", STEPS)
    first = [kept.batch(step) for step in range(STEPS + 2)]
    assert len(list((tmp_path / "kept").iterdir())) == STEPS
    again = KeptBatches(listener(corpus, other), tmp_path / "kept", STEPS)
    for step, batch in enumerate(first):
        assert same(batch, listener(corpus, other).batch(step))
        assert same(batch, again.batch(step))


@pytest.mark.parametrize("name", ITS_OWN)
def test_what_a_batch_depends_on_has_a_key_of_its_own(recipe, name):
    assert key(changed(recipe, {name: ITS_OWN[name]}, "here")) != key(recipe)


def test_a_kept_batch_is_read_and_not_made_anew(recipe, corpus, tmp_path):
    kept = KeptBatches(listener(corpus, recipe), tmp_path / "kept", STEPS)
    kept.batch(0)
    (file,) = (tmp_path / "kept").iterdir()
    with np.load(file) as there:
        values = {name: np.zeros_like(there[name]) for name in there.files}
    np.savez(file, **values)
    assert not kept.batch(0).steps.any()


def test_what_one_run_alone_takes_is_not_kept(recipe, corpus, tmp_path):
    steps = [("a", 1, 50), ("b", 1, 20), ("c", 2, 30), ("d", 1, 40)]
    made = [
        changed(recipe, {"seed": seed, "learning.steps": many}, name) for name, seed, many in steps
    ]
    assert shared_steps(made) == {key(made[0]): 40, key(made[2]): 0}
    KeptBatches(listener(corpus, recipe), tmp_path / "kept", 0).batch(0)
    assert not (tmp_path / "kept").exists()


def test_the_curve_makes_a_seeds_batches_once():
    runs = load_queue(shipped_queues()["curve"]).runs
    pruned = [run for run in runs if run.start is not None]
    assert len({key(run.recipe) for run in pruned}) == 3
    steps = shared_steps(run.recipe for run in runs).values()
    assert sorted(steps) == [0, 0, 0, 1000, 1000, 1000]

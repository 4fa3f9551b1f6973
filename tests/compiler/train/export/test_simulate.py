"""How far the integers are from the simulation, whose gates and sums are floats."""

from dataclasses import replace

import numpy as np
import pytest

from compiler import load_model
from compiler.reference import search_of
from compiler.train.export import Simulation
from compiler.train.export.reading import trained_of
from kernels import Transducer
from npu.speech.search import GreedySearch, SearchRules
from tests.trained_transducers import random_call, random_trained, written

CALLS = 60
STEPS = {"encoder": 3, "predictor": 2, "logits": 8}
"""Most by which one value may differ, in steps of its grid. Small networks, three LSTMs deep."""
MEAN_STEPS = 0.75
"""Most by which they may differ on average."""
AGREEMENT = 0.95
"""Of joiner evaluations whose best symbol is the same."""


def distances(model, simulation, trained, rng):
    """Greatest and mean distance by network, and the share of equal best symbols."""
    kernels = Transducer(*(model.graphs[role] for role in ("encoder", "decoder", "joiner")))
    kernels.reset()
    simulation.reset()
    found = {name: [] for name in STEPS}
    equal = 0
    for _ in range(CALLS):
        features, symbol = random_call(rng, trained)
        ours = [each.encode(features)[0] for each in (simulation, kernels)]
        theirs = [each.predict(symbol) for each in (simulation, kernels)]
        logits = [
            each.join(*sides)
            for each, *sides in zip((simulation, kernels), ours, theirs, strict=True)
        ]
        for name, (a, b) in zip(STEPS, (ours, theirs, logits), strict=True):
            found[name].append(np.abs(a.astype(int) - b).ravel())
        equal += logits[0].argmax() == logits[1].argmax()
    arrays = {name: np.concatenate(each) for name, each in found.items()}
    return arrays, equal / CALLS


@pytest.mark.parametrize("stateless", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_integers_are_close(tmp_path, seed, stateless):
    trained = random_trained(seed, stateless)
    model = written(trained, tmp_path / "m")
    rng = np.random.default_rng(seed)
    found, agreement = distances(model, Simulation(trained), trained, rng)
    for name, most in STEPS.items():
        assert found[name].max() <= most, name
        assert found[name].mean() <= MEAN_STEPS, name
    assert agreement >= AGREEMENT


@pytest.mark.parametrize("gates", [[1, 0, 2, 3], [0, 1, 3, 2], [0, 2, 1, 3]])
def test_a_swap_of_gates_is_seen(tmp_path, gates):
    trained = random_trained(0, False)
    model = written(trained, tmp_path / "m")
    lstm = trained.encoder[0]
    arrays = ("input_weights", "recurrent_weights", "bias", "input_steps", "recurrent_steps")
    other = replace(lstm, **{name: getattr(lstm, name)[gates] for name in arrays})
    swapped = Simulation(replace(trained, encoder=(other, *trained.encoder[1:])))
    found, _ = distances(model, swapped, trained, np.random.default_rng(0))
    assert found["encoder"].mean() > 2 * MEAN_STEPS


def test_both_hear_the_same_of_a_recording(zoo):
    """The zoo's network in the simulation, with the search that integers are asked by."""
    model = load_model(zoo / "commands_rnnt")
    simulated = GreedySearch(Simulation(trained_of(model)), SearchRules.of(model.config))
    integers = search_of(model)
    for path in sorted((zoo / "commands_rnnt" / "utterances").glob("*.npz")):
        simulated.reset()
        integers.reset()
        with np.load(path) as recorded:
            assert simulated.accept(recorded["features"]) == integers.accept(recorded["features"])

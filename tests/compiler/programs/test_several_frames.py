"""Encoders that give several frames a call: each is joined, as if it came in a call of its own."""

import numpy as np
import pytest

from compiler import compile_model
from compiler.programs import branching, greedy, per_graph
from compiler.reference import beam_of, search_of
from npu.chip.params import load_params
from npu.model.recording import Recording
from npu.runtime.budget import Budgets
from npu.runtime.host_beam import BeamSession, most_slots
from npu.runtime.host_search import HostSearchSession
from npu.runtime.image import Image
from npu.runtime.sessions import TransducerSession
from npu.speech.beam import BeamRules
from npu.speech.search import SearchRules
from tests.random_transducers import random_transducer

TINY = load_params("tiny")
SEEDS = (0, 3, 5, 6, 16, 29, 30, 50)
CALLS = 6


def pair(seed):
    """A transducer whose encoder gives several frames a call, the same with one, and features."""
    frames = 2 + seed % 4
    several, one = (random_transducer(np.random.default_rng(seed), n) for n in (frames, 1))
    tensor = several.graphs["encoder"].tensors[several.graphs["encoder"].inputs[0]]
    rng = np.random.default_rng(100 + seed)
    return several, one, rng.integers(-128, 128, (CALLS, *tensor.shape[1:])).astype(np.int8)


def one_by_one(features):
    """The same frames, each in a call of its own."""
    return features.reshape(-1, 1, features.shape[-1])


@pytest.mark.parametrize("seed", SEEDS)
def test_a_call_of_frames_is_as_many_calls_of_one(seed):
    """Symbol for symbol, and vector for vector: on the kernels, and on the chip in both ways."""
    several, one, features = pair(seed)
    frames = features.shape[1]
    assert (several.frames_out, one.frames_out) == (frames, 1)
    wanted = Recording()
    symbols = search_of(one, wanted).accept_calls(one_by_one(features))
    assert len(symbols) == CALLS * frames
    loop = Image.from_bytes(compile_model(several, TINY).to_bytes())
    apart = compile_model(several, TINY, program=per_graph(several))
    for made in (
        lambda saw: search_of(several, saw),
        lambda saw: TransducerSession(loop, recording=saw),
        lambda saw: HostSearchSession(apart, recording=saw),
    ):
        saw = Recording()
        assert made(saw).accept_calls(features) == symbols
        for name, vectors in wanted.vectors.items():
            found = np.concatenate([each.ravel() for each in saw.vectors[name]])
            np.testing.assert_array_equal(found, np.concatenate([v.ravel() for v in vectors]))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_beam_hears_the_same(seed):
    several, one, features = pair(seed)
    beam = BeamRules(3)
    wanted, kernels = beam_of(one, beam), beam_of(several, beam)
    slots = most_slots(beam, SearchRules.of(several.config))
    image = compile_model(several, TINY, program=branching(several, slots))
    chip = BeamSession(image, beam)
    wanted.accept_calls(one_by_one(features))
    for search in (kernels, chip):
        answers = search.accept_calls(features)
        assert len(answers) == CALLS
    assert (
        kernels.frames == chip.beam.frames == wanted.frames == features.size // (features.shape[-1])
    )
    said = [(f.symbols, f.frames, f.score) for f in wanted.found]
    assert said == [(f.symbols, f.frames, f.score) for f in kernels.found]
    assert said == [(f.symbols, f.frames, f.score) for f in chip.beam.found]


def test_several_calls_in_a_start():
    for seed in SEEDS:
        several, _, features = pair(seed)
        image = compile_model(several, TINY)
        alone = TransducerSession(image).accept_calls(features)
        for count in (2, CALLS):
            assert TransducerSession(image).accept_calls(features, count) == alone


def test_symbols_come_and_stay_away():
    """Or the tests above would show little: frames with none, with one, and full ones."""
    counts = set()
    for seed in SEEDS:
        several, _, features = pair(seed)
        most = several.config.max_symbols_per_frame
        answers = search_of(several).accept_calls(features)
        counts |= {"none" if not n else "all" if n == most else "some" for n in map(len, answers)}
        counts |= {f"frame {n % several.frames_out}" for n, each in enumerate(answers) if each}
    assert {"none", "some", "all", *(f"frame {n}" for n in range(4))} <= counts


def test_a_frame_takes_no_more_than_its_budget():
    several, _, features = pair(3)
    image = compile_model(several, TINY)
    session = TransducerSession(image)
    session.accept_calls(features, CALLS)
    assert max(session.cycles) <= Budgets(image).of_start(CALLS).cycles


def test_only_several_frames_take_a_copy():
    """A program for one frame a call has no command more."""
    several, one, _ = pair(3)
    for program in (greedy, lambda model: branching(model, 9)):
        layers = [
            {
                str(layer)
                for layer in compile_model(m, TINY, program=program(m)).header.command_layers
            }
            for m in (one, several)
        ]
        assert layers[1] - layers[0] == {"joiner: encoder to joiner: frame"}

"""The beam search with the networks on the chip: as on the kernels, score by score."""

import gc

import numpy as np
import pytest

from compiler import compile_model
from compiler.programs import branching, per_graph
from compiler.reference import beam_of
from npu.chip.params import load_params
from npu.errors import ImageError, InputError
from npu.model.recording import Recording
from npu.runtime.host_beam import BeamSession, ChipBranches
from npu.runtime.sessions import Session
from npu.speech.beam import BeamRules
from tests.random_transducers import random_transducer

TINY = load_params("tiny")
SEEDS = range(12)
CALLS = 5


def found(search):
    return [
        (each.symbols, each.score, [(e.frame, e.score) for e in each.emissions])
        for each in search.beam.hypotheses
    ]


def on_both(seed, beam, machine=None):
    """Hypotheses of kernels and chip, and the logits that both have seen."""
    rng = np.random.default_rng(seed)
    model = random_transducer(rng)
    encoder = model.graphs["encoder"]
    shape = encoder.tensors[encoder.inputs[0]].shape
    features = rng.integers(-128, 128, (CALLS, *shape[1:])).astype(np.int8)
    program = branching(model, 1 + beam.active_paths * (2 + model.config.max_symbols_per_frame))
    image = compile_model(model, TINY, program=program)
    saw, seen = Recording(), Recording()
    kernels = beam_of(model, beam, recording=saw)
    options = {} if machine is None else {"machine": machine}
    chip = BeamSession(image, beam, recording=seen, **options)
    answers = []
    for call in features:
        kernels.accept_calls(call[np.newaxis])
        chip.accept_calls(call[np.newaxis])
        answers.append((found(kernels), found(chip)))
    return answers, saw.vectors, seen.vectors, chip


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("paths", [1, 4])
def test_kernels_and_twin_find_the_same(seed, paths):
    answers, saw, seen, _ = on_both(seed, BeamRules(paths, apart=20))
    assert all(kernels == twin for kernels, twin in answers)
    for probe in ("encoder_out", "logits"):
        assert len(saw[probe]) == len(seen[probe])
        assert all(np.array_equal(a, b) for a, b in zip(saw[probe], seen[probe], strict=True))


def test_hypotheses_part():
    """Or the test above would show little."""
    several = [on_both(seed, BeamRules(4, apart=20))[0][-1][0] for seed in SEEDS]
    assert sum(len(kept) == 4 for kept in several) > 6
    assert sum(len(kept[0][0]) > 1 for kept in several) > 3


def test_every_cycle_belongs_to_a_call():
    *_, chip = on_both(3, BeamRules())
    session = BeamSession(chip.image, BeamRules())
    before = session.machine.counters.cycles
    shape = chip.image.header.features.shape
    features = np.zeros((4, *shape[1:]), np.int8)
    session.accept_calls(features)
    assert sum(session.cycles) == session.machine.counters.cycles - before
    plain = list(session.cycles)
    session.restart()
    session.accept_calls(features)
    assert session.cycles[4] > plain[0] and session.cycles[5:] == plain[1:]
    session.reset()
    session.accept_calls(features)
    assert session.cycles[8:] == plain


def test_slots_are_free_again_when_nobody_holds_them():
    *_, chip = on_both(3, BeamRules(4, apart=20))
    networks = chip.search._networks
    assert isinstance(networks, ChipBranches)
    gc.collect()
    held = {each.state.number for each in chip.beam.hypotheses}
    assert sorted([*networks._free, *held]) == list(range(1, networks._slots))
    chip.reset()
    assert len(networks._free) == networks._slots - 2


def test_what_is_refused():
    model = random_transducer(np.random.default_rng(3))
    plain = compile_model(model, TINY, program=per_graph(model))
    looped = compile_model(model, TINY)
    for image in (plain, looped):
        with pytest.raises(ImageError, match="has no slots for hypotheses"):
            BeamSession(image, BeamRules())
    small = compile_model(model, TINY, program=branching(model, 2))
    with pytest.raises(ImageError, match="has 2 slots, 4 active paths take"):
        BeamSession(small, BeamRules())
    networks = ChipBranches(Session(small))
    _, held = networks.predict_from(None, 0)
    with pytest.raises(InputError, match="its 2 slots are taken"):
        networks.predict_from(held, 0)
    with pytest.raises(InputError, match="a symbol must be 0 to"):
        networks.predict_from(None, 99)
    with pytest.raises(ValueError, match="slots must be at least 2"):
        branching(model, 1)

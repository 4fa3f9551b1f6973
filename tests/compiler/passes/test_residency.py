"""What stays in the banks: what runs most often first, and more of it means fewer cycles."""

from itertools import pairwise

import numpy as np
import pytest

from compiler import compile_model, load_model
from compiler.lowering.ir import ChipModule
from compiler.passes.residency import Runs, choose
from compiler.passes.tiles import pack_matrix
from compiler.passes.weights import plan_weights
from npu.runtime.sessions import GraphSession
from tests.compiler.passes.made import VECTORS, chip, matrix, module_of

# A bank may be some percent larger and the program no faster, but never slower by more.
STEP_UP = 1.01


def packed_of(params, *matrices):
    return {m: pack_matrix(m, params, params.bank_bus_words, params.param_bytes) for m in matrices}


@pytest.mark.parametrize("words", [40, 64, 100, 150])
def test_every_row_is_cut_once_and_what_stays_fits(words):
    params = chip(bank_bytes=2048)
    packed = packed_of(params, matrix(300, 60, 1, seed=1), matrix(77, 90, 1, seed=2))
    runs = {m: Runs(0, 1, 1) for m in packed}
    cuts = choose(packed, runs, params, words, params.param_bytes)
    assert cuts is not None
    stays = 0.0
    for m, cut in cuts.items():
        assert sum(cut.rows) == len(m.weights) and min(cut.rows) > 0
        assert len(cut.rows) == len(cut.stays)
        kept = sum(n for n, stay in zip(cut.rows, cut.stays, strict=True) if stay)
        stays += packed[m].bank_words * kept / len(m.weights)
    assert stays < words


@pytest.mark.parametrize("often", [0, 1])
@pytest.mark.parametrize("size", [0.7, 1.5, 1.9])
def test_what_runs_more_often_stays_first(often, size):
    params = chip(bank_bytes=2048)
    packed = packed_of(params, matrix(128, 60, 1, seed=1), matrix(128, 60, 1, seed=2))
    runs = {m: Runs(0, 9 if i == often else 1, 1) for i, m in enumerate(packed)}
    whole = max(one.bank_words for one in packed.values())
    found = choose(packed, runs, params, int(size * whole), params.param_bytes)
    cuts = [found[m] for m in packed]
    assert all(cuts[often].stays) or not any(cuts[1 - often].stays)
    assert all(cuts[often].stays) == (size > 1)


def test_the_segment_that_is_named_first_stays_first():
    params = chip(bank_bytes=1024)
    first, second = matrix(128, 40, 1, seed=1), matrix(128, 40, 1, seed=2)
    segments = {**module_of(first).segments, "often": module_of(second).segments["main"]}
    plan = plan_weights(ChipModule(segments, [], [], hot=("often",)), params)
    assert plan.matrices[second].resident and not plan.matrices[first].resident


def test_what_does_not_fit_at_all_is_left_to_others():
    params = chip(bank_bytes=2048)
    packed = packed_of(params, matrix(64, 400, 1, density=1.0))
    runs = {m: Runs(0, 1, 1) for m in packed}
    assert choose(packed, runs, params, 8, params.param_bytes) is None
    assert choose(packed, runs, params, 60, 100) is None


def test_larger_banks_are_not_slower():
    """On a chip whose multipliers are about as fast as its bus."""
    model = load_model(VECTORS / "fc_wide.tflite")
    vector = np.load(VECTORS / "fc_wide.npz")["input0"][0]
    cycles = []
    for kib in (5, 8, 12, 16, 20, 24, 27):
        params = chip(
            lanes=16,
            bus_bytes=16,
            bank_bytes=1024 * kib,
            param_bytes=65536,
            sram_bytes=16384,
            activation_entries=2048,
        )
        session = GraphSession(compile_model(model, params))
        session.invoke([vector])
        cycles.append(session.cycles[-1])
    for smaller, larger in pairwise(cycles):
        assert larger <= STEP_UP * smaller, cycles
    assert cycles[0] <= 1.5 * cycles[-1], cycles

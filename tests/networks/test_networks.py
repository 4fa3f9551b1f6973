"""Some of the random models, and what the comparison notices."""

from functools import partial

import numpy as np
import pytest

import tests.live
from tests.live import run_all, side_by_side
from tests.networks.__main__ import params_of, verdict_of
from tests.networks.make import random_network
from tests.tflite_builder import write

pytest.importorskip("tflite_micro", reason="the extra `oracle` is not installed")

GRAPHS, SEED = 12, 20
EDGE = params_of("edge")


def test_random_models_are_equal_on_kernels_and_twin():
    tasks = [partial(verdict_of, SEED, number, EDGE) for number in range(GRAPHS)]
    verdicts = list(run_all(tasks))
    assert [(number, v.text()) for number, v in enumerate(verdicts) if not v.equal] == []
    assert sum(v.elements for v in verdicts) > 10_000


def test_a_seed_makes_the_same_model_and_models_are_various():
    assert write(random_network(3, 4)) == write(random_network(3, 4))
    specs = [random_network(3, number) for number in range(60)]
    assert len({op.kind for spec in specs for op in spec.operators}) > 40
    assert any(set(spec.inputs) & set(spec.outputs) for spec in specs)
    assert any(len(set(spec.outputs)) < len(spec.outputs) for spec in specs)
    assert any(spec.tensors[i].data is not None for spec in specs for i in spec.outputs)
    assert any(0 in spec.tensors[i].shape for spec in specs for i in spec.inputs)


def test_a_planted_bit_is_found_in_both(monkeypatch, tmp_path):
    right = tests.live._oracle

    def wrong(*args):
        answers = right(*args)
        answers[0][0].reshape(-1).view(np.uint8)[0] ^= 1
        return answers

    monkeypatch.setattr(tests.live, "_oracle", wrong)
    verdict = verdict_of(SEED, 1, EDGE, tmp_path / "m.tflite")
    assert verdict.differ == {"kernels": 1, "twin": 1} and not verdict.agreed


def test_a_model_that_ends_its_process_is_told_and_the_next_ones_run(tmp_path):
    def crash(path):
        raise SystemExit(3)

    def fail(path):
        raise LookupError("lost")

    def fine(path):
        return side_by_side(random_network(3, 4), None, np.random.default_rng(1), path)

    first, second, third = run_all([crash, fail, fine])
    assert first.broken is not None and first.broken.startswith("exit 1")
    assert second.broken == "LookupError: lost" and not second.agreed
    assert third.equal and third.elements > 0

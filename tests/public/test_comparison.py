"""The comparison with TensorFlow Lite Micro: it finds what differs, and survives every model."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from kernels import Interpreter
from reports import models
from tests.conftest import ROOT
from tests.public import compare as compared
from tests.public.calls import made_calls, real_calls
from tests.public.compare import Outcome, Wanted, compare, differences
from tests.public.files import Input, facts, model_files
from tests.public.guard import guarded
from tests.schemas import faults

pytest.importorskip("tflite_micro", reason="the extra `oracle` is not installed")

VECTORS = ROOT / "tests" / "vectors"
SMALL = VECTORS / "tflite" / "joint.tflite"
KERNELS = Wanted(chips=())


def compare_small(wanted: Wanted = KERNELS) -> Outcome:
    outcome = Outcome("joint")
    compare(SMALL, wanted, outcome, lambda: None)
    return outcome


def test_equal_on_kernels_and_twin():
    outcome = compare_small(Wanted(chips=("edge",), calls=2))
    kernels, edge = outcome.engines["kernels"], outcome.engines["edge"]
    assert outcome.oracle is None and outcome.calls > outcome.real > 0
    assert kernels.differ == edge.differ == 0 and kernels.elements > edge.elements > 0
    assert edge.cycles is not None and edge.sram and edge.image and edge.program
    assert outcome.operators == {"ADD": 1, "FULLY_CONNECTED": 3, "TANH": 1}


def test_a_planted_bit_is_found(monkeypatch):
    class Faulty(Interpreter):
        def invoke(self, inputs):
            outputs = super().invoke(inputs)
            outputs[0].reshape(-1)[0] ^= 1
            return outputs

    monkeypatch.setattr(compared, "Interpreter", Faulty)
    outcome = compare_small()
    assert outcome.engines["kernels"].differ == outcome.calls


def test_differences_are_counted_bit_by_bit():
    a = np.array([0.0, 1.0, np.nan], np.float32)
    assert differences(a, a.copy()) == 0
    assert differences(a, np.array([-0.0, 1.0, np.nan], np.float32)) == 1
    assert differences(a, a.reshape(3, 1)) == differences(a, a.astype(np.float64)) == 3


@pytest.mark.parametrize("end", [signal.SIGSEGV, signal.SIGXCPU])
def test_a_model_that_crashes_ends_itself_alone(monkeypatch, end):
    monkeypatch.setattr(compared, "answers", lambda *_: os.kill(os.getpid(), end))
    outcome = guarded(SMALL, "joint", KERNELS, 60)
    assert outcome.stage == "TensorFlow Lite Micro"
    said = "longer than 60 s of a processor" if end == signal.SIGXCPU else "SIGSEGV"
    assert outcome.broken == said


def test_an_error_of_ours_is_told(monkeypatch):
    monkeypatch.setattr(compared, "Interpreter", lambda graph: graph.no_such_thing)
    outcome = guarded(SMALL, "joint", KERNELS, 60)
    assert outcome.stage == "kernels" and "no_such_thing" in (outcome.broken or "")


@pytest.mark.parametrize("cut", [0, 7, 30, 400])
def test_damage_is_a_refusal(tmp_path, cut):
    path = tmp_path / "cut.tflite"
    path.write_bytes(SMALL.read_bytes()[:cut])
    outcome = guarded(path, "cut", KERNELS, 60)
    assert outcome.broken is None
    assert outcome.oracle is not None and outcome.engines["kernels"].refused is not None


def test_the_command_lists_and_sums_up(tmp_path):
    places = [str(VECTORS / "tflite" / "fc_relu.tflite"), str(VECTORS / "refused")]
    command = [sys.executable, "-m", "tests.public", *places, "--chips", "", "--only", "fc_relu"]
    ran = subprocess.run(
        [*command, "--json", str(tmp_path / "all.json")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "2 models, 1 of them run in TensorFlow Lite Micro" in ran.stdout
    assert "kernels: 1 of 1 run" in ran.stdout and "broken: none" in ran.stdout
    assert "TensorFlow Lite Micro refuses it" in ran.stdout and "by Vela" in ran.stdout
    run = json.loads((tmp_path / "all.json").read_text(encoding="utf-8"))
    assert faults(run, list[models.ModelReport]) == []
    assert "| `tflite/fc_relu.tflite` | 3 FULLY_CONNECTED |" in models.table(run)


def test_calls_are_extreme_random_and_real():
    rng = np.random.default_rng(1)
    calls = made_calls([Input((1, 300), "int8", 0.1, 5)], rng)
    assert len(calls) >= 10
    assert {int(call[0].min()) for call in calls} >= {-128, 127, 5}
    assert len(np.unique(calls[3][0])) == 256
    (indices,) = zip(*made_calls([Input((4,), "int32", limit=9)], rng), strict=True)
    assert np.min(indices) == 0 and np.max(indices) == 8
    floats = made_calls([Input((1, 5), "float32")], rng)
    assert all(call[0].dtype == np.float32 for call in floats)
    assert len(real_calls(SMALL)) == 16


def test_a_file_says_what_it_is():
    known = facts((VECTORS / "tflite" / "predictor.tflite").read_bytes())
    assert known.inputs[0].dtype == "int32" and known.inputs[0].limit is not None
    assert known.outputs == 1 and known.operators["GATHER"] == 1
    assert model_files([SMALL, SMALL.parent]).count(SMALL) == 1

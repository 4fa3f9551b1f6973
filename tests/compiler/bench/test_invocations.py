"""The time of an invocation: what is taken off, who is missing, and whose process ended."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from compiler.bench import invocations, rivals
from compiler.bench.onnx_form import as_byte, onnx_form
from compiler.bench.results import InvocationReport
from compiler.frontends import read_tflite
from kernels import Interpreter
from npu.errors import NpuError
from tests.schemas import faults


@pytest.fixture
def vectors():
    return Path(__file__).parents[2] / "vectors" / "tflite"


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(invocations, "ROUNDS", 3)
    monkeypatch.setattr(invocations, "LEAST_INVOCATIONS", 30)
    monkeypatch.setattr(invocations, "ROUND_SECONDS", 0.0)


def test_ours_beside_who_is_here(vectors, quick):
    found = invocations.measure(vectors / "fc_relu.tflite", list(rivals.ENGINES))
    assert set(found) == set(rivals.ENGINES)
    for name, each in found.items():
        assert faults(each, InvocationReport) == []
        if each["refused"] is None:
            taken_off = 0 if name == invocations.ALONE else each["empty_us"]
            assert each["us"] == pytest.approx(each["gross_us"] - taken_off)
            assert each["invocations"] == 30 and each["median_us"] >= each["gross_us"]
        else:
            assert "pip install" in each["refused"]
    assert found["kernels"]["refused"] is None


def test_a_model_with_indices(vectors, quick):
    found = invocations.measure(vectors / "predictor.tflite", ["kernels", "TFLM", "LiteRT"])
    for each in found.values():
        assert each["refused"] is None or "pip install" in each["refused"]


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("TFLM", "tflite_micro.python.tflite_micro"),
        ("LiteRT", "ai_edge_litert.interpreter"),
        ("onnxruntime", "onnxruntime"),
    ],
)
def test_who_is_not_installed_is_told_with_the_way(name, module, vectors, monkeypatch, quick):
    monkeypatch.setitem(sys.modules, module, None)
    found = invocations.measure(vectors / "fc_relu.tflite", ["kernels", name])
    assert "is not installed; install the extra: pip install 'zeroskip[" in found[name]["refused"]
    assert found["kernels"]["us"] > 0


def test_an_engine_that_ends_the_process_is_left_out(vectors, monkeypatch):
    script = (
        "import os, sys; from compiler.bench import invocations, rivals;"
        "invocations.ROUNDS, invocations.LEAST_INVOCATIONS, invocations.ROUND_SECONDS = 2, 4, 0;"
        "rivals.ENGINES['TFLM'] = lambda *_: os.abort();"
        "import json; from pathlib import Path;"
        "print(json.dumps(invocations.measure(Path(sys.argv[1]), sys.argv[2:])))"
    )
    real = invocations.subprocess.run

    def run(command, **options):
        return real([sys.executable, "-c", script, *command[3:]], **options)

    monkeypatch.setattr(invocations.subprocess, "run", run)
    monkeypatch.setattr(invocations, "ENGINES", {k: rivals.ENGINES[k] for k in ("kernels", "TFLM")})
    found = invocations.invocation_reports(vectors / "fc_relu.tflite")
    assert "its process ended with -6" in found["TFLM"]["refused"]
    assert found["kernels"]["us"] > 0


def test_what_is_no_model(tmp_path):
    (tmp_path / "no.tflite").write_bytes(b"nothing")
    with pytest.raises(NpuError):
        invocations.invocation_reports(tmp_path / "no.tflite")


@pytest.mark.skipif(
    not (importlib.util.find_spec("onnx") and importlib.util.find_spec("onnxruntime")),
    reason="the extra `peers` is not installed",
)
def test_the_onnx_form_is_the_same_product(vectors):
    import onnxruntime

    graph = read_tflite(vectors / "fc_wide.tflite")
    session = onnxruntime.InferenceSession(onnx_form(graph), providers=["CPUExecutionProvider"])
    interpreter, rng = Interpreter(graph), np.random.default_rng(3)
    apart = 0
    for _ in range(8):
        inputs = rng.integers(-128, 0, graph.tensors[graph.inputs[0]].shape).astype(np.int8)
        (ours,) = interpreter.invoke([inputs])
        given = session.get_inputs()[0]
        (theirs,) = session.run(None, {given.name: as_byte(inputs).reshape(given.shape)})
        steps = np.abs(theirs.astype(int) - as_byte(ours).reshape(theirs.shape))
        apart = max(apart, int(steps.max()))
    # It rounds once, TFLM twice. The bytes are below 128: two products fit in its int16.
    assert apart <= 1


def test_what_has_no_onnx_form(vectors):
    with pytest.raises(NpuError, match="no int8 ONNX form of the same arithmetic: it has Lstm"):
        onnx_form(read_tflite(vectors / "lstm_small.tflite"))

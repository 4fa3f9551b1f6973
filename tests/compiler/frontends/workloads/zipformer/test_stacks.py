"""The Zipformer as a whole: beside icefall's own code, TensorFlow Lite Micro, and in its size."""

import math

import numpy as np
import pytest

from compiler.frontends.workloads import published
from compiler.frontends.workloads.assemble import assemble
from kernels import Interpreter
from npu.model.operators.product import FullyConnected
from npu.model.verify import verify
from tests.compiler.frontends.workloads.sizes import ZIPFORMER, OneWeight, model_of
from tests.conftest import ROOT
from tests.real_graphs import RealGraph
from tests.written_graphs import written

RECORDED = ROOT / "tests" / "vectors" / "float" / "zipformer_workload.npz"
SPARSITY = 0.3
POSITION = 4
"""Size of a head's queries for positions."""


def swoosh(shift, offset):
    return lambda x: np.logaddexp(0, x - shift) - 0.08 * x - offset


SWOOSH_L, SWOOSH_R = swoosh(4, 0.035), swoosh(1, 0.313261687)


@pytest.fixture(scope="module")
def encoder():
    graph = model_of(ZIPFORMER, SPARSITY).graphs["encoder"]
    verify(graph)
    return graph


@pytest.fixture(scope="module")
def recorded():
    with np.load(RECORDED) as data:
        return {name: data[name] for name in data.files}


def decibels(wanted, found):
    return 10 * np.log10(np.mean(wanted**2) / np.mean((wanted - found) ** 2))


def test_in_real_numbers_it_is_what_icefall_makes_of_the_same_weights(encoder, recorded):
    """From the first call on, which sees no frame before it."""
    ours = RealGraph(encoder, [SWOOSH_L, SWOOSH_R])
    for x, wanted in zip(recorded["x"], recorded["encoder_out"], strict=True):
        # What is left: icefall projects positions, and ours are rounded to int8 behind that.
        assert decibels(wanted, ours.invoke([x])[0]) > 50


def test_integers_are_the_same_network(encoder, recorded):
    """With one grid for all values of a kind, nothing calibrated, and twelve parts in a row."""
    ours = Interpreter(encoder)
    output = encoder.tensors[encoder.outputs[0]]
    found = np.array([ours.invoke([x])[0][0] for x in recorded["x"]])
    assert decibels(recorded["encoder_out"], found * float(output.quantization.scale[0])) > 8


def test_as_tensorflow_lite_micro(encoder, recorded):
    runtime = pytest.importorskip(
        "tflite_micro.python.tflite_micro.runtime", reason="the extra `oracle` is not installed"
    )
    ours = Interpreter(encoder)
    oracle = runtime.Interpreter.from_bytes(written(encoder), arena_size=1 << 24)
    for x in recorded["x"]:
        oracle.set_input(x, 0)
        oracle.invoke()
        np.testing.assert_array_equal(ours.invoke([x])[0], oracle.get_output(0))


def test_its_parameters_are_those_that_icefall_counts():
    """To the last one, when what only training has is added, and what stands for something else."""
    name = "icefall_zipformer"
    sizes = published()[name]
    graphs = assemble(name, sizes, OneWeight()).graphs
    found = sum(_parameters(graph) for graph in graphs.values())
    ((_, left, (_, _, position, encoding), stacks),) = (
        layer for layer in sizes["encoder"] if layer[0] == "zipformer"
    )
    assert position == POSITION
    steps, joined, symbols = 16, 512, 500
    # What masks of frames before the first are made of.
    found -= sum(
        steps // every + 1 for every, _ in {(every, heads) for _, every, _, _, heads, _ in stacks}
    )
    # simple_am_proj and simple_lm_proj.
    found += 2 * (joined + 1) * symbols
    # The decoder's convolution has no bias.
    found -= joined
    for layers, every, width, _, heads, kernel in stacks:
        frames = steps // every
        bypass = width
        factors = 2 * width * (2 * kernel - frames)
        distances = left // every + 2 * frames - 1
        positions = heads * position * (encoding - distances)
        found += layers * (bypass + factors + positions)
    assert found == 66_110_931


def _parameters(graph) -> int:
    """Elements of constants; of matrices of blocks and groups without the zeros around these."""
    blocks = {
        op.weights: op.name.split()[0]
        for op in graph.operators
        if isinstance(op, FullyConnected) and op.name.startswith(("positions", "conv1d"))
    }
    found = 0
    for index, tensor in enumerate(graph.tensors):
        if tensor.data is None:
            continue
        match blocks.get(index):
            case "conv1d":
                found += np.count_nonzero(tensor.data)
            case "positions":
                # One of as many columns as a head's queries for positions have.
                found += tensor.shape[0] * POSITION
            case None:
                found += math.prod(tensor.shape)
    return found

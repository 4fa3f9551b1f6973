"""ConvRNN-T's blocks, to the bit: beside TensorFlow Lite Micro, and integers written out here."""

from collections import deque
from math import frexp

import numpy as np
import pytest

from compiler.frontends.workloads.convolution import (
    STATE_STEP,
    WEIGHT_STEP,
    excitation,
    fading,
    global_convolution,
    local_convolutions,
)
from compiler.frontends.workloads.recurrent import lstms
from kernels import Interpreter
from npu.model.graph import Graph
from npu.model.operators.binary import Add, Mul
from npu.model.operators.convolution import Conv2D, DepthwiseConv2D
from npu.model.operators.product import FullyConnected
from npu.model.operators.svdf import Svdf
from npu.model.operators.table import PARAMETERS, Logistic
from npu.model.verify import verify
from tests.compiler.frontends.workloads.blocks import WIDTH, block, frames
from tests.naive import requantize
from tests.written_graphs import written

INT8, INT16 = (-128, 127), (-(1 << 15), (1 << 15) - 1)
SQUEEZED, MEMORY = 4, 12
BLOCKS = {
    "local": lambda b, x: local_convolutions(b, x, 3, [3, 2]),
    "global": lambda b, x: global_convolution(b, x, 2, SQUEEZED, MEMORY),
    "far": lambda b, x: global_convolution(b, x, 5, SQUEEZED, 9),
    "lstms": lambda b, x: lstms(b, x, 2, 20, 12),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_as_tensorflow_lite_micro(name):
    runtime = pytest.importorskip(
        "tflite_micro.python.tflite_micro.runtime", reason="the extra `oracle` is not installed"
    )
    graph = block(BLOCKS[name])
    ours = Interpreter(graph)
    oracle = runtime.Interpreter.from_bytes(written(graph), arena_size=1 << 22)
    for x in frames(40):
        oracle.set_input(x, 0)
        oracle.invoke()
        np.testing.assert_array_equal(ours.invoke([x])[0], oracle.get_output(0))


def scaled(total: int, real: float, zero: int, limits: tuple[int, int]) -> int:
    """An integer times a real number, as TFLite's specification multiplies."""
    fraction, shift = frexp(real)
    multiplier = round(fraction * (1 << 31))
    if multiplier == 1 << 31:
        multiplier, shift = multiplier // 2, shift + 1
    return requantize(int(total), multiplier, shift, zero, *limits)


class Reference:
    """A graph's operators one at a time, in plain integers; activations have zero point 0."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def own(self, kind: type, number: int = 0):
        """An operator by its kind, and where it stands among these."""
        return [op for op in self.graph.operators if isinstance(op, kind)][number]

    def data(self, index: int) -> np.ndarray:
        return self.graph.tensors[index].data.astype(int)

    def scale(self, index: int) -> float:
        return float(self.graph.tensors[index].quantization.scale[0])

    def product(self, op, sums) -> np.ndarray:
        """Sums of inputs times weights become activations; a rectifier where it has one."""
        real = self.scale(op.input) * self.scale(op.weights) / self.scale(op.output)
        zero = self.graph.tensors[op.output].quantization.zero_point
        low = zero if op.activation == "relu" else INT8[0]
        return np.array([scaled(n, real, zero, (low, 127)) for n in np.ravel(sums)])

    def linear(self, op: FullyConnected, x: np.ndarray) -> np.ndarray:
        zero = self.graph.tensors[op.input].quantization.zero_point
        return self.product(op, self.data(op.weights) @ (x - zero))

    def mul(self, op: Mul, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        real = self.scale(op.a) * self.scale(op.b) / self.scale(op.output)
        zero = self.graph.tensors[op.b].quantization.zero_point
        return np.array([scaled(m * (n - zero), real, 0, INT8) for m, n in zip(a, b, strict=True)])

    def add(self, op: Add, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Both at twice the larger scale, with 20 bits more."""
        twice = 2 * max(self.scale(op.a), self.scale(op.b))
        wide = (-(1 << 31), (1 << 31) - 1)
        found = []
        for m, n in zip(a, b, strict=True):
            sums = (
                scaled(int(q) << 20, self.scale(i) / twice, 0, wide)
                for q, i in ((m, op.a), (n, op.b))
            )
            found.append(scaled(sum(sums), twice / ((1 << 20) * self.scale(op.output)), 0, INT8))
        return np.array(found)

    def squeeze(self, op: Svdf, x: np.ndarray, past: deque) -> np.ndarray:
        """A frame's products enter the past, int16 each; the output is their weighted sum."""
        real = self.scale(op.input) * self.scale(op.feature_weights) / self.scale(op.state)
        products = self.data(op.feature_weights) @ x
        past.append(np.array([scaled(n, real, 0, INT16) for n in products]))
        sums = (np.array(past).T * self.data(op.time_weights)).sum(axis=1) + self.data(op.bias)
        real = self.scale(op.state) * self.scale(op.time_weights) / self.scale(op.output)
        return np.array([scaled(n, real, -128, INT8) for n in sums])

    def sigmoid(self, op: Logistic, x: np.ndarray) -> np.ndarray:
        return PARAMETERS[Logistic](self.graph, op)[x + 128].astype(int)

    def excitation(self, x: np.ndarray, past: deque) -> np.ndarray:
        squeezed = self.squeeze(self.own(Svdf), x, past)
        return self.sigmoid(self.own(Logistic), self.linear(self.own(FullyConnected, -1), squeezed))


def zeros(count: int, width: int) -> deque:
    return deque([np.zeros(width, int)] * count, count)


def test_squeeze_and_excitation_in_integers():
    graph = block(lambda b, x: excitation(b, x, SQUEEZED, MEMORY))
    verify(graph)
    reference, past, ours = Reference(graph), zeros(MEMORY, SQUEEZED), Interpreter(graph)
    answers = []
    for x in frames(30):
        answers.append(ours.invoke([x])[0].ravel())
        wanted = reference.excitation(x.ravel().astype(int), past)
        np.testing.assert_array_equal(answers[-1], wanted)
    # Else a mean that stands still would do; channels whose weights are all zero do.
    assert (np.array(answers).std(axis=0) > 0).sum() > WIDTH // 2


def test_a_global_block_in_integers():
    dilation = 2
    graph = block(BLOCKS["global"])
    r, ours = Reference(graph), Interpreter(graph)
    ring, past = zeros(2 * dilation + 1, 2 * WIDTH), zeros(MEMORY, SQUEEZED)
    depthwise = r.own(DepthwiseConv2D)
    weights = r.data(depthwise.weights).reshape(3, 2 * WIDTH)
    for x in frames(30):
        frame = x.ravel().astype(int)
        ring.append(r.linear(r.own(FullyConnected), frame))
        sums = sum(w * f for w, f in zip(weights, list(ring)[::dilation], strict=True))
        narrow = r.product(depthwise, sums.reshape(2, WIDTH).sum(axis=0))
        value = r.linear(r.own(FullyConnected, 1), narrow)
        gated = r.mul(r.own(Mul), value, r.excitation(value, past))
        np.testing.assert_array_equal(ours.invoke([x])[0].ravel(), r.add(r.own(Add), frame, gated))


def test_local_convolutions_in_integers():
    graph = block(BLOCKS["local"])
    r, ours = Reference(graph), Interpreter(graph)
    layers = [r.own(Conv2D, number) for number in range(3)]
    rings = [zeros(3, WIDTH * channels) for channels in (1, 3)]
    for x in frames(20):
        images = x.reshape(WIDTH, 1).astype(int)
        for op, ring in zip(layers, rings, strict=False):
            ring.append(images.ravel())
            past = np.array(ring).reshape(3, WIDTH, -1)
            wide = np.pad(past, ((0, 0), (1, 1), (0, 0)))
            windows = np.stack([wide[:, at : at + 3].ravel() for at in range(WIDTH)])
            sums = windows @ r.data(op.weights).reshape(-1, windows.shape[1]).T
            images = r.product(op, sums).reshape(WIDTH, -1)
        found = r.product(layers[2], images @ r.data(layers[2].weights).ravel())
        np.testing.assert_array_equal(ours.invoke([x])[0].ravel(), found)


@pytest.mark.parametrize("memory", [9, 12, 128, 1000])
def test_a_mean_fades_and_its_sums_stay_in_range(memory):
    weights = fading(memory).astype(int)
    assert (np.diff(weights) >= 0).all() and weights[-1] > weights[0] >= 0
    total = weights.sum()
    assert 1 - memory * WEIGHT_STEP <= total * WEIGHT_STEP <= 1
    # The least int16 in every frame.
    assert total * (1 << 15) <= 1 << 31
    assert STATE_STEP * (1 << 15) == 16


def test_a_mean_of_few_frames_is_told():
    with pytest.raises(ValueError, match="memory must be at least 9 frames, not 8"):
        fading(8)

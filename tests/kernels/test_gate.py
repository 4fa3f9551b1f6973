"""Gates on the kernels: integers written out here, states that stay, and calls that end inside."""

from collections import deque

import numpy as np
import pytest

from compiler.frontends.workloads.graphs import GraphBuilder
from compiler.frontends.workloads.weights import RandomWeights
from kernels import Interpreter
from npu.model.graph import Graph
from npu.model.numerics import quantize_multiplier
from npu.model.operators.gate import Gate, GateEnd
from npu.model.operators.product import FullyConnected
from npu.model.operators.ring import CircularBuffer
from tests.naive import requantize

WIDTH, LEFT = 6, 3


def gated(threshold: int = 0, cycles: int = 1) -> Graph:
    """y = W (the last frames that came through), or x where the second input is too small."""
    b = GraphBuilder("gated", RandomWeights(0.2, 1))
    x, condition = b.value((1, 1, WIDTH)), b.value((1, 1, 1))
    b.append(Gate("gate", condition.index, threshold))
    ring = b.value((1, LEFT, WIDTH))
    count = b.tensor((1,), None, "int32", is_state=True)
    state = b.state((1, LEFT, WIDTH), b.scale(x))
    b.append(CircularBuffer("ring", x.index, state, count, ring.index, cycles))
    value = b.linear(b.reshape(ring, (1, 1, LEFT * WIDTH)), WIDTH)
    made = b.value((1, 1, WIDTH))
    b.append(GateEnd("end", (value.index,), (x.index,), (made.index,)))
    return b.graph([x, condition], made)


def calls(count: int, seed: int = 2):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        yield [
            rng.integers(-128, 128, (1, 1, WIDTH)).astype(np.int8),
            rng.integers(-128, 128, (1, 1, 1)).astype(np.int8),
        ]


@pytest.mark.parametrize("threshold", [-128, -50, 0, 90, 128])
def test_in_integers(threshold):
    graph = gated(threshold)
    (op,) = (op for op in graph.operators if isinstance(op, FullyConnected))
    source, weights, output = (graph.tensors[i] for i in (op.input, op.weights, op.output))
    real = float(source.quantization.scale[0]) * float(weights.quantization.scale[0])
    multiplier, shift = quantize_multiplier(real / float(output.quantization.scale[0]))
    ring, ours, seen = deque([np.zeros(WIDTH, int)] * LEFT, LEFT), Interpreter(graph), set()
    for x, condition in calls(60):
        wanted = x.ravel()
        is_open = int(condition.item()) >= threshold
        if is_open:
            ring.append(x.ravel().astype(int))
            sums = weights.data.astype(int) @ np.concatenate(ring)
            wanted = [requantize(int(n), multiplier, shift, 0, -128, 127) for n in sums]
        np.testing.assert_array_equal(ours.invoke([x, condition])[0].ravel(), wanted)
        seen.add(is_open)
    assert seen == {-128: {True}, 128: {False}}.get(threshold, {True, False})


def test_a_reset_and_states_that_are_put_back():
    ours, asked = Interpreter(gated()), list(calls(12))
    first = [ours.invoke(call)[0] for call in asked]
    ours.reset()
    np.testing.assert_array_equal(first, [ours.invoke(call)[0] for call in asked])
    kept = ours.states()
    again = [ours.invoke(call)[0] for call in asked]
    ours.restore(kept)
    np.testing.assert_array_equal(again, [ours.invoke(call)[0] for call in asked])


def test_a_call_that_ends_behind_an_open_gate():
    """What it gives is as it was; behind a closed one it goes on."""
    ours, before, passed = Interpreter(gated(cycles=2)), np.zeros(WIDTH, np.int8), 0
    for x, condition in calls(30):
        (found,) = ours.invoke([x, condition])
        if condition.item() < 0:
            np.testing.assert_array_equal(found, x)
        else:
            passed += 1
            if passed % 2:
                np.testing.assert_array_equal(found.ravel(), before.ravel())
        before = found
    assert passed > 5

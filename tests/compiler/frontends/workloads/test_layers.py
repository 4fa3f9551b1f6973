"""Layers in primitives, against the same mathematics in floats."""

import numpy as np
import pytest

from compiler.frontends.workloads.attention import attention
from compiler.frontends.workloads.graphs import STEP, GraphBuilder
from compiler.frontends.workloads.layers import LAYERS, network
from compiler.frontends.workloads.recurrent import projected_lstm
from compiler.frontends.workloads.weights import RandomWeights
from kernels import Interpreter
from npu.model.graph import Graph
from npu.model.operators.product import FullyConnected
from npu.model.verify import verify

CALLS = 12


def built(width, make, steps=1):
    b = GraphBuilder("g", RandomWeights(0.3, 5))
    heard = b.value((1, steps, width))
    graph = b.graph([heard], make(b, heard))
    verify(graph)
    return graph


def inputs_of(width, steps=1):
    rng = np.random.default_rng(3)
    return np.clip(np.rint(rng.normal(0, 1 / STEP, (CALLS, 1, steps, width))), -127, 127).astype(
        np.int8
    )


def answers(graph: Graph, inputs):
    session = Interpreter(graph)
    output = graph.tensors[graph.outputs[0]]
    scale, zero = output.quantization.scale[0], output.quantization.zero_point
    return np.array([scale * (session.invoke([x])[0].astype(float) - zero) for x in inputs])


def real(graph: Graph, prefix):
    """The weights of the products that are called so, each tensor once, as real numbers."""
    found = {}
    for op in graph.operators:
        if isinstance(op, FullyConnected) and op.name.startswith(prefix):
            tensor = graph.tensors[op.weights]
            found[op.weights] = tensor.data * float(tensor.quantization.scale[0])
    return list(found.values())


def decibels(wanted, found):
    return 10 * np.log10(np.mean(wanted**2) / np.mean((wanted - found) ** 2))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("steps", [1, 2])
def test_a_projected_lstm_is_one(steps):
    units, projection = 40, 24
    graph = built(32, lambda b, x: projected_lstm(b, x, units, projection), steps)
    (w,), (r,), (p,) = (real(graph, f"lstm {name}") for name in ("input", "recurrent", "proj"))
    inputs = inputs_of(32, steps)
    h, c, wanted = np.zeros(projection), np.zeros(units), []
    for x in STEP * inputs.reshape(-1, 32).astype(float):
        i, f, g, o = np.split(w @ x + r @ h, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = p @ (sigmoid(o) * np.tanh(c))
        wanted.append(h)
    found = answers(graph, inputs).reshape(-1, projection)
    assert decibels(np.array(wanted), found) > 15


def test_attention_is_that_of_the_last_frames():
    heads, left, width, size = 4, 5, 32, 8
    graph = built(width, lambda b, x: attention(b, x, heads, left))
    (into,), (out,) = (real(graph, f"attention {name}") for name in ("in", "out"))
    (places,) = real(graph, "positions")
    inputs = inputs_of(width)
    keys, values, wanted = np.zeros((2, left, heads, size)), None, []
    keys, values = keys
    for x in STEP * inputs.reshape(-1, width).astype(float):
        q, k, v = (each.reshape(heads, size) for each in np.split(into @ x, 3))
        keys, values = np.vstack([keys[1:], k[None]]), np.vstack([values[1:], v[None]])
        scores = np.einsum("hs,lhs->hl", q, keys) + (places @ q.reshape(-1)).reshape(heads, left)
        shares = np.exp(scores * size**-0.5)
        shares /= shares.sum(axis=1, keepdims=True)
        wanted.append(out @ np.einsum("hl,lhs->hs", shares, values).reshape(-1))
    found = answers(graph, inputs).reshape(-1, width)
    assert decibels(np.array(wanted), found) > 12


def test_swish_and_norm():
    inputs = inputs_of(64)
    x = STEP * inputs.astype(float)
    assert decibels(x * sigmoid(x), answers(built(64, LAYERS["swish"]), inputs)) > 25
    wanted = x / np.sqrt(np.mean(x**2, axis=-1, keepdims=True))
    assert decibels(wanted, answers(built(64, LAYERS["norm"]), inputs)) > 20


def test_a_grouped_convolution_sees_its_group_and_its_steps():
    graph = built(8, lambda b, x: network(b, x, [["conv1d", 8, 8, 2, 4]]))
    (w,) = real(graph, "conv1d")
    w = w.reshape(8, 2, 8)
    assert not w[:4, :, 4:].any() and not w[4:, :, :4].any() and w[:4, :, :4].any()
    inputs = inputs_of(8)
    x = STEP * inputs.reshape(-1, 8).astype(float)
    before = np.vstack([np.zeros((1, 8)), x[:-1]])
    wanted = before @ w[:, 0].T + x @ w[:, 1].T
    assert decibels(wanted, answers(graph, inputs).reshape(-1, 8)) > 20

"""Gates as branches of the chip's program: answers, states, streamed weights, loops behind them."""

import numpy as np
import pytest

from compiler import compile_model
from compiler.frontends.workloads.graphs import GraphBuilder
from compiler.frontends.workloads.weights import RandomWeights
from kernels import Interpreter
from npu.chip.params import load_params
from npu.model.operators.gate import Gate, GateEnd
from npu.runtime.sessions import GraphSession
from tests.compiler.frontends.workloads.blocks import model_of_block
from tests.kernels.test_gate import calls, gated
from tests.random_graphs import random_chip, random_schedule

STEPS, WIDTH = 5, 24


def layers(seed: int):
    """Layers before, between, behind and behind two gates: products, an LSTM whose later steps are
    a loop, and a table."""
    b = GraphBuilder("layers", RandomWeights(0.4, seed))
    heard, conditions = b.value((1, STEPS, WIDTH)), b.value((1, 1, 2))
    x = b.linear(heard, WIDTH)
    for condition in b.split(conditions, 2):
        b.append(Gate(b.named("gate"), condition.index, 10))
        hidden = b.lstm(x, 20)
        value = b.linear(b.tanh(b.linear(hidden, 30)), WIDTH)
        made = b.value(x.shape)
        b.append(GateEnd(b.named("gate end"), (value.index,), (x.index,), (made.index,)))
        x = b.linear(made, WIDTH)
    return b.graph([heard, conditions], x)


def asked(count: int, seed: int):
    rng = np.random.default_rng(seed)
    for number in range(count):
        conditions = rng.integers(10, 128, 2) * [1 - 2 * (number >> k & 1) for k in range(2)]
        yield [
            rng.integers(-128, 128, (1, STEPS, WIDTH)).astype(np.int8),
            conditions.astype(np.int8).reshape(1, 1, 2),
        ]


@pytest.mark.parametrize("seed", range(8))
def test_on_chips_that_stream(seed):
    rng = np.random.default_rng(seed)
    params = random_chip(rng, room=2).model_copy(update={"bank_bytes": 1024})
    graph = layers(seed)
    image = compile_model(model_of_block(graph), params)
    assert any(info.resident_tiles < info.tiles for info in image.header.layers)
    session = GraphSession(image, schedule=random_schedule(rng))
    ours = Interpreter(graph)
    for call in asked(9, seed):
        np.testing.assert_array_equal(session.invoke(call)[0], ours.invoke(call)[0])


@pytest.mark.parametrize("cycles", [1, 2])
def test_states_behind_a_gate(cycles):
    """Of a ring that ends calls, too."""
    graph = gated(cycles=cycles)
    session = GraphSession(compile_model(model_of_block(graph), load_params("tiny")))
    ours = Interpreter(graph)
    for call in calls(30):
        np.testing.assert_array_equal(session.invoke(call)[0], ours.invoke(call)[0])


@pytest.mark.parametrize("threshold", [-128, -127, 0, 127, 128])
def test_at_the_ends_of_the_range(threshold):
    graph = gated(threshold)
    session = GraphSession(compile_model(model_of_block(graph), load_params("tiny")))
    ours = Interpreter(graph)
    for x, _ in calls(2):
        for condition in (-128, -127, -1, 0, 126, 127):
            call = [x, np.full((1, 1, 1), condition, np.int8)]
            np.testing.assert_array_equal(session.invoke(call)[0], ours.invoke(call)[0])


def test_a_closed_gate_saves_its_transfers_too():
    graph = layers(1)
    params = random_chip(np.random.default_rng(1), room=2).model_copy(update={"bank_bytes": 1024})
    session = GraphSession(compile_model(model_of_block(graph), params))
    found = []
    for conditions in ([0, 0], [100, 0], [100, 100]):
        heard = np.zeros((1, STEPS, WIDTH), np.int8)
        before = session.machine.counters.bytes_read
        session.invoke([heard, np.array(conditions, np.int8).reshape(1, 1, 2)])
        found.append((session.machine.counters.bytes_read - before, session.cycles[-1]))
    for fewer, more in ((0, 1), (1, 2)):
        assert found[fewer][0] < found[more][0] and found[fewer][1] < found[more][1]

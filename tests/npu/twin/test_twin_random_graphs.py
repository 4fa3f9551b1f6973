"""The compiled program on the twin against the kernels, on graphs nobody thought of."""

import numpy as np
import pytest

from compiler import Model, compile_model
from kernels import Interpreter
from npu.errors import CapacityError, ModelError, UnsupportedError
from npu.runtime.image import Image
from npu.runtime.sessions import GraphSession
from tests.random_graphs import random_chip, random_graph, random_inputs, random_schedule

BATCH = 20
CALLS = 3


def compiled(rng, graph):
    """The image for a random chip, the smallest of its kind that is large enough."""
    model = Model("random", {"main": graph}, None, None, {})
    seed = rng.integers(2**32)
    for room in range(5):
        try:
            return compile_model(model, random_chip(np.random.default_rng(seed), room))
        except CapacityError:
            continue
    raise AssertionError("no chip is large enough")


def compare(seed):
    """Run one seed; returns what it covered, or None for a graph that is refused."""
    rng = np.random.default_rng(seed)
    graph = random_graph(rng)
    try:
        oracle = Interpreter(graph)
        image = compiled(rng, graph)
    except (ModelError, UnsupportedError):
        return None
    image = Image.from_bytes(image.to_bytes())
    schedule = random_schedule(rng)
    free, busy = GraphSession(image), GraphSession(image, schedule=schedule)
    assert busy.boot_cycles >= free.boot_cycles, seed
    for call in range(CALLS):
        if call == CALLS - 1:
            for engine in (oracle, free, busy):
                engine.reset()
        inputs = random_inputs(rng, graph)
        expected = oracle.invoke(inputs)
        for session in (free, busy):
            for position, (found, right) in enumerate(
                zip(session.invoke(inputs), expected, strict=True)
            ):
                np.testing.assert_array_equal(
                    found, right, err_msg=f"seed {seed}, call {call}, output {position}"
                )
    assert all(b >= f for f, b in zip(free.cycles, busy.cycles, strict=True)), seed
    a, b = free.machine.counters, busy.machine.counters
    assert (a.commands, a.macs, a.symbols) == (b.commands, b.macs, b.symbols), seed
    tiles = sum(layer.tiles for layer in image.header.layers if not layer.resident)
    return {type(op).__name__ for op in graph.operators} | ({"streamed"} if tiles else set())


@pytest.mark.parametrize("batch", range(9))
def test_twin_equals_kernels(batch):
    seeds = range(BATCH * batch, BATCH * (batch + 1))
    print(f"seeds {seeds.start} to {seeds.stop - 1}")
    covered = [c for seed in seeds if (c := compare(seed)) is not None]
    assert len(covered) >= BATCH * 3 // 4
    seen = set().union(*covered)
    assert {"FullyConnected", "Lstm", "streamed"} <= seen
    assert len(seen) >= 8

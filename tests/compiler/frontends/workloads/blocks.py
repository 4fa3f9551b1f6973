"""Single layers of workloads as graphs, and frames for them."""

from collections.abc import Callable

import numpy as np

from compiler import Model
from compiler.frontends.workloads.gated import Unseen, gated_block
from compiler.frontends.workloads.graphs import STEP, GraphBuilder, Value
from compiler.frontends.workloads.weights import RandomWeights
from kernels import Interpreter
from npu.model.graph import Graph
from npu.model.operators.gate import Gate

WIDTH = 16
LEFT = 4
"""Frames that a gated block looks at."""


def block(make: Callable[[GraphBuilder, Value], Value], seed: int = 3) -> Graph:
    """A graph of one frame of WIDTH a call."""
    builder = GraphBuilder("block", RandomWeights(0.5, seed))
    heard = builder.value((1, 1, WIDTH))
    return builder.graph([heard], make(builder, heard))


def model_of_block(graph: Graph) -> Model:
    """It, to be compiled."""
    return Model("block", {"main": graph}, None, None, {})


def frames(count: int, seed: int = 1) -> np.ndarray:
    """(count, 1, 1, WIDTH) int8 of about unit size."""
    rng = np.random.default_rng(seed)
    real = rng.normal(0, 1 / STEP, (count, 1, 1, WIDTH))
    return np.clip(np.rint(real), -127, 127).astype(np.int8)


def gated_blocks(count: int, unseen: Unseen) -> Graph:
    """So many of them, with weights by which gates decide both ways."""

    def make(b: GraphBuilder, x: Value) -> Value:
        for _ in range(count):
            x = gated_block(b, x, 2, 24, LEFT, 6, unseen)
        return x

    for seed in range(30):
        graph = block(make, seed)
        ours, found = Interpreter(graph), []
        for x in frames(20):
            ours.invoke([x])
            found.append(opened(ours))
        if all(0.2 < share < 0.8 for share in np.mean(found, axis=0)):
            return graph
    raise AssertionError("no seed makes them decide")


def gates(graph: Graph) -> list[Gate]:
    """Its gates, in order."""
    return [op for op in graph.operators if isinstance(op, Gate)]


def opened(interpreter: Interpreter) -> tuple[bool, ...]:
    """Which gates were open in the last call."""
    return tuple(
        bool(interpreter.tensor(gate.condition).item() >= gate.threshold)
        for gate in gates(interpreter.graph)
    )

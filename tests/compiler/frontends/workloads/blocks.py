"""Single layers of workloads as graphs, and frames for them."""

from collections.abc import Callable

import numpy as np

from compiler import Model
from compiler.frontends.workloads.graphs import STEP, GraphBuilder, Value
from compiler.frontends.workloads.weights import RandomWeights
from npu.model.graph import Graph

WIDTH = 16


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

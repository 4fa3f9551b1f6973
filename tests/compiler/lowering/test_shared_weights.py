"""Products that share weights hold them once."""

import numpy as np
import pytest

from compiler import Model, compile_model
from compiler.compile import lower
from compiler.frontends.workloads.graphs import GraphBuilder
from compiler.frontends.workloads.weights import RandomWeights
from compiler.lowering.ir import MatVec
from kernels import Interpreter
from npu.chip.params import load_params
from npu.runtime.sessions import GraphSession

EDGE = load_params("edge")
WIDTH = 24


def chained(shared: bool) -> Model:
    """x times a matrix, three times over."""
    b = GraphBuilder("g", RandomWeights(0.5, 2))
    value = heard = b.value((1, 1, WIDTH))
    weighted = b.weighted(value, WIDTH)
    for _ in range(3):
        value = b.product(value, weighted if shared else b.weighted(value, WIDTH))
    return Model("g", {"main": b.graph([heard], value)}, None, None, {})


def matrices(model):
    linked = lower(model, EDGE)
    operators = [op for s in linked.module.segments.values() for op in s.operators]
    return len({op.matrix for op in operators if isinstance(op, MatVec)})


def test_they_are_held_once():
    assert matrices(chained(True)) == 1
    assert matrices(chained(False)) == 3


@pytest.mark.parametrize("shared", [True, False])
def test_the_answers_are_those_of_the_kernels(shared):
    model = chained(shared)
    image = compile_model(model, EDGE)
    rng = np.random.default_rng(1)
    session, kernels = GraphSession(image), Interpreter(model.graphs["main"])
    for _ in range(3):
        x = [rng.integers(-128, 128, (1, 1, WIDTH)).astype(np.int8)]
        np.testing.assert_array_equal(session.invoke(x)[0], kernels.invoke(x)[0])

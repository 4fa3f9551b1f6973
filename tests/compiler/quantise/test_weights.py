"""Fewer bits and more zeros: what is promised of the integers, and that moving weights helps."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from compiler.floats.graph import FloatGraph, Node
from compiler.quantise.weights import (
    BITS,
    WeightPlan,
    centroids,
    matrices,
    stored_weights,
)
from npu.errors import ModelError

ROWS, COLUMNS = 24, 40


def graph_of(*weights: np.ndarray) -> FloatGraph:
    """A chain of products; weights (rows, columns)."""
    nodes, constants = [], {}
    shapes = {"v0": (1, weights[0].shape[1])}
    for number, rows in enumerate(weights):
        constants[f"w{number}"] = rows.T.astype(np.float32)
        names = (f"v{number}", f"w{number}"), (f"v{number + 1}",)
        nodes.append(Node("MatMul", f"n{number}", *names))
        shapes[f"v{number + 1}"] = (1, len(rows))
    shapes |= {name: data.shape for name, data in constants.items()}
    end = f"v{len(weights)}"
    return FloatGraph("g", tuple(nodes), constants, ("v0",), (end,), (), shapes)


def random_case(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights, 40 % of them zero, and inputs that depend on each other."""
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(ROWS, COLUMNS)) * (rng.random((ROWS, COLUMNS)) > 0.4)
    inputs = rng.normal(size=(400, 12)) @ rng.normal(size=(12, COLUMNS))
    return weights, inputs + 0.3 * rng.normal(size=inputs.shape)


def rebuilt(weights: np.ndarray, inputs: np.ndarray, plan: WeightPlan) -> np.ndarray:
    moments = {"v0": inputs.T @ inputs / len(inputs)}
    _, stored = stored_weights(graph_of(weights), plan, moments)
    found = stored["v1", 1]
    return found.integers * found.steps[:, None].astype(np.float64)


@pytest.mark.parametrize(
    "plan",
    [
        *(WeightPlan(bits=bits, book=book) for bits, book in product((5, 4, 3), (False, True))),
        WeightPlan(prune=0.6),
        WeightPlan(prune=0.7, per_layer=True),
        WeightPlan(prune=0.6, bits=4, book=True),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_moving_what_stays_makes_the_layer_answer_better(plan, seed):
    weights, inputs = random_case(seed)
    wanted = inputs @ weights.T

    def error(made):
        return np.mean((inputs @ made.T - wanted) ** 2)

    moved = error(rebuilt(weights, inputs, plan))
    plain = error(rebuilt(weights, inputs, replace(plan, reconstruct=False)))
    assert moved < 0.9 * plain


@pytest.mark.parametrize("reconstruct", [False, True])
@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("book", [False, True])
def test_levels_and_zeros(bits, book, reconstruct):
    weights, inputs = random_case(9)
    moments = {"v0": inputs.T @ inputs}
    plan = WeightPlan(bits=bits, book=book, reconstruct=reconstruct)
    graph, stored = stored_weights(graph_of(weights), plan, moments)
    found = stored["v1", 1].integers
    assert len(np.unique(found)) <= 1 << bits
    assert np.abs(found.astype(int)).max() <= (127 if book else (1 << (bits - 1)) - 1)
    assert np.all(found[weights == 0] == 0)
    # What the float graph has now are the integers on their steps.
    (matrix,) = matrices(graph)
    np.testing.assert_allclose(matrix.rows, found * stored["v1", 1].steps[:, None], rtol=1e-6)


@pytest.mark.parametrize("per_layer", [False, True])
def test_shares_of_zeros(per_layer):
    rng = np.random.default_rng(0)
    large, small = rng.normal(size=(30, 50)), 0.01 * rng.normal(size=(20, 30))
    plan = WeightPlan(prune=0.75, per_layer=per_layer, reconstruct=False)
    _, stored = stored_weights(graph_of(large, small), plan, {})
    zeros = [np.mean(stored[f"v{n + 1}", 1].integers == 0) for n in (0, 1)]
    assert (1500 * zeros[0] + 600 * zeros[1]) / 2100 == pytest.approx(0.75, abs=0.03)
    # Neither is left empty, whatever the size of its weights.
    assert min(zeros) > 0.6 and max(zeros) < 0.9


def test_a_matrix_of_zeros_stays_one():
    for plan in (WeightPlan(bits=4), WeightPlan(bits=3, book=True), WeightPlan(prune=0.5)):
        made = rebuilt(np.zeros((3, 5)), np.ones((4, 5)), plan)
        assert not np.any(made)


@given(
    arrays(np.float64, st.integers(1, 60), elements=st.floats(-127, 127)), st.sampled_from(BITS[1:])
)
def test_a_code_book(values, bits):
    book = centroids(values, bits)
    assert 0 in book and len(book) <= 1 << bits
    assert np.all(np.diff(book) > 0) and np.all(np.abs(book) <= 127)
    np.testing.assert_array_equal(book, np.rint(book))


def test_few_values_are_their_own_book():
    values = np.array([-100.0, -3.0, 5.0, 5.0, 90.0] * 7)
    assert set(centroids(values, 4)) == {-100, -3, 0, 5, 90}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"bits": 7}, "weights of 7 bits"),
        ({"prune": 1.0}, "share of 1.0"),
        ({"prune": -0.1}, "0 to"),
    ],
)
def test_wrong_plans(wrong, words):
    with pytest.raises(ModelError, match=words):
        WeightPlan(**wrong)

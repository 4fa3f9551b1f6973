"""Sums over axes that letters name, running sums, and what moves too many axes or backwards."""

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
from onnx import helper

from compiler.floats.samples import Samples
from compiler.floats.trace import trace
from compiler.frontends.onnx.quantised import calibrated
from npu.errors import UnsupportedError
from tests.compiler.floats.test_gathers import assert_right, model_of

EQUATIONS = {
    "btd,dhe->bhte": [(2, 5, 16), (16, 2, 8)],
    "hde,bthd->bthe": [(3, 8, 6), (1, 5, 3, 8)],
    "...d,de": [(2, 5, 16), (16, 8)],
    "btd , dh, he -> bte": [(1, 5, 16), (16, 8), (8, 4)],
    "btd,d->bt": [(1, 5, 8), (8,)],
    "bi,j->bij": [(1, 9), (4,)],
    "bi,bi->bi": [(2, 9), (2, 9)],
    "ij->ji": [(5, 8)],
    "bij->b": [(2, 3, 4)],
    "btd,k->btk": [(1, 5, 8), (3,)],
}
"""Of a value and constants; the value is the operand with the most axes."""


@pytest.mark.parametrize("equation", EQUATIONS)
def test_sums_of_products(equation):
    shapes = EQUATIONS[equation]
    rng = np.random.default_rng(6)
    value = max(range(len(shapes)), key=lambda at: len(shapes[at]))
    names = ["x" if at == value else f"w{at}" for at in range(len(shapes))]
    stored = {
        name: rng.normal(0, 0.5, shape).astype(np.float32)
        for name, shape in zip(names, shapes, strict=True)
        if name != "x"
    }
    node = helper.make_node("Einsum", names, ["y"], equation=equation)
    assert_right(model_of([node], shapes[value], stored), shapes[value])


@pytest.mark.parametrize("equation", ["bqd,bkd->bqk", "bqd,bkd", "bqd,bke->bdek"])
def test_sums_of_products_of_computed_values(equation):
    nodes = [
        helper.make_node("Tanh", ["x"], ["t"]),
        helper.make_node("Einsum", ["x", "t"], ["y"], equation=equation),
    ]
    assert_right(model_of(nodes, (2, 5, 8), {}), (2, 5, 8))


def test_a_diagonal_is_refused():
    model = model_of([helper.make_node("Einsum", ["x"], ["y"], equation="bii->bi")], (1, 4, 4), {})
    with pytest.raises(UnsupportedError, match=r"'bii->bi' has 'i' twice in one operand; take"):
        calibrated(trace(model, "g", Samples({"x": np.ones((2, 1, 4, 4), np.float32)})))


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("told", [{}, {"exclusive": 1}, {"reverse": 1, "exclusive": 1}])
def test_running_sums(axis, told):
    node = helper.make_node("CumSum", ["x", "axis"], ["y"], **told)
    assert_right(model_of([node], (3, 4, 5), {"axis": np.array(axis)}), (3, 4, 5))


@pytest.mark.parametrize(
    "shape, order",
    [
        ((1, 3, 6, 2, 6, 2), (0, 1, 3, 5, 2, 4)),
        ((2, 2, 3, 2, 2, 3, 2), (3, 4, 0, 1, 6, 2, 5)),
        ((2, 3, 1, 2, 2, 1, 2, 3), (7, 6, 5, 4, 3, 2, 0, 1)),
    ],
)
def test_more_axes_than_a_transpose_takes(shape, order):
    graph = assert_right(
        model_of([helper.make_node("Transpose", ["x"], ["y"], perm=order)], shape, {}), shape
    )
    assert all(len(graph.shapes[n.output]) <= 5 for n in graph.nodes if n.kind == "Transpose")


def test_six_axes_that_all_move_are_refused():
    shape, order = (2,) * 6, (5, 4, 3, 2, 1, 0)
    model = model_of([helper.make_node("Transpose", ["x"], ["y"], perm=order)], shape, {})
    with pytest.raises(UnsupportedError, match=r"it moves 6 axes .* at most 5 do"):
        calibrated(trace(model, "g", Samples({"x": np.ones((2, *shape), np.float32)})))


@pytest.mark.parametrize("count", [4, 20])
@pytest.mark.parametrize("step", [-1, -3])
def test_slices_backwards(count, step):
    least = np.iinfo(np.int64).min
    stored = {
        "starts": np.array([-1, 3]),
        "ends": np.array([least, 1]),
        "axes": np.array([1, 2]),
        "steps": np.array([step, -1]),
    }
    shape = (1, count, 5)
    node = helper.make_node("Slice", ["x", *stored], ["y"])
    assert_right(model_of([node], shape, stored), shape)


TRANSPOSED = {
    "output padding within the pads": {"output_padding": [1, 1], "pads": [1, 1, 1, 1]},
    "output padding beyond": {"output_padding": [1, 0]},
    "groups": {"group": 2, "pads": [1, 0, 1, 0]},
    "gaps": {"dilations": [2, 3]},
    "all": {"group": 4, "dilations": [2, 1], "output_padding": [1, 1], "pads": [0, 1, 2, 0]},
    "a shape": {"output_shape": [8, 7]},
    "a larger shape": {"output_shape": [10, 7], "group": 2},
}


@pytest.mark.parametrize("told", TRANSPOSED.values(), ids=TRANSPOSED)
def test_transposed_convolutions(told):
    rng = np.random.default_rng(8)
    stored = {
        "w": rng.normal(0, 0.3, (8, 8 // told.get("group", 1), 3, 2)).astype(np.float32),
        "bias": rng.normal(0, 0.3, 8).astype(np.float32),
    }
    node = helper.make_node("ConvTranspose", ["x", "w", "bias"], ["y"], strides=[2, 2], **told)
    assert_right(model_of([node], (1, 8, 4, 3), stored), (1, 8, 4, 3))


def test_channels_to_places_as_pytorch_has_them():
    node = helper.make_node("DepthToSpace", ["x"], ["y"], blocksize=2, mode="CRD")
    assert_right(model_of([node], (1, 16, 3, 4), {}), (1, 16, 3, 4))

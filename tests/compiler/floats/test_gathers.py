"""Elements that are picked one by one, and products with a matrix for each batch."""

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

from compiler.floats.run import run
from compiler.floats.samples import Samples
from compiler.floats.trace import trace
from compiler.frontends.onnx.quantised import calibrated, quantised_model
from npu.errors import UnsupportedError

HEADS, FRAMES, KEYS = 2, 5, 8
APART = KEYS + FRAMES - 1


def model_of(nodes, shape, stored):
    made = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(data), name) for name, data in stored.items()],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def assert_right(model, shape):
    """The simplified graph gives what the file does, its integers nearly so."""
    x = np.random.default_rng(3).normal(0, 1, (6, *shape)).astype(np.float32)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    wanted = [session.run(None, {"x": each})[0] for each in x]
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    source = calibrated(trace(copy, "g", Samples({"x": x})))
    for answer, like in zip(run(source.graph, source.samples), wanted, strict=True):
        np.testing.assert_allclose(answer["y"], like, atol=1e-5)
    made = quantised_model(source)
    assert made.noise()[-1].decibels > 35
    return source.graph


def shifted(rows):
    """Scores by distance, (rows, APART), become scores by key: row r begins FRAMES - 1 - r on."""
    return np.arange(FRAMES)[::-1][np.arange(rows) % FRAMES][:, None] + np.arange(KEYS)


def test_scores_by_distance_become_scores_by_key():
    rows = HEADS * FRAMES
    nodes = [helper.make_node("GatherElements", ["x", "at"], ["y"], axis=1)]
    model = model_of(nodes, (rows, APART), {"at": shifted(rows)})
    graph = assert_right(model, (rows, APART))
    assert {each.kind for each in graph.nodes} <= {"Slice", "Reshape"}


@pytest.mark.parametrize(
    ("at", "axis"),
    [
        (np.array([[0, 2, 4], [0, 2, 4]]), 1),
        (np.array([[-3, -2, -1], [-3, -2, -1]]), 1),
        (np.tile([[1], [2]], (1, 6)), 0),
    ],
)
def test_regular_places(at, axis):
    nodes = [helper.make_node("GatherElements", ["x", "at"], ["y"], axis=axis)]
    shape = (2, 6) if axis == 1 else (3, 6)
    assert_right(model_of(nodes, shape, {"at": at}), shape)


def test_irregular_places_are_refused():
    at = np.array([[0, 1, 3], [1, 2, 3]])
    nodes = [helper.make_node("GatherElements", ["x", "at"], ["y"], axis=1)]
    model = model_of(nodes, (2, 6), {"at": at})
    with pytest.raises(UnsupportedError, match="lie at no regular distance; pick whole slices"):
        calibrated(trace(model, "g", Samples({"x": np.ones((2, 2, 6), np.float32)})))


@pytest.mark.parametrize("batches", [(HEADS,), (HEADS, 1), (1, 1)])
def test_a_matrix_for_each_head(batches):
    weights = np.random.default_rng(4).normal(0, 0.5, (*batches, 4, 9)).astype(np.float32)
    shape = (*batches, FRAMES, 4)
    model = model_of([helper.make_node("MatMul", ["x", "w"], ["y"])], shape, {"w": weights})
    graph = assert_right(model, shape)
    kinds = [each.kind for each in graph.nodes]
    assert kinds.count("MatMul") == max(batches)


@pytest.mark.parametrize("batches", [(1,), (HEADS,), (5, 1)])
def test_one_input_for_several_matrices(batches):
    weights = np.random.default_rng(4).normal(0, 0.5, (HEADS, 4, 9)).astype(np.float32)
    model = model_of(
        [helper.make_node("MatMul", ["x", "w"], ["y"])], (*batches, 3, 4), {"w": weights}
    )
    assert_right(model, (*batches, 3, 4))


def test_matrices_on_the_left():
    weights = np.random.default_rng(4).normal(0, 0.5, (HEADS, 9, 3)).astype(np.float32)
    model = model_of([helper.make_node("MatMul", ["w", "x"], ["y"])], (1, 3, 4), {"w": weights})
    assert_right(model, (1, 3, 4))

"""Weights of layers that are written in parts, whose nodes share a name."""

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
import onnx
from onnx import TensorProto, helper, numpy_helper

from compiler.floats.samples import Samples
from compiler.frontends.onnx.quantised import quantised_model, read_float
from compiler.quantise.weights import WeightPlan, matrices

WIDTH, UNITS = 12, 16


def gru(path):
    rng = np.random.default_rng(4)
    shapes = {"w": (1, 3 * UNITS, WIDTH), "r": (1, 3 * UNITS, UNITS), "b": (1, 6 * UNITS)}
    stored = [
        numpy_helper.from_array(rng.uniform(-0.25, 0.25, shape).astype(np.float32), name)
        for name, shape in shapes.items()
    ]

    def end(name, shape):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    node = helper.make_node(
        "GRU",
        ["x", "w", "r", "b", "", "h"],
        ["y", "h_out"],
        name="layer",
        hidden_size=UNITS,
        linear_before_reset=1,
    )
    state = [1, 1, UNITS]
    graph = helper.make_graph(
        [node],
        "gru",
        [end("x", [1, 1, WIDTH]), end("h", state)],
        [end("y", [1, 1, 1, UNITS]), end("h_out", state)],
        stored,
    )
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), path)


@pytest.mark.parametrize("reconstruct", [True, False])
def test_a_gru_of_six_bits(reconstruct, tmp_path):
    """Each of its matrices keeps its own integers."""
    path = tmp_path / "gru.onnx"
    gru(path)
    calls = np.random.default_rng(0).standard_normal((200, 1, 1, WIDTH)).astype(np.float32)
    source = read_float(path, Samples({"x": calls}))
    keys = [matrix.key for matrix in matrices(source.graph)]
    assert len(keys) == len(set(keys)) > 1
    found = quantised_model(source, plan=WeightPlan(bits=6, reconstruct=reconstruct)).noise()[-1]
    assert found.decibels > 24

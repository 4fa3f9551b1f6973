"""Calibration data as users have it: laid out otherwise, of other types, in other files."""

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
from onnx import TensorProto, helper, numpy_helper

from compiler.floats.run import run
from compiler.floats.samples import Samples, load_samples
from compiler.floats.trace import trace
from compiler.frontends.onnx.quantised import calibrated
from npu.errors import ModelError
from tests.compiler.floats.test_gathers import model_of

FRAMES, BINS = 4, 6
CALLS = np.random.default_rng(2).normal(size=(5, 1, FRAMES, BINS)).astype(np.float32)


def traced(calls):
    model = model_of([helper.make_node("Tanh", ["x"], ["y"])], (1, FRAMES, BINS), {})
    # A batch without a size, as most exports have.
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "N"
    return trace(model, "m.onnx", Samples({"x": calls}, "calls.npz"))


@pytest.mark.parametrize(
    "calls",
    [CALLS, CALLS[:, 0], CALLS.reshape(5, -1), CALLS.reshape(5, FRAMES, BINS, 1)],
    ids=["as it is", "without a batch", "flat", "an axis of one behind"],
)
def test_one_order_of_the_elements_is_taken(calls):
    found = traced(calls)
    np.testing.assert_array_equal(found.fed[0], CALLS[0])


@pytest.mark.parametrize(
    "calls", [np.swapaxes(CALLS, -1, -2), CALLS.reshape(5, 1, 2, 12), CALLS.reshape(5, 8, 3)]
)
def test_axes_that_lie_otherwise_are_refused(calls):
    said = ", ".join(map(str, calls.shape[1:]))
    with pytest.raises(ModelError, match=rf"'x' takes \[any, 4, 6\], .* has \[{said}\] a call"):
        traced(calls)


def test_integers_that_are_none():
    table = numpy_helper.from_array(np.eye(9, dtype=np.float32), "table")
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "symbol"], ["y"])],
        "g",
        [helper.make_tensor_value_info("symbol", TensorProto.INT64, [1, 1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [table],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    whole = np.array([[3.0], [5.0]])
    assert trace(model, "m.onnx", Samples({"symbol": whole})).fed[0].dtype == np.int64
    with pytest.raises(ModelError, match=r"calls.npz: array 'symbol' has 5.5, .* takes integers"):
        trace(model, "m.onnx", Samples({"symbol": whole + np.array([[0], [0.5]])}, "calls.npz"))


def test_files_that_hold_no_arrays(tmp_path):
    path = tmp_path / "calls.npz"
    with pytest.raises(ModelError, match=r"calls.npz: cannot be read: No such file"):
        load_samples(path)
    path.write_text("frames", encoding="utf-8")
    with pytest.raises(ModelError, match=r"calls.npz: no .npz file of arrays: it is another file"):
        load_samples(path)
    ragged = np.empty(2, object)
    ragged[:] = [CALLS[0, 0, 0], CALLS[0, 0, 0, :2]]
    np.savez(path, x=ragged)
    with pytest.raises(ModelError, match=r"or holds objects; save arrays of numbers with np.savez"):
        load_samples(path)


def test_symbols_that_are_not_below_zero():
    """As PyTorch writes `y >= 0` for opset 11, in icefall's stateless decoders."""
    table = np.random.default_rng(9).normal(size=(7, 5)).astype(np.float32)
    nodes = [
        helper.make_node("Cast", ["y"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("Clip", ["real", "least"], ["clipped"]),
        helper.make_node("Cast", ["clipped"], ["whole"], to=TensorProto.INT64),
        helper.make_node("Gather", ["table", "whole"], ["rows"]),
        helper.make_node("Less", ["y", "zero"], ["below"]),
        helper.make_node("Not", ["below"], ["known"]),
        helper.make_node("Unsqueeze", ["known"], ["column"], axes=[2]),
        helper.make_node("Cast", ["column"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["rows", "mask"], ["out"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("y", TensorProto.INT64, [1, 2])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)],
        [
            numpy_helper.from_array(table, "table"),
            numpy_helper.from_array(np.array(0), "zero"),
            numpy_helper.from_array(np.float32(0), "least"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8)
    calls = np.random.default_rng(9).integers(0, 7, (9, 1, 2))
    source = calibrated(trace(model, "g", Samples({"y": calls})))
    for answer, call in zip(run(source.graph, source.samples), calls, strict=True):
        np.testing.assert_array_equal(answer["out"], table[call])

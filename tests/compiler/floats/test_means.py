"""Means over all that was heard, in int8 with states on the chip, beside sums in float64."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from onnx.helper import make_graph, make_model, make_node, make_opsetid, make_tensor_value_info

from compiler.floats.means import CALLS
from compiler.floats.rewrite.sums import ACCUMULATE, BOUNDS, schedules
from compiler.floats.run import run
from compiler.floats.samples import Samples
from compiler.frontends.onnx.quantised import quantised_model, read_float
from kernels import Interpreter
from tests.float_models import integers, real

pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")

WIDTH, LONG = 12, CALLS + 40


def pooling(path, frames, axis=0):
    """Frames and the count and mean of those before, as icefall's PoolingModule takes them; what
    comes out is the mean at every frame."""
    shape = [1, WIDTH]
    shape.insert(axis, frames)
    real_type, whole = TensorProto.FLOAT, TensorProto.INT64
    nodes = [
        make_node("CumSum", ["x", "axis"], ["sums"]),
        make_node("Cast", ["cached_len"], ["count"], to=real_type),
        make_node("Mul", ["cached_avg", "count"], ["past"]),
        make_node("Unsqueeze", ["past", "axis"], ["behind"]),
        make_node("Add", ["sums", "behind"], ["total"]),
        make_node("Add", ["one_to_n", "count"], ["counts"]),
        make_node("Reciprocal", ["counts"], ["rate"]),
        make_node("Mul", ["total", "rate"], ["means"]),
        make_node("Gather", ["means", "last"], ["new_cached_avg"], axis=axis),
        make_node("Add", ["cached_len", "n"], ["new_cached_len"]),
        make_node("Identity", ["means"], ["y"]),
    ]
    rates = [1, 1]
    rates.insert(axis, frames)
    stored = {
        "axis": np.array([axis]),
        "one_to_n": np.arange(1, frames + 1, dtype=np.float32).reshape(rates),
        "last": np.array(-1),
        "n": np.array([frames]),
    }
    states = [("cached_len", whole, [1]), ("cached_avg", real_type, [1, WIDTH])]
    graph = make_graph(
        nodes,
        "pooling",
        [make_tensor_value_info(*each) for each in (("x", real_type, shape), *states)],
        [
            make_tensor_value_info("y", real_type, shape),
            *(make_tensor_value_info(f"new_{name}", *rest) for name, *rest in states),
        ],
        [onnx.numpy_helper.from_array(data, name) for name, data in stored.items()],
    )
    onnx.save(make_model(graph, opset_imports=[make_opsetid("", 13)], ir_version=8), path)


def heard(frames, axis, seed):
    """(LONG, frames, 1, WIDTH), the axis of frames where it belongs: offsets of their own for all
    channels, and what varies less from call to call than from frame to frame."""
    rng = np.random.default_rng(seed)
    slow = rng.normal(0, 1, (LONG, 1, 1, WIDTH))
    x = rng.normal(0, 1, WIDTH) + slow + rng.normal(0, 0.5, (LONG, frames, 1, WIDTH))
    return np.moveaxis(x, 1, 1 + axis).astype(np.float32)


def means_of(x, axis):
    """At every frame over all before: sums in float64."""
    rows = np.moveaxis(x, 1 + axis, 1).astype(np.float64)
    flat = rows.reshape(-1, WIDTH)
    found = np.cumsum(flat, axis=0) / np.arange(1, len(flat) + 1)[:, np.newaxis]
    return np.moveaxis(found.reshape(rows.shape), 1, 1 + axis)


@pytest.fixture(params=[(1, 0), (3, 0), (16, 0), (4, 1)], ids=str, scope="module")
def made(request, tmp_path_factory):
    """An integer model, what it hears, and what its means are."""
    frames, axis = request.param
    path = tmp_path_factory.mktemp("means") / "m.onnx"
    pooling(path, frames, axis)
    x = heard(frames, axis, 5)
    source = read_float(path, Samples({"x": x[:64]}), outputs=["y"])
    return quantised_model(source), x, means_of(x, axis)


def test_the_float_graph_is_the_mean(made):
    quantised, x, wanted = made
    answers = [answer["y"] for answer in run(quantised.source.graph, Samples({"x": x}))]
    np.testing.assert_allclose(answers[:CALLS], wanted[:CALLS], atol=1e-5)


def test_every_call_weighs_as_much_in_the_end(made):
    """Behind `CALLS` calls m becomes m + (x - m) / CALLS, x the mean of a call."""
    quantised, x, wanted = made
    answers = [answer["y"] for answer in run(quantised.source.graph, Samples({"x": x}))]
    axis = int(np.argmax(np.array(x.shape[1:]) == wanted.shape[1])) if x.shape[1] > 1 else 0
    axis = 1 if x.shape[1] == 1 and x.shape[2] > 1 else axis
    mean = wanted[CALLS - 1].take([-1], axis)
    for at in range(CALLS, LONG):
        mean = mean + (x[at].mean(axis, keepdims=True) - mean) / CALLS
        np.testing.assert_allclose(answers[at].take([-1], axis), mean, atol=1e-5)


def test_int8_stays_beside_it(made):
    """Within three steps in every call; an int8 alone is off by 3 on average in the last ones."""
    quantised, x, wanted = made
    graph = quantised.graph
    given, answer = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
    kernels, step = Interpreter(graph), float(answer.quantization.scale[0])
    found = np.array([real(kernels.invoke([integers(call, given)])[0], answer) for call in x])
    errors = (found.reshape(wanted.shape) - wanted)[8:CALLS] / step
    rms = [float(np.sqrt(np.mean(each**2))) for each in np.array_split(errors, 4)]
    print(f"\n{[round(each, 2) for each in rms]} steps, {np.max(np.abs(errors)):.1f} at worst")
    assert max(rms) < 1 and np.max(np.abs(errors)) < 3


def test_shares_are_taken_apart_by_size(made):
    """Each call's share is in one of the three, and they are states of one row a call."""
    graph = made[0].source.graph
    (node,) = (node for node in graph.nodes if node.kind == ACCUMULATE)
    assert node.get("shifts") == (0, 3, 6)
    rows = [each for each in schedules(graph).values() if each.shape[1] == 1]
    shares = np.array([each[:, 0] for each in rows if each[0, 0] in (0, 1) and len(rows) > 2])
    levels = sorted((np.flatnonzero(row).tolist() for row in shares), key=min)
    wanted = [[*range(0, 8)], [*range(8, 128)], [*range(128, CALLS)]]
    assert BOUNDS == (8, 128)
    assert [level for level in levels if level in wanted][:3] == wanted
    for row in shares:
        np.testing.assert_allclose(row[row > 0], 1 / (np.flatnonzero(row) + 1.0), rtol=1e-6)


def test_one_call_says_how_large_a_mean_is(tmp_path):
    """Though the state is nothing but 0 in it."""
    pooling(tmp_path / "m.onnx", 4)
    x = heard(4, 0, 7)
    source = read_float(tmp_path / "m.onnx", Samples({"x": x[:1]}), outputs=["y"])
    graph = quantised_model(source).graph
    given, answer = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
    (found,) = Interpreter(graph).invoke([integers(x[0], given)])
    errors = real(found, answer).reshape(x[0].shape) - means_of(x[:1], 0)[0]
    assert np.max(np.abs(errors)) < 3 * float(answer.quantization.scale[0])

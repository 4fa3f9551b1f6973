"""Biases that give back what rounded weights take: means are those of floats."""

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from compiler.floats.rewrite import normal
from compiler.floats.run import run
from compiler.floats.samples import Samples
from compiler.floats.trace import read_onnx
from compiler.frontends.onnx.noise import integers_of_call
from compiler.frontends.onnx.quantised import quantised_model, read_float
from compiler.quantise.correct import corrected, with_biases
from compiler.quantise.weights import WeightPlan, stored_weights
from kernels import Interpreter
from tests.quantised_noise import signal_to_noise

COARSE = WeightPlan(bits=4, reconstruct=False)
WIDTH, UNITS = 6, 5


def saved(path, nodes, stored, inputs, outputs):
    """A file of ONNX: `stored` and the shapes of `inputs` and `outputs` by name."""
    constants = [numpy_helper.from_array(np.asarray(v), n) for n, v in stored.items()]
    ends = [
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n, shape in each.items()]
        for each in (inputs, outputs)
    ]
    graph = helper.make_graph(nodes, "net", *ends, constants)
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), path)
    return path


def normal_values(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


CONVOLUTIONS = {
    "padded": ("Conv", (4, WIDTH, 3, 3), {"pads": [1, 0, 0, 1], "strides": [2, 1]}),
    "dilated": ("Conv", (4, WIDTH, 2, 2), {"dilations": [2, 1]}),
    "depthwise": ("Conv", (2 * WIDTH, 1, 3, 3), {"group": WIDTH}),
    "grouped": ("Conv", (4, WIDTH // 2, 3, 3), {"group": 2}),
    "transposed": ("ConvTranspose", (WIDTH, 4, 2, 2), {"strides": [2, 2]}),
}


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_means_of_windows(name, bias, tmp_path):
    """Of each channel over the calibration's calls, against onnxruntime on the file."""
    kind, shape, attributes = CONVOLUTIONS[name]
    rows = shape[1] if kind == "ConvTranspose" else shape[0]
    stored = {"w": normal_values(1, *shape)} | ({"b": normal_values(2, rows)} if bias else {})
    node = helper.make_node(kind, ["x", *stored], ["y"], **attributes)
    path = saved(tmp_path / "m.onnx", [node], stored, {"x": [1, WIDTH, 7, 7]}, {"y": [None] * 4})
    means_are_kept(path, normal_values(3, 9, 1, WIDTH, 7, 7) + 1, (0, 1, 3, 4))


@pytest.mark.parametrize("bias", [None, (4,), (1, 4), (1,), ()])
def test_means_of_products(bias, tmp_path):
    """A bias of any form, or none; one of other values is an addition, and stays one."""
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y" if bias is None else "p"])]
    stored = {"w": normal_values(1, WIDTH, 4)}
    if bias is not None:
        stored["b"] = normal_values(2, *bias)
        nodes.append(helper.make_node("Add", ["p", "b"], ["y"]))
    path = saved(tmp_path / "m.onnx", nodes, stored, {"x": [3, WIDTH]}, {"y": [None] * 2})
    means_are_kept(path, normal_values(3, 9, 3, WIDTH) + 1, (0, 1))


def test_a_product_that_is_taken_twice(tmp_path):
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["p"]),
        helper.make_node("Add", ["p", "b"], ["a"]),
        helper.make_node("Mul", ["a", "p"], ["m"]),
        helper.make_node("Add", ["m", "p"], ["y"]),
    ]
    stored = {"w": normal_values(1, WIDTH, 4), "b": normal_values(2, 4)}
    path = saved(tmp_path / "m.onnx", nodes, stored, {"x": [3, WIDTH]}, {"y": [None] * 2})
    graph = with_biases(normal(read_onnx(path, Samples({"x": normal_values(3, 4, 3, 6)})).graph))
    assert [node.kind for node in graph.nodes].count("Add") == 3


def means_are_kept(path, x, axes):
    """Over the calibration's calls, against onnxruntime on the file; `axes` but the channels'."""
    samples = Samples({"x": x})
    before = with_biases(normal(read_onnx(path, samples).graph))
    after, _ = stored_weights(before, COARSE, {})
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    wanted = np.array([session.run(None, {"x": each})[0] for each in x])

    def mean(graph):
        return np.array([made[graph.outputs[0]] for made in run(graph, samples)]).mean(axes)

    spread = float(np.std(wanted))
    assert np.max(np.abs(mean(after) - wanted.mean(axes))) > 0.02 * spread
    found = mean(corrected(before, after, samples))
    np.testing.assert_allclose(found, wanted.mean(axes), rtol=0, atol=1e-5 * spread)


def lstm(path):
    """A layer that keeps its states, and the file's weights by name."""
    shapes = {"w": (1, 4 * UNITS, WIDTH), "r": (1, 4 * UNITS, UNITS), "b": (1, 8 * UNITS)}
    stored = {
        name: 0.4 * normal_values(n, *shape) for n, (name, shape) in enumerate(shapes.items())
    }
    node = helper.make_node(
        "LSTM", ["x", "w", "r", "b", "", "h", "c"], ["y", "next_h", "next_c"], hidden_size=UNITS
    )
    state = [1, 1, UNITS]
    inputs = {"x": [1, 1, WIDTH], "h": state, "c": state}
    outputs = {"y": [1, *state], "next_h": state, "next_c": state}
    return saved(path, [node], stored, inputs, outputs), stored


def test_the_gates_of_an_lstm(tmp_path):
    """By hand: what both matrices lost, times the means of inputs and of hidden states."""
    path, stored = lstm(tmp_path / "m.onnx")
    x = normal_values(5, 30, 1, 1, WIDTH) + 1
    samples = Samples({"x": x})
    before = with_biases(normal(read_onnx(path, samples).graph))
    after, _ = stored_weights(before, COARSE, {})
    (rounded,) = (node for node in after.nodes if node.kind == "LSTM")
    (found,) = (n for n in corrected(before, after, samples).nodes if n.kind == "LSTM")
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    states, heard = {n: np.zeros((1, 1, UNITS), np.float32) for n in "hc"}, []
    for call in x:
        heard.append(states["h"].ravel())
        states = dict(
            zip("hc", session.run(["next_h", "next_c"], {"x": call, **states}), strict=True)
        )
    means = x.mean(axis=(0, 1, 2)), np.mean(heard, axis=0)
    lost = sum(
        (stored[name] - after.constants[rounded.inputs[at]])[0] @ mean
        for at, name, mean in ((1, "w", means[0]), (2, "r", means[1]))
    )
    graph = corrected(before, after, samples)
    moved = graph.constants[found.inputs[3]] - stored["b"]
    assert np.max(np.abs(lost)) > 0.01
    np.testing.assert_allclose(moved[0, : 4 * UNITS], lost, rtol=0, atol=1e-5)
    assert not np.any(moved[0, 4 * UNITS :])


def rectified(path, seed):
    """Convolutions behind ReLUs, whose rows have one weight that is large beside the others."""
    rng, nodes, stored, x, channels = np.random.default_rng(seed), [], {}, "x", 8
    for number in range(5):
        weights = rng.normal(0.02, 0.1, (16, channels, 3, 3))
        weights[np.arange(16), rng.integers(0, channels, 16), 1, 1] = rng.choice([-4.0, 4.0], 16)
        stored[f"w{number}"] = weights.astype(np.float32)
        stored[f"b{number}"] = rng.normal(size=16).astype(np.float32)
        names = [x, f"w{number}", f"b{number}"]
        nodes.append(helper.make_node("Conv", names, [f"c{number}"], pads=[1] * 4))
        nodes.append(helper.make_node("Relu", [f"c{number}"], [f"y{number}"]))
        x, channels = f"y{number}", 16
    nodes.append(helper.make_node("GlobalAveragePool", [x], ["y"]))
    return saved(path, nodes, stored, {"x": [1, 8, 10, 10]}, {"y": [1, 16, 1, 1]})


@pytest.mark.parametrize("seed", range(2))
def test_integers_lose_less(seed, tmp_path):
    """Against onnxruntime, on other images than those that means are of."""
    path = rectified(tmp_path / "net.onnx", seed)
    images = [np.abs(normal_values(10 * seed + n, 8, 1, 8, 10, 10)) for n in (1, 2)]
    source = read_float(path, Samples({"x": images[0]}))
    plain, better = (
        signal_to_noise(quantised_model(source, plan=plan), path, images[1])
        for plan in (None, WeightPlan(correct=True))
    )
    assert better > plain + 8


def test_weights_that_are_whole_change_nothing(tmp_path):
    """Nothing is lost, so that the answers are those of a model without."""
    whole = np.random.default_rng(1).integers(-100, 101, (WIDTH, 4)).astype(np.float32) * 0.01
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    path = saved(tmp_path / "m.onnx", nodes, {"w": whole}, {"x": [1, WIDTH]}, {"y": [None] * 2})
    x = normal_values(3, 20, 1, WIDTH) + 1
    source = read_float(path, Samples({"x": x}))
    first, second = (
        Interpreter(quantised_model(source, plan=plan).graph)
        for plan in (None, WeightPlan(correct=True))
    )
    given = first.graph.tensors[first.graph.inputs[0]]
    for call in x:
        fed = integers_of_call(call, given)
        np.testing.assert_array_equal(second.invoke([fed])[0], first.invoke([fed])[0])

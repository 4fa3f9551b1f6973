"""Channels made alike: the same answers in floats, less noise in integers."""

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from compiler.floats.rewrite import normal
from compiler.floats.run import observe, run
from compiler.floats.samples import Samples
from compiler.floats.trace import read_onnx
from compiler.frontends.onnx.quantised import FloatModel, quantised_model, read_float
from compiler.quantise.equalise import SHARES, equalised
from tests.quantised_noise import signal_to_noise

CHANNELS, SIDE = 12, 8


class Net:
    """A model of ONNX while it is written: images (1, CHANNELS, SIDE, SIDE) in."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.nodes, self.stored, self.count = [], [], 0

    def store(self, data):
        self.count += 1
        dtype = np.int64 if np.asarray(data).dtype.kind == "i" else np.float32
        self.stored.append(numpy_helper.from_array(np.asarray(data, dtype), f"c{self.count}"))
        return f"c{self.count}"

    def put(self, kind, *inputs, **attributes):
        self.count += 1
        node = helper.make_node(kind, list(inputs), [f"v{self.count}"], f"n{self.count}")
        node.attribute.extend(helper.make_attribute(k, v) for k, v in attributes.items())
        self.nodes.append(node)
        return f"v{self.count}"

    def gains(self, count):
        """Channels a hundred times as large as others."""
        return 10 ** self.rng.uniform(-1, 1, count)

    def conv(self, x, inputs, outputs, side=1, group=1):
        weights = self.rng.normal(size=(outputs, inputs // group, side, side))
        weights *= self.gains(outputs)[:, None, None, None]
        bias = self.rng.normal(size=outputs)
        attributes = {"kernel_shape": [side] * 2, "pads": [side // 2] * 4, "group": group}
        return self.put("Conv", x, self.store(weights), self.store(bias), **attributes)

    def prelu(self, x, count):
        return self.put("PRelu", x, self.store(self.rng.uniform(0.1, 0.9, (count, 1, 1))))

    def save(self, path, output, shape):
        def end(name, of):
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, of)

        image = end("x", [1, CHANNELS, SIDE, SIDE])
        graph = helper.make_graph(self.nodes, "net", [image], [end(output, shape)], self.stored)
        opset = helper.make_opsetid("", 17)
        made = helper.make_model(graph, opset_imports=[opset], ir_version=8)
        onnx.save(made, path)
        return path


def residual(net):
    """Separable convolutions around a stream that leaky bends and sums leave linear."""
    x = net.prelu(net.conv("x", CHANNELS, CHANNELS), CHANNELS)
    for _ in range(4):
        deep = net.conv(x, CHANNELS, CHANNELS, side=3, group=CHANNELS)
        x = net.prelu(net.put("Add", net.conv(deep, CHANNELS, CHANNELS), x), CHANNELS)
    return net.conv(x, CHANNELS, 4), [1, 4, SIDE, SIDE]


def mixed(net):
    """Joins, channels of zeros, other orders of axes, a product over places, a matrix behind."""
    x = net.put("Relu", net.conv("x", CHANNELS, 8))
    pads = net.store(np.array([0, 1, 0, 0, 0, 3, 0, 0]))
    wide = net.put("Pad", x, pads)
    half = net.put("MaxPool", wide, kernel_shape=[2, 2], strides=[2, 2])
    up = net.put("MatMul", half, net.store(net.rng.uniform(0, 1, (4, 8))))
    up = net.put("Transpose", up, perm=[0, 1, 3, 2])
    up = net.put("MatMul", up, net.store(net.rng.uniform(0, 1, (4, 8))))
    both = net.put("Concat", up, wide, axis=1)
    some = net.put("Slice", both, *(net.store(np.array([n])) for n in (2, 20, 1)))
    rows = net.put("Transpose", some, perm=[0, 2, 3, 1])
    moved = net.put("Add", rows, net.store(net.rng.normal(size=18)))
    flat = net.put("Reshape", moved, net.store(np.array([1, 64, 18])))
    columns = net.rng.normal(size=(18, 5)) * net.gains(5)
    bent = net.put("LeakyRelu", net.put("MatMul", flat, net.store(columns)), alpha=0.2)
    return net.put("MatMul", bent, net.store(net.rng.normal(size=(5, 3)))), [1, 64, 3]


def bounded(net):
    """A sigmoid, and a bound that is not 0: what goes in stays as it is."""
    x = net.put("Sigmoid", net.conv("x", CHANNELS, CHANNELS))
    y = net.put("Clip", net.conv(x, CHANNELS, CHANNELS), net.store(0.0), net.store(6.0))
    return net.conv(y, CHANNELS, 4), [1, 4, SIDE, SIDE]


def gated(net):
    """A stream times what comes of its mean through a sigmoid, grouped weights behind."""
    x = net.put("Relu", net.conv("x", CHANNELS, CHANNELS))
    gate = net.put("Sigmoid", net.conv(net.put("GlobalAveragePool", x), CHANNELS, CHANNELS))
    y = net.put("Mul", x, gate)
    return net.conv(y, CHANNELS, 6, side=3, group=3), [1, 6, SIDE, SIDE]


def images(seed):
    shape = (4, 1, CHANNELS, SIDE, SIDE)
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    ("build", "changes"), [(residual, True), (mixed, True), (bounded, False), (gated, True)]
)
def test_floats_answer_as_before(build, changes, seed, tmp_path):
    """Against onnxruntime on the file."""
    net = Net(seed)
    path = net.save(tmp_path / "net.onnx", *build(net))
    samples = Samples({"x": images(seed)})
    graph = normal(read_onnx(path, samples).graph)
    equal = equalised(graph, samples)
    assert (equal is not graph) == changes
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for image, values in zip(samples.arrays["x"], run(equal, samples), strict=True):
        (wanted,) = session.run(None, {"x": image})
        (found,) = values.values()
        np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-5 * np.max(np.abs(wanted)))


@pytest.mark.parametrize("seed", range(2))
def test_integers_lose_less(seed, tmp_path):
    """On other images than those that ranges are from."""
    net = Net(seed)
    path = net.save(tmp_path / "net.onnx", *residual(net))
    samples = Samples({"x": images(10 + seed)})
    lost = [
        signal_to_noise(
            quantised_model(read_float(path, samples, equalise=alike)), path, images(20 + seed)
        )
        for alike in (False, True)
    ]
    assert lost[1] > lost[0] + 1


def pinched(net):
    """Channels that differ, before weights whose rows each have one that is large."""
    x = net.put("Relu", net.conv("x", CHANNELS, CHANNELS))
    weights = net.rng.normal(size=(CHANNELS, CHANNELS, 1, 1))
    weights[:, 0] *= 1000
    return net.put("Conv", x, net.store(weights), kernel_shape=[1, 1]), [1, CHANNELS, SIDE, SIDE]


@pytest.mark.parametrize("build", [residual, mixed, gated, pinched])
def test_what_does_not_help_is_left(build, tmp_path):
    """Whatever share each would be given, on the images that it was chosen on."""
    net = Net(5)
    path = net.save(tmp_path / "net.onnx", *build(net))
    samples = Samples({"x": images(10)})
    plain, chosen = (read_float(path, samples, equalise=alike) for alike in (False, True))
    every = [
        FloatModel(graph, samples, observe(graph, samples))
        for graph in (plain.graph, *(equalised(plain.graph, samples, share) for share in SHARES))
    ]
    lost = [signal_to_noise(quantised_model(m), path, images(10)) for m in (chosen, *every)]
    assert lost[0] == pytest.approx(max(lost), abs=1e-3)


def test_integers_of_a_file_stay(tmp_path):
    """Columns of weights that are whole numbers of a step take no factors."""
    net = Net(1)
    x = net.put("Relu", net.conv("x", CHANNELS, CHANNELS))
    whole = net.rng.integers(-127, 128, (4, CHANNELS, 1, 1)) * 0.01
    path = net.save(
        tmp_path / "net.onnx",
        net.put("Conv", x, net.store(whole), kernel_shape=[1, 1]),
        [1, 4, SIDE, SIDE],
    )
    samples = Samples({"x": images(3)})
    graph = normal(read_onnx(path, samples).graph)
    assert equalised(graph, samples) is graph

"""Float models of TFLite: the float graph beside LiteRT, and what quantising loses."""

import numpy as np
import pytest

from compiler import load_model
from compiler.floats.run import run
from compiler.floats.samples import Samples
from compiler.frontends.onnx.quantised import quantised_model, read_float
from compiler.tflite_writer import ModelSpec, write
from npu.errors import ModelError, UnsupportedError

pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
CALLS = 12
RELU = {"FusedActivationFunction": 1}


class Maker:
    """A chain of float operators on one input."""

    def __init__(self, seed: int, shape: tuple[int, ...]) -> None:
        self.rng, self.m = np.random.default_rng(seed), ModelSpec()
        self.shape, self.here = shape, self.m.tensor(shape, "float32", name="x")
        self.m.inputs = [self.here]

    def weights(self, *shape: int) -> int:
        data = (self.rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)
        return self.m.tensor(shape, "float32", data=data)

    def then(self, kind, operands, shape, options=None) -> "Maker":
        output = self.m.tensor(shape, "float32")
        self.m.operator(kind, [self.here, *operands], [output], options)
        self.here = output
        return self

    def integers(self, *values: int) -> int:
        return self.m.tensor((len(values),), "int32", data=np.array(values, np.int32))

    def file(self, place):
        self.m.outputs = [self.here]
        place.write_bytes(write(self.m))
        return place


def dense(place):
    m = Maker(1, (1, 20))
    m.then(
        "FULLY_CONNECTED",
        [m.weights(32, 20), m.weights(32)],
        (1, 32),
        ("FullyConnectedOptions", RELU),
    )
    m.then("TANH", [], (1, 32))
    m.then("FULLY_CONNECTED", [m.weights(9, 32), -1], (1, 9), ("FullyConnectedOptions", {}))
    return m.then("SOFTMAX", [], (1, 9), ("SoftmaxOptions", {"Beta": 1.0})).file(place)


def image(place):
    m = Maker(2, (1, 9, 7, 3))
    stride = {"Padding": 0, "StrideW": 2, "StrideH": 2}
    m.then(
        "CONV_2D",
        [m.weights(8, 3, 3, 3), m.weights(8)],
        (1, 5, 4, 8),
        ("Conv2DOptions", stride | RELU),
    )
    told = {"Padding": 1, "StrideW": 1, "StrideH": 1, "DepthMultiplier": 1}
    m.then(
        "DEPTHWISE_CONV_2D",
        [m.weights(1, 3, 2, 8), m.weights(8)],
        (1, 3, 3, 8),
        ("DepthwiseConv2DOptions", told),
    )
    m.then("LOGISTIC", [], (1, 3, 3, 8))
    pool = {"Padding": 1, "StrideW": 1, "StrideH": 1, "FilterHeight": 2, "FilterWidth": 2}
    m.then("MAX_POOL_2D", [], (1, 2, 2, 8), ("Pool2DOptions", pool))
    return m.then("MEAN", [m.integers(1, 2)], (1, 8), ("ReducerOptions", {})).file(place)


def moves(place):
    m = Maker(3, (1, 6, 8))
    m.then("TRANSPOSE", [m.integers(0, 2, 1)], (1, 8, 6), ("TransposeOptions", {}))
    begin, end, step = m.integers(0, 1, 0), m.integers(1, 7, 6), m.integers(1, 2, 1)
    m.then("STRIDED_SLICE", [begin, end, step], (1, 3, 6), ("StridedSliceOptions", {}))
    m.then("RESHAPE", [m.integers(1, 18)], (1, 18), ("ReshapeOptions", {"NewShape": [1, 18]}))
    m.then("MUL", [m.weights(1, 18)], (1, 18), ("MulOptions", {}))
    return m.then("ADD", [m.weights(1, 18)], (1, 18), ("AddOptions", RELU)).file(place)


MODELS = {"dense": dense, "image": image, "moves": moves}


@pytest.fixture(params=MODELS)
def case(request, tmp_path):
    place = MODELS[request.param](tmp_path / "model.tflite")
    shape = {"dense": (1, 20), "image": (1, 9, 7, 3), "moves": (1, 6, 8)}[request.param]
    x = np.random.default_rng(7).normal(size=(CALLS, *shape)).astype(np.float32)
    return place, x


def compare(place, x):
    """Every call on LiteRT beside the float graph, where LiteRT is installed."""
    litert = pytest.importorskip(
        "ai_edge_litert.interpreter", reason="the extra `peers` is not installed"
    )
    source = read_float(place, Samples({"x": x}))
    theirs = litert.Interpreter(model_path=str(place), num_threads=1)
    theirs.allocate_tensors()
    for call, found in zip(x, run(source.graph, source.samples), strict=True):
        theirs.set_tensor(theirs.get_input_details()[0]["index"], call)
        theirs.invoke()
        wanted = theirs.get_tensor(theirs.get_output_details()[0]["index"])
        np.testing.assert_allclose(found[source.graph.outputs[0]], wanted, rtol=1e-4, atol=1e-5)


def test_the_float_graph_is_what_litert_computes(case):
    compare(*case)


def test_little_is_lost(case):
    place, x = case
    made = quantised_model(read_float(place, Samples({"x": x})))
    assert made.noise()[-1].decibels > 32


def test_data_beside_it(case):
    place, x = case
    with pytest.raises(UnsupportedError, match=r"is a float model, .*npu quantize MODEL.tflite"):
        load_model(place)
    np.savez(place.with_suffix(".npz"), x=x)
    graph = load_model(place).graphs["main"]
    assert {graph.tensors[i].dtype for i in (*graph.inputs, *graph.outputs)} == {"int8"}
    np.savez(place.with_suffix(".npz"), y=x)
    with pytest.raises(ModelError, match="has no array 'x'"):
        load_model(place)


def test_int8_weights_of_a_float_model_stay_what_they_are(tmp_path):
    integers = np.random.default_rng(4).integers(-90, 91, (12, 20)).astype(np.int8)
    m = Maker(4, (1, 20))
    weights = m.m.tensor((12, 20), "int8", np.float32(0.013), data=integers)
    m.then("FULLY_CONNECTED", [weights, -1], (1, 12), ("FullyConnectedOptions", {}))
    x = np.random.default_rng(5).normal(size=(CALLS, 1, 20)).astype(np.float32)
    made = quantised_model(read_float(m.file(tmp_path / "model.tflite"), Samples({"x": x})))
    (kept,) = (t for t in made.graph.tensors if t.data is not None and t.shape == (12, 20))
    np.testing.assert_array_equal(kept.data, integers)
    assert set(kept.quantization.scale) == {np.float32(0.013)}


def test_an_lstm_goes_on_from_call_to_call(tmp_path):
    m = Maker(6, (1, 1, 20))
    gates = [[m.weights(8, width) for _ in range(4)] for width in (20, 8)]
    biases = [m.weights(8) for _ in range(4)]
    states = [m.m.tensor((1, 8), "float32", is_variable=True) for _ in range(2)]
    operands = [*gates[0], *gates[1], -1, -1, -1, *biases, -1, -1, *states, -1, -1, -1, -1]
    options = {"FusedActivationFunction": 4, "CellClip": 0.0, "TimeMajor": False}
    m.then(
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        operands,
        (1, 1, 8),
        ("UnidirectionalSequenceLSTMOptions", options),
    )
    place = m.file(tmp_path / "model.tflite")
    x = np.random.default_rng(7).normal(size=(CALLS, 1, 1, 20)).astype(np.float32)
    assert quantised_model(read_float(place, Samples({"x": x}))).noise()[-1].decibels > 32
    compare(place, x)

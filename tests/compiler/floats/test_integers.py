"""Files that hold integers: their numbers are kept, and what is rounded otherwise is counted."""

import numpy as np
import pytest

ort = pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
import onnx  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from onnxruntime.quantization import (  # noqa: E402
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)

from compiler import compile_model, load_model  # noqa: E402
from compiler.floats.files import open_onnx  # noqa: E402
from compiler.floats.samples import Samples  # noqa: E402
from compiler.frontends.onnx.quantised import quantised_model, read_float  # noqa: E402
from compiler.quantise.weights import WeightPlan  # noqa: E402
from kernels import Interpreter  # noqa: E402
from npu.chip.params import load_params  # noqa: E402
from npu.errors import UnsupportedError  # noqa: E402
from npu.runtime.sessions import GraphSession  # noqa: E402
from tests.float_models import decibels, integers, real  # noqa: E402

SHAPES = {"dense": (1, 32), "conv": (1, 3, 9, 9), "add": (1, 4, 8, 8), "deep": (1, 4, 10, 10)}
ONCE = 1e-5
"""Of elements that may differ by a step: where the sums of floats end otherwise."""
SHARE = {"dense": 0.01, "conv": 0.01, "add": 0.01, "deep": 0.15}
"""The same of the `.tflite` file: TFLM's requantiser rounds twice, to a whole number of 2**-n
steps, then to steps. Of what lies within 2**-(n + 1) below a tie it gives the upper neighbour,
which is 2**-(n + 1) of all. A step in one of the 288 hidden values of `deep` is part of a step in
each of its outputs."""


def model(name, nodes, shape, stored, opset=17, rank=2):
    rng = np.random.default_rng(5)
    constants = [
        numpy_helper.from_array(
            data if isinstance(data, np.ndarray) else rng.standard_normal(data).astype("f4") / 4,
            key,
        )
        for key, data in stored.items()
    ]
    ends = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, list(shape)),
        helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * rank),
    ]
    graph = helper.make_graph(nodes, name, ends[:1], ends[1:], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def floats(name):
    node = helper.make_node
    match name:
        case "dense":
            nodes = [node("Gemm", ["x", "w", "b"], ["y"], name="d")]
            stored = {"w": (32, 24), "b": (24,)}
        case "conv":
            nodes = [node("Conv", ["x", "w", "b"], ["y"], name="c", kernel_shape=[3, 3])]
            stored = {"w": (8, 3, 3, 3), "b": (8,)}
        case "add":
            nodes = [
                node("Conv", ["x", "w", "b"], ["c"], name="c", kernel_shape=[1, 1]),
                node("Add", ["c", "x"], ["y"], name="a"),
            ]
            stored = {"w": (4, 4, 1, 1), "b": (4,)}
        case _:
            nodes = [
                node("Conv", ["x", "w", "b"], ["c"], name="c", kernel_shape=[3, 3]),
                node("Relu", ["c"], ["r"], name="r"),
                node("Conv", ["r", "v", "e"], ["h"], name="h", group=8, kernel_shape=[3, 3]),
                node("Relu", ["h"], ["s"], name="s"),
                node("Flatten", ["s"], ["f"], name="f"),
                node("Gemm", ["f", "u", "g"], ["y"], name="g"),
            ]
            stored = {
                "w": (8, 4, 3, 3),
                "b": (8,),
                "v": (8, 1, 3, 3),
                "e": (8,),
                "u": (288, 10),
                "g": (10,),
            }
    return model(name, nodes, SHAPES[name], stored, rank=4 if name in ("conv", "add") else 2)


class Reader(CalibrationDataReader):
    def __init__(self, calls):
        self.calls = iter([{"x": call} for call in calls])

    def get_next(self):
        return next(self.calls, None)


def calls(name, count=64, seed=1):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((count, *SHAPES[name])).astype(np.float32)


def written(folder, name, **options):
    """A model of onnxruntime's quantiser; weights of 7 bits, for its kernels saturate with 8."""
    source, target = folder / "float.onnx", folder / "whole.onnx"
    onnx.save(floats(name), source)
    common = {"weight_type": QuantType.QInt8, "reduce_range": True}
    quantize_static(source, target, Reader(calls(name)), **(common | options))
    return target


def answers(path, graph, given):
    """Integers of ours and of onnxruntime, optimisations off: what the operators' texts say."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    first, last = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
    kernels = Interpreter(graph)
    ours = [kernels.invoke([integers(call, first)])[0].astype(int).ravel() for call in given]
    theirs = [
        integers(session.run(None, {"x": call})[0], last).astype(int).ravel() for call in given
    ]
    return np.array(ours), np.array(theirs)


KINDS = {
    "int8": {"activation_type": QuantType.QInt8},
    "uint8": {"activation_type": QuantType.QUInt8},
    "per_channel": {"activation_type": QuantType.QInt8, "per_channel": True},
    "operators": {"activation_type": QuantType.QUInt8, "quant_format": QuantFormat.QOperator},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SHAPES)
def test_one_step_at_most(name, kind, tmp_path):
    path = written(tmp_path, name, **KINDS[kind])
    made = quantised_model(read_float(path, Samples({"x": calls(name)})))
    given = calls(name, 400, seed=2)
    for graph, share in ((made.rounding_as_onnx, ONCE), (made.graph, SHARE[name])):
        ours, theirs = answers(path, graph, given)
        apart = np.abs(ours - theirs)
        assert apart.max() <= 1
        assert np.mean(apart > 0) <= share
        # Not all the same: the answers move over many steps.
        assert len(np.unique(ours)) > 40


@pytest.mark.parametrize("name", ["dense", "conv"])
def test_biases_of_a_file_stay(name, tmp_path):
    """They are right beside integers that are the file's own."""
    path = written(tmp_path, name, **KINDS["int8"])
    source = read_float(path, Samples({"x": calls(name)}))
    told = quantised_model(source, plan=WeightPlan(correct=True))
    assert told.data == quantised_model(source).data


def test_what_load_model_reads_rounds_once(tmp_path):
    path = written(tmp_path, "dense", **KINDS["int8"])
    np.savez(path.with_suffix(".npz"), x=calls("dense"))
    assert load_model(path).graphs["main"].rounds_once
    onnx.save(floats("dense"), tmp_path / "real.onnx")
    np.savez(tmp_path / "real.npz", x=calls("dense"))
    assert not load_model(tmp_path / "real.onnx").graphs["main"].rounds_once


@pytest.mark.parametrize("name", ["deep", "add"])
def test_the_chip_rounds_once_too(name, tmp_path):
    path = written(tmp_path, name, **KINDS["per_channel"])
    np.savez(path.with_suffix(".npz"), x=calls(name))
    model = load_model(path)
    graph, session = model.graphs["main"], GraphSession(compile_model(model, load_params("edge")))
    kernels = Interpreter(graph)
    source = graph.tensors[graph.inputs[0]]
    for call in calls(name, 3, seed=4):
        given = integers(call, source)
        (ours,) = session.invoke([given])
        assert np.array_equal(ours, kernels.invoke([given])[0])


@pytest.mark.parametrize("kind", ["int8", "per_channel"])
def test_numbers_of_the_file_are_kept(kind, tmp_path):
    path = written(tmp_path, "conv", **KINDS[kind])
    made = quantised_model(read_float(path, Samples({"x": calls("conv")})))
    stored = {t.name: numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}
    weights = next(t for t in made.graph.tensors if t.name == "c/weights")
    assert np.array_equal(weights.data, stored["w_quantized"].transpose(0, 2, 3, 1))
    assert np.array_equal(weights.quantization.scale, np.broadcast_to(stored["w_scale"], 8)) or (
        kind == "int8" and np.all(weights.quantization.scale == stored["w_scale"])
    )
    bias = next(t for t in made.graph.tensors if t.name == "c/bias")
    assert np.array_equal(bias.data, stored["b_quantized"])
    first = made.graph.tensors[made.graph.inputs[0]].quantization
    assert (first.scale[0], first.zero_point) == (stored["x_scale"], stored["x_zero_point"])
    last = made.graph.tensors[made.graph.outputs[0]].quantization
    assert (last.scale[0], last.zero_point) == (stored["y_scale"], stored["y_zero_point"])


def quantised_dense(weight, steps, zero=0, bias=0):
    """x on steps[0], a weight of one number on steps[1], y on steps[2]: all whole."""
    stored = {
        "sx": np.float32(steps[0]),
        "sw": np.float32(steps[1]),
        "sy": np.float32(steps[2]),
        "z": np.int8(0),
        "zy": np.int8(zero),
        "w": np.array([[weight]], np.int8),
        "b": np.array([bias], np.int32),
        "sb": np.float32(steps[0]) * np.float32(steps[1]),
    }
    stored = {key: np.asarray(data) for key, data in stored.items()}
    node = helper.make_node
    nodes = [
        node("QuantizeLinear", ["x", "sx", "z"], ["xq"]),
        node("DequantizeLinear", ["xq", "sx", "z"], ["xr"]),
        node("DequantizeLinear", ["w", "sw", "z"], ["wr"]),
        node("DequantizeLinear", ["b", "sb"], ["br"]),
        node("Gemm", ["xr", "wr", "br"], ["yr"]),
        node("QuantizeLinear", ["yr", "sy", "zy"], ["yq"]),
        node("DequantizeLinear", ["yq", "sy", "zy"], ["y"]),
    ]
    return model("tie", nodes, (1, 1), stored)


@pytest.mark.parametrize("zero", [0, 5])
@pytest.mark.parametrize("weight", [16, 48])
def test_ties(weight, zero, tmp_path):
    """All inputs on a grid where every other answer is a tie.

    ONNX rounds halves to even, the chip up where it rounds once: they differ at the ties whose even
    neighbour lies below, there by one, and nowhere else.
    """
    path = tmp_path / "tie.onnx"
    onnx.save(quantised_dense(weight, (1.0, 1.0, 32.0), zero), path)
    every = np.arange(-128, 128, dtype=np.float32).reshape(-1, 1, 1)
    made = quantised_model(read_float(path, Samples({"x": every})))
    ours, theirs = (found.ravel() for found in answers(path, made.rounding_as_onnx, every))
    exact = every.ravel() * weight / 32
    even = np.clip(np.rint(exact) + zero, -128, 127)
    up = np.clip(np.floor(exact + 0.5) + zero, -128, 127)
    assert np.array_equal(theirs, even)
    assert np.array_equal(ours, up)
    assert np.sum(even != up) > 25


@pytest.mark.parametrize("kind", [QuantType.QInt8, QuantType.QUInt8])
@pytest.mark.parametrize("name", ["dense", "deep"])
def test_dynamically_quantised(name, kind, tmp_path):
    """Weights stay the file's; ranges are those of the calibration, so answers are near."""
    source, target = tmp_path / "float.onnx", tmp_path / "dynamic.onnx"
    onnx.save(floats(name), source)
    quantize_dynamic(source, target, weight_type=kind)
    assert {"DynamicQuantizeLinear"} <= {n.op_type for n in onnx.load(target).graph.node}
    made = quantised_model(read_float(target, Samples({"x": calls(name)})))
    session = ort.InferenceSession(str(source), providers=["CPUExecutionProvider"])
    graph = made.graph
    first, last = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
    kernels, given = Interpreter(graph), calls(name)
    found = [real(kernels.invoke([integers(call, first)])[0], last).ravel() for call in given]
    wanted = [session.run(None, {"x": call})[0].ravel() for call in given]
    assert decibels(np.array(wanted), np.array(found)) > 28
    if name == "dense":
        stored = {t.name: numpy_helper.to_array(t) for t in onnx.load(target).graph.initializer}
        whole = stored["w_quantized"].astype(int) - stored["w_zero_point"]
        weights = next(t for t in graph.tensors if t.name.endswith("/weights"))
        kept = weights.data[:, :32].astype(int)
        kept = kept + weights.data[:, 32:] if weights.data.shape[1] > 32 else kept
        assert np.array_equal(kept.T, whole)


def test_rows_of_a_table_of_integers(tmp_path):
    """As quantize_static writes an embedding in operators of integers: who takes rows has their
    scale."""
    table = np.random.default_rng(7).integers(0, 256, (9, 6)).astype(np.uint8)
    scales = {
        "ts": np.array(0.02, np.float32),
        "tz": np.array(120, np.uint8),
        "ys": np.array(0.04, np.float32),
    }
    nodes = [
        helper.make_node("Gather", ["table", "x"], ["rows"], name="pick"),
        helper.make_node("Transpose", ["rows"], ["turned"], perm=[0, 2, 1], name="turn"),
        helper.make_node(
            "QLinearMul",
            ["turned", "ts", "tz", "turned", "ts", "tz", "ys", "tz"],
            ["squares"],
            domain="com.microsoft",
            name="square",
        ),
        helper.make_node("DequantizeLinear", ["squares", "ys", "tz"], ["y"], name="out"),
    ]
    made = model("table", nodes, (1, 3), {"table": table, **scales}, rank=3)
    made.graph.input[0].type.tensor_type.elem_type = TensorProto.INT64
    made.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    path = tmp_path / "m.onnx"
    onnx.save(made, path)
    x = np.random.default_rng(8).integers(0, 9, (12, 1, 3))
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    wanted = np.array([session.run(None, {"x": each})[0].ravel() for each in x])
    graph = quantised_model(read_float(path, Samples({"x": x}))).graph
    kernels = Interpreter(graph)
    tensor = graph.tensors[graph.outputs[0]]
    found = np.array([real(kernels.invoke([each.astype("i4")])[0], tensor).ravel() for each in x])
    assert tensor.quantization.scale[0] == scales["ys"]
    assert np.abs(found - wanted).max() < 1.1 * scales["ys"]


def test_integers_that_are_not_scaled(tmp_path):
    """The product of dynamic integers must be scaled at once."""
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
        helper.make_node("MatMulInteger", ["q", "w", "z"], ["m"], name="product"),
        helper.make_node("Neg", ["m"], ["n"]),
        helper.make_node("Cast", ["n"], ["y"], to=1),
    ]
    path = tmp_path / "unscaled.onnx"
    onnx.save(model("unscaled", nodes, (1, 4), {"w": np.ones((4, 3), np.int8)}), path)
    assert open_onnx(path)
    with pytest.raises(
        UnsupportedError, match=r"'product' \(MatMulInteger\): its integers are taken"
    ):
        read_float(path, Samples({"x": np.ones((2, 1, 4), np.float32)}))


def test_sixteen_bits(tmp_path):
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"], name="wide"),
    ]
    stored = {"s": np.asarray(np.float32(0.1)), "z": np.asarray(np.int16(0))}
    path = tmp_path / "wide.onnx"
    onnx.save(model("wide", nodes, (1, 4), stored, opset=21), path)
    with pytest.raises(UnsupportedError, match="not int8 or uint8; quantise activations to eight"):
        read_float(path, Samples({"x": np.ones((2, 1, 4), np.float32)}))

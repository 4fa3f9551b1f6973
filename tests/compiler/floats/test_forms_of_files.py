"""What exporters write around operators: settled branches, borders, spectra, stacked states."""

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
import onnx
from onnx import TensorProto, helper, numpy_helper

from compiler.floats.files import run_once
from compiler.floats.run import run
from compiler.floats.samples import Samples
from compiler.frontends.onnx.quantised import quantised_model, read_float
from tests.on_the_twin import chip, differences

BINS, TAPS, LENGTH = 5, 16, 96
node = helper.make_node


def graph(nodes, inputs, outputs, stored):
    made = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(*each) for each in inputs],
        [helper.make_tensor_value_info(*each) for each in outputs],
        [numpy_helper.from_array(np.asarray(data), name) for name, data in stored.items()],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def fourier():
    """Rows of a short Fourier transform: cosines, then sines, windowed."""
    time = np.arange(TAPS)
    angle = 2 * np.pi * np.outer(np.arange(1, BINS + 1), time) / TAPS
    rows = np.concatenate([np.cos(angle), np.sin(angle)]) * np.hanning(TAPS)
    return rows[:, None, :].astype(np.float32)


def detector():
    """As silero's: a branch by the rate, within it one by a rank; a magnitude; states in one."""
    rng = np.random.default_rng(8)
    of_rank = {
        f"{side}_branch": helper.make_graph(
            [node("Squeeze" if side == "then" else "Identity", inputs, [f"{side}_row"])],
            side,
            [],
            [helper.make_tensor_value_info(f"{side}_row", TensorProto.FLOAT, None)],
        )
        for side, inputs in (("then", ["means", "two"]), ("else", ["means"]))
    }
    inner = [
        node("Pad", ["x", "pads"], ["wide"], mode="reflect"),
        node("Unsqueeze", ["wide", "one"], ["signal"]),
        node("Conv", ["signal", "rows"], ["spectrum"], strides=[4]),
        node("Slice", ["spectrum", "zero", "bins", "one"], ["real"]),
        node("Slice", ["spectrum", "bins", "twice", "one"], ["imaginary"]),
        node("Pow", ["real", "power"], ["a"]),
        node("Pow", ["imaginary", "power"], ["b"]),
        node("Add", ["a", "b"], ["sum"]),
        node("Sqrt", ["sum"], ["length"]),
        node("ReduceMean", ["length"], ["means"], axes=[2], keepdims=1),
        node("Shape", ["means"], ["shape"]),
        node("Size", ["shape"], ["rank"]),
        node("Equal", ["rank", "three"], ["is3"]),
        node("If", ["is3"], ["row"], **of_rank),
        node("Gather", ["state", "first"], ["h"], axis=0),
        node("Gather", ["state", "second"], ["c"], axis=0),
        node("Gemm", ["row", "w"], ["given"]),
        node("Add", ["given", "h"], ["bent"]),
        node("Tanh", ["bent"], ["h2"]),
        node("Add", ["c", "h2"], ["both"]),
        node("Mul", ["both", "half"], ["c2"]),
        node("Unsqueeze", ["h2", "zero"], ["h3"]),
        node("Unsqueeze", ["c2", "zero"], ["c3"]),
        node("Concat", ["h3", "c3"], ["then_state"], axis=0),
        node("Sigmoid", ["c2"], ["then_y"]),
    ]
    kinds = [("y", [1, BINS]), ("state", [2, 1, BINS])]

    def branch(name, nodes, names):
        ends = [
            helper.make_tensor_value_info(each, TensorProto.FLOAT, shape)
            for each, (_, shape) in zip(names, kinds, strict=True)
        ]
        return helper.make_graph(nodes, name, [], ends)

    other = [node("Sigmoid", ["cut"], ["else_y"]), node("Neg", ["state"], ["else_state"])]
    other.insert(0, node("Slice", ["x", "zero", "bins", "one"], ["cut"]))
    nodes = [
        node("Equal", ["sr", "rate"], ["is16"]),
        node(
            "If",
            ["is16"],
            ["y", "stateN"],
            name="rate",
            then_branch=branch("then", inner, ["then_y", "then_state"]),
            else_branch=branch("else", other, ["else_y", "else_state"]),
        ),
    ]
    stored = {
        "pads": np.array([0, 0, 0, 12]),
        "one": np.array([1]),
        "two": np.array([2]),
        "zero": np.array([0]),
        "bins": np.array([BINS]),
        "twice": np.array([2 * BINS]),
        "three": np.array(3),
        "first": np.array(0),
        "second": np.array(1),
        "rate": np.array(16000),
        "power": np.float32(2),
        "half": np.float32(0.5),
        "rows": fourier(),
        "w": rng.standard_normal((BINS, BINS)).astype(np.float32) / 4,
    }
    inputs = [
        ("x", TensorProto.FLOAT, [1, LENGTH]),
        ("state", TensorProto.FLOAT, [2, None, BINS]),
        ("sr", TensorProto.INT64, []),
    ]
    outputs = [("y", TensorProto.FLOAT, [1, BINS]), ("stateN", TensorProto.FLOAT, [2, 1, BINS])]
    return graph(nodes, inputs, outputs, stored)


def test_a_detector_as_silero_writes_it(tmp_path):
    path = tmp_path / "detector.onnx"
    onnx.save(detector(), path)
    rng = np.random.default_rng(2)
    loud = rng.uniform(0.1, 1, (80, 1, 1)) * rng.standard_normal((80, 1, LENGTH))
    samples = Samples({"x": loud.astype(np.float32), "sr": np.full(80, 16000)})
    source = read_float(path, samples)
    assert source.graph.inputs == ("x",)
    # The states in one input are two, each with a range of its own.
    assert len(source.graph.states) == 2
    # No squares: a spectrum's magnitude is turned.
    kinds = [n.kind for n in source.graph.nodes]
    assert "Sqrt" not in kinds
    assert kinds.count("Abs") == 5
    assert quantised_model(source).noise()[-1].varying_decibels > 20


@pytest.mark.parametrize("mode", ["reflect", "edge", "wrap"])
@pytest.mark.parametrize("pads", [[0, 0, 2, 3], [0, 1, 0, 20], [1, 0, 0, 1]])
def test_borders(mode, pads, tmp_path):
    """Few elements are joined, many picked by a matrix; both are exact in integers."""
    rng = np.random.default_rng(1)
    shape = [6, 24]
    stored = {"pads": np.array(pads)}
    wide = [n + pads[axis] + pads[axis + 2] for axis, n in enumerate(shape)]
    nodes = [node("Pad", ["x", "pads"], ["y"], mode=mode)]
    made = graph(nodes, [("x", 1, shape)], [("y", 1, wide)], stored)
    made.opset_import[0].version, made.ir_version = 19, 9
    path = tmp_path / "pad.onnx"
    onnx.save(made, path)
    samples = Samples({"x": rng.standard_normal((4, *shape)).astype(np.float32)})
    assert quantised_model(read_float(path, samples), "minmax").noise()[-1].worst <= 1


def test_a_long_signal_is_mirrored_by_its_ends_alone(tmp_path):
    length, border = 40_000, 128
    stored = {"pads": np.array([0, border, 0, border])}
    nodes = [node("Pad", ["x", "pads"], ["y"], mode="reflect")]
    made = graph(nodes, [("x", 1, [1, length])], [("y", 1, [1, length + 2 * border])], stored)
    path = tmp_path / "pad.onnx"
    onnx.save(made, path)
    sound = np.random.default_rng(1).standard_normal((2, 1, length)).astype(np.float32)
    source = read_float(path, Samples({"x": sound}))
    assert sum(data.size for data in source.graph.constants.values()) < 3 * border * border
    assert quantised_model(source, "minmax").noise()[-1].worst <= 1


@pytest.mark.parametrize("kind", ["MaxPool", "AveragePool"])
def test_pools_with_pads_of_their_own(kind, tmp_path):
    options = {"kernel_shape": [3, 3], "pads": [2, 2, 1, 2], "strides": [2, 1]}
    if kind == "AveragePool":
        options["count_include_pad"] = 1
    pool = node(kind, ["x"], ["y"], **options)
    path = tmp_path / "pool.onnx"
    onnx.save(graph([pool], [("x", 1, [1, 2, 8, 9])], [("y", 1, [1, 2, None, None])], {}), path)
    rng = np.random.default_rng(1)
    # All below 0, so that a border of zeros would be the largest.
    samples = Samples({"x": -rng.uniform(0.1, 1, (6, 1, 2, 8, 9)).astype(np.float32)})
    assert quantised_model(read_float(path, samples), "minmax").noise()[-1].worst <= 1


@pytest.mark.parametrize("sizes", [(8, 9), (7, 7)])
@pytest.mark.parametrize(
    "options",
    [
        {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1},
        {"kernel_shape": [3, 2], "strides": [2, 3], "pads": [1, 0, 1, 1], "ceil_mode": 1},
        {"kernel_shape": [3, 2], "dilations": [2, 3], "strides": [1, 2]},
        {"kernel_shape": [3, 3], "dilations": [2, 2], "pads": [2, 2, 2, 2]},
        {"kernel_shape": [2, 3], "dilations": [1, 2], "strides": [2, 2], "ceil_mode": 1},
    ],
)
def test_maxima_of_windows_that_reach_out_or_lie_apart(options, sizes, tmp_path):
    pool = node("MaxPool", ["x"], ["y"], **options)
    path = tmp_path / "pool.onnx"
    onnx.save(graph([pool], [("x", 1, [1, 2, *sizes])], [("y", 1, [1, 2, None, None])], {}), path)
    rng = np.random.default_rng(1)
    samples = Samples({"x": -rng.uniform(0.1, 1, (6, 1, 2, *sizes)).astype(np.float32)})
    made = quantised_model(read_float(path, samples), "minmax")
    assert made.noise()[-1].worst <= 1
    file = tmp_path / "pool.tflite"
    file.write_bytes(made.data)
    assert differences(file, rng, chip()) == 0


@pytest.mark.parametrize(
    ("options", "most"),
    [
        ({"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}, 3),
        ({"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 0, 1]}, 3.5),
        ({"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 1, 1, 0]}, 3),
    ],
)
def test_means_count_what_is_inside(options, most, tmp_path):
    pool = node("AveragePool", ["x"], ["y"], **options)
    path = tmp_path / "pool.onnx"
    onnx.save(graph([pool], [("x", 1, [1, 2, 7, 9])], [("y", 1, [1, 2, None, None])], {}), path)
    rng = np.random.default_rng(1)
    samples = Samples({"x": rng.uniform(0.1, 1, (6, 1, 2, 7, 9)).astype(np.float32)})
    made = quantised_model(read_float(path, samples), "minmax")
    assert made.noise()[-1].worst <= most
    file = tmp_path / "pool.tflite"
    file.write_bytes(made.data)
    assert differences(file, rng, chip()) == 0


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("how", ["half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel"])
@pytest.mark.parametrize("size", [(12, 14), (9, 5)])
def test_images_in_another_size(mode, how, size, tmp_path):
    stored = {"size": np.array([1, 2, *size])}
    inputs = ["x", "", "", "size"]
    resize = node("Resize", inputs, ["y"], mode=mode, coordinate_transformation_mode=how)
    path = tmp_path / "resize.onnx"
    onnx.save(graph([resize], [("x", 1, [1, 2, 6, 7])], [("y", 1, [1, 2, *size])], stored), path)
    rng = np.random.default_rng(1)
    samples = Samples({"x": rng.standard_normal((4, 1, 2, 6, 7)).astype(np.float32)})
    made = quantised_model(read_float(path, samples), "minmax")
    assert made.noise()[-1].worst <= {"nearest": 1, "linear": 2, "cubic": 2}[mode]
    file = tmp_path / "resize.tflite"
    file.write_bytes(made.data)
    assert differences(file, rng, chip()) == 0


def test_no_values_are_asked_of_no_runtime():
    """As of a file whose constants are all stored: a graph without nodes is none to onnxruntime."""
    assert run_once(onnx.ModelProto(), {}, [], "m") == {}


@pytest.mark.parametrize("kind", [np.int8, np.uint8])
def test_rows_of_a_table_of_integers(tmp_path, kind):
    """As onnxruntime's dynamic quantisation leaves an embedding: picked first, then made real."""
    rng = np.random.default_rng(6)
    whole = rng.integers(np.iinfo(kind).min, np.iinfo(kind).max + 1, (9, 4)).astype(kind)
    zero = kind(3)
    nodes = [
        node("Gather", ["table", "s"], ["rows"]),
        node("DequantizeLinear", ["rows", "scale", "zero"], ["real"]),
        node("Add", ["real", "more"], ["y"]),
    ]
    stored = {
        "table": whole,
        "scale": np.float32(0.02),
        "zero": zero,
        "more": np.float32([1, 0, -1, 0.5]),
    }
    made = graph(
        nodes,
        [("s", TensorProto.INT64, [1, 1])],
        [("y", TensorProto.FLOAT, [1, 1, 4])],
        stored,
    )
    place = tmp_path / "rows.onnx"
    onnx.save(made, place)
    symbols = np.arange(9)[:, None, None]
    source = read_float(place, Samples({"s": symbols}))
    wanted = (whole.astype(np.float32) - np.float32(zero)) * np.float32(0.02) + stored["more"]
    for found, like in zip(run(source.graph, source.samples), wanted, strict=True):
        np.testing.assert_allclose(found["y"][0, 0], like, atol=1e-6)
    assert quantised_model(source).noise()[-1].decibels > 40

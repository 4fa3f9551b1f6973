"""`npu quantize`: what it writes, and what it says of what it cannot take."""

import json
import os
import shutil

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
import onnx
from onnx import TensorProto, helper, numpy_helper

from compiler import load_model
from tests.compiler.floats.test_means import heard, pooling
from tests.conftest import ROOT

ENCODER = ROOT / "tests" / "vectors" / "float" / "lstm_rnnt_small" / "encoder.onnx"
FRAMES = ENCODER.with_name("frames.npz")


def model(path, kind="Tanh", weights=None):
    """A product with the unit matrix, unless `weights` (inputs, outputs) are given, and a bend."""
    weights = np.eye(4) if weights is None else weights
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, n])
        for name, n in zip("xy", weights.shape, strict=True)
    ]
    stored = numpy_helper.from_array(weights.astype(np.float32), "w")
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["m"], name="product"),
        helper.make_node(kind, ["m"], ["y"], name="bend"),
    ]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], [stored])
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), path)
    return path


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "calls.npz"
    np.savez(path, x=np.random.default_rng(0).standard_normal((16, 1, 4)).astype(np.float32))
    return path


def test_writes_a_model(npu, tmp_path):
    out, said = tmp_path / "encoder.tflite", tmp_path / "report.json"
    ran = npu("quantize", ENCODER, "--calibrate", FRAMES, "-o", out, "--json", said)
    assert (ran.status, ran.err) == (0, "")
    report = json.loads(said.read_text(encoding="utf-8"))
    (part,) = report["parts"]
    assert part["outputs"][0]["decibels"] > 28
    assert part["file_bytes"] == out.stat().st_size
    assert load_model(out)


def test_names_node_reason_and_way_out(refused, data, tmp_path):
    out = tmp_path / "o.tflite"
    match = r"m.onnx: node 'bend' \(Hardmax\): it has no form .*; write it in other operators"
    refused(
        "quantize",
        model(tmp_path / "m.onnx", "Hardmax"),
        "--calibrate",
        data,
        "-o",
        out,
        match=match,
    )
    assert not out.exists()


def test_a_range_that_no_grid_holds_is_told_with_its_place(refused, tmp_path):
    huge = tmp_path / "huge.npz"
    np.savez(huge, x=np.array([[[-3e38, 0, 0, 3e38]]], np.float32))
    refused(
        "quantize",
        model(tmp_path / "m.onnx"),
        "--calibrate",
        huge,
        "--ranges",
        "minmax",
        "-o",
        tmp_path / "o.tflite",
        match=r"m.onnx: input 'x': a value from -3e\+38 to 3e\+38 has no grid of int8",
    )


def test_channels_are_made_alike_when_asked(npu, refused, data, tmp_path):
    out = tmp_path / "o.tflite"
    made = model(tmp_path / "m.onnx", "Relu")
    assert npu("quantize", made, "--calibrate", data, "--equalise", "-o", out).status == 0
    assert load_model(out)
    refused(
        "quantize",
        ENCODER.parent,
        "--equalise",
        "-o",
        tmp_path / "folder",
        match="--equalise is of a file, not of a transducer's folder",
    )


def test_biases_are_corrected_when_asked(npu, tmp_path):
    """Behind inputs that are not zero on average, in a file and in each part of a folder."""
    rng = np.random.default_rng(3)
    weights = rng.normal(0, 0.1, (64, 4))
    weights[0] = 20
    place = model(tmp_path / "m.onnx", "Relu", weights)
    data, said = tmp_path / "data.npz", tmp_path / "report.json"
    np.savez(data, x=rng.uniform(0.9, 1.1, (40, 1, 64)).astype(np.float32))
    lost = []
    for options in ((), ("--correct-bias",)):
        asked = (place, "--calibrate", data, "-o", tmp_path / "o.tflite", "--json", said)
        assert npu("quantize", *asked, *options).status == 0
        report = json.loads(said.read_text(encoding="utf-8"))
        lost.append(report["parts"][0]["outputs"][0]["decibels"])
    assert lost[1] > lost[0] + 3
    out = tmp_path / "folder"
    assert npu("quantize", ENCODER.parent, "--correct-bias", "-o", out).status == 0
    assert load_model(out)


def test_without_data(refused, tmp_path):
    place = model(tmp_path / "m.onnx")
    match = "its ranges are not known: calibration data must lie beside it in m.npz"
    refused("quantize", place, "-o", tmp_path / "o.tflite", match=match)


def test_data_beside_the_model(npu, data, tmp_path):
    place = model(tmp_path / "m.onnx")
    data.rename(tmp_path / "m.npz")
    assert npu("quantize", place, "-o", tmp_path / "o.tflite").status == 0


@pytest.mark.parametrize("damage", ["model", "data", "huge", "pipe", "missing"])
def test_damaged(damage, refused, data, tmp_path):
    place = model(tmp_path / "m.onnx")
    match = "no sound ONNX model; fetch or export it again"
    match damage:
        case "model":
            place.write_bytes(place.read_bytes()[:-20])
        case "data":
            data.write_bytes(data.read_bytes()[:-30])
            match = "calls.npz: no .npz file of arrays"
        case "huge":
            with place.open("wb") as file:
                file.truncate(3 << 30)
            match = "more than 2 GiB are not read"
        case "pipe":
            place.unlink()
            os.mkfifo(place)
            match = "neither a file nor a folder"
        case _:
            place.unlink()
            match = "give an .onnx or .tflite file"
    refused("quantize", place, "--calibrate", data, "-o", tmp_path / "o.tflite", match=match)


def test_a_folder_is_not_written_into_itself(refused, tmp_path):
    folder = shutil.copytree(ENCODER.parent, tmp_path / "m")
    kept = sorted(path.name for path in folder.iterdir())
    match = "it is the folder that is read; name another one"
    refused("quantize", folder, "-o", tmp_path / "m" / ".." / "m", match=match)
    assert sorted(path.name for path in folder.iterdir()) == kept


def test_names_that_steer_a_terminal(npu, data, tmp_path):
    place = model(tmp_path / "m.onnx", "Hardmax")
    made = onnx.load(place)
    made.graph.node[1].name = "bend\x1b[31m\nerror: none"
    onnx.save(made, place)
    ran = npu("quantize", place, "--calibrate", data, "-o", tmp_path / "o.tflite")
    assert ran.status == 2
    assert ran.err.count("\n") == 1
    assert "\x1b" not in ran.err


def two_products(path):
    """Two products with a bend between them: the first one's bits are worth more."""
    rng = np.random.default_rng(1)
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 64]) for n in "xy"]
    shapes = {"v": (64, 128), "w": (128, 64)}
    stored = [
        numpy_helper.from_array((rng.standard_normal(shape) / 8).astype(np.float32), name)
        for name, shape in shapes.items()
    ]
    nodes = [
        helper.make_node("MatMul", ["x", "v"], ["a"], name="first"),
        helper.make_node("Tanh", ["a"], ["b"], name="bend"),
        helper.make_node("MatMul", ["b", "w"], ["y"], name="second"),
    ]
    opset = helper.make_opsetid("", 17)
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], stored)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), path)
    x = rng.standard_normal((16, 1, 64)).astype(np.float32)
    np.savez(path.with_suffix(".npz"), x=x)
    return path


def test_an_output_that_never_changes_is_left_out(npu, refused, tmp_path):
    """As `encoder_out_lens` is where the length of a call is fixed."""
    path, said = two_products(tmp_path / "m.onnx"), tmp_path / "r.json"
    loaded = onnx.load(path)
    nodes = [
        helper.make_node("Shape", ["y"], ["shape"]),
        helper.make_node("Neg", ["shape"], ["lens"]),
    ]
    loaded.graph.node.extend(nodes)
    loaded.graph.output.append(helper.make_tensor_value_info("lens", TensorProto.INT64, [2]))
    onnx.save(loaded, path)
    ran = npu("quantize", path, "-o", tmp_path / "o.tflite", "--json", said)
    assert (ran.status, ran.err) == (0, "")
    (part,) = json.loads(said.read_text(encoding="utf-8"))["parts"]
    assert [each["name"] for each in part["outputs"]] == ["y"] and part["settled"] == ["lens"]
    shown = npu("quantize", path, "-o", tmp_path / "o.tflite").out
    assert "m.onnx: left out, as they are the same in every call: lens" in shown
    del loaded.graph.output[0]
    onnx.save(loaded, path)
    refused("quantize", path, "-o", tmp_path / "o.tflite", match="or the same in every call")


def test_a_budget_of_time_is_kept_on_the_chip(npu, refused, tmp_path):
    """On a chip that streams its weights fewer levels take less of the bus."""
    path, out, said = two_products(tmp_path / "m.onnx"), tmp_path / "o.tflite", tmp_path / "r.json"
    chip = ["--chip", "tiny", "--set", "lanes=2"]

    def milliseconds(model):
        assert npu("latency", model, *chip, "--json", said).status == 0
        return json.loads(said.read_text(encoding="utf-8"))["total"]["ms"]

    whole = milliseconds(path)
    levels = ["--levels", "even"]
    ran = npu(
        "quantize", path, "-o", out, *chip, *levels, "--budget-ms", 0.9 * whole, "--json", said
    )
    assert (ran.status, ran.err) == (0, "")
    (part,) = json.loads(said.read_text(encoding="utf-8"))["parts"]
    assert min(part["bits"].values()) < 8
    assert milliseconds(out) <= 0.9 * whole
    asked = ["quantize", path, "-o", out, *chip, *levels]
    refused(*asked, "--budget-ms", 0.01 * whole, match="ms of the budget; prune weights")
    refused(*asked, "--budget-ms", 1, "--budget", 9, match="cannot be given together")


def test_compile_tells_what_calibration_lost(npu, refused, tmp_path):
    path, said = two_products(tmp_path / "m.onnx"), tmp_path / "r.json"
    out = tmp_path / "m.npu"
    ran = npu("compile", path, "-o", out, "--calibration-report", "--json", said)
    assert (ran.status, ran.err) == (0, "")
    calibration = json.loads(said.read_text(encoding="utf-8"))["calibration"]
    assert [each["name"] for each in calibration["values"]] == ["a", "b"]
    assert all(each["decibels"] > 25 for each in [*calibration["values"], *calibration["outputs"]])
    shown = npu("compile", path, "-o", out, "--calibration-report").out
    assert "signal/noise dB" in shown and "16 calls" in shown
    integers = tmp_path / "m.tflite"
    assert npu("quantize", path, "-o", integers).status == 0
    refused("compile", integers, "-o", out, "--calibration-report", match="loses nothing")


def test_says_for_how_long_a_mean_is_the_models(npu, tmp_path):
    place, out = tmp_path / "m.onnx", tmp_path / "m.tflite"
    pooling(place, 4)
    np.savez(place.with_suffix(".npz"), x=heard(4, 0, 1)[:40])
    ran = npu("quantize", place, "-o", out)
    assert ran.status == 0
    said = "means over all that was heard are the model's for 256 calls; from there on each call"
    assert f"m.onnx: {said} weighs 1/256" in ran.out

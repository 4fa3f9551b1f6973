"""Models of packages: one that runs, one that is refused, what is broken, what does not end."""

import json
import os
import time
import zipfile

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
from onnx import TensorProto, helper, numpy_helper

from reports.shipped import __main__ as command
from reports.shipped.limited import limited
from reports.shipped.packages import PICTURES, shipped
from reports.shipped.page import PAGE, RUN, page


def model(kind):
    """A matrix, and an operator behind it."""
    weights = np.random.default_rng(1).normal(size=(16, 8)).astype(np.float32)

    def end(name, width):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, width])

    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"], "product"),
        helper.make_node(kind, ["h"], ["y"], "bend"),
    ]
    graph = helper.make_graph(
        nodes, "net", [end("x", 16)], [end("y", 8)], [numpy_helper.from_array(weights, "w")]
    )
    opset = helper.make_opsetid("", 17)
    return helper.make_model(graph, opset_imports=[opset], ir_version=8).SerializeToString()


@pytest.fixture
def folder(tmp_path):
    """Two packages and a wheel."""
    folder = tmp_path / "packages"
    for name, files in {
        "good-1.0": {"good/models/relu.onnx": model("Relu"), "good/readme.txt": b"no model"},
        "bad-2.0": {"bad/hardmax.onnx": model("Hardmax"), "bad/broken.tflite": b"TFL3" * 9},
    }.items():
        for file, data in files.items():
            path = folder / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    os.mkfifo(folder / "good-1.0" / "pipe.onnx")
    with zipfile.ZipFile(folder / "again-3.1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("again/same.onnx", model("Relu"))
        wheel.writestr("again/own.onnx", model("Tanh"))
    return folder


def run(folder, tmp_path, *more):
    places = ["--json", str(tmp_path / "run.json"), "--to", str(tmp_path / "page.md")]
    status = command.main([str(folder), *places, *more])
    return status, {
        row["file"]: row for row in json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    }


def test_every_model_has_a_row(folder, tmp_path):
    status, rows = run(folder, tmp_path)
    assert status == 0
    assert set(rows) == {"again/own.onnx", "again/same.onnx", "bad/hardmax.onnx"} | {
        "bad/broken.tflite"
    }
    same = rows["again/same.onnx"]
    assert same["packages"] == ["again 3.1", "good-1.0"]
    assert same["operators"] == {"MatMul": 1, "Relu": 1} and same["calls"] == [24, 12]
    (output,) = same["outputs"]
    assert output["name"] == "y" and 30 < output["decibels"] < 60
    assert "node 'bend' (Hardmax)" in rows["bad/hardmax.onnx"]["refused"]
    assert "broken.tflite" in rows["bad/broken.tflite"]["refused"]
    text = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert "4 float models: **2 run, 2 are refused**" in text
    assert "- Hardmax: 1" in text and "| `hardmax.onnx` | bad-2.0 |" in text


def test_one_is_measured_again_and_the_others_stay(folder, tmp_path, capsys):
    run(folder, tmp_path)
    capsys.readouterr()
    _, rows = run(folder, tmp_path, "--only", "*hardmax*")
    assert len(rows) == 4
    assert [json.loads(line)["file"] for line in capsys.readouterr().out.splitlines()] == [
        "bad/hardmax.onnx"
    ]


def test_what_takes_too_long_is_stopped_and_the_rest_is_told(folder, tmp_path):
    status, rows = run(folder, tmp_path, "--only", "*own*", "--seconds", "0.001")
    assert status == 0
    assert rows["again/own.onnx"]["stopped"] == "not done after 0.001 s"
    assert rows["again/same.onnx"]["stopped"] == command.LEFT
    text = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert "**0 run, 0 are refused**, 4 stopped" in text and "not measured yet" in text
    _, rows = run(folder, tmp_path, "--rest")
    assert rows["again/own.onnx"]["stopped"] == "not done after 0.001 s"
    assert [file for file, row in rows.items() if "stopped" in row] == ["again/own.onnx"]


def too_much():
    return len(bytearray(1 << 32))


def test_a_call_has_limits():
    began = time.perf_counter()
    assert limited(time.sleep, (600,), 1.0, 1 << 33).stopped == "not done after 1 s"
    assert time.perf_counter() - began < 60
    assert limited(too_much, (), 60.0, 1 << 31).stopped == "needs more than 2 GiB"
    assert limited(os._exit, (3,), 60.0, 1 << 33).stopped == "its process ended with 3"
    assert limited(int, ("x",), 60.0, 1 << 33).stopped.startswith("ValueError: invalid literal")
    assert limited(int, ("7",), 60.0, 1 << 33) == (7, "")


def test_no_packages(tmp_path, capsys):
    assert command.main([str(tmp_path / "none")]) == 2
    assert "no folder; --download makes it" in capsys.readouterr().err
    (tmp_path / "x-1-py3.whl").write_bytes(b"no archive")
    assert command.main([str(tmp_path)]) == 2
    assert "cannot be unpacked" in capsys.readouterr().err
    assert command.main([]) == 2
    assert "give the FOLDER" in capsys.readouterr().err


def test_links_are_passed_over(folder, tmp_path):
    (folder / "good-1.0" / "link.onnx").symlink_to("/etc/passwd")
    files = [each.file for each in shipped(folder, tmp_path / "out")]
    assert len(files) == 4 and not any("link" in file for file in files)


def test_the_page_shows_the_last_run():
    rows = json.loads(RUN.read_text(encoding="utf-8"))
    assert PAGE.read_text(encoding="utf-8") == page(rows, PICTURES), (
        "run: python -m reports.shipped --page"
    )

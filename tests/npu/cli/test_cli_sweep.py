"""`npu sweep` and `npu fit` as a user calls them; sweeps themselves: tests/npu/sweep."""

import json
import shutil

import pytest

from npu.chip.params import load_params
from npu.cli import _extras

SPEC = 'models = ["layer.tflite"]\n[grid]\nlanes = [4, 8]\nbits = [8, 3]\n'


@pytest.fixture
def spec(vectors, tmp_path, monkeypatch):
    shutil.copy(vectors / "fc_relu.tflite", tmp_path / "layer.tflite")
    (tmp_path / "spec.toml").write_text(SPEC, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return "spec.toml"


@pytest.fixture
def results(spec, tmp_path):
    """A folder of results, worked out in this process."""
    pytest.importorskip("pyarrow", reason="the extra `sweep` is not installed")
    from npu.sweep.compute import compute
    from npu.sweep.folder import Folder, row_of
    from npu.sweep.spec import read_spec

    points = read_spec(spec)
    folder = Folder(tmp_path / "spec.sweep", points)
    folder.begin(row_of(point, compute(point, tmp_path / "cache")) for point in points)
    return "spec.sweep"


def test_shown(npu, results, tmp_path):
    pytest.importorskip("matplotlib", reason="the extra `sweep` is not installed")
    ran = npu(f"sweep show {results} --plot a.svg --html a.html --json a.json")
    assert ran.status == 0 and "4 points of layer.tflite: 4 that no other one beats" in ran.out
    assert "accuracy is not that of the trained model" in ran.out
    report = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert len(report["points"]) == len(report["front"]) == 4
    assert (tmp_path / "a.svg").read_text(encoding="utf-8").startswith("<svg")
    assert "<table>" in (tmp_path / "a.html").read_text(encoding="utf-8")


def test_refused(refused, spec, tmp_path):
    pytest.importorskip("distributed", reason="the extra `sweep` is not installed")
    refused("sweep none.toml", match="none.toml")
    refused("sweep show none", match="is no folder")
    refused(f"sweep show {tmp_path}", match="holds no results of npu sweep")
    refused(f"sweep {spec} --scheduler a:1 --workers 2", match="leave --scheduler out")
    refused(f"sweep {spec} -o {tmp_path} --cache c", match="which no sweep wrote")


def test_what_is_missing_is_said(refused, spec, monkeypatch):
    monkeypatch.setattr(_extras, "find_spec", lambda name: None)
    refused(f"sweep {spec}", match=r"distributed, which npu sweep needs.*'zeroskip\[sweep\]'")
    refused("sweep show a", match=r"pyarrow, which npu sweep needs.*'zeroskip\[sweep\]'")


def test_a_chip_that_fits(npu, spec, tmp_path):
    ran = npu("fit layer.tflite --deadline 10us --set clock_mhz=200 --cache cache")
    assert ran.status == 0 and "run layer.tflite in 0.01 ms" in ran.out
    (tmp_path / "chip.toml").write_text(ran.out, encoding="utf-8")
    chip = load_params(tmp_path / "chip.toml")
    assert chip.clock_mhz == 200 and chip.lanes < 16
    told = json.loads(npu("latency layer.tflite --chip chip.toml --json -").out)
    assert told["frame"]["ms"]["max"] <= 0.01
    assert f"{told['frame']['ms']['max']:.4f} ms" in ran.out


@pytest.mark.parametrize("deadline", ["1", "0ms", "-1ms", "soon", "1 min"])
def test_a_deadline_is_a_time(refused, spec, deadline):
    refused("fit", "layer.tflite", "--deadline", deadline, match="as 1ms or 500us")


def test_a_chip_for_a_signature(npu, refused, vectors, tmp_path):
    model = vectors.parent / "refused" / "multisig.tflite"
    line = f"fit {model} --deadline 10us --cache {tmp_path}"
    refused(*line.split(), match='2 signatures, "dec", "enc"; choose one with --signature NAME')
    assert "lanes = " in npu(f"{line} --signature enc").out


def test_no_chip_fits(refused, spec, images):
    line = "fit layer.tflite --deadline 0.1us --cache cache"
    refused(line, match=r"no chip runs it in 0.0001 ms at 400 MHz: with 128 lanes")
    refused(f"fit {images}/zoo.npu --deadline 1ms", match="compiled for one chip")

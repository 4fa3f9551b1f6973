"""`npu zoo`: models with provenance and kept figures, and the recipes for more."""

import json
import re
import shutil
from dataclasses import replace
from datetime import UTC, datetime

import jiwer
import numpy as np
import pytest

from compiler import Model, load_model
from compiler.train.summary import ListedRecipe
from npu import zoo
from npu.cli._zoo_report import ShownModel, ZooReport, bits_of
from tests.conftest import ROOT
from tests.schemas import faults, holds

MODEL = "commands_rnnt"
OTHER = "zz-planted"
SHIPPED = sorted(path.stem for path in (ROOT / "compiler" / "train" / "recipes").glob("*.toml"))


@pytest.fixture
def copies(monkeypatch, tmp_path):
    """A zoo that may be changed."""
    place = tmp_path / "zoo"
    for name in zoo.names():
        shutil.copytree(zoo.path(name), place / name)
    monkeypatch.setattr("npu.zoo._FOLDER", place)
    return place


def trained_beside(copies, sha256: str) -> None:
    """A second model, which says that npu train made it."""
    other = copies / OTHER
    shutil.copytree(copies / MODEL, other, ignore=shutil.ignore_patterns("utterances"))
    for name in ("provenance.json", "figures.json"):
        (other / name).unlink()
    config = json.loads((other / "model.json").read_text())
    config["provenance"] = {
        "recipe": "commands-rnnt",
        "recipe_sha256": sha256,
        "seed": 7,
        "version": "0.1.0",
    }
    (other / "model.json").write_text(json.dumps(config))


def lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_the_listing(npu):
    report = holds(npu("zoo --json -").out, ZooReport)
    assert faults(report["recipes"], list[ListedRecipe]) == []
    assert [each["name"] for each in report["models"]] == zoo.names()
    assert [each["name"] for each in report["recipes"]] == SHIPPED
    assert [each["name"] for each in report["models"] if each["default"]] == [zoo.DEFAULT]
    found = next(each for each in report["models"] if each["name"] == MODEL)
    folder = zoo.path(MODEL)
    assert found["graph_bytes"] == sum(f.stat().st_size for f in folder.glob("*.tflite"))
    assert found["problem"] is None and found["recipe"] is None and found["bits"] == 8
    assert (ROOT / found["place"]).samefile(folder)
    inspected = json.loads(npu(f"inspect {MODEL} --json -").out)
    assert found["parameters"] == sum(g["parameters"] for g in inspected["graphs"].values())


def test_bytes_are_those_of_an_image(npu, images):
    inspected = json.loads(npu(f"inspect {images}/zoo.npu --json -").out)["total"]
    report = json.loads(npu("zoo --json -").out)
    found = next(each for each in report["models"] if each["name"] == MODEL)
    assert found["chip"] == "edge"
    assert found["compressed_bytes"] == -(-inspected["compressed_bits"] // 8)
    assert found["zeros"] == inspected["sparsity"]


def test_a_second_model_is_listed_with_its_recipe(npu, copies):
    recipe = json.loads(npu("zoo --json -").out)["recipes"][SHIPPED.index("commands")]
    before = recipe["models"]
    trained_beside(copies, recipe["sha256"])
    ran = npu("zoo")
    assert ran.status == 0 and ran.err == ""
    assert f"{OTHER}: npu train: recipe commands-rnnt, seed 7, zeroskip 0.1.0" in ran.out
    assert re.search(rf" commands .*{OTHER} +npu train commands -o FOLDER", ran.out)
    listed = json.loads(npu("zoo --json -").out)["recipes"][SHIPPED.index("commands")]
    assert listed["models"] == [*before, OTHER]
    assert OTHER not in listed["outdated"]
    assert f" {MODEL} " in ran.out
    assert re.match(f"{len(zoo.names())} models, {zoo.total_bytes():,} bytes", ran.out)
    assert "no figures were kept" in npu(f"zoo {OTHER}").out
    shutil.rmtree(copies / OTHER)
    trained_beside(copies, "0" * 64)
    assert f"{OTHER} (of another version of it)" in npu("zoo").out


def test_a_model_without_provenance_is_told(npu, copies):
    trained_beside(copies, "0")
    ran = npu("zoo")
    assert f"{OTHER}: unknown" in ran.out and "recipe_sha256 is missing or wrong" in ran.out


def test_a_model_that_does_not_fit_is_listed(npu, copies, monkeypatch, chip):
    small = str(chip(bank_bytes=1024, sram_bytes=1024))
    monkeypatch.setattr("npu.cli.zoo.DEFAULT_CHIP", small)
    (found, *_) = holds(npu("zoo --json -").out, ZooReport)["models"]
    assert found["compressed_bytes"] is None and found["zeros"] is None and found["refused"]
    ran = npu("zoo")
    assert ran.status == 0 and "does not fit" in ran.out and found["refused"] in ran.out


def test_bits_are_those_of_a_code_book():
    loaded = load_model(MODEL)
    for values, bits in ((256, 8), (129, 8), (128, 7), (17, 5), (16, 4), (2, 1), (1, 1)):
        graphs = {}
        for role, graph in loaded.graphs.items():
            tensors = [
                replace(t, data=filled(t.data.shape, values))
                if t.data is not None and t.dtype == "int8"
                else t
                for t in graph.tensors
            ]
            graphs[role] = replace(graph, tensors=tuple(tensors))
        assert bits_of(Model("m", graphs, None, None, {})) == bits


def filled(shape: tuple[int, ...], values: int) -> np.ndarray:
    """So many different int8 values, as far as they have a place."""
    return np.resize(np.arange(values) - values // 2, shape).astype(np.int8)


def test_one_model(npu, texts, utterances):
    ran = npu(f"zoo {MODEL} --json -")
    report = holds(ran.out, ShownModel)
    assert report["provenance"]["licence"] and report["provenance"]["corpus"]
    assert [each["stale"] for each in (*report["sets"], *report["chips"])] == [
        [] for _ in (*report["sets"], *report["chips"])
    ]
    assert {each["chip"] for each in report["chips"]} >= {"tiny", "edge"}
    # What is kept is what TensorFlow Lite Micro heard, as others count it.
    recorded = json.loads((utterances / "transcripts.json").read_text(encoding="utf-8"))
    wer = jiwer.wer([recorded[name]["text"] for name in texts], [texts[name] for name in texts])
    own = next(each for each in report["sets"] if each["set"] == MODEL)
    assert own["speech"]["word_errors"]["percent"] == pytest.approx(100 * wer)
    for line in report["again"]:
        assert line in lines(ran.err)
    for value in report["sources"].values():
        assert value in ran.err


@pytest.mark.parametrize("name", zoo.names())
def test_kept_figures_are_those_of_today(npu, copies, name):
    """Measured again, only version and day differ; what cannot be measured here stays."""
    assert (copies / name / "figures.json").exists(), f"run: npu zoo {name} --measure"
    before = json.loads((copies / name / "figures.json").read_text())
    assert npu(f"zoo {name} --measure").status == 0
    after = json.loads((copies / name / "figures.json").read_text())
    for figures in (before, after):
        for each in (*figures["sets"], *figures["chips"]):
            assert each.pop("version") and each.pop("day")
    assert close(before, after) == []


def close(a, b, place: str = "figures") -> list[str]:
    """Where two JSON values differ, by more than a rounding of a float."""
    if isinstance(a, dict) and isinstance(b, dict) and set(a) == set(b):
        return [line for key in a for line in close(a[key], b[key], f"{place}.{key}")]
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        pairs = enumerate(zip(a, b, strict=True))
        return [line for index, (x, y) in pairs for line in close(x, y, f"{place}[{index}]")]
    same = a == pytest.approx(b, rel=1e-9) if isinstance(a, float) else a == b
    return [] if same else [f"{place}: {a!r} and {b!r}"]


def test_the_commands_that_are_kept_show_the_figures(npu):
    report = json.loads(npu(f"zoo {MODEL} --json -").out)
    chip = report["chips"][0]
    shown = json.loads(npu(f"{chip['command'].removeprefix('npu ')} --json -").out)
    assert shown["frame"]["cycles"] == chip["cycles"] and shown["frame"]["ms"] == chip["ms"]
    assert shown["total"]["energy_uj"] == pytest.approx(chip["energy_uj"])


def test_another_set_is_kept_beside(npu, copies, tmp_path, monkeypatch, utterances):
    (tmp_path / "few").mkdir()
    shutil.copy(utterances / "test_fl_108.wav", tmp_path / "few" / "a.wav")
    line = {"audio": "a.wav", "text": "send a message to dad"}
    (tmp_path / "few" / "set.jsonl").write_text(json.dumps(line))
    before = {each["set"] for each in json.loads(npu(f"zoo {MODEL} --json -").out)["sets"]}
    for label in ("few", str(tmp_path / "few")):
        monkeypatch.chdir(tmp_path)
        report = json.loads(npu("zoo", MODEL, "--measure", "--on", label, "--json", "-").out)
        few = next(each for each in report["sets"] if each["set"] == "few")
        assert few["command"] == f"npu evaluate {MODEL} few"
        assert few["speech"]["word_errors"] == {"percent": 20.0, "interval": None}
        assert few["day"] == datetime.now(UTC).date().isoformat()
        assert {each["set"] for each in report["sets"]} == before | {"few"}
    text = (copies / MODEL / "figures.json").read_text()
    assert str(tmp_path) not in text


def test_stale_figures_are_told(npu, copies):
    config = copies / MODEL / "model.json"
    config.write_text(config.read_text() + "\n")
    ran = npu(f"zoo {MODEL}")
    assert "STALE: npu latency commands_rnnt --chip tiny: model.json has changed since" in ran.out
    assert "model.json: not as it came" in ran.out
    shutil.copy(zoo.path(MODEL) / "utterances" / "test_fl_093.wav", copies / "sound.wav")
    shutil.copy(copies / "sound.wav", copies / MODEL / "utterances" / "test_fl_108.wav")
    assert "the set commands_rnnt has changed" in npu(f"zoo {MODEL}").out


def test_mistakes_are_told(refused, copies):
    refused("zoo nothing", match="the zoo has no model 'nothing'; it has: .*commands_rnnt")
    shutil.rmtree(copies / "commands")
    refused("zoo commands", match="is a recipe.*npu train commands -o FOLDER")
    refused("zoo --measure", match="--measure needs the NAME")
    refused(f"zoo {MODEL} --on {MODEL}", match="--on is for --measure")
    refused(f"zoo {MODEL} --measure --on nowhere", match="no set 'nowhere'")
    refused(f"zoo {MODEL} --json {copies}/{MODEL}/figures.json", match="it is the input")
    (copies / MODEL / "figures.json").write_text("{}}")
    refused(f"zoo {MODEL}", match="figures.json: .*take the file away")
    before = (copies / MODEL / "figures.json").read_bytes()
    refused(f"zoo {MODEL} --measure", match="figures.json: .*take the file away")
    assert (copies / MODEL / "figures.json").read_bytes() == before

"""`npu train`: from a recipe to a folder that other commands take."""

import json
import shutil
from pathlib import Path

import pytest

from npu.analysis.model_figures import read_figures
from npu.zoo.provenance import Trained, provenance
from tests.compiler.train.corpus.recipes import SHIPPED

SMALL = {
    "clips = 40_000": "clips = 24",
    "develop = 400": "develop = 4",
    "test = 5_000": "test = 12",
    "noise_s = 14_400": "noise_s = 30",
    "steps = 16_000": "steps = 6",
    "batch = 48": "batch = 4",
    "check = 500": "check = 3",
    "begin = 3_000": "begin = 1",
    "end = 8_000": "end = 3",
    "begin = 13_000": "begin = 4",
}


@pytest.fixture
def recipe(tmp_path):
    """The shipped recipe, with few clips of eSpeak NG and few steps."""
    pytest.importorskip("torch", reason="the extra `train` is not installed")
    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed (sudo apt-get install espeak-ng)")
    text = SHIPPED.read_text(encoding="utf-8")
    for old, new in SMALL.items():
        assert old in text
        text = text.replace(old, new)
    head, *voices = text.split("[[voices]]\n")
    rest = voices[-1][voices[-1].index("[speakers]") :]
    path = tmp_path / "small.toml"
    path.write_text("[[voices]]\n".join([head, voices[0]]) + rest, encoding="utf-8")
    return path


def test_a_recipe_becomes_a_model_that_others_take(npu, refused, recipe, tmp_path, zoo):
    ran = npu(f"train {recipe} -o {tmp_path}/run --jobs 1 --device cpu")
    assert ran.status == 0 and ran.out.startswith("model ")
    assert "step 6 of 6" in ran.err and "75.0% zeros" in ran.err
    assert "% of words wrong" in ran.err
    said = sorted((zoo / "commands_rnnt" / "utterances").glob("*.wav"))[0]
    assert "deadline" in npu(f"transcribe {tmp_path}/run/model {said}").out
    told = json.loads((tmp_path / "run" / "model" / "model.json").read_text())["provenance"]
    origin = provenance(tmp_path / "run" / "model", told).origin
    assert isinstance(origin, Trained) and origin.recipe == "commands-rnnt"
    figures = read_figures(tmp_path / "run" / "model")
    heard = [Path(each.set).name for each in figures.sets]
    assert heard[:2] == ["test-30db", "test-10db"] and heard[-1] == "nothing"
    for name in heard:
        line = next(line for line in ran.out.splitlines() if line.startswith(name))
        assert ("words wrong" if name != "nothing" else "false phrases in") in line
        assert ("; simulated " in line and "in floats" in line) == (name == "test-30db")
    assert figures.sets[-1].rejection.hours > 30 / 3600 and figures.sets[-1].speech is None
    assert [each.chip for each in figures.chips] == ["tiny", "edge"]
    before = (tmp_path / "run" / "model" / "encoder.tflite").read_bytes()
    npu(f"train {recipe} -o {tmp_path}/run --jobs 1 --device cpu")
    assert (tmp_path / "run" / "model" / "encoder.tflite").read_bytes() == before
    refused(f"train commands -o {tmp_path}/run", match="has a run of another recipe")


def test_mistakes_are_told(refused, tmp_path):
    pytest.importorskip("torch", reason="the extra `train` is not installed")
    refused(f"train nowhere.toml -o {tmp_path}/run", match="no such file; give a recipe")
    (tmp_path / "file").write_text("")
    refused(f"train commands -o {tmp_path}/file", match="it is a file; name a folder")
    refused(f"train {tmp_path}/file -o {tmp_path}/run", match="recipe|name")
    start = 'recipe = "commands"\n[[runs]]\nname = "a"\nmodel = "commands_rnnt"\n'
    (tmp_path / "other.toml").write_text(start)
    refused(f"train {tmp_path}/other.toml -o {tmp_path}/run", match="has another front end than")


@pytest.mark.slow
def test_a_queue_makes_each_of_its_models(npu, recipe, tmp_path, zoo):
    queue = tmp_path / "queue.toml"
    queue.write_text(
        f'recipe = "{recipe.name}"\nsets = ["test-30db"]\n'
        '[[runs]]\nname = "dense"\nset = { "pruning.zeros" = 0.0 }\n'
        '[[runs]]\nname = "sparse"\nstart = "dense"\n'
        'set = { "network.predictor" = "stateless", "quantisation.bits" = 4 }\n'
        '[[runs]]\nname = "ended"\nmodel = "commands"\n'
        'set = { "sound.ended" = { window_s = [0.1, 0.5], hesitant_window_s = [0.4, 0.8], '
        "hesitant_s = 0.2, tail_s = [0.4, 1.0], paused = 0.5, pause_s = [0.1, 0.5] } }\n"
    )
    ran = npu(f"train {queue} -o {tmp_path}/runs --jobs 1 --at-once 1 --device cpu")
    assert ran.status == 0 and "run 2 of 3: sparse" in ran.err
    assert "sparse: step 6 of 6" in ran.err
    assert (tmp_path / "runs" / "corpus").is_dir() and (tmp_path / "runs" / "sets").is_dir()
    assert not (tmp_path / "runs" / "sparse" / "corpus").exists()
    assert not (tmp_path / "runs" / "batches").exists() and "simulated" not in ran.out
    for name in ("dense", "sparse", "ended"):
        (heard,) = read_figures(tmp_path / "runs" / name / "model").sets
        assert Path(heard.set).name == "test-30db"
    first, later = (
        json.loads((place / "model.json").read_text())
        for place in (zoo / "commands", tmp_path / "runs" / "ended" / "model")
    )
    assert first["frontend"] == later["frontend"], "a model that goes on learning hears as it did"
    origin = later["provenance"]["started_from"]
    assert origin["model"] == "commands" and len(origin["sha256"]["encoder.tflite"]) == 64
    again = npu(f"train {queue} -o {tmp_path}/runs --jobs 1 --at-once 1 --device cpu")
    assert again.out == ran.out and "writing" not in again.err


@pytest.mark.long
def test_runs_side_by_side_become_what_they_become_alone(npu, recipe, tmp_path):
    queue = tmp_path / "queue.toml"
    queue.write_text(
        f'recipe = "{recipe.name}"\nsets = ["test-30db"]\n'
        '[[runs]]\nname = "one"\n[[runs]]\nname = "two"\nset = { seed = 2 }\n'
    )
    alone = npu(f"train {queue} -o {tmp_path}/runs --jobs 1 --at-once 1 --device cpu")
    shutil.copytree(tmp_path / "runs" / "corpus", tmp_path / "beside" / "corpus")
    beside = npu(f"train {queue} -o {tmp_path}/beside --jobs 1 --at-once 2 --device cpu")
    lines = beside.out.replace(f"{tmp_path}/beside", f"{tmp_path}/runs").splitlines()
    assert sorted(lines) == sorted(alone.out.splitlines())
    for name in ("one", "two"):
        encoders = [tmp_path / place / name / "model" for place in ("runs", "beside")]
        first, second = [(each / "encoder.tflite").read_bytes() for each in encoders]
        assert first == second, name

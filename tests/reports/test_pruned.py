"""Zeros after training beside learnt ones: a run's folder through the whole report."""

import json
import shutil

import pytest

pytest.importorskip("torch", reason="the extra `train` is not installed")
pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")

from npu import cli, zoo
from reports import pruned


@pytest.fixture
def runs(tmp_path):
    """As `npu train pruned` leaves it, with the zoo's model in each place."""
    runs, of = tmp_path / "runs", zoo.utterance_set("commands").parent
    for name in pruned.LEARNT.values():
        shutil.copytree(zoo.path("commands"), runs / name / "model")
    shutil.copytree(of, runs / "sets" / "test-30db")
    (runs / "sessions" / "develop").mkdir(parents=True)
    sound = sorted(of.glob("*.wav"))[0]
    shutil.copy(sound, runs / "sessions" / "develop" / "00.flac")
    return runs


def npu_here(*arguments):
    """As `run_npu`, without a process for each of the dozen commands, which takes longer to start
    than most of them to run."""
    assert cli.main(list(arguments)) == 0, arguments


@pytest.mark.slow
def test_it_is_measured_and_told(runs, monkeypatch, tmp_path):
    monkeypatch.setattr(pruned, "run_npu", npu_here)
    monkeypatch.setattr(pruned, "LEARNT", {0.0: "dense", 0.75: "lstm-75"})
    monkeypatch.setattr(pruned, "UTTERANCES", 2)
    for name in ("RUN", "PAGE"):
        monkeypatch.setattr(pruned, name, tmp_path / name)
    pruned.main([str(runs)])
    points = json.loads((tmp_path / "RUN").read_text())
    assert [(each["zeros"], each["way"]) for each in points] == [
        (0.0, "learnt"),
        (0.0, "magnitude"),
        (0.75, "learnt"),
        (0.75, "magnitude"),
        (0.75, "reconstructed"),
    ]
    # The model has as many zeros already: its weights are quantised again, and nothing is lost.
    assert len({each["percent"] for each in points}) == 1
    assert all(each["words"] == points[0]["words"] > 0 for each in points)
    page = (tmp_path / "PAGE").read_text()
    assert page.count("| 75% |") == 3

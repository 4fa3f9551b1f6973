"""`npu report`: its page, its options, and what it refuses."""

import importlib.util

import pytest

pytest.importorskip("jinja2", reason="the extra `reports` is not installed")
pytest.importorskip("matplotlib", reason="the extra `reports` is not installed")


def test_of_a_layer(npu, vectors, tmp_path):
    path = tmp_path / "page.html"
    ran = npu("report", vectors / "fc_wide.tflite", "--frames", 2, "-o", path)
    assert ran.status == 0 and "2 frames; open it in a browser" in ran.out
    text = path.read_text(encoding="utf-8")
    assert text.lstrip().startswith("<!DOCTYPE html>") and "What lives in vector SRAM" in text
    assert f"{path.stat().st_size:,} bytes" in ran.out


def test_of_a_sound_with_an_image(npu, images, utterances, tmp_path):
    path = tmp_path / "page.html"
    sound = utterances / "test_fl_093.wav"
    assert npu("report", images / "zoo.npu", "--audio", sound, "-o", path).status == 0
    text = path.read_text(encoding="utf-8")
    assert "the twin heard the sound" in text and "test_fl_093.wav" in text
    assert "beside the ideal" not in text and "An image does not say" in text


def test_of_a_beam(npu, utterances, tmp_path):
    path = tmp_path / "page.html"
    sound = utterances / "test_hoes_134.wav"
    line = ("report", "commands_rnnt", "--audio", sound, "--decoding-method", "beam", "-o", path)
    assert npu(*line).status == 0
    text = path.read_text(encoding="utf-8")
    assert "with 4 hypotheses on the host" in text and "What else may have been said" in text


def test_what_is_refused(refused, vectors, utterances, tmp_path):
    path, model = tmp_path / "page.html", vectors / "fc_wide.tflite"
    sound = utterances / "test_fl_093.wav"
    refused("report", model, "--audio", sound, "--frames", 2, "-o", path, match="its own frames")
    refused("report", model, "--audio", sound, "-o", path, match="not a transducer")
    refused("report", model, "--symbols", 2, "-o", path, match="does not search")
    refused("report", model, "-o", model, match="is the input")
    refused("report", model, match="Missing option")
    assert not path.exists()


def test_without_its_extra(refused, vectors, tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "npu.cli.report.find_spec", lambda name: None if name == "jinja2" else find(name)
    )
    path = tmp_path / "page.html"
    refused("report", vectors / "fc_wide.tflite", "-o", path, match=r"zeroskip\[reports\]")

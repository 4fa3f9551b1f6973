"""A folder whose encoder gives several frames a call, through the commands that take one."""

import json
from itertools import pairwise

import numpy as np
import pytest
import soundfile

from npu.model.config import load_model_config
from tests.sounds import RATE

pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
pytest.importorskip("torch", reason="the extra `train` is not installed")
from tests.streaming_encoders import (
    BINS,
    FRAMES,
    HOP,
    export,
    frames_of_sound,
)

CALL_MS, FRAME_MS = 10 * HOP, 10 * HOP / FRAMES


@pytest.fixture(scope="module")
def sound(tmp_path_factory, utterances):
    """Three seconds of speech."""
    place = tmp_path_factory.mktemp("sound") / "speech.wav"
    parts = [soundfile.read(path)[0] for path in sorted(utterances.glob("*.wav"))[:3]]
    soundfile.write(place, np.concatenate(parts)[: 3 * RATE], RATE)
    return place


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """As sherpa-onnx has it, calibrated on features like those of sound."""
    place = tmp_path_factory.mktemp("folder") / "chunks"
    export(place, 1, counts=True)
    np.savez(place / "calibration.npz", x=3 * frames_of_sound(2, 30) - 8)
    return place


@pytest.fixture
def model(npu, folder):
    """Quantised, once."""
    out = folder.parent / "int8"
    if not out.exists():
        ran = npu("quantize", folder, "-o", out)
        assert ran.status == 0, ran.err
    return out


def test_transcribe_on_kernels_and_twin(npu, model, sound):
    reports = []
    for engine in ("kernels", "twin"):
        ran = npu("transcribe", model, sound, "--engine", engine, "--chip", "edge", "--json", "-")
        assert ran.status == 0, ran.err
        reports.append(json.loads(ran.out))
    kernels, twin = (report["files"][0] for report in reports)
    assert kernels["tokens"] == twin["tokens"] != []
    assert kernels["phrases"] == twin["phrases"]
    assert reports[1]["deadline_ms"] == CALL_MS
    # Symbols come frame by frame, several of them within a call.
    first = kernels["phrases"][0]["times"]
    steps = {round(1e3 * (b - a), 6) for a, b in pairwise(first)}
    assert FRAME_MS in steps and all(step % FRAME_MS == 0 for step in steps)


def test_a_beam_on_the_chip(npu, model, sound):
    texts = []
    for engine in ("kernels", "twin"):
        ran = npu(
            f"transcribe {model} {sound} --engine {engine} --chip edge --json - "
            "--decoding-method beam --num-active-paths 2"
        )
        assert ran.status == 0, ran.err
        texts.append(json.loads(ran.out)["files"][0]["tokens"])
    assert texts[0] == texts[1]


def test_run_latency_listen_and_report(npu, model, sound, tmp_path):
    config = load_model_config(model / "model.json")
    frames = np.zeros((2, 1, config.encoder.frames_per_call, BINS), np.int8)
    np.savez(tmp_path / "in.npz", features=frames)
    image, page = tmp_path / "m.npu", tmp_path / "page.html"
    for line in (
        f"compile {model} --chip edge -o {image}",
        f"latency {model} --chip edge --json -",
        f"listen {model} --chip edge {sound}",
        f"report {model} --chip edge -o {page}",
    ):
        ran = npu(line)
        assert ran.status == 0, (line, ran.err)
        if line.startswith("latency"):
            told = json.loads(ran.out)
            assert told["pace"]["deadline_ms"] == CALL_MS
    assert page.stat().st_size > 10_000


def test_a_sound_through_a_softmax_takes_what_it_does_on_the_twin(npu, model, sound, tmp_path):
    """How long that lasts depends on what is heard, so the twin says it."""
    image = tmp_path / "m.npu"
    assert npu(f"compile {model} --chip edge -o {image}").status == 0
    ran = npu(f"transcribe {image} {sound} --engine twin --json -")
    assert ran.status == 0, ran.err
    (twin,) = json.loads(ran.out)["files"]
    for which in (f"{image}", f"{model} --chip edge"):
        ran = npu(f"latency {which} --audio {sound} --json -")
        assert ran.status == 0, ran.err
        told = json.loads(ran.out)
        assert told["decided"] == "the twin heard the sound"
        assert told["frames"] == twin["calls"]
        assert told["total"]["cycles"] == pytest.approx(twin["chip"]["mean_cycles"])
        assert told["frame"]["cycles"]["max"] == twin["chip"]["max_cycles"]
        assert told["utterance"]["busy_ms"] == pytest.approx(twin["chip"]["busy_ms"])
    page = tmp_path / "sound.html"
    ran = npu(f"report {model} --chip edge -o {page} --audio {sound}")
    assert ran.status == 0, ran.err
    assert page.stat().st_size > 10_000

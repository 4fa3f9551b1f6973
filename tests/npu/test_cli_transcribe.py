"""`npu transcribe`: the same text on every way, in bounded memory, and sound that is none."""

import json
import subprocess
import sys

import numpy as np
import pytest
import soundfile

RATE = 16_000


@pytest.fixture(scope="session")
def utterances(zoo):
    return zoo / "commands_rnnt" / "utterances"


@pytest.fixture(scope="session")
def texts(utterances):
    found = json.loads((utterances / "transcripts.json").read_text(encoding="utf-8"))
    return {name: entry["tflm"].strip() for name, entry in found.items()}


@pytest.fixture
def wav(tmp_path):
    def write(samples, name="sound.wav", subtype="FLOAT"):
        path = tmp_path / name
        soundfile.write(path, np.asarray(samples), RATE, subtype=subtype)
        return path

    return write


def test_both_engines_and_an_image_hear_the_same(npu, images, utterances, texts, zoo):
    name = "test_fl_093"
    path = utterances / f"{name}.wav"
    reports = []
    for model, engine in (
        ("commands_rnnt", "kernels"),
        (zoo / "commands_rnnt", "twin"),
        (images / "zoo.npu", "twin"),
    ):
        ran = npu("transcribe", model, path, "--engine", engine, "--json", "-")
        assert ran.status == 0
        assert ran.err.startswith(texts[name] + "\n")
        reports.append(json.loads(ran.out))
    tokens = [report["files"][0]["tokens"] for report in reports]
    assert tokens[0] == tokens[1] == tokens[2] != []
    assert "chip" not in reports[0]
    assert reports[1]["chip"] == reports[2]["chip"]
    chip = reports[2]["chip"]
    assert chip["mean_ms"] <= chip["p99_ms"] <= chip["max_ms"] < reports[2]["deadline_ms"] == 60
    assert chip["energy_uj"]["total"] == pytest.approx(
        sum(v for cause, v in chip["energy_uj"].items() if cause != "total")
    )


def test_files_do_not_disturb_each_other(npu, images, utterances, texts):
    names = ["test_sent_356", "test_fl_131", "test_sent_356"]
    paths = [utterances / f"{name}.wav" for name in names]
    ran = npu("transcribe", images / "zoo.npu", *paths)
    assert ran.status == 0
    lines = ran.out.splitlines()
    assert lines[:3] == [f"{p}: {texts[n]}" for p, n in zip(paths, names, strict=True)]
    assert "deadline: a call every 60 ms" in lines[-1] and lines[-1].endswith("in time")


def test_flac_at_another_rate_in_stereo(npu, images, utterances, texts, tmp_path):
    samples, rate = soundfile.read(utterances / "test_sent_356.wav")
    twice = np.repeat(np.stack([samples, samples], axis=1), 3, axis=0)
    soundfile.write(tmp_path / "sound.flac", twice, 3 * rate)
    ran = npu("transcribe", images / "zoo.npu", tmp_path / "sound.flac", "--engine", "twin")
    assert ran.out.startswith(texts["test_sent_356"] + "\n")


@pytest.mark.long
def test_a_longer_file_takes_no_more_memory(images, tmp_path):
    """Ten minutes of noise against a second of it, each in a process of its own."""
    rng = np.random.default_rng(3)
    peaks = []
    for seconds in (1, 600):
        path = tmp_path / f"{seconds}.wav"
        noise = rng.integers(-200, 200, seconds * RATE, dtype=np.int16)
        soundfile.write(path, noise, RATE)
        command = [sys.executable, "-m", "npu.cli", "transcribe", images / "zoo.npu", path]
        done = subprocess.run([*command, "--json", "-"], capture_output=True, check=True)
        peaks.append(json.loads(done.stdout)["peak_memory_mib"])
    assert peaks[1] - peaks[0] < 24
    assert peaks[1] < 1024


def test_sound_that_is_none(refused, images, utterances, wav, tmp_path):
    good, model = utterances / "test_fl_093.wav", images / "zoo.npu"
    noise = np.zeros(RATE)
    cases = {
        wav([], "empty.wav"): "empty.wav: holds no samples",
        wav(np.zeros(1199), "short.wav"): "short.wav: too short for one model call: 1199 samples",
        wav(np.r_[noise, np.nan], "nan.wav"): "nan.wav: frame 16000, channel 0 is nan",
        wav(np.r_[noise, np.inf], "inf.wav"): "inf.wav: frame 16000, channel 0 is inf",
        tmp_path / "none.wav": "none.wav: no such file",
        tmp_path: "is a folder; give one audio file",
    }
    text = tmp_path / "text.wav"
    text.write_text("la la la")
    cut = tmp_path / "cut.wav"
    cut.write_bytes(good.read_bytes()[:30_000])
    cases |= {text: "text.wav: cannot be read as audio", cut: "cut.wav: is cut short"}
    for path, match in cases.items():
        # Also behind a good file: no text of it is printed.
        refused("transcribe", model, path, match=match)
        refused("transcribe", model, good, path, "--json", "-", match=match)


def test_silence_is_no_text(npu, images, wav):
    ran = npu("transcribe", images / "zoo.npu", wav(np.zeros(RATE)))
    assert ran.status == 0 and ran.out.startswith("\n")


def test_wrong_models(refused, images, vectors, utterances, zoo, tmp_path):
    sound = utterances / "test_fl_093.wav"
    refused(
        *("transcribe", images / "zoo.npu", sound, "--engine", "kernels"),
        match="--engine kernels needs the model, not its compiled image; give the transducer's fol",
    )
    for model in (vectors / "joint.tflite", images / "joint.npu"):
        for engine in ("twin", "kernels")[: 1 + (model.suffix == ".tflite")]:
            refused(
                *("transcribe", model, sound, "--engine", engine),
                match="joint.tflite is a single graph, not a transducer; run it with npu run",
            )
    refused("transcribe", "none", sound, match="no model 'none'")
    refused("transcribe", tmp_path, sound, match="model.json")
    refused("transcribe", images / "zoo.npu", sound, "--chip", "none", match="neither a preset")
    refused("transcribe", images / "zoo.npu", match="Missing argument 'AUDIO...'")
    refused(
        *("transcribe", images / "zoo.npu", sound, "--json", tmp_path / "no" / "report.json"),
        match="cannot write .*: the folder .* does not exist",
    )

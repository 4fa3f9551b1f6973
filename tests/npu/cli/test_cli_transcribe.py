"""`npu transcribe`: the same text on every way, in bounded memory, and sound that is none."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from compiler import load_model
from compiler.reference import search_of, speech_of
from npu.chip.params import load_params
from npu.chip.technology import power_states
from npu.speech.ends import BEFORE_SECONDS, END_SECONDS
from npu.speech.transcribe import transcribe
from tests.sounds import RATE, joined, word_errors

TIMES = r"\[\d+\.\d\d - \d+\.\d\d\] "


def said(line: str) -> str:
    """A printed phrase without its times."""
    return re.sub(TIMES, "", line)


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
        assert said(ran.err.splitlines()[0]) == texts[name]
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
    wanted = [f"{p}: {texts[n]}" for p, n in zip(paths, names, strict=True)]
    assert [said(line) for line in lines[:3]] == wanted
    assert "deadline: a call every 60 ms" in lines[-1] and lines[-1].endswith("in time")


def test_a_name_that_is_no_utf_8(npu, images, utterances, texts, tmp_path):
    path = tmp_path / os.fsdecode(b"a\xff.wav")
    path.write_bytes((utterances / "test_sent_356.wav").read_bytes())
    ran = npu("transcribe", images / "zoo.npu", path, "--json", tmp_path / "a.json")
    assert ran.status == 0 and "a\\udcff.wav" in ran.out
    assert said(ran.out.splitlines()[0]) == texts["test_sent_356"]
    assert json.loads((tmp_path / "a.json").read_text())["files"][0]["file"] == str(path)


def test_flac_at_another_rate_in_stereo(npu, images, utterances, texts, tmp_path):
    samples, rate = soundfile.read(utterances / "test_sent_356.wav")
    twice = np.repeat(np.stack([samples, samples], axis=1), 3, axis=0)
    soundfile.write(tmp_path / "sound.flac", twice, 3 * rate)
    ran = npu("transcribe", images / "zoo.npu", tmp_path / "sound.flac", "--engine", "twin")
    assert said(ran.out.splitlines()[0]) == texts["test_sent_356"]


def heard_alone(samples, phrase, folder):
    """The utterance that is a phrase of a recording, cut out with the silence before it."""
    model = load_model("commands_rnnt")
    begin = max(0, round((phrase["start"] - BEFORE_SECONDS) * RATE))
    cut = samples[begin : round((phrase["end"] + END_SECONDS) * RATE)]
    soundfile.write(folder / "cut.wav", cut, RATE)
    heard = transcribe(speech_of(model), search_of(model), folder / "cut.wav", ending=None)
    return heard.text


@pytest.mark.parametrize("gap", [0, 0.5, 2])
def test_a_long_recording_gives_all_its_phrases(npu, utterances, texts, wav, gap, tmp_path):
    samples = joined(utterances, gap)
    ran = npu(f"transcribe commands_rnnt {wav(samples)} --engine kernels --json -")
    assert ran.status == 0
    (entry,) = json.loads(ran.out)["files"]
    found = [phrase["text"] for phrase in entry["phrases"]]
    wanted = [texts[name] for name in sorted(texts)]
    assert len(found) == 13 and [said(line) for line in ran.err.splitlines()] == found
    if gap == 0:
        # Two utterances come to lie where the model itself mishears them: it does so alone, too.
        wanted = [heard_alone(samples, phrase, tmp_path) for phrase in entry["phrases"]]
        assert word_errors(wanted, [texts[name] for name in sorted(texts)]) <= 8
    assert found == wanted
    assert entry["text"] == " ".join(found)
    assert entry["tokens"] == [t for phrase in entry["phrases"] for t in phrase["tokens"]]
    starts, ends = ([phrase[key] for phrase in entry["phrases"]] for key in ("start", "end"))
    begin = 0.0
    for path, start, end in zip(sorted(utterances.glob("*.wav")), starts, ends, strict=True):
        length = soundfile.info(path).duration
        assert begin + 0.1 < start < begin + 0.3 and begin + length / 2 < end < begin + length
        begin += length + gap


def test_quiet_recordings_lose_no_words(npu, utterances, wav):
    """However quiet, as much is heard as without a gate, which is the model's own limit."""
    paths = []
    for gain in (0.3, 0.15, 0.1, 0.05):
        for path in sorted(utterances.glob("*.wav")):
            samples, _ = soundfile.read(path)
            paths.append(wav(gain * samples, f"{path.stem}_{gain}.wav", subtype="PCM_16"))
    args = ("transcribe", "commands_rnnt", *paths, "--engine", "kernels", "--json", "-")
    heard, wanted = (
        [
            [phrase["text"] for phrase in entry["phrases"]]
            for entry in json.loads(npu(*args, "--silence", silence).out)["files"]
        ]
        for silence in (0.5, 3600)
    )
    assert heard == wanted and all(len(phrases) == 1 for phrases in heard)


@pytest.mark.parametrize("gain", [0.3, 0.1])
def test_quiet_phrases_are_told_apart(npu, utterances, wav, gain):
    samples = [soundfile.read(path)[0] for path in sorted(utterances.glob("*.wav"))]
    paths = [wav(gain * s, f"{i}.wav", subtype="PCM_16") for i, s in enumerate(samples)]
    path = wav(gain * joined(utterances, 0.5), subtype="PCM_16")
    ran = npu("transcribe", "commands_rnnt", path, *paths, "--engine", "kernels", "--json", "-")
    whole, *alone = json.loads(ran.out)["files"]
    found = [phrase["text"] for phrase in whole["phrases"]]
    assert len(found) == 13
    # Elsewhere on the grid of the calls, the model hears something else in so quiet speech.
    assert word_errors(found, [entry["text"] for entry in alone]) <= 8


def test_a_phrase_claims_no_more_than_was_understood(npu, utterances, wav):
    """Without an end, the model is silent after the first utterance."""
    samples = joined(utterances, 0.5)
    args = ("transcribe", "commands_rnnt", wav(samples), "--engine", "kernels", "--json", "-")
    (entry,) = json.loads(npu(*args, "--silence", 3600, "--longest", 3600).out)["files"]
    (phrase,) = entry["phrases"]
    assert entry["audio_ms"] > 30_000 and phrase["end"] - phrase["start"] < 15


def test_the_last_word_is_heard_where_the_sound_ends_with_it(npu, utterances, texts, wav):
    """Utterances cut behind the last sample that stands out of their noise."""
    paths, cut_short = [], 0
    for name in sorted(texts):
        samples, _ = soundfile.read(utterances / f"{name}.wav")
        power = np.convolve(samples**2, np.ones(160) / 160, "same")
        last = np.flatnonzero(power > 10**-4.5)[-1]
        paths.append(wav(samples[: last + 1], f"{name}.wav"))
    ran = npu("transcribe", "commands_rnnt", *paths, "--engine", "kernels", "--json", "-")
    found = [entry["text"] for entry in json.loads(ran.out)["files"]]
    assert found == [texts[name] for name in sorted(texts)]
    # Without silence behind them, they are not.
    model = load_model("commands_rnnt")
    for path in paths:
        heard = transcribe(speech_of(model), search_of(model), path, ending=None)
        cut_short += heard.text != texts[path.stem]
    assert cut_short >= 8


def test_silence_is_an_option(npu, utterances, wav, refused):
    samples = joined(utterances, 0.5)[: 5 * RATE]
    args = ("transcribe", "commands_rnnt", wav(samples), "--engine", "kernels", "--json", "-")
    counts = []
    for silence in (0.5, 3):
        report = json.loads(npu(*args, "--silence", silence).out)
        assert report["end_seconds"] == silence
        counts.append(len(report["files"][0]["phrases"]))
    assert counts == [2, 1]
    refused(*args, "--silence", 0, match="0.0 is not in the range")
    refused(*args, "--silence", "nan", match="nan is no number; give seconds")


def test_too_late_is_no(npu, utterances, chip):
    sound, slow = utterances / "test_fl_093.wav", chip(clock_mhz=0.3)
    ran = npu(f"transcribe commands_rnnt {sound} --json - --chip {slow}")
    assert ran.status == 1 and ran.err.rstrip().endswith("TOO LATE")
    report = json.loads(ran.out)
    assert report["in_time"] is False
    # Overloaded, it leaks for as long as it works, not for as long as the sound lasts.
    found = report["files"][0]
    powered = found["chip"]["powered_seconds"]
    assert powered == found["chip"]["busy_ms"] / 1e3 > 1.1 * found["audio_ms"] / 1e3
    energy, leaks = found["chip"]["energy_uj"], power_states(load_params("edge")).active_uw
    assert energy["leakage"] == pytest.approx(leaks * powered)
    assert energy["idle"] == energy["wake"] == 0


def test_channels_that_cancel_each_other(npu, refused, utterances, texts, wav):
    samples, _ = soundfile.read(utterances / "test_sent_356.wav")
    path = wav(np.stack([samples, -samples], axis=1))
    args = ("transcribe", "commands_rnnt", path, "--engine", "kernels")
    ran = npu(*args)
    assert ran.status == 0 and ran.out == "\n"
    assert "the 2 channels cancel each other: 0.00% of their power" in ran.err
    assert "--channel" in ran.err
    ran = npu(*args, "--channel", 1)
    assert said(ran.out) == texts["test_sent_356"] + "\n" and ran.err == ""
    refused(*args, "--channel", 3, match="has no channel 3, the last one is 2")


@pytest.mark.long
def test_half_an_hour_of_phrases_in_little_memory(images, utterances, tmp_path):
    """Against a minute of them, each in a process of its own."""
    once = (joined(utterances, 2) * 32768).astype(np.int16)
    peaks, counts = [], []
    for times in (1, 32):
        path = tmp_path / f"{times}.wav"
        with soundfile.SoundFile(path, "w", RATE, 1, "PCM_16") as file:
            for _ in range(times):
                file.write(once)
        command = [sys.executable, "-m", "npu.cli", "transcribe", images / "zoo.npu", path]
        done = subprocess.run([*command, "--json", "-"], capture_output=True, check=True)
        report = json.loads(done.stdout)
        peaks.append(report["peak_memory_mib"])
        counts.append(len(report["files"][0]["phrases"]) / times)
    assert counts[0] == 13 and counts[1] > 12.9
    assert peaks[1] - peaks[0] < 24


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
        f"transcribe {images}/zoo.npu {sound} --engine kernels",
        match="--engine kernels needs the model, not its compiled image; give the transducer's fol",
    )
    for model in (vectors / "joint.tflite", images / "joint.npu"):
        for engine in ("twin", "kernels")[: 1 + (model.suffix == ".tflite")]:
            refused(
                f"transcribe {model} {sound} --engine {engine}",
                match="joint.tflite is a single graph, not a transducer; run it with npu run",
            )
    refused("transcribe", "none", sound, match="no model 'none'")
    refused("transcribe", tmp_path, sound, match="model.json")
    refused("transcribe", images / "zoo.npu", sound, "--chip", "none", match="neither a preset")
    refused("transcribe", images / "zoo.npu", match="Missing argument 'AUDIO...'")
    refused(
        f"transcribe {images}/zoo.npu {sound} --json {tmp_path}/no/report.json",
        match="cannot write .*: the folder .* does not exist",
    )

"""`npu evaluate`: what TensorFlow Lite Micro heard, whoever counts and on how many processes."""

import json
import shutil

import jiwer
import numpy as np
import pytest
import soundfile

from npu.analysis.evaluation_results import EvaluateReport
from npu.speech.whole import TAIL_SECONDS
from tests.schemas import holds
from tests.sounds import RATE

MODEL = "commands_rnnt"


@pytest.fixture
def small(tmp_path, utterances):
    """A set of two utterances, one of which the model gets wrong, and three seconds of hiss."""
    lines = [
        {"audio": "test_fl_093.wav", "text": "turn up the radio", "speaker": "rms"},
        {"audio": "test_fl_108.wav", "text": "send a message to dad", "speaker": "awb"},
        {"audio": "hiss.wav", "text": ""},
    ]
    for line in lines[:2]:
        shutil.copy(utterances / line["audio"], tmp_path)
    hiss = np.random.default_rng(1).normal(0, 1e-3, 3 * RATE)
    soundfile.write(tmp_path / "hiss.wav", hiss, RATE)
    timed = [["turn", 0.1, 0.3], ["up", 0.3, 0.5], ["the", 0.5, 0.6], ["radio", 0.6, 1.4]]
    lines[0]["words"] = timed
    (tmp_path / "set.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return tmp_path


def test_the_zoo_hears_what_was_recorded(npu, texts, utterances):
    ran = npu(f"evaluate {MODEL} {MODEL} --json -")
    report = holds(ran.out, EvaluateReport)
    (model,) = report["models"]
    found = {each["audio"].removesuffix(".wav"): each["heard"] for each in model["utterances"]}
    assert found == texts
    recorded = json.loads((utterances / "transcripts.json").read_text(encoding="utf-8"))
    truth = [recorded[name]["text"] for name in texts]
    wer = jiwer.wer(truth, [texts[name] for name in texts])
    assert model["speech"]["word_errors"]["percent"] == pytest.approx(100 * wer)
    assert report["tail_seconds"] == TAIL_SECONDS and report["speakers"] == 11
    assert "dad    john        2" in ran.err


@pytest.mark.slow
def test_neither_processes_nor_the_engine_change_a_figure(npu, small, images):
    alone = json.loads(npu(f"evaluate {MODEL} {small} --jobs 1 --json -").out)
    assert json.loads(npu(f"evaluate {MODEL} {small} --jobs 2 --json -").out) == alone
    twin = json.loads(npu(f"evaluate {images}/zoo.npu {small} --engine twin --json -").out)
    assert twin.pop("engine") == "twin" and alone.pop("engine") == "kernels"
    assert [model.pop("model") for model in (*twin["models"], *alone["models"])]
    assert twin == alone


def test_a_file_that_cannot_be_heard_is_told_with_its_line(refused, small):
    (small / "hiss.wav").write_bytes(b"RIFF")
    told = r"set.jsonl: line 3: .*hiss.wav: cannot be read as audio"
    for jobs in (1, 2):
        refused(f"evaluate {MODEL} {small} --jobs {jobs}", match=told)


def test_what_is_printed(npu, small):
    ran = npu(f"evaluate {MODEL} {small} --errors 1")
    assert ran.status == 0 and ran.err == ""
    lines = [" ".join(line.split()) for line in ran.out.splitlines()]
    for line in (
        f"{small}: 3 utterances, 0:07 of sound, 2 speakers",
        "words 9",
        "word errors 11.11 %",
        "95% interval 0.00 - 20.00 %",
        "substitutions 1",
        "utterances with an error 50.00 %",
        "false phrases 0",
        "false phrases an hour 0.00",
        "their 95% limits 0.00 - 4,426.66",
        "dad john 1",
        "test_fl_108.wav (awb)",
        "said send a message to DAD",
        "heard send a message to JOHN",
        "intervals: 10,000 draws of 2 utterances, percentiles, seed 20261127",
    ):
        assert line in lines, ran.out
    assert any(line.startswith("emission delay p95 ") for line in lines)
    assert "test_fl_108" not in npu(f"evaluate {MODEL} {small} --errors 0").out


def test_sessions_are_for_another_command(refused, small):
    file = small / "set.jsonl"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace('"words": ', '"phrases": [2, 2], "words": '), encoding="utf-8")
    told = f"set.jsonl: line 1: has 2 phrases.*npu endpoints {MODEL} {small}$"
    refused(f"evaluate {MODEL} {small}", match=told)
    file.write_text(text.replace('"words": ', '"phrases": [4], "words": '), encoding="utf-8")


def test_what_must_not_be_understood_is_counted_in_phrases(npu, texts, utterances, tmp_path):
    """Three utterances with a second of silence behind each, which are said to be noise."""
    names = sorted(texts)[:3]
    parts = [soundfile.read(utterances / f"{name}.wav")[0] for name in names]
    soundfile.write(
        tmp_path / "a.wav", np.concatenate([np.append(p, [0.0] * RATE) for p in parts]), RATE
    )
    (tmp_path / "set.jsonl").write_text('{"audio": "a.wav", "text": ""}')
    (model,) = json.loads(npu(f"evaluate {MODEL} {tmp_path} --json -").out)["models"]
    words = sum(len(texts[name].split()) for name in names)
    assert (model["rejection"]["phrases"], model["rejection"]["words"]) == (3, words)
    assert model["utterances"][0]["heard"] == " ".join(texts[name] for name in names)
    assert "speech" not in model


def test_delays_are_seconds_of_sound(npu, small):
    """A word's delay grows by as much as its end is said to be earlier."""
    line = f"evaluate {MODEL} {small} --json -"
    before = json.loads(npu(line).out)["models"][0]["utterances"][0]["delays_ms"]
    file = small / "set.jsonl"
    file.write_text(file.read_text().replace('"radio", 0.6, 1.4', '"radio", 0.6, 1.3'))
    after = json.loads(npu(line).out)["models"][0]["utterances"][0]["delays_ms"]
    assert after == pytest.approx([*before[:3], before[3] + 100])
    # Calls come every 60 ms, the first with 75 ms of sound.
    calls = (np.array(before) / 1e3 + [0.3, 0.5, 0.6, 1.4] - 0.075) / 0.06
    assert calls == pytest.approx(calls.round()) and (np.diff(calls) >= 0).all()


def test_a_model_beside_another(npu, small, zoo, tmp_path):
    shutil.copytree(zoo / MODEL, tmp_path / "other")
    ran = npu(f"evaluate {MODEL} {small} --beside {tmp_path}/other --json - --trn {tmp_path}/trn")
    report = holds(ran.out, EvaluateReport)
    assert report["difference"] == {
        "points": 0,
        "interval": [0, 0],
        "first_better": 0,
        "equal": 1,
    }
    assert "less" in ran.err and "as often in 100.0%" in ran.err
    files = {path.name: path.read_text() for path in (tmp_path / "trn").iterdir()}
    assert files["ref.trn"].splitlines()[1] == "send a message to dad (awb-000002)"
    assert files["hyp.trn"].splitlines()[1] == "send a message to john (awb-000002)"
    assert files["hyp.trn"] == files["hyp_beside.trn"] and files["hyp.trn"].count("\n") == 2


def test_mistakes_are_refused(refused, small, images, vectors):
    refused(f"evaluate {MODEL} nowhere", match="no set 'nowhere': give a folder with a set.jsonl")
    refused(f"evaluate nowhere {small}", match="no model 'nowhere'")
    refused(f"evaluate {vectors}/joint.tflite {small}", match="is a single graph, not a transducer")
    refused(f"evaluate {images}/zoo.npu {small}", match="--engine kernels needs the model")
    refused(f"evaluate {MODEL} {small} --beside {MODEL}", match="is the model itself; name another")
    refused(f"evaluate {MODEL} {small} --tail nan", match="nan is no number")
    refused(f"evaluate {MODEL} {small} --jobs 0", match="0 is not in the range")
    for output in ("set.jsonl", "hiss.wav"):
        refused(f"evaluate {MODEL} {small} --json {small}/{output}", match="it is the input")
    (small / "ref.trn").hardlink_to(small / "hiss.wav")
    refused(f"evaluate {MODEL} {small} --trn {small}", match="ref.trn: it is the input")
    refused(f"evaluate {MODEL} {small} --trn {small}/hiss.wav", match="it is a file; name a folder")
    assert soundfile.info(small / "hiss.wav").frames == 3 * RATE

"""`npu bench sherpa`: sherpa-onnx beside our searches."""

import json

import numpy as np
import pytest
import soundfile

from npu.cli import _extras
from tests.schemas import holds
from tests.sounds import RATE
from tests.trained_transducers import random_trained, written

ANOTHER = 1


@pytest.fixture
def heard(tmp_path):
    """A model that says something, and a set of two sounds and silence."""
    written(random_trained(3, stateless=True), tmp_path / "model")
    rng, lines = np.random.default_rng(8), []
    (tmp_path / "set").mkdir()
    for name, loudness in (("a", 0.1), ("b", 0.01), ("silence", 0.0)):
        samples = rng.normal(0, 1, RATE // 4) * loudness * np.hanning(RATE // 4)
        soundfile.write(tmp_path / "set" / f"{name}.wav", samples, RATE)
        lines.append({"audio": f"{name}.wav", "text": "a b"})
    text = "\n".join(map(json.dumps, lines))
    (tmp_path / "set" / "set.jsonl").write_text(text, encoding="utf-8")
    (tmp_path / "phrases.txt").write_text("abc :2.0\nab cd\n", encoding="utf-8")
    return tmp_path


def test_texts_are_counted(npu, heard, monkeypatch):
    pytest.importorskip("sherpa_onnx", reason="the extra `sherpa` is not installed")
    from compiler.train.sherpa import compare
    from compiler.train.sherpa.results import SherpaReport

    command = f"bench sherpa {heard / 'model'} {heard / 'set'}"
    ran = npu(f"{command} --hotwords-file {heard / 'phrases.txt'} --json -")
    assert ran.status == 0, ran
    report = holds(ran.out, SherpaReport)
    assert report["utterances"] == 3 and len(report["cases"]) == 8
    for case in report["cases"]:
        assert case["unexplained"] == 0 and case["words"] == 6
        assert case["equal"] + sum(case["reasons"].values()) == 3
        assert (case["features"] is not None) == ("sound" in case["case"])
        if "greedy" in case["case"] and case["features"] is None:
            assert (case["equal"], case["calls"]) == (3, 3)
    assert "icefall's greedy search, 6 frames a call" in ran.err and "3 of 3" in ran.err
    assert "of its features are ours" in ran.err

    # Where no rule explains a text, that is told, and is the exit status.
    monkeypatch.setattr(compare, "NEMOS_MOST", 1)
    ran = npu(f"{command} --every 2 --json -")
    assert ran.status == ANOTHER and json.loads(ran.out)["utterances"] == 2
    assert "NO RULE EXPLAINS" in ran.err and "a.wav: ours " in ran.err


def test_what_it_does_not_take_is_refused(refused, heard, vectors, monkeypatch):
    pytest.importorskip("sherpa_onnx", reason="the extra `sherpa` is not installed")
    single = vectors / "fc_relu.tflite"
    refused(f"bench sherpa {single} {heard / 'set'}", match="is a single graph")
    refused(f"bench sherpa {heard / 'model'} {heard / 'none'}", match="no set")
    (heard / "phrases.txt").write_text("xyz\n", encoding="utf-8")
    phrases = f"--hotwords-file {heard / 'phrases.txt'}"
    refused(f"bench sherpa {heard / 'model'} {heard / 'set'} {phrases}", match="is no symbol")
    monkeypatch.setattr(_extras, "find_spec", lambda name: None)
    refused(
        f"bench sherpa {heard / 'model'} {heard / 'set'}",
        match=r"sherpa_onnx, which npu bench sherpa needs.*'zeroskip\[sherpa\]'",
    )

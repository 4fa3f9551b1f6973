"""`npu demo`: what it proves, and that it would say so if it could not."""

import json
import subprocess
import sys

import numpy as np
import pytest

from npu.cli import demo


def test_two_utterances():
    """In a process of its own: the most memory that this one has held is other tests'."""
    command = [sys.executable, "-m", "npu.cli", "demo", "--utterances", "2", "--json", "-"]
    ran = subprocess.run(command, capture_output=True, check=True, timeout=600)
    report = json.loads(ran.stdout)
    assert report["equal"] and report["texts_equal"] == 2
    assert set(report["proof"]) == {"encoder_out", "logits", "tokens"}
    for compared in report["proof"].values():
        assert compared["compared"] > 0
        assert compared["kernels_differ"] == compared["twin_differ"] == 0
    assert [e["utterance"] for e in report["utterances"]] == ["test_fl_093", "test_fl_108"]
    assert report["features"]["elements"] == sum(
        240 * entry["calls"] for entry in report["utterances"]
    )
    # A rounding here and there is allowed.
    assert report["features"]["differ"] <= 5
    assert report["chip"]["max_ms"] < report["deadline_ms"]
    assert report["peak_memory_mib"] < 1024
    assert 0.5 < report["chip"]["run_utilisation"] < report["chip"]["product_utilisation"] < 1
    for part in ("turn up the radio", "kernels = TFLM", "twin = TFLM", "0 differ", "entropy"):
        assert part in ran.stderr.decode()


@pytest.mark.parametrize("changed", ["logits", "encoder_out"])
def test_one_wrong_element_is_told(npu, monkeypatch, changed):
    class Changed(demo.Proof):
        def add(self, recorded, features):
            recorded = {key: np.array(value) for key, value in recorded.items()}
            recorded[changed][0, 0] ^= 1
            super().add(recorded, features)

    monkeypatch.setattr(demo, "Proof", Changed)
    ran = npu("demo", "--utterances", 1)
    assert ran.status == 1
    assert ran.out.count("(1 differ)") == 2


def test_wrong_command_lines(refused, chip):
    refused("demo", "--utterances", 0, match="0 is not in the range 1<=x<=100")
    refused("demo", "--chip", "none", match="neither a preset")
    refused("demo", "--chip", chip(sram_bytes=1024), match="vector SRAM.* sram_bytes")

"""`npu bench twin`: both engines in one run, and no ratio for engines that differ."""

import json

import numpy as np
import pytest

from compiler import load_model
from npu.chip.params import load_params
from npu.cli import _codec, _codec_cases, bench
from npu.twin.machine import Machine
from reports import codec_page


def test_twin_against_verilator(npu, small_chip, vectors):
    args = ("--chip", small_chip, "--model", vectors / "fc_relu.tflite", "--calls", 2)
    ran = npu("bench", "twin", *args, "--json", "-")
    assert ran.status == 0, ran
    report = json.loads(ran.out)
    twin, rtl = report["twin"], report["rtl"]
    assert report["equal"] and report["differ"] == [] and report["calls"] == 2
    assert twin["cycles"] == rtl["cycles"] > 1000
    assert report["ratio"] == pytest.approx(twin["cycles_per_second"] / rtl["cycles_per_second"])
    assert "Verilator" in ran.err
    assert "outputs, cycles, memory, SRAM and registers are equal" in ran.err


def test_engines_that_differ(npu, vectors, monkeypatch):
    class Slow(Machine):
        def run(self, *arguments):
            return super().run(*arguments) + 1

        def close(self):
            pass

    monkeypatch.setattr(bench, "machine_of", lambda engine: Slow if engine == "rtl" else Machine)
    ran = npu("bench", "twin", "--chip", "edge", "--model", vectors / "fc_relu.tflite")
    assert ran.status == 1
    assert "THEY DIFFER in cycles" in ran.out


def test_its_arguments(refused):
    refused("bench", "twin", "--calls", 0, match="--calls")
    refused("bench", "twin", "--chip", "vast", match="chip 'vast' is neither")


def test_codec_is_measured_beside_its_peers(npu, monkeypatch):
    rng = np.random.default_rng(1)
    weights = (rng.integers(-20, 20, (40, 60)) * (rng.random((40, 60)) < 0.3)).astype(np.int8)
    case = _codec_cases.Case("small", "zoo", weights, (weights[:20], weights[20:]))
    monkeypatch.setattr(_codec_cases, "model_cases", lambda model, params: [case])
    monkeypatch.setattr(_codec_cases, "synthetic_cases", lambda: [])
    monkeypatch.setattr(_codec, "synthetic", lambda *_: case)
    ran = npu("bench", "codec", "--json", "-")
    assert ran.status == 0, ran
    report = json.loads(ran.out)
    assert report["zoo"]["weights"] == 2400
    ours = report["zoo"]["coders"]["zeroskip"]
    assert ours["n_bytes"] >= 0.9 * report["zoo"]["h0_bytes"]
    assert ours["decode_rate"] > 0
    assert report["zoo"]["coders"]["bitmask"]["n_bytes"] == 300 + np.count_nonzero(weights)
    assert "the model: 2,400 weights" in ran.err
    assert "| small (40 x 60) |" in codec_page.page(report)


def test_the_gates_of_an_lstm_are_cases_of_their_own():
    """The operator says where gates border: neither rows of other scale nor like scales do."""
    for case in _codec_cases.model_cases(load_model("commands_rnnt"), load_params("edge")):
        assert len(case.parts) == (4 if "LSTM" in case.name else 1), case.name
        rows = sum(len(part) for part in case.parts)
        assert rows == len(case.weights)
        for part, mine in zip(case.parts, np.split(case.weights, len(case.parts)), strict=True):
            assert np.array_equal(part, mine)


@pytest.mark.skipif(not codec_page.RUN.exists(), reason="no run is recorded")
def test_the_codec_page_shows_the_last_run():
    run = json.loads(codec_page.RUN.read_text(encoding="utf-8"))
    assert codec_page.PAGE.read_text(encoding="utf-8") == codec_page.page(run), (
        "run: python -m reports.codec_page"
    )

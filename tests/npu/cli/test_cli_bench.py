"""`npu bench twin`: both engines in one run, and no speed-up of engines that differ."""

import json

import numpy as np
import pytest

from compiler.bench import cases, codec
from compiler.bench.results import CodecReport, PeersReport
from npu.analysis import page_speed
from npu.analysis.energy_results import EnergyReport
from npu.analysis.published import published
from npu.analysis.results import EventsReport
from npu.analysis.results_beside import PageReport, StartupReport
from npu.cli import bench
from npu.twin.machine import Machine
from reports import codec_page
from tests.schemas import holds


def test_twin_against_verilator(npu, small_chip, vectors):
    args = ("--chip", small_chip, "--model", vectors / "fc_relu.tflite", "--calls", 2)
    ran = npu("bench", "twin", *args, "--json", "-")
    assert ran.status == 0, ran
    report = json.loads(ran.out)
    twin, rtl = report["twin"], report["rtl"]
    assert report["equal"] and report["differ"] == [] and report["calls"] == 2
    assert twin["cycles"] == rtl["cycles"] > 1000
    assert report["speedup"] == pytest.approx(twin["cycles_per_second"] / rtl["cycles_per_second"])
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


def test_events_against_verilator(npu, small_chip, vectors, monkeypatch):
    monkeypatch.setattr(bench, "EVENTS_SECONDS", 0.01)
    args = ("--chip", small_chip, "--model", vectors / "fc_relu.tflite", "--calls", 2)
    ran = npu("bench", "events", *args, "--json", "-")
    assert ran.status == 0, ran
    report = holds(ran.out, EventsReport)
    assert report["equal"] and report["starts"] == 4
    assert report["first"]["cycles"] == report["rtl"]["cycles"]
    rate = report["events"]["cycles_per_second"]
    assert report["speedup"] == pytest.approx(rate / report["rtl"]["cycles_per_second"])
    assert "the cycles of all starts are equal" in ran.err


def test_events_that_differ(npu, vectors, monkeypatch):
    class Slow(Machine):
        def run(self, *arguments):
            return super().run(*arguments) + 1

        def close(self):
            pass

    monkeypatch.setattr(bench, "EVENTS_SECONDS", 0.01)
    monkeypatch.setattr(bench, "machine_of", lambda engine: Slow)
    ran = npu("bench", "events", "--model", vectors / "fc_relu.tflite", "--calls", 1)
    assert ran.status == 1 and "THEY DIFFER in cycles" in ran.out


def test_events_of_sounds(npu, utterances, monkeypatch):
    class Fast(Machine):
        def close(self):
            pass

    monkeypatch.setattr(bench, "EVENTS_SECONDS", 0.01)
    monkeypatch.setattr(bench, "machine_of", lambda engine: Fast)
    sound = "--audio", utterances / "test_fl_093.wav"
    found = []
    for sounds in ((sound,), (sound, sound)):
        options = [part for each in sounds for part in each]
        ran = npu("bench", "events", *options, "--calls", 1, "--json", "-")
        assert ran.status == 0
        report = holds(ran.out, EventsReport)
        found.append(report["heard"])
    one, two = found
    boot = json.loads(npu("latency", "commands_rnnt", "--frames", 1, "--json", "-").out)[
        "boot_cycles"
    ]
    # Of either file a reset and its frames.
    assert (one["files"], two["files"]) == (1, 2)
    assert two["starts"] - 1 == 2 * (one["starts"] - 1)
    assert two["events"]["cycles"] - boot == 2 * (one["events"]["cycles"] - boot)
    assert two["speedup"] > two["with_kernels"] > 0
    assert f"{two['starts']} starts of sounds" in ran.err


def test_events_of_what_is_no_transducer(refused, vectors, utterances, monkeypatch):
    monkeypatch.setattr(bench, "machine_of", lambda engine: Machine)
    sound = utterances / "test_fl_093.wav"
    args = ("bench", "events", "--model", vectors / "fc_relu.tflite", "--audio", sound)
    refused(*args, match="not a transducer")


def test_its_arguments(refused):
    refused("bench", "twin", "--calls", 0, match="--calls")
    refused("bench", "twin", "--chip", "vast", match="chip 'vast' is neither")


def test_codec_is_measured_beside_its_peers(npu, monkeypatch):
    rng = np.random.default_rng(1)
    weights = (rng.integers(-20, 20, (40, 60)) * (rng.random((40, 60)) < 0.3)).astype(np.int8)
    case = cases.Case("small", "zoo", weights, (weights[:20], weights[20:]))
    monkeypatch.setattr(cases, "model_cases", lambda model, params: [case])
    monkeypatch.setattr(cases, "synthetic_cases", lambda: [])
    monkeypatch.setattr(codec, "synthetic", lambda *_: case)
    ran = npu("bench", "codec", "--json", "-")
    assert ran.status == 0, ran
    report = holds(ran.out, CodecReport)
    assert report["zoo"]["weights"] == 2400
    ours = report["zoo"]["coders"]["zeroskip"]
    assert ours["n_bytes"] >= 0.9 * report["zoo"]["entropy_bytes"]
    assert ours["decode_rate"] > 0
    assert report["zoo"]["coders"]["bitmask"]["n_bytes"] == 300 + np.count_nonzero(weights)
    assert "the model: 2,400 weights" in ran.err
    assert "| small (40 x 60) |" in codec_page.page(report)


def test_peers_are_estimated_beside_ours(npu, vectors, monkeypatch):
    from compiler.bench import invocations, vela
    from reports import peers

    def timed(path):
        return {"kernels": invocations._refused("no time"), "TFLM": {**TIMES}}

    monkeypatch.setattr(peers, "vela_report", lambda model, peer: vela._refused("not asked"))
    monkeypatch.setattr(peers, "invocation_reports", timed)
    monkeypatch.setattr(peers, "systolic_reports", lambda install: [SYSTOLIC])
    monkeypatch.setattr(peers, "environment", lambda install: "SCALE-Sim is not asked")
    refused = vectors.parent / "refused" / "fc_relu_vela.tflite"
    ran = npu(
        "bench", "peers", vectors / "fc_relu.tflite", refused, "--chip", "edge", "--json", "-"
    )
    assert ran.status == 0, ran
    report = holds(ran.out, PeersReport)
    ours = report["models"][0]["ours"]["edge"]
    assert ours["cycles"] >= ours["bound_cycles"] > 0
    assert ours["over_bound"] == ours["cycles"] / ours["bound_cycles"]
    assert sum(ours["operators"].values()) == ours["cycles"]
    assert len(ours["large"]) == 3
    for large in ours["large"]:
        assert large["cycles"] == ours["operators"][large["name"]] >= 0.05 * ours["cycles"]
        assert large["over_bound"] == large["cycles"] / large["bound_cycles"] > 1
    assert "by Vela" in report["models"][1]["ours"]["edge"]["refused"]
    assert "systolic" not in report["models"][1]
    assert "not counted" in ran.err
    for said in (
        "Vela: not asked",
        "kernels: no time",
        "12.50",
        "(320 x 480): 4.5 s for 32,073 cycles",
        "SCALE-Sim, fc_relu.tflite: SCALE-Sim is not asked; without 3 of 3 products: 1 by 10 x 32",
    ):
        assert said in ran.err
    assert report["host"]["processor"]


TIMES = {
    "refused": None,
    "us": 12.5,
    "gross_us": 13.0,
    "median_us": 14.0,
    "empty_us": 0.5,
    "invocations": 1000,
}
SYSTOLIC = {
    "name": "lstm_320",
    "rows": 320,
    "columns": 480,
    "array": [16, 16],
    "refused": None,
    "cycles": 32073,
    "seconds": 4.5,
}


def test_what_vela_says_is_read(vectors, monkeypatch):
    pytest.importorskip("ethosu", reason="the extra `bench` is not installed")
    from compiler.bench.vela import PEERS, vela_report

    found = vela_report(vectors / "fc_wide.tflite", PEERS["U55-128"])
    assert found["refused"] is None and found["cycles"] > 640 * 2048 / 128
    assert found["macs"] == 640 * 2048 and found["cpu_operators"] == 0


def test_what_the_first_command_takes(npu, refused, vectors):
    ran = npu("bench", "startup", "--model", vectors / "fc_relu.tflite", "--json", "-")
    assert ran.status == 0, ran
    report = holds(ran.out, StartupReport)
    # It compiles, the next one does not.
    assert report["functions"] > 10 and report["cache_bytes"] > 1e6
    assert report["first"]["cpu_seconds"] > 2 * report["next"]["cpu_seconds"]
    refused("bench", "startup", "--model", "nothing.tflite", match="nothing.tflite")


def test_energy_stands_beside_what_others_published(npu, vectors):
    alexa = vectors.parent / "public" / "alexa.tflite"
    chips = "--chip tiny --chip edge --json -"
    ran = npu(f"bench energy {alexa} {chips}")
    assert ran.status == 0, ran
    report = holds(ran.out, EnergyReport)
    assert [chip["name"] for chip in report["chips"]] == ["tiny", "edge"]
    assert [model["chip"] for model in report["models"]] == ["tiny", "edge"]
    for model in report["models"]:
        energy = model["energy_uj"]
        assert energy["total"] == pytest.approx(sum(energy.values()) - energy["total"])
        assert energy["idle"] == energy["wake"] == 0 < energy["leakage"]
    first, *others = report["comparisons"]
    assert first["model"] == "alexa.tflite" and first["published"] == 140.0
    assert first["ratio"] == {c: uw / 140.0 for c, uw in first["ours"].items()}
    assert not first["same"] and "another Alexa network" in first["why"]
    for each in others:
        assert not each["ours"] and not each["ratio"]
        assert each["why"].startswith(("not run: give ", "not comparable"))
    assert (
        "Syntiant NDP101, Alexa" in ran.err
        and "measured with: commands_rnnt, kws_ref_model.tflite" in ran.err
    )


def test_a_model_that_a_chip_refuses_is_told(npu, vectors, chip):
    ran = npu(f"bench energy {vectors / 'fc_wide.tflite'} --chip {chip(sram_bytes=256)} --json -")
    assert ran.status == 0, ran
    report = holds(ran.out, EnergyReport)
    assert report["models"] == [] and len(report["chips"]) == 1
    assert report["refused"][0].startswith("fc_wide.tflite on edge: ")


def test_a_figure_without_conditions_is_refused():
    text = 'name = "NDP"\nunit = "uJ"\n'
    with pytest.raises(ValueError, match=r"conditions\n  Field required"):
        published(f"[[result]]\n{text}")
    assert all(each.sha256 or not each.same for each in published())


def test_a_model_is_known_by_what_is_in_it(npu, vectors, tmp_path):
    """Another file of that name is not what was published."""
    other = tmp_path / "alexa.tflite"
    other.write_bytes((vectors / "fc_relu.tflite").read_bytes())
    report = holds(npu(f"bench energy {other} --json -").out, EnergyReport)
    assert not any(each["ours"] for each in report["comparisons"])


def test_the_page_of_a_large_transducer(npu, monkeypatch):
    """A smaller one here, and a bar that cannot hold."""
    pytest.importorskip("matplotlib", reason="the extra `reports` is not installed")
    monkeypatch.setattr(bench, "PAGE_MODEL", "commands")
    monkeypatch.setattr(page_speed, "MOST_SECONDS", 600.0)
    ran = npu("bench", "report", "--set", "lanes=32", "--json", "-")
    report = holds(ran.out, PageReport)
    assert ran.status == 0 and report["met"] and report["chip"]["lanes"] == 32
    assert report["audio_seconds"] == 10 and report["page_bytes"] > 100_000
    assert 50 < report["process"]["peak_memory_mib"] < 1000
    assert "both bars hold" in ran.err
    monkeypatch.setattr(page_speed, "MOST_MIB", 1.0)
    ran = npu("bench", "report", "--chip", "edge")
    assert ran.status == 1 and "MORE THAN THE BARS" in ran.out

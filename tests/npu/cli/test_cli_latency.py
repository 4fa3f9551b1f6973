"""`npu latency`: its report, its options, and what it refuses."""

import json

import pytest

from compiler import compile_model, load_model
from compiler.programs.per_graph import per_graph
from npu.analysis.latency_report import LatencyReport
from npu.chip.params import load_params
from npu.cli import latency
from tests.schemas import holds


def report_of(ran):
    assert ran.status == 0, ran
    return holds(ran.out, LatencyReport)


def test_of_a_layer(npu, vectors):
    report = report_of(npu(f"latency {vectors}/fc_wide.tflite --frames 3 --json -"))
    total = report["total"]
    assert report["frames"] == 3 and report["decided"] == "no data decide"
    assert sum(total["causes"].values()) == pytest.approx(total["cycles"])
    assert report["frame"]["each"] == [total["cycles"]] * 3
    assert total["bound_by"] == "multiply" and 1 < total["over_ideal"] < 1.2
    assert "commands" not in report and "utterance" not in report
    shown = npu(f"latency {vectors}/fc_wide.tflite").out
    assert "FULLY_CONNECTED" in shown and "bound by" in shown and "total" in shown


def test_commands_make_up_a_frame(npu, vectors):
    report = report_of(npu(f"latency {vectors}/joint.tflite --commands --json -"))
    commands = report["commands"]
    assert sum(each["cycles"] for each in commands) == pytest.approx(report["total"]["cycles"])
    assert commands[-1]["text"] == "HALT"
    assert "MATVEC" in npu(f"latency {vectors}/joint.tflite --commands").out


def test_of_a_sound(npu, utterances, tmp_path):
    sound, written = utterances / "test_fl_093.wav", tmp_path / "report.json"
    ran = npu("latency", "commands_rnnt", "--audio", sound, "--json", written)
    assert ran.status == 0 and "perceived latency" in ran.out and "in time" in ran.out
    report = holds(written.read_text(encoding="utf-8"), LatencyReport)
    heard = npu("transcribe", "commands_rnnt", sound, "--json", "-")
    chip = json.loads(heard.out)["chip"]
    assert report["frame"]["cycles"]["max"] == chip["max_cycles"]
    assert report["frame"]["cycles"]["p99"] == chip["p99_cycles"]
    assert report["utterance"]["busy_ms"] == pytest.approx(chip["busy_ms"])
    assert report["decided"] == "the kernels heard the sound"


def test_an_image_says_the_same_without_its_ideal(npu, images, utterances):
    sound = utterances / "test_fl_093.wav"
    model = report_of(npu("latency", "commands_rnnt", "--audio", sound, "--json", "-"))
    image = report_of(npu("latency", images / "zoo.npu", "--audio", sound, "--json", "-"))
    assert image["decided"] == "the twin heard the sound"
    assert image["frame"] == model["frame"] and image["utterance"] == model["utterance"]
    assert image["total"]["ideal_cycles"] is None and image["total"]["over_ideal"] is None
    assert model["total"]["ideal_cycles"] < model["total"]["cycles"]


def test_a_chip_that_is_too_late(npu, utterances):
    sound = utterances / "test_fl_093.wav"
    ran = npu("latency", "commands_rnnt", "--audio", sound, "--set", "clock_mhz=0.25")
    assert ran.status == latency.TOO_LATE and "TOO LATE" in ran.out


def test_assumed_symbols(npu):
    cycles = []
    for symbols in (0, 1, 2):
        report = report_of(npu(f"latency commands_rnnt --symbols {symbols} --json -"))
        plural = "s" * (symbols != 1)
        assert report["decided"] == f"every frame emits {symbols} symbol{plural}"
        cycles.append(report["frame"]["cycles"]["max"])
    assert cycles[0] < cycles[1] < cycles[2]
    default = report_of(npu("latency commands_rnnt --json -"))
    assert default["frame"]["cycles"]["max"] == cycles[1]


def test_a_search_on_the_host_is_recorded(npu, tmp_path):
    """Its starts are decided by the host: the twin says which they are."""
    model = load_model("commands_rnnt")
    image = compile_model(model, load_params("edge"), program=per_graph(model))
    path = tmp_path / "host.npu"
    path.write_bytes(image.to_bytes())
    report = report_of(npu(f"latency {path} --frames 2 --json -"))
    assert report["decided"] == "random inputs on the twin" and report["frames"] == 2


def test_changes_of_a_chip(npu, vectors):
    model = vectors / "fc_wide.tflite"
    changes = ("--set", "lanes=32", "--set", "clock_mhz=100")
    report = report_of(npu("latency", model, *changes, "--json", "-"))
    assert (report["chip"]["lanes"], report["chip"]["clock_mhz"]) == (32, 100)


def test_what_does_not_go_together(refused, vectors, images, utterances):
    sound = utterances / "test_fl_093.wav"
    layer = vectors / "joint.tflite"
    refused("latency", layer, "--audio", sound, match="is a single graph, not a transducer")
    refused("latency", layer, "--symbols", 1, match="does not search on the chip")
    refused("latency", "commands_rnnt", "--audio", sound, "--frames", 2, match="leave --frames")
    beam = ("--decoding-method", "beam")
    refused("latency", "commands_rnnt", *beam, match="is of a sound: give one with --audio")
    line = ("latency", images / "zoo.npu", *beam, "--audio", sound)
    refused(*line, match="was not compiled for a beam")
    refused("latency", layer, *beam, "--audio", sound, match="is a single graph, not a transducer")
    refused("latency", images / "zoo.npu", "--set", "lanes=8", match="leave --set out")
    refused("latency", "commands_rnnt", "--symbols", 200, match="at most 6 symbols in a call")
    refused("latency", "nothing.tflite", match="nothing.tflite")

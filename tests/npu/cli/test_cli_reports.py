"""Every report is what its schema says: the keys, no others, and what they hold."""

from typing import get_type_hints

import pytest

from compiler.describe import ModelReport
from npu.analysis.heard_results import TranscribeReport
from npu.analysis.results import (
    CompileReport,
    DemoReport,
    ImageReport,
    RunReport,
    SpeedupReport,
    VerifyReport,
)
from tests.schemas import faults, holds

CHIP = {"name", "lanes", "threads", "clock_mhz"}


def test_what_is_no_report_is_told():
    good = {"cycles": 1, "seconds": 2, "cycles_per_second": 0.5}
    assert faults({"speedup": 1.5, "twin": good}, SpeedupReport)[-1:] != []
    schema = get_type_hints(SpeedupReport)["twin"]
    assert faults(good, schema) == []
    assert faults({**good, "cycles": 1.5}, schema) == ["report.cycles is 1.5, no <class 'int'>"]
    assert faults({**good, "more": 1}, schema) == ["report.more is unknown"]
    assert faults({"cycles": 1, "seconds": 2}, schema) == ["report.cycles_per_second is missing"]
    assert faults({**good, "cycles": True}, schema) == ["report.cycles is True, no <class 'int'>"]


def test_of_a_compiled_model(npu, vectors, tmp_path):
    image, line = tmp_path / "a.npu", f"{vectors}/joint.tflite"
    report = holds(npu(f"compile {line} -o {image} --json -").out, CompileReport)
    assert set(report["chip"]) == CHIP
    holds(npu(f"inspect {image} --json -").out, ImageReport)
    holds(npu(f"inspect {line} --json -").out, ModelReport)
    holds(npu("inspect commands_rnnt --json -").out, ModelReport)


@pytest.mark.parametrize("engine", ["kernels", "twin"])
def test_of_a_run(npu, vectors, tmp_path, engine):
    files = f"{vectors}/joint.tflite --input {vectors}/joint.npz --output {tmp_path}/out.npz"
    report = holds(npu(f"run {files} --engine {engine} --json -").out, RunReport)
    assert ("chip" in report) == (engine == "twin")
    if engine == "twin":
        energy = report["chip"]["energy_uj"]
        assert energy["total"] == pytest.approx(sum(energy.values()) - energy["total"])
        assert min(energy["decode"], energy["clock"], energy["leakage"]) > 0


@pytest.mark.parametrize("engine", ["kernels", "twin"])
def test_of_a_transcript(npu, zoo, engine):
    sound = zoo / "commands_rnnt" / "utterances" / "test_fl_093.wav"
    line = f"transcribe commands_rnnt {sound} --engine {engine} --json -"
    report = holds(npu(line).out, TranscribeReport)
    assert ("chip" in report["files"][0]) == (engine == "twin")


def test_of_the_demo(npu):
    holds(npu("demo --utterances 1 --json -").out, DemoReport)


def test_of_twin_beside_rtl(npu, vectors, small_chip):
    model = f"{vectors}/fc_relu.tflite --chip {small_chip} --json -"
    holds(npu(f"verify {model} --calls 1").out, VerifyReport)
    holds(npu(f"bench twin --model {model} --calls 1").out, SpeedupReport)

"""Every report is what its schema says: the keys, no others, and what they hold."""

import json
from itertools import chain
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints, is_typeddict

import pytest

from compiler.describe import ModelReport
from npu.analysis.results import (
    CompileReport,
    DemoReport,
    ImageReport,
    RunReport,
    SpeedupReport,
    TranscribeReport,
    VerifyReport,
)

CHIP = {"name", "lanes", "threads", "clock_mhz"}


def faults(value: Any, wanted: Any, place: str = "report") -> list[str]:
    """Where a value from JSON is not of a type; a tuple is a list there, an int a float."""
    origin, args = get_origin(wanted), get_args(wanted)
    if wanted is Any:
        return []
    if is_typeddict(wanted):
        if not isinstance(value, dict):
            return [f"{place} is no object"]
        hints = get_type_hints(wanted)
        found = [f"{place}.{key} is missing" for key in wanted.__required_keys__ - set(value)]
        found += [f"{place}.{key} is unknown" for key in set(value) - set(hints)]
        for key in set(value) & set(hints):
            found += faults(value[key], hints[key], f"{place}.{key}")
        return found
    if origin in (Union, UnionType):
        each = [faults(value, one, place) for one in args]
        return min(each, key=len)
    if origin in (list, tuple) and isinstance(value, list):
        inner = (faults(one, args[0], f"{place}[{index}]") for index, one in enumerate(value))
        return list(chain.from_iterable(inner))
    if origin is dict and isinstance(value, dict):
        inner = (faults(one, args[1], f"{place}.{key}") for key, one in value.items())
        return list(chain.from_iterable(inner))
    if isinstance(wanted, type):
        kinds = {float: (int, float), NoneType: NoneType}.get(wanted, wanted)
        if isinstance(value, kinds) and not (isinstance(value, bool) and wanted is not bool):
            return []
    return [f"{place} is {value!r:.60}, no {wanted}"]


def holds(text: str, schema: Any) -> dict[str, Any]:
    """The report, which must be of the schema."""
    report = json.loads(text)
    assert not faults(report, schema)
    return report


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

"""ONNX's own cases of its operators: floats within a step of the output, integers equal."""

import json

import pytest

pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")

from npu.errors import NpuError
from tests.operator_cases import PACK, packed, steps_apart

CASES = {case.name: case for case in packed()}
EXPECTED = json.loads((PACK.parent / "expected.json").read_text(encoding="utf-8"))
APART, REFUSED = EXPECTED["apart"], EXPECTED["refused"]


def of_integers(name: str) -> bool:
    return CASES[name].outputs[0].dtype.kind in "iu"


@pytest.mark.parametrize("name", sorted(CASES.keys() - APART.keys() - REFUSED.keys()))
def test_case(name):
    assert steps_apart(CASES[name]) <= (0 if of_integers(name) else 1)


@pytest.mark.parametrize("name", APART)
def test_case_apart(name):
    """One that comes within a step leaves the list."""
    most, reason = APART[name]
    assert (0 if of_integers(name) else 1) < steps_apart(CASES[name]) <= most, reason


@pytest.mark.parametrize("name", REFUSED)
def test_case_refused(name):
    with pytest.raises(NpuError) as refusal:
        steps_apart(CASES[name])
    text = str(refusal.value)
    assert REFUSED[name] in text
    assert "\n" not in text


def test_enough_cases_run():
    run = CASES.keys() - APART.keys() - REFUSED.keys()
    assert len(run) >= 310
    integers = {name for name in run if of_integers(name)}
    kinds = ("qlinearconv", "qlinearmatmul", "matmulinteger", "convinteger", "dynamicquantize")
    assert all(any(name.startswith(kind) for name in integers) for kind in kinds)
    assert len(integers) >= 12

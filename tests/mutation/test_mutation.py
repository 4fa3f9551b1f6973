"""The seeded faults: their list fits the sources, and every one is caught."""

import shutil

import pytest

from tests.mutation.faults import FAULTS
from tests.mutation.run import ROOT, Outcome, file_of, first_failed, page, run, seed

pytest.importorskip("amaranth", reason="the extra `rtl` is not installed")


def test_there_are_enough_and_all_are_different():
    assert len(FAULTS) >= 98
    assert len({(f.file, f.old, f.new) for f in FAULTS}) == len(FAULTS)
    for fault in FAULTS:
        for tests in fault.tests:
            assert file_of(tests).exists(), fault.what


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f"{f.file}: {f.what}")
def test_every_fault_fits_its_source(fault, tmp_path):
    copy = tmp_path / "rtl" / fault.file
    copy.parent.mkdir(parents=True)
    shutil.copy(ROOT / "rtl" / fault.file, copy)
    seed(fault, tmp_path)
    compile(copy.read_text(encoding="utf-8"), fault.file, "exec")


def test_a_missed_fault_shows_on_the_page():
    text = page([Outcome(FAULTS[0], "", 1.0), Outcome(FAULTS[1], "tests/rtl/test_a.py::t", 1.0)])
    assert "1 of 2 are caught" in text
    assert "**none**" in text and "`test_a.py::t`" in text


@pytest.mark.parametrize(
    ("output", "test"),
    [
        ("FAILED a.py::t[(4, 2, 8)] - AssertionError: x\nFAILED a.py::u\n", "a.py::t[(4, 2, 8)]"),
        ("FAILED a.py::t[4-2]\n1 failed in 2 s", "a.py::t[4-2]"),
        ("ERROR a.py - ImportError", ""),
    ],
)
def test_the_first_failure_is_read_from_the_summary(output, test):
    assert first_failed(output) == test


def test_the_page_shows_every_fault_and_who_caught_it():
    text = (ROOT / "reports" / "mutations.md").read_text(encoding="utf-8")
    for fault in FAULTS:
        assert f"| {fault.file} | {fault.what} |" in text, "run: python -m tests.mutation.run"
    assert f"{len(FAULTS)} of {len(FAULTS)} are caught" in text


@pytest.mark.long
def test_every_fault_is_caught():
    missed = [outcome.fault.what for outcome in run() if not outcome.caught_by]
    assert not missed

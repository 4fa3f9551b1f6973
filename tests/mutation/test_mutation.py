"""The seeded faults: their list fits the sources, and every one is caught."""

import ast
import json

import pytest

from tests.mutation.faults import FAULTS
from tests.mutation.locate import unit_of, with_fault
from tests.mutation.run import ROOT, Outcome, file_of, first_failed, page, recorded, run

pytest.importorskip("amaranth", reason="the extra `rtl` is not installed")


def test_there_are_enough_and_all_are_different():
    assert len(FAULTS) >= 98
    assert len({(f.unit, f.old, f.new) for f in FAULTS}) == len(FAULTS)
    for fault in FAULTS:
        for tests in fault.tests:
            assert file_of(tests).exists(), fault.what


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f"{f.unit}: {f.what}")
def test_every_fault_fits_its_unit(fault):
    path = unit_of(ROOT / "rtl", fault.unit)
    text = path.read_text(encoding="utf-8")
    changed = with_fault(text, fault.unit, fault.old, fault.new)
    assert ast.dump(ast.parse(changed)) != ast.dump(ast.parse(text))


UNIT = """
class A:
    def f(self, m):
        m.d.sync += a.eq(
            b + 1,
        )
        c = a + b + 1
        d()


class B:
    def f(self):
        return b + 1
"""


@pytest.mark.parametrize(
    ("unit", "old", "new", "line"),
    [
        ("A", "a.eq(b + 1)", "a.eq(b)", "        m.d.sync += a.eq(b)"),
        ("A", "b + 1", "b", "            b,"),
        ("B", "b + 1", "b", "        return b"),
        ("A", "d()", "pass", "        pass"),
        ("A", "c = a + b + 1\nd()", "d()\nc = 2", "        c = 2"),
    ],
)
def test_code_is_found_by_what_it_is(unit, old, new, line):
    changed = with_fault(UNIT, unit, old, new)
    assert line in changed.splitlines() and line not in UNIT.splitlines()
    ast.parse(changed)


@pytest.mark.parametrize(
    ("unit", "old"), [("A", "b"), ("A", "b + 2"), ("C", "b + 1"), ("B", "c = a + b + 1")]
)
def test_code_that_is_not_there_once_is_refused(unit, old):
    with pytest.raises(ValueError, match="once, not"):
        with_fault(UNIT, unit, old, "0")


def test_units_are_found_in_any_file(tmp_path):
    (tmp_path / "room").mkdir()
    (tmp_path / "room" / "some.py").write_text(UNIT, encoding="utf-8")
    assert unit_of(tmp_path, "A") == tmp_path / "room" / "some.py"
    (tmp_path / "other.py").write_text("class A: ...", encoding="utf-8")
    with pytest.raises(ValueError, match="'A' once, not 2 times"):
        unit_of(tmp_path, "A")
    assert unit_of(tmp_path, "other.A") == tmp_path / "other.py"


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
    known = recorded(json.loads((ROOT / "reports" / "mutations.json").read_text(encoding="utf-8")))
    for fault in FAULTS:
        line = f"| `{fault.unit}` | {fault.what} |" if fault in known else f"- `{fault.unit}`: "
        assert line in text, "run: python -m tests.mutation.run --new"
        assert fault in known or f"- `{fault.unit}`: {fault.what}\n" in text
    assert f"{len(known)} of {len(known)} are caught" in text


@pytest.mark.long
def test_every_fault_is_caught():
    missed = [outcome.fault.what for outcome in run() if not outcome.caught_by]
    assert not missed

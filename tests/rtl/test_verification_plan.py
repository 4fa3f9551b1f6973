"""`rtl/VERIFICATION.md` names what there is: paths, targets of make, and assertions."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PLAN = ROOT / "rtl" / "VERIFICATION.md"
TEXT = PLAN.read_text(encoding="utf-8")
QUOTED = re.findall(r"`([^`\n]+)`", TEXT)
PATHS = sorted({name for name in QUOTED if re.fullmatch(r"(npu|rtl|tests|reports)/[\w/.]+", name)})

ELSEWHERE = {
    "rtl": "the export, driver and this plan",
    "rtl/platforms": "a board, no part of the chip",
    "rtl/shared": "seen through the units",
    "rtl/sim": "the simulation itself",
    "rtl/synth": "reports",
    "rtl/verilog": "named as a room",
    "rtl/views": "texts of the register table",
}
"""Rooms of tests whose files need not stand in the plan one by one."""


def test_it_names_paths():
    assert len(PATHS) > 40


@pytest.mark.parametrize("name", PATHS)
def test_a_path_exists(name):
    assert (ROOT / name).exists()


def test_links_lead_somewhere():
    for link in re.findall(r"\]\(([^)]+)\)", TEXT):
        assert (PLAN.parent / link).exists(), link


def test_targets_of_make_exist():
    targets = re.findall(
        r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
    )
    for name in re.findall(r"`make ([\w-]+)`", TEXT):
        assert name in targets, name


def test_assertions_exist():
    source = (ROOT / "rtl" / "zeroskip_sva.sv").read_text(encoding="utf-8")
    for name in re.findall(r"`(a_\w+)\*?`", TEXT):
        assert re.search(rf"^  {name}\w*: assert property", source, re.MULTILINE), name


def test_every_proof_and_every_unit_stands_in_it():
    for path in (ROOT / "tests" / "formal").glob("test_proof_*.py"):
        assert path.relative_to(ROOT).as_posix() in PATHS, path.name
    for test in (ROOT / "tests" / "rtl").rglob("test_*.py"):
        room = test.parent.relative_to(ROOT / "tests").as_posix()
        assert test.relative_to(ROOT).as_posix() in PATHS or room in ELSEWHERE, test.name

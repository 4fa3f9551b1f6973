"""ARCHITECTURE.md is true: picture and table are those of the sources, what it names is there."""

import re

import pytest

from tests.architecture import PAGE, with_blocks
from tests.imports import ROOT, files, reduced

# `a/b.py` or `a.b:name` of ours; what has a capital, a space or an angle bracket is no path.
_PATH = re.compile(r"`((?:npu|compiler|kernels|rtl|reports|tests)/[a-z0-9_./]+)`")
_NAME = re.compile(r"`((?:npu|compiler|kernels|rtl|reports|tests)/[a-z0-9_/]+\.py):(\w+)`")


def text() -> str:
    return PAGE.read_text(encoding="utf-8")


def test_picture_and_table_are_those_of_the_sources():
    assert with_blocks(text()) == text(), "run: python -m tests.architecture"


def missing(page: str) -> list[str]:
    """The files, folders and names that a page speaks of and that are not there."""
    known = {path.as_posix() for path in files()}
    folders = {parent.as_posix() for path in files() for parent in path.parents}
    paths = [path.rstrip("/") for path in _PATH.findall(page)]
    found = [path for path in paths if path not in known | folders]
    for path, name in _NAME.findall(page):
        source = (ROOT / path).read_text(encoding="utf-8") if path in known else ""
        if not re.search(rf"^\s*(?:(?:def|class) {name}\b|{name}\b.* = )", source, re.MULTILINE):
            found.append(f"{path}:{name}")
    return found


def test_what_it_names_is_there():
    assert not missing(text())
    assert len(_PATH.findall(text())) > 30


@pytest.mark.parametrize(
    ("page", "found"),
    [
        ("see `npu/chip/isa.py`", []),
        ("see `npu/chip/`", []),
        ("see `npu/chip/iso.py`", ["npu/chip/iso.py"]),
        ("see `npu/chip/isa.py:OPCODES`", []),
        ("see `npu/chip/isa.py:CODES`", ["npu/chip/isa.py:CODES"]),
    ],
)
def test_what_is_not_there_is_seen(page, found):
    assert missing(page) == found


def test_an_arrow_is_left_out_where_others_lead():
    assert reduced({("a", "b"), ("b", "c"), ("a", "c")}) == {("a", "b"), ("b", "c")}

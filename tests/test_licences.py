"""The README names every package under a copyleft licence that an installation brings."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, metadata

import pytest
from packaging.requirements import Requirement

from tests.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
COPYLEFT = re.compile(r"GPL|Mozilla|MPL-")


def licence(name: str) -> str:
    """What a package says of itself; the full texts that some put there are cut."""
    found = metadata(name)
    said = [found.get("License-Expression") or "", (found.get("License") or "")[:60]]
    classifiers = found.get_all("Classifier") or []
    return " ".join([*said, *(line for line in classifiers if line.startswith("License"))])


def installed(requirements: list[str]) -> set[str]:
    """The packages that requirements bring, as far as they are installed here."""
    names: set[str] = set()
    todo = [(Requirement(text), "") for text in requirements]
    while todo:
        requirement, extra = todo.pop()
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = requirement.name.lower()
        if name in names:
            continue
        try:
            needs = metadata(name).get_all("Requires-Dist") or []
        except PackageNotFoundError:
            continue
        names.add(name)
        todo += [(Requirement(text), e) for text in needs for e in ("", *requirement.extras)]
    return names


EXTRA = [
    "",
    "rtl",
    "views",
    "formal",
    "synth",
    "bench",
    "reports",
    "trace",
    "sweep",
    "browser",
    "voices",
    "sherpa",
    "test",
]


@pytest.mark.parametrize("extra", EXTRA)
def test_the_readme_names_what_is_copyleft(extra):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.partition("## Licences")[2].partition("\n## ")[0]
    requirements = EXTRAS[extra] if extra else PROJECT["dependencies"]
    found = {name for name in installed(requirements) if COPYLEFT.search(licence(name))}
    assert {name for name in found if f"`{name}`" not in section} == set()


def test_what_the_readme_says_of_them_is_so():
    assert licence("soxr").strip() == "LGPL-2.1-or-later"
    pytest.importorskip("cocotbext.axi", reason="the extra `rtl` is not installed")
    assert licence("scapy").strip() == "GPL-2.0-only"
    assert "scapy" in installed(EXTRAS["rtl"]) - installed(PROJECT["dependencies"])

"""`npu doctor`: what is there and what is not, by looking."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError

from npu.analysis import environment
from npu.analysis.results_beside import DoctorReport
from tests.conftest import ROOT
from tests.schemas import holds

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_it_knows_every_extra_and_its_packages():
    extras = {
        name: {re.match(r"[\w-]+", text)[0] for text in needs}
        for name, needs in PROJECT["optional-dependencies"].items()
    }
    assert {name: set(packages) for name, (packages, _) in environment.EXTRAS.items()} == extras


def test_what_is_missing_is_told_with_its_use(npu, monkeypatch, tmp_path):
    def version(package):
        if package == "zstandard":
            raise PackageNotFoundError(package)
        return "1.2"

    monkeypatch.setattr(environment, "version", version)
    monkeypatch.setattr(environment.shutil, "which", lambda name: None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "zeroskip" / "numba").mkdir(parents=True)
    (tmp_path / "zeroskip" / "numba" / "a.nbc").write_bytes(bytes(3 << 20))
    ran = npu("doctor", "--json", "-")
    assert ran.status == 0
    pieces = {(p["kind"], p["name"]): p for p in holds(ran.out, DoctorReport)["pieces"]}
    assert pieces["extra", "bench"]["found"] is False
    assert pieces["extra", "bench"]["what"] == "without zstandard"
    assert pieces["extra", "rtl"]["found"] and "amaranth 1.2" in pieces["extra", "rtl"]["what"]
    assert not pieces["program", "g++"]["found"]
    assert "3.0 MiB in 1 files" in pieces["cache", "numba"]["what"]
    assert pieces["cache", "verilator"]["what"] == "empty"
    out = npu("doctor").out
    assert "bench would give peers beside our figures" in out
    assert "pip install 'zeroskip[bench]'" in out and "apt-get install g++" in out
    assert "rtl would give" not in out


def test_with_everything_there(npu, monkeypatch):
    monkeypatch.setattr(environment, "version", lambda package: "1.2")
    monkeypatch.setattr(environment.shutil, "which", lambda name: f"/nowhere/{name}")
    assert npu("doctor").out.endswith("nothing is missing\n")


def test_the_example_of_the_readme_lists_the_extras():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = text.partition("$ npu doctor")[2].partition("```")[0]
    assert re.findall(r"^ (\S+) +extra ", block, re.MULTILINE) == list(environment.EXTRAS)

"""SCALE-Sim in an environment of its own: what is told where it is not there, or takes too long."""

import sys
from pathlib import Path

import pytest

from compiler.bench import scalesim
from compiler.bench.results import SystolicReport
from npu import cache
from tests.schemas import faults


def test_where_it_is_not_installed(monkeypatch, tmp_path):
    monkeypatch.setattr(cache, "place", lambda kind: tmp_path / kind)
    for report in scalesim.systolic_reports(install=False):
        assert faults(report, SystolicReport) == []
        assert "--install-scale-sim" in report["refused"]


def simulator(monkeypatch, tmp_path, body):
    """A module of its name that says what `body` prints."""
    package = tmp_path / "scalesim"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "scale.py").write_text(body)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return Path(sys.executable)


def test_its_cycles_are_read(monkeypatch, tmp_path):
    body = "print(open('gemm.csv').read()); print('Total cycles: 77')"
    report = scalesim.simulate(simulator(monkeypatch, tmp_path, body), "lstm_320")
    assert report["cycles"] == 77 and report["seconds"] > 0 and report["refused"] is None


@pytest.mark.parametrize(
    ("body", "limit", "reason"),
    [
        ("import time; time.sleep(60)", 0.5, "not done after 0.5 s"),
        ("raise SystemExit('no such array')", 30, "no such array"),
        ("print('done')", 30, "no cycles told"),
    ],
)
def test_why_there_are_none(monkeypatch, tmp_path, body, limit, reason):
    python = simulator(monkeypatch, tmp_path, body)
    assert scalesim.simulate(python, "lstm_320", limit)["refused"] == reason


def test_an_installation_that_fails(monkeypatch, tmp_path):
    monkeypatch.setattr(cache, "place", lambda kind: tmp_path / kind)
    monkeypatch.setattr(cache, "folder", lambda kind: tmp_path / kind)
    monkeypatch.setattr(scalesim, "PACKAGES", ("./no-such-folder",))
    (report, *_) = scalesim.systolic_reports(install=True)
    assert report["refused"].startswith("not installed: ")

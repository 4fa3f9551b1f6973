"""SCALE-Sim in an environment of its own: what is told where it is not there, or takes too long."""

import sys
from pathlib import Path

import pytest

from compiler.bench import scalesim
from compiler.bench.dense import Dense
from compiler.bench.results import SystolicModelReport, SystolicReport
from npu import cache
from reports.systolic_table import systolic_table
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


LAYERS = """
import csv, time
for row in list(csv.reader(open("gemm.csv")))[1:]:
    m, n, k = map(int, row[1:4])
    if k > 1000:
        time.sleep(60)
    print("Running Layer", flush=True)
    print("Total cycles:", m * n * k, flush=True)
"""
PRODUCTS = {Dense(1, 30, 2000): 2, Dense(4, 5, 6): 3, Dense(1, 8, 9): 1}


def test_all_products_of_a_model(monkeypatch, tmp_path):
    python = simulator(monkeypatch, tmp_path, LAYERS)
    few = {product: n for product, n in PRODUCTS.items() if product.columns < 1000}
    report = scalesim.simulate_model(python, few)
    assert faults(report, SystolicModelReport) == []
    assert report["refused"] is None and report["seconds"] > 0
    assert report["cycles"] == 3 * 4 * 5 * 6 + 8 * 9
    assert [each["times"] for each in report["products"]] == [1, 3]
    assert scalesim.unfinished(report) == []


def test_what_is_not_finished_is_told(monkeypatch, tmp_path):
    """Small products come first, so that many are finished."""
    python = simulator(monkeypatch, tmp_path, LAYERS)
    report = scalesim.simulate_model(python, PRODUCTS, limit=5)
    assert faults(report, SystolicModelReport) == []
    assert report["refused"] == "not done after 5 s" and report["cycles"] is None
    assert [each["cycles"] for each in report["products"]] == [8 * 9, 4 * 5 * 6, None]
    (left,) = scalesim.unfinished(report)
    assert (left["vectors"], left["rows"], left["columns"], left["times"]) == (1, 30, 2000, 2)
    run = {"models": [{"model": "m.tflite", "systolic": report}]}
    row = systolic_table(run)[-1]
    assert row == "| `m.tflite` | 16 x 16 | 6 | 4 | 432 | not done after 5 s |"
    assert systolic_table({"models": [{"model": "m.tflite"}]}) == []


def test_models_where_it_is_not_installed_or_has_nothing_to_do():
    report = scalesim.simulate_model("not installed", PRODUCTS)
    assert report["refused"] == "not installed" and len(scalesim.unfinished(report)) == 3
    report = scalesim.simulate_model(Path("nothing"), {})
    assert (report["refused"], report["cycles"], report["products"]) == (None, 0, [])


def test_an_installation_that_fails(monkeypatch, tmp_path):
    monkeypatch.setattr(cache, "place", lambda kind: tmp_path / kind)
    monkeypatch.setattr(cache, "folder", lambda kind: tmp_path / kind)
    monkeypatch.setattr(scalesim, "PACKAGES", ("./no-such-folder",))
    (report, *_) = scalesim.systolic_reports(install=True)
    assert report["refused"].startswith("not installed: ")

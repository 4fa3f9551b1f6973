"""`workload:NAME` as MODEL, with `--sparsity` and `--weight-seed`."""

import json

import pytest

from compiler.frontends.workloads import names
from npu.analysis.latency_report import LatencyReport
from tests.compiler.frontends.workloads.sizes import SMALL
from tests.schemas import holds


@pytest.fixture(autouse=True)
def small(monkeypatch, tmp_path):
    """A small network in the place of those that are published."""
    file = tmp_path / "workloads.json"
    file.write_text(json.dumps({"small": SMALL}), encoding="utf-8")
    monkeypatch.setattr(names, "DIMENSIONS", file)
    names.published.cache_clear()
    yield
    names.published.cache_clear()


def report_of(ran):
    assert ran.status == 0, ran
    return holds(ran.out, LatencyReport)


def test_sparsity_and_seed_make_the_name(npu):
    report = report_of(npu("latency workload:small --sparsity 0.75 --weight-seed 4 --json -"))
    assert report["model"] == "workload:small,sparsity=0.75,seed=4"
    same = report_of(npu("latency workload:small,seed=4,sparsity=0.75 --json -"))
    assert same["frame"] == report["frame"]
    assert report_of(npu("latency workload:small --json -"))["model"].endswith("sparsity=0,seed=1")


def test_zeros_save_cycles_and_the_real_time_factor_is_told(npu):
    dense, sparse = (
        report_of(npu(f"latency workload:small --sparsity {share} --json -")) for share in (0, 0.9)
    )
    assert sparse["total"]["causes"]["multiply"] < 0.5 * dense["total"]["causes"]["multiply"]
    pace = dense["pace"]
    assert pace["deadline_ms"] == 60
    assert pace["real_time_factor"] == pytest.approx(dense["total"]["ms"] / 60)
    assert pace["slowest"] == pytest.approx(dense["frame"]["ms"]["max"] / 60)
    shown = npu("latency workload:small").out
    assert f"a frame every 60 ms: real-time factor {pace['real_time_factor']:.5f}, " in shown


def test_an_image_of_it(npu, tmp_path):
    image = tmp_path / "a.npu"
    assert npu("compile", "workload:small", "--sparsity", "0.5", "-o", image).status == 0
    assert report_of(npu("latency", image, "--json", "-"))["pace"]["deadline_ms"] == 60


def test_what_is_refused(refused, npu):
    refused("latency commands --sparsity 0.5", match="commands: has weights of its own: leave --s")
    refused("latency commands --weight-seed 2", match="leave --weight-seed out, or take a workload")
    refused("latency workload:big", match='no workload "big"; there are: small')
    refused("latency workload:small --sparsity 1", match="sparsity must be 0 to 0.999")
    refused("inspect workload:smal", match="did you mean workload:small")

"""The page of the workloads shows the last run."""

import json

import pytest

from compiler import compile_model, load_model
from compiler.frontends.workloads import published
from npu.chip.params import load_params
from reports import gates, workloads


def test_the_page_shows_the_last_run():
    points = json.loads(workloads.RUN.read_text(encoding="utf-8"))
    assert workloads.PAGE.read_text(encoding="utf-8") == workloads.page(points), (
        "run: python -m reports.workloads --page"
    )


def test_the_run_has_every_workload():
    points = json.loads(workloads.RUN.read_text(encoding="utf-8"))
    found = {(point["workload"], point["sparsity"]) for point in points}
    assert found == {(name, share) for name in workloads.CHIPS for share in workloads.SPARSITIES}
    assert {*workloads.CHIPS, *gates.WORKLOADS} == set(published())


def test_other_weights_are_not_equal():
    image = compile_model(load_model("commands"), load_params("edge"))
    assert workloads.compare("commands", image) > 600
    with pytest.raises(AssertionError):
        workloads.compare("commands_rnnt", image)

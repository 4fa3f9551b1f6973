"""What is generated is up to date."""

import json

import numpy as np

from compiler.bench.results import PeersReport
from compiler.frontends import supported_operators
from npu.sweep.spec import read_spec
from reports import (
    coverage_page,
    invocations_page,
    isa_page,
    models,
    operators_page,
    peers_page,
    readme,
)
from tests.schemas import faults


def test_the_readme_lists_the_operators_of_the_code():
    text = readme.README.read_text(encoding="utf-8")
    assert readme.with_tables(text) == text, "run: python -m reports.readme"
    for name, _ in supported_operators():
        assert f"| `{name}` |" in text


def test_the_readme_lists_models_of_others():
    run = models.read()
    assert faults(run, list[models.ModelReport]) == []
    assert sum(engine["differ"] for model in run for engine in model["engines"].values()) == 0
    assert all(model["broken"] is None for model in run)


def test_the_readme_shows_an_output_of_every_command():
    text = readme.README.read_text(encoding="utf-8")
    commands = [found[2] for found in readme._OUTPUT.finditer(text)]
    shown = {command.split()[1] for command in commands}
    twin_only = {
        "demo",
        "transcribe",
        "listen",
        "evaluate",
        "zoo",
        "quantize",
        "compile",
        "run",
        "latency",
        "trace",
        "report",
        "inspect",
    }
    assert shown == twin_only | {"verify", "bench", "rtl", "compare", "doctor", "sweep", "fit"}
    assert "$ npu demo\n" in text


def test_the_readme_shows_a_spec_that_can_be_swept(tmp_path):
    path = tmp_path / "sweep.toml"
    path.write_text(readme.shown_spec(), encoding="utf-8")
    assert len(read_spec(path)) == 12


def test_outputs_take_the_place_of_old_ones():
    text = "a\n<!-- output: npu x -->\nold\n<!-- /output -->\nb\n"
    once = readme.with_outputs(text, lambda command: f"\n  {command}!  \n\n")
    assert once == (
        "a\n<!-- output: npu x -->\n```text\n$ npu x\n  npu x!\n```\n<!-- /output -->\nb\n"
    )
    assert readme.with_outputs(once, lambda command: f"  {command}!") == once


def test_the_page_of_the_instruction_set():
    assert isa_page.PAGE.read_text(encoding="utf-8") == isa_page.page(), (
        "run: python -m reports.isa_page"
    )


def test_the_page_of_the_operators():
    run = json.loads(operators_page.RUN.read_text(encoding="utf-8"))
    assert operators_page.PAGE.read_text(encoding="utf-8") == operators_page.page(run), (
        "run: python -m reports.operators_page"
    )
    assert faults(run, operators_page.OperatorsReport) == []
    for name, kind in run["kinds"].items():
        assert kind["models"] >= 60 and not kind["broken"], name
        assert not any(kind["differ"].values()), name


def test_the_page_of_the_peers():
    run = json.loads(peers_page.RUN.read_text(encoding="utf-8"))
    assert peers_page.PAGE.read_text(encoding="utf-8") == peers_page.page(run), (
        "run: python -m reports.peers_page"
    )
    assert faults(run, PeersReport) == []


def test_the_page_of_the_invocations():
    run = json.loads(invocations_page.RUN.read_text(encoding="utf-8"))
    assert invocations_page.PAGE.read_text(encoding="utf-8") == invocations_page.page(run), (
        "run: python -m reports.invocations_page"
    )
    assert faults(run, PeersReport) == []
    beside_tflm = [invocations_page.ratio(model, "TFLM") for model in run["models"]]
    assert min(beside_tflm) >= 5 and np.exp(np.mean(np.log(beside_tflm))) >= 12
    assert min(invocations_page.ratio(model, "LiteRT") for model in run["models"]) >= 1
    for model in run["models"]:
        for found in model["invocations"].values():
            assert found["refused"] or found["invocations"] >= 1000


def test_the_page_of_coverage():
    run = json.loads(coverage_page.RUN.read_text(encoding="utf-8"))
    assert coverage_page.PAGE.read_text(encoding="utf-8") == coverage_page.page(run), (
        "run: python -m reports.coverage_page"
    )
    hit, of = run["total"]["line"]
    assert hit >= 0.98 * of
    assert all(hole["reason"] for hole in run["holes"] + run["bin_arguments"])
    assert all(bins["hit"] + bins["argued"] == bins["of"] for bins in run["bins"].values())

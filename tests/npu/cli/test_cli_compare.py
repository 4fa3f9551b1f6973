"""`npu compare`: the figures are those of the commands alone, differences are marked."""

import json

import numpy as np
import pytest

from npu.analysis.results_beside import CompareReport
from tests.conftest import ROOT
from tests.schemas import holds


def test_two_chips_side_by_side(npu, vectors, tmp_path):
    model = vectors / "fc_wide.tflite"
    line = f"compare {model} --chip edge --chip edge,lanes=8 --chip edge,lanes=1,bank_bytes=256"
    ran = npu(f"{line} --json -")
    report = holds(ran.out, CompareReport)
    assert report["parameters"] == {"lanes": [16, 8, 1], "bank_bytes": [65536, 65536, 256]}
    (compared,) = report["models"]
    edge, half, small = compared["chips"]
    with np.load(vectors / "fc_wide.npz") as recorded:
        np.savez(tmp_path / "in.npz", input0=recorded["input0"][:1])
    run = npu(f"run {model} --input {tmp_path}/in.npz --output {tmp_path}/out.npz --json -")
    alone = json.loads(run.out)["chip"]
    assert edge["cycles"] == alone["max_cycles"] and edge["ms"] == alone["max_ms"]
    assert edge["energy_uj"] == pytest.approx(alone["energy_uj"]["total"])
    assert "listening_uw" not in edge and "listening_uw" not in npu(line).out
    assert edge["bytes_moved"] == alone["bytes_read"] + alone["bytes_written"]
    assert 1.8 < half["cycles"] / edge["cycles"] < 2.1
    assert set(small) == {"chip", "refused"}
    assert [layer["resident_tiles"] for layer in edge["layers"]] == [edge["layers"][0]["tiles"]]
    out = npu(line).out
    ratio = f"({half['cycles'] / edge['cycles']:.2f}x)"
    row = next(line for line in out.splitlines() if line.strip().startswith("cycles"))
    assert ratio in row and row.split()[-1] == "refused"
    assert "edge,lanes=1,bank_bytes=256 refuses fc_wide.tflite: " in out


def test_tiles_are_shown_by_layer_where_some_do_not_stay(npu, vectors):
    line = f"compare {vectors / 'fc_wide.tflite'} --chip edge --chip edge,bank_bytes=8192"
    report = holds(npu(f"{line} --json -").out, CompareReport)
    (layer,) = report["models"][0]["chips"][1]["layers"]
    assert 0 < layer["resident_tiles"] < layer["tiles"]
    rows = [row.split() for row in npu(line).out.splitlines()]
    shown = ["all", str(layer["resident_tiles"]), "of", str(layer["tiles"])]
    assert ["tiles", "that", "stay", *shown] in rows
    assert ["0", "FULLY_CONNECTED", *shown] in rows
    resident = npu(line.replace(",bank_bytes=8192", "")).out
    assert resident.count("tiles that stay") == 1


def test_energy_and_power_are_marked_as_the_others(npu):
    line = "compare commands_rnnt --chip edge --chip edge,technology.node_nm=28,technology.idle=off"
    report = holds(npu(f"{line} --json -").out, CompareReport)
    assert report["parameters"] == {
        "technology.node_nm": [40, 28],
        "technology.idle": ["retention", "off"],
    }
    edge, other = report["models"][0]["chips"]
    rows = {row.split()[0]: row.split() for row in npu(line).out.splitlines() if row.strip()}
    for name, digits in (("energy_uj", 2), ("listening_uw", 1)):
        ratio = other[name] / edge[name]
        assert ratio != 1
        shown = [f"{edge[name]:,.{digits}f}", f"{other[name]:,.{digits}f}", f"({ratio:.2f}x)"]
        assert rows[name] == [name, *shown]


def test_what_cannot_be_compared(refused, npu, vectors, tmp_path):
    model = vectors / "fc_relu.tflite"
    refused("compare", model, match="Missing option '--chip'")
    refused("compare", model, "--chip", "edge", match="give --chip twice or more")
    refused(f"compare {model} --chip edge --chip vast", match="chip 'vast' is neither")
    refused("compare a.npu --chip edge --chip max", match="compiled for one chip already")
    same = npu(f"compare {model} --chip edge --chip edge")
    assert "the chips do not differ" in same.out and "x)" not in same.out


def test_the_example_of_the_readme(npu):
    """As it stands there; `python -m reports.readme` writes it again."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    line = "compare commands_rnnt --chip edge --chip edge,lanes=32"
    block = text.partition(f"$ npu {line}\n")[2].partition("```")[0]
    shown = [row.rstrip() for row in npu(line).out.splitlines()]
    assert "\n".join(shown).strip("\n") == block.strip("\n")

"""`npu bench twin`: both engines in one run, and no ratio for engines that differ."""

import json

import pytest

from npu.cli import bench
from npu.twin.machine import Machine


def test_twin_against_verilator(npu, small_chip, vectors):
    args = ("--chip", small_chip, "--model", vectors / "fc_relu.tflite", "--calls", 2)
    ran = npu("bench", "twin", *args, "--json", "-")
    assert ran.status == 0, ran
    report = json.loads(ran.out)
    twin, rtl = report["twin"], report["rtl"]
    assert report["equal"] and report["differ"] == [] and report["calls"] == 2
    assert twin["cycles"] == rtl["cycles"] > 1000
    assert report["ratio"] == pytest.approx(twin["cycles_per_second"] / rtl["cycles_per_second"])
    assert "Verilator" in ran.err
    assert "outputs, cycles, memory, SRAM and registers are equal" in ran.err


def test_engines_that_differ(npu, vectors, monkeypatch):
    class Slow(Machine):
        def run(self, pc, arguments=None):
            return super().run(pc, arguments) + 1

        def close(self):
            pass

    monkeypatch.setattr(bench, "machine_of", lambda engine: Slow if engine == "rtl" else Machine)
    ran = npu("bench", "twin", "--chip", "edge", "--model", vectors / "fc_relu.tflite")
    assert ran.status == 1
    assert "THEY DIFFER in cycles" in ran.out


def test_its_arguments(refused):
    refused("bench", "twin", "--calls", 0, match="--calls")
    refused("bench", "twin", "--chip", "vast", match="chip 'vast' is neither")

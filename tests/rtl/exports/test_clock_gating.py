"""An export with gated clocks: its bench, its lint, and that nothing of it is in a plain one."""

import re
import shutil
from pathlib import Path

import pytest

from rtl.export import TOP
from rtl.shared.options import GATED, Options
from tests.rtl.exports.kept import kept_export
from tests.rtl.exports.test_exported_bench import needs_icarus, simulated
from tests.rtl.test_export_tools import lint, needs_verilator


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Path:
    return kept_export(tmp_path_factory, Options(clock_gating=True, ram_pins=(1, 1)))


@needs_icarus
def test_the_chip_answers_what_tflm_answered(exported):
    done = simulated(exported)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^PASS: 4 calls in \d+ cycles", done.stdout, re.MULTILINE)


def with_cell(folder: Path, target: Path, body: str) -> Path:
    """A copy of an export with another body of the gates' module."""
    shutil.copytree(folder, target)
    file = target / f"{TOP}.v"
    pattern = rf"(\nmodule {TOP}_clock_gate \(.*?\);\n).*?(?=endmodule)"
    text, count = re.subn(pattern, rf"\1{body}", file.read_text(), flags=re.DOTALL)
    assert count == 1
    file.write_text(text)
    return target


@needs_icarus
def test_a_cell_of_a_library_in_the_place_of_the_model(exported, tmp_path):
    """One with a register on the falling edge, as in an FPGA's global buffer."""
    body = "reg q; always @(negedge clk) q <= enable | test_enable; assign gated = clk & q;\n"
    done = simulated(with_cell(exported, tmp_path / "cell", body), calls=2)
    assert done.returncode == 0 and "PASS: 2 calls" in done.stdout, done.stdout + done.stderr


@pytest.mark.long
@needs_icarus
def test_clocks_that_stand_are_found(exported, tmp_path):
    """The units are clocked by their gates: without an edge nothing goes."""
    done = simulated(with_cell(exported, tmp_path / "off", "  assign gated = 1'b0;\n"))
    assert done.returncode != 0 and "PASS" not in done.stdout


@needs_verilator
def test_verilator_says_nothing(exported):
    assert not re.search("warning|error", lint(exported, f"{TOP}.vlt", f"{TOP}.v"), re.IGNORECASE)


def test_one_module_holds_the_gate(exported):
    text = (exported / f"{TOP}.v").read_text()
    for name in GATED:
        assert text.count(f"  {TOP}_clock_gate clock_gate_{name} (\n") == 1
    assert len(re.findall(rf"^module {TOP}_clock_gate \(", text, re.MULTILINE)) == 1
    assert re.search(r"^  input test_enable,$", text, re.MULTILINE)
    # Block RAM of the lanes is clocked with them, by a port of the same name.
    bank = text.partition(f"module {TOP}_ram_bank_")[2].partition(");")[0]
    assert "  input clk,\n" in bank


def test_a_plain_export_has_none_of_it(tmp_path_factory):
    text = (kept_export(tmp_path_factory) / f"{TOP}.v").read_text()
    assert "clock_gate" not in text and "test_enable" not in text

"""Pins of memory macros: an export with a macro in it, and which slice is whose."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from rtl.export import TOP, export
from rtl.shared.options import Options
from tests.rtl.exports.kept import kept_export, small
from tests.rtl.exports.test_exported_bench import needs_icarus, simulated
from tests.rtl.exports.test_exported_core import checked, needs_sta
from tests.rtl.test_export_tools import lint, needs_verilator

INPUTS, OUTPUTS = 8, 2
OPTIONS = Options(ram_pins=(INPUTS, OUTPUTS))
BANK = "zeroskip_ram_bank_1024x32"
TIMEOUT_S = 120

# As a foundry's compiler might give it: pins active low, one to sleep, a chain of repair bits.
MACRO = f"""
module fab_2p_1024x32 (
  input CLKA, input CENA, input [9:0] AA, output reg [31:0] QA,
  input CENB, input [8:0] AB, input [63:0] DB,
  input SLP, input [6:0] REPAIR, output [1:0] STATUS
);
  reg [31:0] even [0:511];
  reg [31:0] odd [0:511];
  assign STATUS = {{^REPAIR, SLP}};
  always @(posedge CLKA) begin
    if (SLP && !(CENA && CENB)) $fatal(1, "accessed while asleep");
    if (!CENA) QA <= AA[0] ? odd[AA[9:1]] : even[AA[9:1]];
    if (!CENB) {{odd[AB], even[AB]}} <= DB;
  end
endmodule

module {BANK} (
  input clk, input read_en, input [9:0] read_addr, output wire [31:0] read_data,
  input [8:0] write_addr, input [63:0] write_data, input write_en,
  input [7:0] pins_in, output wire [1:0] pins_out
);
  fab_2p_1024x32 macro (
    .CLKA(clk), .CENA(~read_en), .AA(read_addr), .QA(read_data),
    .CENB(~write_en), .AB(write_addr), .DB(write_data),
    .SLP(pins_in[0]), .REPAIR(pins_in[7:1]), .STATUS(pins_out)
  );
endmodule
"""


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Path:
    return kept_export(tmp_path_factory, OPTIONS)


def rams(folder: Path) -> list[dict]:
    return json.loads((folder / f"{TOP}.json").read_text())["ram_pins"]


def with_macro(folder: Path, target: Path) -> Path:
    """The export with the macro in the place of the banks' model."""
    shutil.copytree(folder, target)
    file = target / f"{TOP}.v"
    text, count = re.subn(
        rf"\nmodule {BANK} \(.*?\nendmodule\n", MACRO, file.read_text(), flags=re.S
    )
    assert count == 1
    file.write_text(text)
    return target


@needs_icarus
def test_with_a_macro_in_the_place_of_the_banks_the_answers_are_the_same(exported, tmp_path):
    done = simulated(with_macro(exported, tmp_path / "macro"), calls=2)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^PASS: 2 calls in \d+ cycles", done.stdout, re.MULTILINE)


@needs_icarus
def test_the_pins_reach_the_macro(exported, tmp_path):
    folder = with_macro(exported, tmp_path / "asleep")
    facts = folder / "tb" / "zeroskip_chip.vh"
    text = facts.read_text().replace(f".ram_pins_in({INPUTS}'d0)", f".ram_pins_in({INPUTS}'d1)")
    assert text != facts.read_text()
    facts.write_text(text)
    done = simulated(folder)
    assert done.returncode != 0 and "accessed while asleep" in done.stdout + done.stderr
    assert "PASS" not in done.stdout


def bench(found: list[dict]) -> str:
    """Force the outputs of one block RAM after the other, and look at the pins of the top."""
    width = OUTPUTS * len(found)
    lines = ["module bench;", f"  reg [{INPUTS - 1}:0] into; wire [{width - 1}:0] out;"]
    lines += ["  integer wrong; initial begin wrong = 0;"]
    for ram in found:
        pins = f"{TOP}.{ram['instance'].partition('.')[2]}.pins"
        for value in range(1, 1 << OUTPUTS):
            expected = f"{width}'h{value << ram['low']:x}"
            lines.append(f"    force {pins}_out = {OUTPUTS}'d{value};")
            lines.append(f"    #1 if (out !== {expected}) wrong = wrong + 1;")
        lines.append(f"    release {pins}_out;")
        for value in (0x5A, 0xA5):
            lines.append(f"    into = {value}; #1 if ({pins}_in !== {value}) wrong = wrong + 1;")
    lines += ['    $display("wrong: %0d", wrong); end']
    return "\n".join(
        [*lines, f"  {TOP} {TOP} (.ram_pins_in(into), .ram_pins_out(out));", "endmodule"]
    )


def wrong_pins(folder: Path, found: list[dict]) -> int:
    (folder / "pins.v").write_text(bench(found))
    for command in (
        ["iverilog", "-g2012", "-o", "pins", "-s", "bench", "pins.v", f"{TOP}.v"],
        ["vvp", "-n", "pins"],
    ):
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=True, timeout=TIMEOUT_S
        )
    return int(done.stdout.strip().removeprefix("wrong: "))


@needs_icarus
def test_every_slice_is_that_of_its_block_ram_and_of_no_other(exported):
    found = rams(exported)
    assert wrong_pins(exported, found) == 0
    swapped = [dict(ram) for ram in found]
    swapped[0]["low"], swapped[1]["low"] = found[1]["low"], found[0]["low"]
    assert wrong_pins(exported, swapped) == 2 * 3


def test_the_list_is_that_of_the_verilog(exported):
    text, found = (exported / f"{TOP}.v").read_text(), rams(exported)
    assert [ram["low"] for ram in found] == list(range(0, OUTPUTS * len(found), OUTPUTS))
    assert all(ram["high"] == ram["low"] + OUTPUTS - 1 for ram in found)
    assert f"  output wire [{OUTPUTS * len(found) - 1}:0] ram_pins_out,\n" in text
    # Of each lane a bank, a copy of the activations and two tables; two of the SRAM.
    assert len(found) == 4 * small().lanes + 2 + text.count(" ram_param_") + text.count(
        " ram_program_"
    )
    for ram in found:
        assert ram["module"].removeprefix(f"{TOP}_") in ram["instance"]
        assert ram["module"].endswith(f"_{ram['depth']}x{ram['width']}")
        span = f"[{ram['high']}:{ram['low']}]"
        assert re.search(rf"^//   {re.escape(span)} +{re.escape(ram['instance'])}\b", text, re.M)


@needs_verilator
def test_verilator_says_nothing(exported):
    assert not re.search("warning|error", lint(exported, f"{TOP}.vlt", f"{TOP}.v"), re.IGNORECASE)


@pytest.mark.long
def test_pins_of_one_direction_and_with_parity(tmp_path):
    export(small(), tmp_path / "in", options=Options(ram_pins=(3, 0), protection="parity"))
    text = (tmp_path / "in" / f"{TOP}.v").read_text()
    assert "  input [2:0] ram_pins_in,\n" in text and "ram_pins_out" not in text
    assert all(ram["low"] is None for ram in rams(tmp_path / "in"))
    export(small(), tmp_path / "out", options=Options(ram_pins=(0, 1)))
    text = (tmp_path / "out" / f"{TOP}.v").read_text()
    assert "ram_pins_in" not in text and "ram_pins_out" in text


@needs_sta
@pytest.mark.parametrize("crossing", [False, True])
def test_no_clock_of_the_chip_times_the_pins(tmp_path, crossing):
    """OpenSTA finds no path at them, and every other port timed."""
    options = Options(ram_pins=(INPUTS, OUTPUTS), crossing=crossing)
    export(small(), tmp_path / "made", options=options)
    text = (tmp_path / "made" / f"{TOP}.sdc").read_text()
    ask = "report_checks -{} [get_ports ram_pins_{}]\n"
    text += ask.format("from", "in*") + ask.format("to", "out*")
    said_of = checked(tmp_path / "made", tmp_path, text)
    assert said_of.count("No paths found.") == 2, said_of
    told = said_of.partition("checking\n")[2].partition("checked\n")[0]
    assert not [line for line in told.splitlines() if "ram_pins" not in line and "." not in line]


def test_a_plain_export_has_none_of_it(tmp_path_factory):
    plain = kept_export(tmp_path_factory)
    assert "pins_" not in (plain / f"{TOP}.v").read_text()
    assert "ram_pins_out" not in (plain / f"{TOP}.json").read_text()

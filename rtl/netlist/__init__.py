"""The chip after synthesis: a netlist of the ECP5's cells, simulated in the place of the RTL.

Yosys maps the exported Verilog (`mapped`), models of the cells stand below it (`cells`), and
Verilator runs both with the surroundings of the RTL (`machine`). Needs the extras `rtl` and
`synth`.
"""

from rtl.netlist.cells import CellsError, cell_models
from rtl.netlist.machine import NetlistMachine
from rtl.netlist.mapped import Netlist, chip_netlist, map_to_cells, require_tools

__all__ = [
    "CellsError",
    "Netlist",
    "NetlistMachine",
    "cell_models",
    "chip_netlist",
    "map_to_cells",
    "require_tools",
]

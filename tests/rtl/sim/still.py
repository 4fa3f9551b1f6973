"""What changes in a unit whose clock should stand: a monitor of every register, in SystemVerilog.

The gates are left open, so that everything goes on as without them, while the enables say when
there would have been a clock. A register that changes without one is told once, by its place.
"""

import re

from rtl.export import TOP
from rtl.shared.options import GATED

MONITOR = """
module still #(parameter WIDTH = 1) (input clk, input on, input [WIDTH-1:0] state);
  reg [WIDTH-1:0] last;
  reg known = 0;
  integer stood = 0, longest = 0;
  always @(posedge clk) begin
    last <= state;
    known <= 1;
    stood <= on ? 0 : stood + 1;
    if (known && stood > longest && state != last) longest <= stood;
  end
  final if (longest > 0) $display("moved: %m %0d", longest);
endmodule

module unwritten (input clk, input on, input en);
  integer writes = 0;
  always @(posedge clk) if (en && !on) writes <= writes + 1;
  final if (writes > 0) $display("moved: %m %0d", writes);
endmodule
"""
# Tables of fewer words are looked at, too; of larger ones, block RAM, whether they are written.
FEW_WORDS = 64
# Registers that follow a port of a shared memory which another unit reads, and what is computed
# from them, read by nobody then; and a counter that always runs, set when a command begins.
UNMEANT = re.compile(
    r"matvec\.vector\.(word|shifted|write_data_\d+|signal(_\d+)?)$|"
    r"matvec\.block\.(word|upper)$|"
    r"matvec\.requantiser\.(rescale\.\w+|bias|index|number|own\w*|target\w*|x|scale|held\w*|total|"
    r"multiplier\w*|right\w*|raw\w*|signal(_\d+)?)$|"
    r"vector\.phase$"
)
MODULE = re.compile(r"^module (\w+) \(\n(.*?)^endmodule$", re.MULTILINE | re.DOTALL)
REGISTER = re.compile(
    r"^  (?:output )?reg (?:\[\d+:\d+\] )?(\w+)(?: \[0:(\d+)\])?[;,]?$", re.MULTILINE
)
LANE_RAM = re.compile(r"_ram_(bank|codes|activations)_")


def unit_of(module: str) -> str | None:
    """The gated unit in which a module of the Verilog lies."""
    if LANE_RAM.search(module):
        return "matvec"
    found = re.match(rf"{TOP}_({'|'.join(GATED)})(?:_|$)", module)
    return found[1] if found else None


def monitored(verilog: str) -> tuple[str, str]:
    """The Verilog with open gates, and the monitors."""
    text = verilog.replace("if (~clk) held = enable | test_enable;", "if (~clk) held = 1;")
    assert text != verilog
    binds = [MONITOR]
    for name, body in MODULE.findall(text):
        unit = unit_of(name)
        registers = [(found, size) for found, size in REGISTER.findall(body)] if unit else []
        states = []
        for register, size in registers:
            if not size:
                states.append(register)
            elif int(size) < FEW_WORDS:
                states += (f"{register}[{i}]" for i in range(int(size) + 1))
        on = f"{TOP}.chip.clock_gate_{unit}.enable"
        if LANE_RAM.search(name):
            # Written in the cycle itself: no register of its own tells of it.
            states = [state for state in states if not state.startswith("memory")]
            binds.append(f"bind {name} unwritten unwritten (.clk(clk), .on({on}), .en(write_en));")
        for state in states:
            place = re.sub(r"\W", "_", state)
            binds.append(
                f"bind {name} still #(.WIDTH($bits({state}))) still_{place} "
                f"(.clk(clk), .on({on}), .state({state}));"
            )
    return text, "\n".join(binds) + "\n"


def unmeant(moved: dict[str, int]) -> dict[str, int]:
    """Of registers that moved without a clock, those that ought not to, in the order of times."""
    found = {place: cycles for place, cycles in moved.items() if not UNMEANT.search(place)}
    return dict(sorted(found.items(), key=lambda item: item[1]))

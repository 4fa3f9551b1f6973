"""Constants, and lines under a condition, as Verilog."""

# Of a gate: its latch is open while the clock is low, so that its output has whole pulses alone.
LATCH_AND_AND = """  reg held;
  // verilator lint_off LATCH
  // It is meant: what comes while the clock is high waits for the next pulse.
  always @(clk or enable or test_enable)
    if (~clk) held = enable | test_enable;
  // verilator lint_on LATCH
  assign gated = clk & held;
endmodule
"""


def constant(bits: str) -> str:
    """A constant from its bits, the least significant first."""
    return f"{len(bits)}'h{int(bits[::-1], 2):x}"


def if_(condition: str, lines: list[str]) -> list[str]:
    """Lines under a condition, if there is one."""
    if not condition:
        return lines if len(lines) == 1 else ["begin", *indent(lines, 2), "end"]
    if len(lines) == 1:
        return [f"if ({condition}) {lines[0]}"]
    return [f"if ({condition}) begin", *indent(lines, 2), "end"]


def else_(lines: list[str]) -> list[str]:
    """The lines of `if_`, or others, where a condition before them does not hold."""
    return [f"else {lines[0]}", *lines[1:]]


def indent(lines: list[str], by: int) -> list[str]:
    """Lines `by` characters to the right."""
    return [" " * by + line for line in lines]

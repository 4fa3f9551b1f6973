"""Timing constraints of an export as SDC."""

from collections.abc import Iterable, Sequence
from textwrap import wrap

from npu.chip.params import ChipParams
from rtl.shared.options import PLAIN, Options

# Of a cycle, what the design around the chip takes before its inputs and behind its outputs.
INPUT_SHARE, OUTPUT_SHARE = 0.4, 0.4
CORE, BUS = "clk", "aclk"
RESETS = ("rst", "rst_n")
PINS = ("ram_pins_in", "ram_pins_out")


def constraints(
    params: ChipParams,
    inputs: Iterable[str],
    clock: str = CORE,
    *,
    outputs: Iterable[str] = (),
    options: Options = PLAIN,
) -> str:
    """Clocks, and what of each cycle belongs to the outside.

    inputs : the chip's input ports, without its clocks.
    outputs : its output ports; needed where there are two clocks, or pins of memory macros.
    """
    period = 1000 / params.clock_mhz
    inputs, outputs = list(inputs), list(outputs)
    pins = _pins(inputs, outputs)
    inputs, outputs = ([name for name in names if name not in PINS] for names in (inputs, outputs))
    if options.crossing:
        return _two_clocks(params, inputs, outputs) + pins
    driven = _ports(outputs) if pins else "[all_outputs]"
    lines = ""
    paths = "Every path counts; there\n# are no false paths and no paths of several cycles."
    if options.reset == "async_low":
        paths = "Every path counts but\n# those from rst_n, which is synchronised inside."
        lines = "\nset_false_path -from [get_ports rst_n]\n"
    return f"""# Timing of chip {params.name}, in nanoseconds: one clock of {params.clock_mhz} MHz.
create_clock -name {clock} -period {period:.4f} [get_ports {clock}]

# Of a cycle, {INPUT_SHARE:.0%} are gone when an input arrives, and {OUTPUT_SHARE:.0%} are needed
# behind an output: change both to what the design around the chip takes. {paths}
set_input_delay -clock {clock} {INPUT_SHARE * period:.4f} {_ports(inputs)}
set_output_delay -clock {clock} {OUTPUT_SHARE * period:.4f} {driven}
{lines}{pins}"""


def _pins(inputs: Sequence[str], outputs: Sequence[str]) -> str:
    """What holds of the pins of memory macros, if there are any."""
    found = [f"set_false_path -from [get_ports {name}]" for name in inputs if name in PINS]
    found += [f"set_false_path -to [get_ports {name}]" for name in outputs if name in PINS]
    if not found:
        return ""
    return "\n".join(
        (
            "",
            "# Pins of memory macros are wires of no clock of the chip. Where a macro samples one",
            "# with a clock, or gives one from it, put a delay of that clock in place of its line.",
            *found,
            "",
        )
    )


def _ports(names: Sequence[str]) -> str:
    text = "\n".join(wrap(" ".join(names), 96, initial_indent="  ", subsequent_indent="  "))
    return f"[get_ports {{\n{text}\n}}]"


def _two_clocks(params: ChipParams, inputs: Sequence[str], outputs: Sequence[str]) -> str:
    """Buses and interrupt have a clock of their own; what crosses is bounded, not excepted."""
    [reset] = [name for name in inputs if name in RESETS]
    of_core = [name for name in outputs if name.startswith("debug_")]
    of_bus = [name for name in outputs if name not in of_core]
    period = f"{1000 / params.clock_mhz:.4f}"
    return f"""# Timing of chip {params.name}, in nanoseconds: two clocks without a relation.
set core_period {period}
# Set this to the clock of the buses.
set bus_period {period}
create_clock -name {CORE} -period $core_period [get_ports {CORE}]
create_clock -name {BUS} -period $bus_period [get_ports {BUS}]

# What goes from one clock to the other is held for its reader, or in Gray code: its bits may be
# apart by less than a cycle. So these paths have no place in a cycle, but a length: that of the
# shorter period. A clock group or a false path instead would leave them without a bound.
set crossing [expr {{min($core_period, $bus_period)}}]
set_max_delay $crossing -from [get_clocks {CORE}] -to [get_clocks {BUS}]
set_max_delay $crossing -from [get_clocks {BUS}] -to [get_clocks {CORE}]
set_false_path -hold -from [get_clocks {CORE}] -to [get_clocks {BUS}]
set_false_path -hold -from [get_clocks {BUS}] -to [get_clocks {CORE}]
# The reset is synchronised inside, to both clocks.
set_false_path -from [get_ports {reset}]

# Of a cycle, {INPUT_SHARE:.0%} are gone when an input arrives, and {OUTPUT_SHARE:.0%} are needed
# behind an output: change both to what the design around the chip takes.
set_input_delay -clock {BUS} [expr {{{INPUT_SHARE} * $bus_period}}] {_ports(inputs)}
set_output_delay -clock {BUS} [expr {{{OUTPUT_SHARE} * $bus_period}}] {_ports(of_bus)}
set_output_delay -clock {CORE} [expr {{{OUTPUT_SHARE} * $core_period}}] {_ports(of_core)}
"""

"""Timing constraints of an export as SDC."""

from collections.abc import Iterable
from textwrap import wrap

from npu.chip.params import ChipParams

# Of a cycle, what the design around the chip takes before its inputs and behind its outputs.
INPUT_SHARE, OUTPUT_SHARE = 0.4, 0.4


def constraints(params: ChipParams, inputs: Iterable[str], clock: str = "clk") -> str:
    """The clock, and what of each cycle belongs to the outside. No path is excepted.

    inputs : the chip's input ports, without its clock.
    """
    period = 1000 / params.clock_mhz
    ports = "\n".join(wrap(" ".join(inputs), 96, initial_indent="  ", subsequent_indent="  "))
    return f"""# Timing of chip {params.name}, in nanoseconds: one clock of {params.clock_mhz} MHz.
create_clock -name {clock} -period {period:.4f} [get_ports {clock}]

# Of a cycle, {INPUT_SHARE:.0%} are gone when an input arrives, and {OUTPUT_SHARE:.0%} are needed
# behind an output: change both to what the design around the chip takes. Every path counts; there
# are no false paths and no paths of several cycles.
set_input_delay -clock {clock} {INPUT_SHARE * period:.4f} [get_ports {{
{ports}
}}]
set_output_delay -clock {clock} {OUTPUT_SHARE * period:.4f} [all_outputs]
"""

"""Area and clock of the chip and its units on a real FPGA family, from real place and route.

A unit (`units`) is put between registers (`timed`), written as Verilog, synthesised by Yosys, and
placed and routed by nextpnr for an ECP5 (`flow`); what the tools say becomes records (`results`).
Needs the `rtl` and `synth` extras.
"""

from rtl.synth.flow import (
    DEVICES,
    SPEED_GRADE,
    Device,
    SynthError,
    require_tools,
    synthesise,
    synthesise_timed,
    tool_versions,
)
from rtl.synth.results import CriticalPath, Hop, Result, Utilisation
from rtl.synth.units import CHIP, UNITS

__all__ = [
    "CHIP",
    "DEVICES",
    "SPEED_GRADE",
    "UNITS",
    "CriticalPath",
    "Device",
    "Hop",
    "Result",
    "SynthError",
    "Utilisation",
    "require_tools",
    "synthesise",
    "synthesise_timed",
    "tool_versions",
]

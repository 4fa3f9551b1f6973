"""Writes Amaranth components as Verilog 2005 that every tool reads without a word.

Amaranth's RTLIL becomes a netlist of bits (`netlist`), in which modules that are equal become one
(`sharing`) and what nobody reads is left out (`liveness`). The rest gets names (`names`), and is
written with every width explicit (`expressions`, `memory`, `blocks`, `writer`): continuous
assignments and clocked blocks alone, so that no result hangs on the order of events at time 0.
"""

from rtl.verilog.conversion import HEADER, convert, shared, written
from rtl.verilog.ram_pins import RamPins, rams, with_pins

__all__ = ["HEADER", "RamPins", "convert", "rams", "shared", "with_pins", "written"]

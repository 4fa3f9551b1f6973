"""Clocks and resets around the chip: one or two clocks, a synchronous or an asynchronous reset."""

from rtl.clocking.crossing import Crossing
from rtl.clocking.domains import add_domains, clock_ports, members, signals

__all__ = ["Crossing", "add_domains", "clock_ports", "members", "signals"]

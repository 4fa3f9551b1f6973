"""Simulation of the chip: external memory on its bus, and the Verilator build of the whole chip."""
